"""What is done to a session that runs: looked at, renamed, killed, its clients detached."""

from __future__ import annotations

import base64
import binascii
import shlex
from dataclasses import replace

from cloudtui.model.errors import CloudtuiError, NotFound
from cloudtui.model.preview import (
    HEAD,
    PANES,
    Pane,
    Preview,
    parse_hardcopy,
    parse_panes,
    parse_preview,
    parse_screen_windows,
)
from cloudtui.model.session import Program, Session, check_name
from cloudtui.ssh.connection import Connection
from cloudtui.ssh.multiplexer import PREPARE, tmux_word
from cloudtui.ssh.scripts import Completed

GONE = 93
"""Exit status of a script whose session is not there, or is another one of the same id."""

PREVIEW_SECONDS = 10.0

QUERY_WINDOWS = """\
screen -S NAME -Q windows </dev/null & q=$!
(sleep 3; kill $q) >/dev/null 2>&1 & w=$!
wait $q; s=$?
kill $w 2>/dev/null
if [ $s -ne 0 ]; then
  L=$(screen -ls | tr -d '\\r')
  D=$(printf '%s\\n' "$L" | sed -n 's/.* in \\(.*\\)\\.$/\\1/p')
  [ -d "$D" ] && rm -f "$D"/NAME-query[A-Z]
  printf '%s\\n' "$L" | grep -F NAME | grep -v -e '-query[A-Z]' -e Dead >/dev/null ||
    echo 'No screen session found.'
fi
exit $s
"""
"""A screen that ends while it is asked never answers: the question is ended, and its socket
removed."""


async def preview(conn: Connection, session: Session, pane: str = "") -> Preview:
    """What the session's active pane, or the tmux pane of that id, shows now.

    Raises:
        NotFound: the session or the pane has gone.
    """
    done = await conn.ask(PREPARE + preview_script(session, pane), timeout=PREVIEW_SECONDS)
    read = parse_preview if session.program is Program.TMUX else _decoded
    found = read(done.stdout)
    if done.exit_status or found is None:
        raise _gone(conn, session)
    return found


def _decoded(text: str) -> Preview | None:
    try:
        return parse_hardcopy(base64.b64decode(text.strip()))
    except binascii.Error:
        return None


def preview_script(session: Session, pane: str = "") -> str:
    """Sh that prints what `model.preview` reads; nothing of the session is changed by it."""
    if session.program is Program.TMUX:
        target = shlex.quote(pane or f"{session.id}:")
        return (
            f"tmux -u display-message -p -t {target} {shlex.quote(HEAD)} \\; "
            f"capture-pane -e -J -p -t {target} || exit {GONE}\n"
        )
    at = f" -p {pane}" if pane.isdigit() else ""
    return (
        f"D=$(mktemp -d) || exit 1\n"
        f"trap 'rm -rf \"$D\"' EXIT\n"
        f'screen -S {shlex.quote(session.id)}{at} -X hardcopy "$D/copy" >/dev/null || '
        f"exit {GONE}\n"
        f'n=0; while [ ! -s "$D/copy" ] && [ $n -lt 20 ]; do n=$((n+1)); sleep 0.02; done\n'
        f'base64 <"$D/copy"\n'
    )


async def panes(conn: Connection, session: Session) -> tuple[Pane, ...]:
    """The windows of a session, and of tmux the panes in them.

    Raises:
        NotFound: the session has gone.
    """
    if session.program is not Program.TMUX:
        return await _screen_windows(conn, session)
    line = f"tmux -u list-panes -s -t {shlex.quote(session.id)} -F {shlex.quote(PANES)}"
    done = await conn.run(f"{PREPARE}{line}\n")
    found = parse_panes(done.stdout)
    if done.exit_status or not found:
        raise _gone(conn, session)
    return found


async def _screen_windows(conn: Connection, session: Session) -> tuple[Pane, ...]:
    """Screen 4.2 and later tell them."""
    name = shlex.quote(session.id)
    done = await conn.run(PREPARE + QUERY_WINDOWS.replace("NAME", name))
    found = parse_screen_windows(done.stdout)
    if found and not done.exit_status:
        return found
    if "No screen session found" in done.stdout + done.stderr:
        raise _gone(conn, session)
    raise CloudtuiError(
        f"The screen on {conn.route.spoken} does not tell its windows.",
        (done.stderr or done.stdout).strip()[-400:],
        'Attach, then press Ctrl-a ".',
    )


async def choose(conn: Connection, session: Session, pane: Pane) -> Session:
    """Make the pane the active one of its session, for everyone attached; what to attach then.

    Raises:
        NotFound: the pane has gone.
    """
    if session.program is Program.SCREEN:
        if pane not in await _screen_windows(conn, session):
            raise NotFound(f"Window {pane.window} of the session {session.name} has gone.")
        # Without anyone attached this does nothing: the window is named when attaching.
        await conn.run(f"{PREPARE}screen -S {shlex.quote(session.id)} -X select {pane.window}\n")
        return replace(session, window=str(pane.window))
    window, target = shlex.quote(pane.window_id), shlex.quote(pane.id)
    done = await conn.run(
        f"{PREPARE}tmux -u select-window -t {window} \\; select-pane -t {target}\n"
    )
    if done.exit_status:
        raise NotFound(
            f"Window {pane.window} of the session {session.name} has gone.", done.stderr.strip()
        )
    return session


async def rename(conn: Connection, session: Session, name: str) -> None:
    """Give the session another name.

    Raises:
        UsageError: a name the program does not take.
        NotFound: the session has gone.
        CloudtuiError: the program refused, for instance since the name is taken.
    """
    check_name(session.program, name)
    done = await conn.run(PREPARE + rename_script(session, name))
    _checked(conn, session, done, "renamed")


def rename_script(session: Session, name: str) -> str:
    if session.program is Program.TMUX:
        target = shlex.quote(session.id)
        new = shlex.quote(tmux_word(name))
        return f"{_same(session)}tmux -u rename-session -t {target} -- {new}\n"
    return f"screen -S {shlex.quote(session.id)} -X sessionname {shlex.quote(name)}\n"


async def kill(conn: Connection, session: Session) -> None:
    """End the session and what runs in it.

    Raises:
        NotFound: it has gone, or its id is another session's by now.
    """
    _checked(conn, session, await conn.run(PREPARE + kill_script(session)), "ended")


def kill_script(session: Session) -> str:
    if session.program is Program.TMUX:
        return f"{_same(session)}tmux -u kill-session -t {shlex.quote(session.id)}\n"
    return f"screen -S {shlex.quote(session.id)} -X quit\n"


async def detach(conn: Connection, session: Session) -> int:
    """Detach everyone but this connection's own terminals; how many were. Screen's count is 1.

    Raises:
        NotFound: the session has gone.
    """
    done = await conn.run(PREPARE + detach_script(session))
    if session.program is Program.TMUX:
        _checked(conn, session, done, "detached")
        return sum(line.startswith("detached ") for line in done.stdout.splitlines())
    return 1


def detach_script(session: Session) -> str:
    """On a Linux host, clients that came through this connection are left alone in tmux."""
    if session.program is Program.SCREEN:
        return f"screen -d {shlex.quote(session.id)}\n"
    return (
        f"{_same(session)}"
        f"tmux -u list-clients -t {shlex.quote(session.id)} -F '#{{client_pid}} #{{client_tty}}' |"
        " while read -r pid tty; do\n"
        '  if [ -n "$SSH_CONNECTION" ] && [ -r "/proc/$pid/environ" ] &&\n'
        '    tr "\\0" "\\n" <"/proc/$pid/environ" | grep -qxF "SSH_CONNECTION=$SSH_CONNECTION"\n'
        "  then continue; fi\n"
        '  tmux -u detach-client -t "$tty" && echo "detached $tty"\n'
        "done\nexit 0\n"
    )


async def wipe(conn: Connection, sessions: tuple[Session, ...]) -> None:
    """Remove the sockets of screens that are dead; of no others."""
    dead = [s for s in sessions if s.dead and s.program is Program.SCREEN]
    lines = "".join(f"screen -wipe {shlex.quote(s.id)} >/dev/null\n" for s in dead)
    await conn.run(f"{PREPARE}{lines}exit 0\n")


def _same(session: Session) -> str:
    """Stops unless the tmux session of that id is the one meant: a new server counts from $0."""
    target = shlex.quote(f"{session.id}:")
    made = int(session.created.timestamp()) if session.created else ""
    return (
        f"M=$(tmux -u display-message -p -t {target} '#{{session_created}}') || exit {GONE}\n"
        f'[ "$M" = "{made}" ] || exit {GONE}\n'
    )


def _checked(conn: Connection, session: Session, done: Completed, verb: str) -> None:
    words = (done.stderr or done.stdout).strip()
    if done.exit_status == GONE or "No screen session found" in words:
        raise _gone(conn, session)
    if done.exit_status:
        raise CloudtuiError(
            f"The {session.program} session {session.name} on {conn.route.spoken} was not {verb}.",
            words[-400:],
        )


def _gone(conn: Connection, session: Session) -> NotFound:
    return NotFound(
        f"The {session.program} session {session.name} on {conn.route.spoken} has gone.",
        hint="Ctrl-r lists again.",
    )
