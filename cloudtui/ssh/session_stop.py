"""What runs in a tmux or screen session is ended, and the session with it; `host/session_stop.sh`
does it there."""

from __future__ import annotations

import re
import shlex

from cloudtui.model.errors import CloudtuiError, NotFound
from cloudtui.model.session import Session
from cloudtui.ssh.connection import Connection
from cloudtui.ssh.host_program import text
from cloudtui.ssh.multiplexer import PREPARE

GONE = 93
"""Exit status for a session that is not there, or is another one of the same id."""


async def stop(conn: Connection, session: Session, grace: float) -> str:
    """SIGINT, SIGTERM and SIGKILL in turn for all that runs in it, each with `grace` seconds to
    act, then the end of the session; the last signal that was needed, such as `INT`, or none.

    Raises:
        NotFound: the session has gone.
        CloudtuiError: it goes on.
    """
    given = {
        "PROGRAM": session.program.value,
        "ID": session.id,
        "MADE": str(int(session.created.timestamp())) if session.created else "",
        "TRIES": str(round(grace * 10)),
    }
    variables = "".join(f"{name}={shlex.quote(value)}\n" for name, value in given.items())
    script = f"{PREPARE}{variables}{text('session_stop.sh')}"
    done = await conn.run(script, timeout=30 + 4 * grace)
    what = f"The {session.program} session {session.name} on {conn.route.spoken}"
    if done.exit_status == GONE:
        raise NotFound(f"{what} has gone.")
    if done.exit_status:
        raise CloudtuiError(f"{what} was not ended.", done.stderr.strip()[-400:])
    found = re.search(r"^(INT|TERM|KILL)$", done.stdout, re.MULTILINE)
    return found[1] if found else ""
