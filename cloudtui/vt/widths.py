"""Making a cell's text exactly as wide as its cell.

A terminal counts columns per character, the place where it is drawn may count whole clusters:
a flag, a family or a keycap would then shear its row. Each cell is repaired by itself, in a way
that keeps the sum right when cells are joined.
"""

from __future__ import annotations

from cloudtui.vt.engine import CellLen

ZWJ = "\u200d"
VS16 = "\ufe0f"
SKIN_TONES = tuple(map(chr, range(0x1F3FB, 0x1F400)))
UNKNOWN = "\ufffd"

_BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_UNSAFE = {ord(c): None for c in _BIDI} | dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)))
"""Control characters, which the outer terminal might obey, and marks that turn a row around."""


def fit(text: str, width: int, cell_len: CellLen) -> str:
    """`text` as `width` columns, 1 or 2, that stay so next to any other fitted text."""
    if len(text) == 1 and cell_len(text) == width and text.translate(_UNSAFE):
        return text
    kept = text.translate(_UNSAFE).rstrip(ZWJ)
    if not kept or cell_len(kept[0]) == 0:
        # A skin tone has a cell of its own, and no width where it is drawn.
        return " " * width if kept[:1] in SKIN_TONES else UNKNOWN.ljust(width)
    # A variation selector acts on the last character measured, so it may not stay last either.
    for candidate in (
        kept,
        kept.replace(VS16, ""),
        kept.replace(ZWJ, "").replace(VS16, ""),
        kept[0],
    ):
        found = cell_len(candidate)
        if found == width:
            return candidate
    if found < width:
        return candidate + " " * (width - found)
    return UNKNOWN.ljust(width)
