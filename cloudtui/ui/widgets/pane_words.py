"""The pane's own words: leader hints, the place in the scrollback, why nothing is shown."""

from __future__ import annotations

from collections.abc import Iterable

from rich.cells import cell_len

from cloudtui.ui.widgets.pane_keys import shown_name
from cloudtui.vt.engine import Scrollbar


def wrapped(parts: Iterable[str], columns: int) -> list[str]:
    """Paragraphs as lines of at most `columns`, a space before each."""
    width = max(10, columns - 2)
    lines: list[str] = []
    for paragraph in "\n".join(parts).splitlines():
        line = ""
        for word in paragraph.split():
            if line and cell_len(line) + 1 + cell_len(word) > width:
                lines.append(f" {line}")
                line = word
            else:
                line = f"{line} {word}".strip()
        lines.append(f" {line}")
    return lines


def leader_line(leader: str, hints: str, columns: int) -> str:
    """The keys after the leader, as many as `columns` cells hold whole; `hints`, which two spaces
    part, come before the pane's own."""
    last = "  Esc cancel"
    told = " d leave"
    more = (
        "[ scrollback",
        *hints.split("  "),
        "/ search",
        "u links",
        f"{shown_name(leader)} send it",
    )
    for hint in filter(None, more):
        if cell_len(told) + 2 + cell_len(hint) + cell_len(last) > columns:
            break
        told += f"  {hint}"
    return told + last


def scrollback_line(bar: Scrollbar, browsing: bool) -> str:
    """Where the rows shown are; nothing at the bottom unless someone is moving by keys."""
    if bar.at_bottom and not browsing:
        return ""
    above = bar.total - bar.length
    if not above:
        return " Nothing above. tmux has its own lines back: Ctrl-b [   screen: Ctrl-a [   Esc back"
    keys = "  v select  y copy  / search  Esc back" if browsing else "  type to go back"
    return f" {above - bar.offset} of {above} lines back{keys}"
