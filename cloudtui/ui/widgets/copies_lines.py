"""Copies in words, a line each."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from cloudtui.model.copy import CopyPhase, CopyState, legible
from cloudtui.model.words import data_size, duration
from cloudtui.ui.widgets.table_view import fitted

BAR = 12


def progress(state: CopyState) -> str:
    """`███░░░  43%  1.2 GiB of 2.8 GiB  85 MiB/s  19 s left`."""
    match state.phase:
        case CopyPhase.QUEUED:
            return "waits for the copies before it"
        case CopyPhase.LOOKING:
            return "looking at what is to be copied"
        case CopyPhase.CHECKING:
            return "comparing what is there already"
        case CopyPhase.WAITING:
            return "the connection was lost; trying again"
        case CopyPhase.DONE:
            same = f", {state.same} unchanged" if state.same else ""
            return f"{state.files_done} done{same}, {data_size(state.done)}"
        case CopyPhase.CANCELLED:
            return "stopped"
        case CopyPhase.FAILED:
            return state.error.title if state.error else "failed"
    part = share(state)
    cells = round(part * BAR)
    parts = [
        f"{'█' * cells}{'░' * (BAR - cells)} {part:4.0%}",
        f"{data_size(state.done)} of {data_size(state.size)}",
        f"{data_size(int(state.rate))}/s" if state.rate else "",
        f"{duration(state.left)} left" if state.left is not None else "",
        f"{state.files_done} of {state.files}" if state.files > 1 else "",
    ]
    return "  ".join(filter(None, parts))


def share(state: CopyState) -> float:
    """How much of it is done, from 0 to 1."""
    whole, done = (state.size, state.done) if state.size else (state.files, state.files_done)
    return min(1.0, done / whole) if whole else 0.0


def copy_lines(states: Sequence[CopyState], width: int, most: int) -> list[str]:
    """The first copies, and how many more there are."""
    shown = list(states[:most])
    if len(states) > most:
        shown = shown[: most - 1]
    lines = []
    for state in shown:
        words = progress(state)
        name = legible(posixpath.basename(state.current))
        words = f"{words}  {name}" if name and state.phase is CopyPhase.COPYING else words
        lines.append(fitted(f"{words}  {state.words}", max(1, width)).rstrip())
    if len(states) > len(shown):
        lines.append(f"and {len(states) - len(shown)} more: B shows all copies")
    return lines
