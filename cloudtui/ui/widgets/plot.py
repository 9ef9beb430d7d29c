"""Plots of blocks: numbers over time as lines of text."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cloudtui.model.vitals import GAP

BLOCKS = " ▁▂▃▄▅▆▇█"
_STEPS = len(BLOCKS) - 1

Points = Sequence[tuple[float, float | None]]
"""Seconds of the clock and a value, oldest first; None where it is not known."""


def binned(points: Points, width: int, span: float, now: float) -> list[float | None]:
    """The greatest value of each of `width` equal parts of the last `span` seconds.

    The parts begin at multiples of their length, so that a bar stays what it is when it moves.
    A part without a sample of its own has the last one's, unless that is old.
    """
    if width <= 0 or span <= 0:
        return []
    size = span / width
    last = math.floor(now / size)
    found: list[float | None] = [None] * width
    reach = [-math.inf] * width
    for when, value in points:
        place = width - 1 - (last - math.floor(when / size))
        if not 0 <= place < width or value is None:
            continue
        known = found[place]
        found[place] = value if known is None else max(known, value)
        reach[place] = when
    before: tuple[float, float] | None = None
    for place in range(width):
        value = found[place]
        if value is not None:
            before = (reach[place], value)
        elif before and (last - width + 1 + place) * size - before[0] <= GAP:
            found[place] = before[1]
    return found


def spread(values: Sequence[float], width: int) -> list[float | None]:
    """The values over `width` columns, the mean of those that share one; few are not stretched."""
    count = len(values)
    if count <= width:
        return [*values]
    found: list[float | None] = []
    for place in range(width):
        part = values[place * count // width : (place + 1) * count // width]
        found.append(sum(part) / len(part))
    return found


def bars(values: Sequence[float | None], height: int, low: float, high: float) -> list[str]:
    """`height` lines of one bar a value, from `low` at the bottom to `high`, the top line first.

    Where something is known there is a mark, however little it is.
    """
    room = height * _STEPS
    reach = high - low
    tops = []
    for value in values:
        if value is None or not math.isfinite(value):
            tops.append(0)
        elif reach > 0:
            part = min(1.0, max(0.0, (value - low) / reach))
            tops.append(max(1, round(part * room)))
        else:
            tops.append(room // 2)
    return [
        "".join(BLOCKS[max(0, min(_STEPS, top - floor))] for top in tops)
        for floor in range((height - 1) * _STEPS, -1, -_STEPS)
    ]


def ceiling(values: Sequence[float | None], least: float) -> float:
    """A round number, 1, 2 or 5 times a power of ten, that none of the values is above."""
    most = max((v for v in values if v is not None), default=0.0)
    if most <= least:
        return least
    scale = 10.0 ** math.floor(math.log10(most))
    return next(step * scale for step in (1, 2, 5, 10) if step * scale >= most)
