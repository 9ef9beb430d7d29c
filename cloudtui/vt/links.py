"""Plain addresses in the text of a screen, also those wrapped over rows."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cloudtui.vt.engine import Link

_ADDRESS = re.compile(r"\b(?:https?|ftp|file)://[^\s\x00<>\"'`│]{2,2000}", re.IGNORECASE)
_TRAILING = ".,;:!?'\""
_PAIRS = {")": "(", "]": "[", "}": "{"}


def _trimmed(url: str) -> str:
    """Without the punctuation of the sentence around it."""
    while url:
        last = url[-1]
        opener = _PAIRS.get(last)
        if last in _TRAILING or (opener and url.count(last) > url.count(opener)):
            url = url[:-1]
        else:
            break
    return url


def pieces(first: int, cells: int, columns: int) -> tuple[tuple[int, int, int], ...]:
    """`cells` cells from the `first` of a screen as parts of rows."""
    found = []
    end = first + cells
    while first < end:
        y, x = divmod(first, columns)
        stop = min(columns, x + end - first)
        found.append((y, x, stop))
        first += stop - x
    return tuple(found)


def plain_links(rows: Sequence[Sequence[str]], wrapped: Sequence[bool]) -> list[Link]:
    """Addresses in rows of cells; `wrapped` says which rows go on in the next one."""
    found: list[Link] = []
    y = 0
    while y < len(rows):
        first, cells = y, list(rows[y])
        while wrapped[y] and y + 1 < len(rows):
            y += 1
            cells += rows[y]
        y += 1
        text = "".join(cells)
        if "://" not in text:
            continue
        at_cell = [index for index, cell in enumerate(cells) for _ in cell]
        columns = len(rows[first])
        for match in _ADDRESS.finditer(text):
            url = _trimmed(match[0])
            start, last = at_cell[match.start()], at_cell[match.start() + len(url) - 1]
            found.append(Link(url, pieces(first * columns + start, last + 1 - start, columns)))
    return found
