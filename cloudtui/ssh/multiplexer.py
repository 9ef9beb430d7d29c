"""tmux and GNU screen on the host: what runs, how to attach, new sessions, how a pane ended."""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import Sequence

from cloudtui.model.errors import CloudtuiError, NotFound, Refused
from cloudtui.model.session import (
    PROBE,
    Ending,
    Program,
    Session,
    SessionList,
    check_name,
    check_text,
    parse_probe,
)
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


async def list_sessions(conn: Connection, known: SessionList | None = None) -> SessionList:
    """The host's sessions and installed programs, in one round trip.

    With `known`, an earlier answer, the versions are not asked again, which halves the work.

    Raises:
        CloudtuiError: the host could not run the question.
    """
    same = known and known.programs
    done = await conn.ask(f"KNOWN={1 if same else ''}", PROBE)
    listing = parse_probe(done.stdout, known=known)
    if "TMUX " not in done.stdout:
        raise CloudtuiError(
            f"{conn.route.spoken} did not say which sessions it has.",
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
        at = f" -p {session.window}" if session.window.isdigit() else ""
        attach = f"exec screen -U -x {pid}.{at}"
    return f"sh -c 'PATH=\"$PATH:{EXTRA_PATH}\"; {attach}'"


def tmux_version(line: str) -> tuple[int, int]:
    """`tmux 3.3a` as (3, 3); (0, 0) when it cannot be read."""
    found = re.search(r"(\d+)\.(\d+)", line)
    return (int(found[1]), int(found[2])) if found else (0, 0)


_UNTIL_LISTED = (0.0, 0.1, 0.3, 0.6, 1.0)
"""Seconds: screen goes to the background before it has its socket, on a busy host long before."""


async def new_session(
    conn: Connection, program: Program, name: str, command: str = "", folder: str = ""
) -> Session:
    """Start a detached session in `folder` or at home, with the login shell or `command` in it.

    Raises:
        UsageError: a name the program does not take.
        Refused: a session of that name runs already, or there is no such folder.
        NotFound: the program is not installed there.
    """
    check_name(program, name)
    check_text("command", command)
    check_text("folder", folder)
    listing = await list_sessions(conn)
    if program not in listing.programs:
        raise NotFound(
            f"{conn.route.spoken} has no {program}.",
            hint=f"Install it there: sudo apt install -y {program}, or sudo dnf install -y "
            f"{program}.",
        )
    if any(s.program is program and s.name == name and not s.dead for s in listing.sessions):
        raise _taken(program, name)
    before = {s.id for s in listing.sessions}
    done = await conn.run(f"{PREPARE}{enter_line(folder)}{start_line(program, name, command)}")
    if done.exit_status == NO_FOLDER:
        raise Refused(
            f"{conn.route.spoken} has no folder {folder or '~'} that can be entered.",
            done.stderr.strip(),
            "Make it first, or leave the folder empty for the home folder.",
        )
    if done.exit_status:
        words = (done.stderr or done.stdout).strip()
        if "duplicate session" in words:
            raise _taken(program, name)
        raise CloudtuiError(f"{program} could not start the session {name}.", words)
    made = done.stdout.strip()
    for wait in _UNTIL_LISTED if program is Program.SCREEN else (0.0,):
        await asyncio.sleep(wait)
        for session in (await list_sessions(conn)).sessions:
            is_it = session.id == made if made else session.name == name
            if session.program is program and session.id not in before and is_it:
                return session
    raise CloudtuiError(
        f"The {program} session {name} ended as soon as it was started.",
        command and f"It ran: {command}",
        "Try the command in a shell on the machine.",
    )


PREPARE = (
    f'export PATH="$PATH:{EXTRA_PATH}" TERM=xterm-256color LANG="${{LANG:-C.UTF-8}}" '
    "LC_ALL=C.UTF-8\n"
)

NO_FOLDER = 92
"""Exit status of a start in a folder that is not there."""


def enter_line(folder: str) -> str:
    """A line of sh that goes into the folder; `~` in front is the home folder."""
    home, _, rest = folder.partition("/")
    if folder and home != "~":
        place = shlex.quote(folder)
    else:
        place = '"$HOME"' + (f"/{shlex.quote(rest)}" if rest else "")
    return f'cd "$HOME" || exit {NO_FOLDER}\ncd -- {place} || exit {NO_FOLDER}\n'


def start_line(program: Program, name: str, command: str) -> str:
    """A line of sh that starts a detached session, 200 x 50 cells; tmux's prints its id."""
    if program is Program.TMUX:
        parts = ["tmux", "-u", "new-session", "-d", "-P", "-F", "#{session_id}"]
        parts += ["-s", tmux_word(name), "-x", "200", "-y", "50"]
        parts += [tmux_word(command)] if command else []
    else:
        parts = ["screen", "-U", "-dmS", name]
        parts += ["sh", "-c", command] if command else []
    return shlex.join(parts)


def tmux_word(text: str) -> str:
    """The text as one argument of tmux, which takes a last `;` for the end of its command and a
    last `\\;` for a `;`."""
    return f"{text[:-1]}\\;" if text.endswith(";") else text


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
