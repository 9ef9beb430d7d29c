"""Packed cells of libghostty-vt as text and style ids, through dictionaries that fill themselves.

The layout of a cell is asked of the library.
"""

from __future__ import annotations

import json

from pyghostty import ffi, lib

from cloudtui.vt.engine import CellLen
from cloudtui.vt.widths import fit

MEMO_LIMIT = 50_000
"""Entries a memo may have before it begins anew."""

_NARROW, WIDE, _TAIL, _HEAD = range(4)
_PLAIN_TAG, _CLUSTER_TAG = 0, 1


class Layout:
    """Where the fields of a packed cell are."""

    def __init__(self) -> None:
        described = json.loads(ffi.string(lib.ghostty_type_json()))
        bits = described["types"]["GhosttyCell"]["bits"]
        if (bits["content_tag"]["lsb"], bits["content_tag"]["width"]) != (0, 2):
            raise ImportError("libghostty-vt packs its cells in an unknown way")
        self.content = int(bits["content"]["lsb"])
        self.wide = int(bits["wide"]["lsb"])
        self.linked = 1 << int(bits["hyperlink"]["lsb"])
        self.style_mask = ((1 << int(bits["style_id"]["width"])) - 1) << int(
            bits["style_id"]["lsb"]
        )


LAYOUT = Layout()


class Texts(dict[int, str | None]):
    """Packed cell to fitted text; None for a cluster, whose characters are stored apart."""

    def __init__(self, cell_len: CellLen) -> None:
        super().__init__()
        self._cell_len = cell_len

    def __missing__(self, cell: int) -> str | None:
        if len(self) > MEMO_LIMIT:
            self.clear()
        text = self[cell] = self._read(cell)
        return text

    def _read(self, cell: int) -> str | None:
        wide = (cell >> LAYOUT.wide) & 3
        tag = cell & 3
        if wide == _TAIL:
            return ""
        if tag == _CLUSTER_TAG:
            return None
        codepoint = (cell >> LAYOUT.content) & 0x1FFFFF
        if tag != _PLAIN_TAG or wide == _HEAD or not codepoint:
            return " "
        return fit(chr(codepoint), 2 if wide == WIDE else 1, self._cell_len)


class StyleIds(dict[int, int]):
    """Packed cell to what decides its style: its style id, or all of a background-only cell."""

    def __missing__(self, cell: int) -> int:
        if len(self) > MEMO_LIMIT:
            self.clear()
        found = self[cell] = (cell | 1 << 63) if cell & 2 else cell & LAYOUT.style_mask
        return found
