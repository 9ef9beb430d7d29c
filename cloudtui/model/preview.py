"""What is inside a session: the panes of a tmux session, and what one shows now."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cloudtui.model.answers import whole
from cloudtui.model.session import SEPARATOR, is_number


@dataclass(frozen=True, slots=True)
class Pane:
    """One pane of a tmux session with the window it is in, or one window of a screen."""

    id: str
    """`%7`, the window's is `@4`; a screen window's is its number."""
    window_id: str
    window: int
    """The window's number, as tmux shows it."""
    window_name: str
    active: bool
    """The active pane of the session's current window."""
    index: int = 0
    command: str = ""
    columns: int = 0
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Preview:
    """What a session shows now, seen from outside; `lines` may hold SGR sequences, and one that
    tmux broke at the session's width is whole."""

    lines: tuple[str, ...] = ()
    columns: int = 0
    rows: int = 0
    about: str = ""
    """`window 0 train`, where it is known."""
    coloured: bool = True
    """False for screen, which tells no colours."""


PANES = (
    "P␞#{window_id}␞#{window_index}␞#{window_active}␞#{pane_id}␞#{pane_index}␞#{pane_active}␞"
    "#{pane_width}␞#{pane_height}␞#{pane_current_command}␞#{window_name}"
)
"""The format that `tmux list-panes` is asked with."""


def parse_panes(text: str) -> tuple[Pane, ...]:
    """The answer of `tmux list-panes -F PANES`, in the order of the windows."""
    found: list[Pane] = []
    for line in text.splitlines():
        parts = line.split(SEPARATOR, 10)
        numbers = (*parts[2:4], *parts[5:9]) if len(parts) == 11 else ("",)
        if parts[0] != "P" or not all(map(is_number, numbers)):
            continue
        window, current, index, active, columns, rows = map(int, numbers)
        found.append(
            Pane(
                parts[4],
                parts[1],
                window,
                parts[10],
                bool(current and active),
                index,
                parts[9],
                columns,
                rows,
            )
        )
    return tuple(sorted(found, key=lambda pane: (pane.window, pane.index)))


_WINDOW = re.compile(r"(?:^|  )(\d{1,5})([-*$!@&ZL()]*) ")


def parse_screen_windows(text: str) -> tuple[Pane, ...]:
    """The answer of `screen -Q windows`: `0 sh  1-$ logs  2* train`.

    Nothing marks where a title ends, so the numbers must go up.
    """
    line = text.strip("\r\n").rpartition("\n")[2]
    found: list[Pane] = []
    starts: list[tuple[int, int, int, bool]] = []
    for match in _WINDOW.finditer(line):
        number = whole(match[1])
        if number is None or (starts and number <= starts[-1][2]):
            continue
        starts.append((match.start(), match.end(), number, "*" in match[2]))
    if not starts or starts[0][0]:
        return ()
    for place, (_, begin, number, active) in enumerate(starts):
        end = starts[place + 1][0] if place + 1 < len(starts) else len(line)
        title = "".join(c for c in line[begin:end] if c.isprintable()).strip()
        found.append(Pane(str(number), str(number), number, title, active))
    return tuple(found)


HEAD = "V␞#{pane_width}␞#{pane_height}␞#{window_index} #{window_name}"
"""The first line of a preview of tmux."""

_WIDE = re.compile("[^\n]\xff")

_NOT_DRAWN = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b(?!\[[0-9;:]*m)(?:\[[0-?]*[ -/]*[@-~]?|[ -/]*.?)"
    r"|[\x00-\x1a\x1c-\x1f\x7f-\x9f]"
)


def parse_preview(text: str) -> Preview | None:
    """A line of `HEAD` and the captured pane; only letters and colours are let through."""
    lines = text.split("\n")
    while lines and not lines[0].startswith("V" + SEPARATOR):
        lines.pop(0)
    if not lines:
        return None
    parts = lines[0].split(SEPARATOR, 3)
    if len(parts) != 4 or not all(map(is_number, parts[1:3])):
        return None
    shown = [_NOT_DRAWN.sub("", line).rstrip(" ") for line in lines[1:]]
    while shown and not shown[-1].strip():
        shown.pop()
    about = "window " + "".join(c for c in parts[3] if c.isprintable())
    return Preview(tuple(shown), int(parts[1]), int(parts[2]), about)


def parse_hardcopy(data: bytes) -> Preview:
    """What `screen -X hardcopy` wrote, without colours.

    Screen 5 writes UTF-8. Screen 4 writes the lowest byte of each cell: letters of Latin-1 are
    right, and wide ones, whose second cell is the byte ff, cannot be told.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = _WIDE.sub("··", data.decode("latin-1"))
    lines = ["".join(c if c.isprintable() else "·" for c in line) for line in text.split("\n")]
    rows = max(0, len(lines) - 1)
    while lines and not lines[-1].strip():
        lines.pop()
    return Preview(tuple(lines), 0, rows, coloured=False)
