"""tmux and GNU screen sessions of a host: how they are asked for, what the answer means."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from cloudtui.model.answers import moment, whole
from cloudtui.model.errors import UsageError


class Program(StrEnum):
    """The two multiplexers."""

    TMUX = "tmux"
    SCREEN = "screen"


@dataclass(frozen=True, slots=True)
class Session:
    """One session on a host; `id` is `$3` for tmux and `PID.NAME` for screen."""

    program: Program
    id: str
    name: str
    windows: int | None = None
    attached: int = 0
    """Number of clients attached now."""
    created: datetime | None = None
    dead: bool = False
    """A screen whose process is gone and whose socket was left behind."""
    command: str = ""
    """What runs in it: the active pane's program, or those of a screen's windows."""
    window: str = ""
    """The number of the screen window to attach at; the one left last when empty."""

    @property
    def key(self) -> str:
        return f"{self.program}:{self.id}"


@dataclass(frozen=True, slots=True)
class SessionList:
    """What one probe found: the programs installed (their version lines) and the sessions."""

    sessions: tuple[Session, ...] = ()
    tmux_version: str = ""
    screen_version: str = ""

    @property
    def programs(self) -> tuple[Program, ...]:
        both = ((Program.TMUX, self.tmux_version), (Program.SCREEN, self.screen_version))
        return tuple(program for program, version in both if version)


SEPARATOR = "␞"

PROBE = """
export LC_ALL=C.UTF-8 PATH="$PATH:/usr/local/bin:/opt/homebrew/bin:$HOME/.local/bin"
T=; S=
command -v tmux >/dev/null && T=yes
command -v screen >/dev/null && S=yes
if [ -z "$KNOWN" ]; then
  echo "TMUX ${T:+$(tmux -V)}"
  echo "SCREEN ${S:+$(screen -v | head -n 1)}"
else
  echo "TMUX ${T:+?}"
  echo "SCREEN ${S:+?}"
fi
if [ -n "$S" ] && [ -d "${SCREENDIR:-/run/screen}" ]; then
  S=
  for f in ${SCREENDIR:+"$SCREENDIR"/*} ${SCREENDIR:-/run/screen/S-*/* "$HOME"/.screen/*}; do
    if [ -p "$f" ] || [ -S "$f" ]; then S=yes; break; fi
  done
fi
if [ -n "$S" ]; then
  { read -r up idle </proc/uptime; } 2>/dev/null
  screen -ls 2>&1 | while IFS= read -r line; do
    case $line in "	"[0-9]*.*) ;; *) continue;; esac
    p=${line#?}; p=${p%%.*}; stat= kids= runs= age=
    case $p in *[!0-9]*) continue;; esac
    { read -r stat </proc/$p/stat; read -r kids </proc/$p/task/$p/children; } 2>/dev/null
    for kid in $kids; do
      own= name=
      { read -r own </proc/$kid/stat; } 2>/dev/null
      set -f; set -- ${own##*) }; set +f
      { read -r name </proc/$6/comm; } 2>/dev/null
      runs="$runs/$name"
    done
    [ -n "$up$stat" ] || age=$(ps -o etime= -p "$p" 2>/dev/null)
    printf 'S␞%s␞%s␞%s␞%s␞%s\\n' "$up" "$stat" "$age" "$runs" "$line"
  done
fi
F='T␞#{session_id}␞#{session_created}␞#{session_attached}␞\
#{session_windows}␞#{pane_current_command}␞#{session_name}'
L=
if [ -n "$T" ] && [ -n "$PANES" ]; then
  eval '{ tmux -u list-sessions -F "$F"' "$PANES"'; } 2>/dev/null'
elif [ -n "$T" ]; then
  L=$(tmux -u list-sessions -F "$F" 2>&1)
  [ -z "$L" ] || printf '%s\\n' "$L"
fi
"""
"""A POSIX sh script for `sh -s`; one round trip, whatever the login shell is.

With KNOWN set the versions are left out. On Linux nothing is started but tmux and, where screen
has a socket, screen. What tmux said stays in L, or with PANES, further commands for it from
`\\;` on, is printed only.
"""

TICKS = 100
"""Ticks of /proc a second, the same on every Linux."""

_SCREEN_LINE = re.compile(
    r"^\t(?P<id>\d+\.(?P<name>.*?))\t(?:\([^()]*\d[^()]*\)\t)?"
    r"\((?P<state>Attached|Detached|Multi[^)]*|Dead \?\?\?|[^)]*)\)\s*$"
)
_TMUX_ID = re.compile(r"\$[0-9]{1,9}")
_QUESTION = re.compile(r"-query[A-Z]$")
"""The socket on which `screen -Q` waits for its answer; one that got none leaves it behind."""


_ELAPSED = re.compile(r"(?:(?:(\d{1,6})-)?(\d{1,3}):)?(\d{1,3}):(\d{1,3})$", re.ASCII)


def parse_probe(
    text: str, now: datetime | None = None, known: SessionList | None = None
) -> SessionList:
    """The answer of `PROBE` as a list, tmux first, each by name.

    Lines that are neither are ignored (`no server running`, banners of a login shell). `known`
    has the versions that a probe with KNOWN leaves out.
    """
    now = now or datetime.now(UTC)
    tmux_version = screen_version = ""
    sessions: list[Session] = []
    for line in text.splitlines():
        if line.startswith("TMUX "):
            tmux_version = line[5:].strip()
        elif line.startswith("SCREEN "):
            screen_version = line[7:].strip()
        elif line.startswith("T" + SEPARATOR):
            session = _tmux(line)
            if session:
                sessions.append(session)
        elif line.startswith("S" + SEPARATOR):
            session = _screen(line, now)
            if session:
                sessions.append(session)
    sessions = list({session.key: session for session in sessions}.values())
    sessions.sort(key=lambda s: (s.program is not Program.TMUX, s.name.casefold(), s.id))
    if known and tmux_version == "?":
        tmux_version = known.tmux_version or "tmux"
    if known and screen_version == "?":
        screen_version = known.screen_version or "screen"
    return SessionList(tuple(sessions), tmux_version, screen_version)


def _tmux(line: str) -> Session | None:
    parts = line.split(SEPARATOR, 6)
    if len(parts) != 7:
        return None
    _, session_id, created, attached, windows, command, name = parts
    if not _TMUX_ID.fullmatch(session_id):
        return None  # it becomes part of commands
    if not all(map(is_number, (created, attached, windows))):
        return None
    return Session(
        Program.TMUX,
        session_id,
        name,
        int(windows),
        int(attached),
        moment(int(created)),
        command=command,
    )


def _screen(line: str, now: datetime) -> Session | None:
    parts = line.split(SEPARATOR, 5)
    found = _SCREEN_LINE.match(parts[5].rstrip("\r")) if len(parts) == 6 else None
    if not found or _QUESTION.search(found["name"]):
        return None
    _, up, stat, elapsed, runs, _ = parts
    state = found["state"]
    attached = state == "Attached" or (state.startswith("Multi") and "attached" in state)
    dead = state.startswith("Dead")
    age = _age(up, stat, elapsed)
    commands = runs.split("/")[1:]
    return Session(
        Program.SCREEN,
        found["id"],
        found["name"],
        None if dead else len(commands) or None,
        int(attached),
        None if age is None or dead else moment(int(now.timestamp()) - age),
        dead=dead,
        command="" if dead else " ".join(dict.fromkeys(c for c in commands if c)),
    )


def _age(up: str, stat: str, elapsed: str) -> int | None:
    """Seconds since a process began, from Linux's /proc or from `ps -o etime`."""
    fields = stat.rpartition(")")[2].split()
    whole = up.partition(".")[0]
    if len(fields) > 19 and is_number(fields[19]) and is_number(whole):
        return max(0, int(whole) - int(fields[19]) // TICKS)
    found = _ELAPSED.match(elapsed.strip())
    if not found:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def is_number(text: str) -> bool:
    return whole(text) is not None


def session_matches(session: Session, host: str, query: str) -> bool:
    """Whether a session passes the filter: every word must hold; case never matters.

    `host:`, `name:`, `program:`, `runs:` and `id:` look at one field, `attached:yes` or
    `attached:no` at its clients; any other word is looked for in all of them.
    """
    fields = {
        "host": host,
        "name": session.name,
        "program": session.program.value,
        "runs": session.command,
        "id": session.id,
    }
    for word in query.casefold().split():
        key, colon, value = word.partition(":")
        if colon and key == "attached":
            if bool(session.attached) == (value in ("no", "false", "0")):
                return False
        elif colon and key in fields:
            if not fnmatch.fnmatchcase(fields[key].casefold(), f"{value}*"):
                return False
        elif not any(word in text.casefold() for text in fields.values()):
            return False
    return True


def check_name(program: Program, name: str) -> None:
    """Raises UsageError for a name that tmux or screen would change or not take."""
    if not name.strip():
        raise UsageError("A session needs a name.")
    if not name.isprintable() or name != name.strip() or name.startswith("-"):
        raise UsageError(
            f"{name!r} cannot be a session's name.",
            hint="Use letters, digits, dashes; no dash in front.",
        )
    odd = ODD_LETTERS[program].search(name)
    if odd:
        raise UsageError(f"A {program} session's name has no {odd[0]} in it.")
    if len(name.encode()) > 70:
        raise UsageError(f"{name[:20]}… is too long for a session's name.", hint="70 bytes fit.")


ODD_LETTERS = {
    Program.TMUX: re.compile(r"[.:#\\]|\$[A-Za-z_{]"),
    Program.SCREEN: re.compile(r"[/\\$^]"),
}
"""What a program changes in a name, or acts on: `#(...)` would run a command in tmux."""


def check_text(what: str, text: str) -> None:
    """Raises UsageError for a command or a folder that cannot be sent as it is."""
    if not text.isprintable():
        odd = next(c for c in text if not c.isprintable())
        raise UsageError(f"The {what} has a character that cannot be sent: {odd!r}.")


class Ending(StrEnum):
    """Why an attached pane stopped."""

    DETACHED = "detached"
    ENDED = "ended"
    LOST = "lost"
    FAILED = "failed"
