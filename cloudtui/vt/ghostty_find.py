"""Selecting and searching in the screen and scrollback of libghostty-vt.

The library keeps a selection on its text while rows scroll; so it is stored nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pyghostty import ffi, lib
from pyghostty._ffi import check
from pyghostty.core import init_sized, read_buf

from cloudtui.vt.engine import Found, Unit

_BOUNDARIES = " \t\0'\"`()[]{}<>|;,│"
"""What ends a word; a path, a URL and `key=value` are one."""
_SHOWN_MATCHES = 2000


class Finder:
    """The selection and the search of one terminal; cells are of the rows shown."""

    def __init__(self, terminal: Any) -> None:
        self._terminal = terminal
        self._handle = terminal._t[0]
        self._boundaries = ffi.new("uint32_t[]", [ord(c) for c in _BOUNDARIES])
        self._anchor = init_sized("GhosttySelection")
        self._unit: Unit = "cell"
        self._search: Any = None
        self._words = b""
        self._matches = ffi.new("GhosttySelection[]", _SHOWN_MATCHES)
        for match in self._matches:
            match.size = ffi.sizeof("GhosttySelection")
        self._buffer = ffi.new("GhosttySelectionBuffer*", (self._matches, _SHOWN_MATCHES, 0))
        self._match = init_sized("GhosttySelection")
        self._point = ffi.new("GhosttyPointCoordinate*")
        self._number = ffi.new("size_t*")

    def close(self) -> None:
        self.stop_search()

    # Selection

    def select(self, x: int, y: int, unit: Unit) -> None:
        self._unit = unit
        found = self._around(x, y)
        if found is None:
            self.clear()
        else:
            self._install(found)

    def select_to(self, x: int, y: int) -> None:
        anchor, here = self._installed(), self._around(x, y)
        if anchor is None or here is None:
            return
        if self._unit == "cell":
            anchor.end = here.end
        elif self._before(here.start, anchor.start):
            # Words and lines grow whole: the end that was clicked stays in.
            if not self._before(anchor.end, anchor.start):
                anchor.start = anchor.end
            anchor.end = here.start
        else:
            if self._before(anchor.end, anchor.start):
                anchor.start = self._whole(anchor.start).start
            anchor.end = here.end
        self._install(anchor)

    def clear(self) -> None:
        check(self._set("TERMINAL_OPT_SELECTION", ffi.NULL), "selection")

    def text(self) -> str:
        found = self._installed()
        if found is None:
            return ""
        options = init_sized("GhosttyTerminalSelectionFormatOptions")
        options.emit = lib.GHOSTTY_FORMATTER_FORMAT_PLAIN
        options.unwrap = options.trim = True
        options.selection = found
        call = lib.ghostty_terminal_selection_format_buf
        return str(read_buf(lambda room, size, n: call(self._handle, options[0], room, size, n)))

    @property
    def selecting(self) -> bool:
        return self._installed() is not None

    def _around(self, x: int, y: int) -> Any:
        """The cell, word or line at a cell as a selection; None for none."""
        found = init_sized("GhosttySelection")
        found.start = found.end = self._terminal.ref(x, y, "viewport")[0]
        return found if self._unit == "cell" else self._whole(found.start)

    def _whole(self, ref: Any) -> Any:
        found = init_sized("GhosttySelection")
        if self._unit == "line":
            line = init_sized("GhosttyTerminalSelectLineOptions")
            line.ref = ref
            code = lib.ghostty_terminal_select_line(self._handle, line, found)
        else:
            word = init_sized("GhosttyTerminalSelectWordOptions")
            word.ref = ref
            word.boundary_codepoints = self._boundaries
            word.boundary_codepoints_len = len(_BOUNDARIES)
            code = lib.ghostty_terminal_select_word(self._handle, word, found)
        if code:
            found.start = found.end = ref
        return found

    def _installed(self) -> Any:
        found = init_sized("GhosttySelection")
        data = lib.GHOSTTY_TERMINAL_DATA_SELECTION
        return None if lib.ghostty_terminal_get(self._handle, data, found) else found

    def _install(self, selection: Any) -> None:
        check(self._set("TERMINAL_OPT_SELECTION", selection), "selection")

    def _set(self, option: str, value: Any) -> int:
        return int(lib.ghostty_terminal_set(self._handle, getattr(lib, f"GHOSTTY_{option}"), value))

    def _before(self, one: Any, other: Any) -> bool:
        return self._place(one, "SCREEN") < self._place(other, "SCREEN")

    def _place(self, ref: Any, area: str) -> tuple[int, int]:
        """Row and column; (-1, -1) outside the area."""
        held = ffi.new("GhosttyGridRef*", ref)
        tag = getattr(lib, f"GHOSTTY_POINT_TAG_{area}")
        code = lib.ghostty_terminal_point_from_grid_ref(self._handle, held, tag, self._point)
        return (-1, -1) if code else (int(self._point.y), int(self._point.x))

    # Search

    @property
    def searching(self) -> bool:
        return self._search is not None

    def search(self, words: str) -> Found:
        if not words:
            self.stop_search()
            return Found(0, 0)
        if self._search is None:
            made = ffi.new("GhosttySearch*")
            check(lib.ghostty_search_new(ffi.NULL, made, self._handle), "search_new")
            self._search = made[0]
        self._words = words.encode("utf-8", "replace")
        needle = ffi.new("GhosttyString*")
        needle.ptr, needle.len = ffi.from_buffer("uint8_t[]", self._words), len(self._words)
        check(lib.ghostty_search_set(self._search, lib.GHOSTTY_SEARCH_OPT_NEEDLE, needle), "needle")
        return self.next_match(1)

    def next_match(self, step: int) -> Found:
        """Go to the next older match (1) or newer one (-1), scrolling there."""
        if self._search is None:
            return Found(0, 0)
        check(lib.ghostty_search_run(self._search), "search_run")
        option = (
            lib.GHOSTTY_SEARCH_OPT_SELECT_NEXT if step > 0 else lib.GHOSTTY_SEARCH_OPT_SELECT_PREV
        )
        lib.ghostty_search_set(self._search, option, ffi.NULL)
        total = self._search_number(lib.GHOSTTY_SEARCH_DATA_TOTAL_MATCHES)
        at = self._search_number(lib.GHOSTTY_SEARCH_DATA_SELECTED_INDEX) + 1 if total else 0
        return Found(at, total)

    def stop_search(self) -> None:
        search, self._search = self._search, None
        if search is not None:
            lib.ghostty_search_free(search)

    def matches(self, columns: int) -> Iterator[tuple[int, int, int, bool]]:
        """Row, first column, column after the last, whether it is the chosen one; rows shown."""
        if self._search is None:
            return
        check(lib.ghostty_search_run(self._search), "search_run")
        data = lib.GHOSTTY_SEARCH_DATA_SELECTED_MATCH
        chosen = (-1, -1)
        if not lib.ghostty_search_get(self._search, data, self._match):
            chosen = self._place(self._match.start, "VIEWPORT")
        data = lib.GHOSTTY_SEARCH_DATA_VIEWPORT_MATCHES
        if lib.ghostty_search_get(self._search, data, self._buffer):
            return
        for match in self._matches[0 : self._buffer.len]:
            start = self._place(match.start, "VIEWPORT")
            end = self._place(match.end, "VIEWPORT")
            if start[0] >= 0 and end[0] >= 0:
                for y, left, right in _rows(start, end, columns):
                    yield y, left, right, start == chosen

    def _search_number(self, data: int) -> int:
        return 0 if lib.ghostty_search_get(self._search, data, self._number) else self._number[0]


def _rows(
    start: tuple[int, int], end: tuple[int, int], columns: int
) -> Iterable[tuple[int, int, int]]:
    for y in range(start[0], end[0] + 1):
        left = start[1] if y == start[0] else 0
        yield y, left, end[1] + 1 if y == end[0] else columns
