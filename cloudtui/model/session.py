"""tmux and GNU screen sessions of a host: how they are asked for, what the answer means."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum


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

PROBE = """\
export LC_ALL=C.UTF-8 PATH="$PATH:/usr/local/bin:/opt/homebrew/bin:$HOME/.local/bin"
T=$(command -v tmux); S=$(command -v screen)
echo "TMUX ${T:+$(tmux -V)}"
echo "SCREEN ${S:+$(screen -v | head -n 1)}"
if [ -n "$T" ]; then
  tmux -u list-sessions -F 'T␞#{session_id}␞#{session_created}␞#{session_attached}␞\
#{session_windows}␞#{session_name}' 2>&1
fi
if [ -n "$S" ]; then
  screen -ls 2>&1 | while IFS= read -r line; do
    p=${line%%.*}; p=$(printf '%s' "$p" | tr -dc 0-9)
    case $line in "	"[0-9]*.*) printf 'S␞%s␞%s\\n' \
      "$(ps -o etimes= -p "$p" 2>/dev/null | tr -d ' ')" "$line";; esac
  done
fi
"""
"""A POSIX sh script for `sh -s`; one round trip, whatever the login shell is."""

_SCREEN_LINE = re.compile(
    r"^\t(?P<id>\d+\.(?P<name>.*?))\t(?:\([^()]*\d[^()]*\)\t)?"
    r"\((?P<state>Attached|Detached|Multi[^)]*|Dead \?\?\?|[^)]*)\)\s*$"
)


def parse_probe(text: str, now: datetime | None = None) -> SessionList:
    """The answer of `PROBE` as a list, tmux first, each by name.

    Lines that are neither are ignored (`no server running`, banners of a login shell).
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
    sessions.sort(key=lambda s: (s.program is not Program.TMUX, s.name.casefold(), s.id))
    return SessionList(tuple(sessions), tmux_version, screen_version)


def _tmux(line: str) -> Session | None:
    parts = line.split(SEPARATOR, 5)
    if len(parts) != 6:
        return None
    _, session_id, created, attached, windows, name = parts
    if not all(map(_number, (created, attached, windows))):
        return None
    return Session(
        Program.TMUX, session_id, name, int(windows), int(attached), _moment(int(created))
    )


def _screen(line: str, now: datetime) -> Session | None:
    parts = line.split(SEPARATOR, 2)
    found = _SCREEN_LINE.match(parts[2].rstrip("\r")) if len(parts) == 3 else None
    if not found:
        return None
    elapsed, state = parts[1], found["state"]
    attached = state == "Attached" or (state.startswith("Multi") and "attached" in state)
    return Session(
        Program.SCREEN,
        found["id"],
        found["name"],
        None,
        int(attached),
        _moment(int(now.timestamp()) - int(elapsed)) if _number(elapsed) else None,
        dead=state.startswith("Dead"),
    )


def _number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 16


def _moment(seconds: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


class Ending(StrEnum):
    """Why an attached pane stopped."""

    DETACHED = "detached"
    ENDED = "ended"
    LOST = "lost"
    FAILED = "failed"
