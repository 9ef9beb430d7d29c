"""tmux and GNU screen on the host: what runs, how to attach, new sessions, how a pane ended."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from cloudtui.model.errors import CloudtuiError, NotFound, Refused, UsageError
from cloudtui.model.session import PROBE, Ending, Program, Session, SessionList, parse_probe
from cloudtui.ssh.connection import Connection
from cloudtui.ssh.terminal import TerminalEnd

EXTRA_PATH = "/usr/local/bin:/opt/homebrew/bin:$HOME/.local/bin"
"""Folders looked in after PATH: a non-interactive shell often lacks them."""

FEATURES = ("256", "RGB", "title", "clipboard", "cstyle", "strikethrough", "usstyle", "sync")
"""What the console's own panes can show, in tmux's names of terminal features."""

_DETACHED = re.compile(r"\[(?:remote |power )?detached(?: and SIGHUP)?\b[^\]]*\]")
_OVER = re.compile(
    r"\[exited\]|\[screen is terminating\]|\[(?:lost server|server exited)[^\]]*\]|"
    r"\[(?:remote )?power detached[^\]]*\]|server exited unexpectedly|lost server"
)


async def list_sessions(conn: Connection) -> SessionList:
    """The host's sessions and installed programs, in one round trip.

    Raises:
        CloudtuiError: the host could not run the question.
    """
    done = await conn.run(PROBE)
    listing = parse_probe(done.stdout)
    if "TMUX " not in done.stdout:
        raise CloudtuiError(
            f"{conn.route.host} did not say which sessions it has.",
            (done.stderr or done.stdout).strip()[-400:],
            "Open a shell there and try: tmux ls",
        )
    return listing


def attach_command(
    session: Session, listing: SessionList, *, features: Sequence[str] = FEATURES
) -> str:
    """The command that attaches, for any login shell; needs a terminal of type xterm-256color.

    Other clients stay attached. The session is named by its id, so odd names do no harm.
    """
    if session.program is Program.TMUX:
        known = features if tmux_version(listing.tmux_version) >= (3, 2) else ()
        said = f" -T {','.join(known)}" if known else ""
        attach = f'exec tmux -u{said} attach-session -t "\\{session.id}"'
    else:
        pid = session.id.partition(".")[0]
        attach = f"exec screen -U -x {pid}."
    return f"sh -c 'PATH=\"$PATH:{EXTRA_PATH}\"; {attach}'"


def tmux_version(line: str) -> tuple[int, int]:
    """`tmux 3.3a` as (3, 3); (0, 0) when it cannot be read."""
    found = re.search(r"(\d+)\.(\d+)", line)
    return (int(found[1]), int(found[2])) if found else (0, 0)


async def new_session(conn: Connection, program: Program, name: str, command: str = "") -> Session:
    """Start a detached session in the home folder, with the login shell or `command` in it.

    Raises:
        UsageError: a name the program does not take.
        Refused: a session of that name runs already.
        NotFound: the program is not installed there.
    """
    check_name(program, name)
    listing = await list_sessions(conn)
    if program not in listing.programs:
        raise NotFound(
            f"{conn.route.host} has no {program}.",
            hint=f"Install it there: sudo apt install -y {program}, or sudo dnf install -y "
            f"{program}.",
        )
    if any(s.program is program and s.name == name and not s.dead for s in listing.sessions):
        raise _taken(program, name)
    before = {s.id for s in listing.sessions}
    done = await conn.run(f"{_PREPARE}{start_line(program, name, command)}")
    if done.exit_status:
        words = (done.stderr or done.stdout).strip()
        if "duplicate session" in words:
            raise _taken(program, name)
        raise CloudtuiError(f"{program} could not start the session {name}.", words)
    listing = await list_sessions(conn)
    made = done.stdout.strip()
    for session in listing.sessions:
        is_it = session.id == made if made else session.name == name
        if session.program is program and session.id not in before and is_it:
            return session
    raise CloudtuiError(
        f"The {program} session {name} ended as soon as it was started.",
        command and f"It ran: {command}",
        "Try the command in a shell on the machine.",
    )


_PREPARE = (
    f'export PATH="$PATH:{EXTRA_PATH}" TERM=xterm-256color LANG="${{LANG:-C.UTF-8}}"\n'
    'cd "$HOME" || exit\n'
)


def start_line(program: Program, name: str, command: str) -> str:
    """A line of sh that starts a detached session, 200 x 50 cells; tmux's prints its id."""
    if program is Program.TMUX:
        parts = ["tmux", "-u", "new-session", "-d", "-P", "-F", "#{session_id}", "-s", name]
        parts += ["-x", "200", "-y", "50"]
        parts += [command] if command else []
    else:
        parts = ["screen", "-U", "-dmS", name]
        parts += ["sh", "-c", command] if command else []
    return shlex.join(parts)


def check_name(program: Program, name: str) -> None:
    """Raises UsageError for a name that tmux or screen would change or not take."""
    if not name.strip():
        raise UsageError("A session needs a name.")
    if not name.isprintable() or name != name.strip() or name.startswith("-"):
        raise UsageError(
            f"{name!r} cannot be a session's name.",
            hint="Use letters, digits, dashes; no dash in front.",
        )
    odd = ".:" if program is Program.TMUX else "/"
    if any(c in odd for c in name):
        words = "dots and colons" if program is Program.TMUX else "slashes"
        raise UsageError(
            f"{name!r} cannot be a {program} session's name: {program} takes no {words}."
        )
    if len(name.encode()) > 70:
        raise UsageError(f"{name[:20]}… is too long for a session's name.", hint="70 bytes fit.")


def _taken(program: Program, name: str) -> Refused:
    return Refused(
        f"A {program} session {name} runs already.", hint="Attach to it, or choose another name."
    )


async def how_it_ended(conn: Connection | None, session: Session, end: TerminalEnd) -> Ending:
    """Whether an attached terminal was detached from, saw its session end, lost its connection
    or could not attach; asks the host when the last line does not say."""
    if end.lost:
        return Ending.LOST
    if _DETACHED.search(end.tail) and end.exit_status == 0:
        return Ending.DETACHED
    if _OVER.search(end.tail):
        return Ending.ENDED
    if end.exit_status:
        return Ending.FAILED
    if conn is None or conn.closed:
        return Ending.ENDED
    listing = await list_sessions(conn)
    alive = any(s.key == session.key and not s.dead for s in listing.sessions)
    return Ending.DETACHED if alive else Ending.ENDED
