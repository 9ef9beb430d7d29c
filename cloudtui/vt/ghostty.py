"""The terminal engine on pyghostty: Ghostty's own VT library.

The library is pinned to one version, its C API is not yet declared stable. Everything that
touches it is in the modules named `ghostty*`.
"""

from __future__ import annotations

import weakref
from typing import Any

from pyghostty import Terminal, ffi, lib
from pyghostty._ffi import check, union_fn
from pyghostty.core import read_buf

from cloudtui.vt.engine import (
    CellLen,
    Cursor,
    Event,
    Found,
    Key,
    Link,
    Mark,
    MouseAction,
    MouseButton,
    Run,
    Scrollbar,
    Unit,
)
from cloudtui.vt.ghostty_channels import Channels
from cloudtui.vt.ghostty_find import Finder
from cloudtui.vt.ghostty_input import InputEncoder
from cloudtui.vt.ghostty_rows import RowReader
from cloudtui.vt.links import pieces, plain_links

_CELL_BYTES, _LINE_BYTES, _PAGE_BYTES = 8, 128, 1 << 20
"""What scrollback takes at most: per cell, per line, and for pages begun."""

_NO_LINE_LIMIT = 1 << 40
"""The library drops lines over a line limit one by one, which makes a flood ten times slower;
a limit in bytes drops whole pages."""

_MODE_REVERSED = 5
_MODE_FOCUS = 1004
_MODE_WHEEL_TO_KEYS = 1007
_MODE_PASTE = 2004
_MODE_HOLD = 2026

_MODES_OFF = ";".join(
    map(str, (1, 5, 6, 9, 66, 1000, 1002, 1003, 1004, 1005, 1006, 1015, 1016, 2004, 2026, 2031))
)
_RESTART = (
    b"\x18\x1b\\\x0f\x1b(B\x1b[?1049l\x1b[<99u\x1b[>4;0m\x1b[!p\x1b[0 q\x1b[?%sl\x1b[?7;25h"
    b"\x1b]8;;\x07\x1b]104\x07\x1b]110\x07\x1b]111\x07\x1b]112\x07\x1b[4;20l\x1b[r\x1b[m"
) % _MODES_OFF.encode()
"""Ends a sequence begun and sets every mode back; a full reset would take the scrollback."""

# cffi cannot pass a union by value; a struct of the same layout has the same call convention.
ffi.cdef(
    """
    typedef struct { int64_t a; uint64_t b; } CloudtuiScrollValue;
    typedef struct { GhosttyTerminalScrollViewportTag tag; CloudtuiScrollValue value; }
        CloudtuiScroll;
    """
)
_scroll_viewport = union_fn(
    "ghostty_terminal_scroll_viewport", "void(*)(GhosttyTerminal, CloudtuiScroll)"
)
if ffi.sizeof("CloudtuiScroll") != ffi.sizeof("GhosttyTerminalScrollViewport"):
    raise ImportError("libghostty-vt scrolls in an unknown way")


def _free(parts: list[Any]) -> None:
    while parts:
        parts.pop(0).close()


class GhosttyEngine:
    """An `Engine`; see the protocol for what each method promises."""

    def __init__(
        self, columns: int, rows: int, *, cell_len: CellLen, scrollback: int = 10_000
    ) -> None:
        self._size = (max(1, columns), max(1, rows))
        self._scrollback = scrollback
        self._terminal: Any = Terminal(*self._size, scrollback=_NO_LINE_LIMIT)
        self._handle = self._terminal._t[0]
        self._mode = ffi.new("GhosttyTerminalModeConfig*")
        self._limit_scrollback()
        size = [self._size]
        self._shared_size = size
        self._channels = Channels(self._handle, lambda: size[0])
        self._input = InputEncoder(self._handle)
        self._reader = RowReader(self._handle, cell_len)
        self._finder = Finder(self._terminal)
        self._compressed = ffi.new("GhosttyTerminalCompressionResult*")
        self._finish = weakref.finalize(
            self, _free, [self._input, self._reader, self._finder, self._terminal]
        )

    @property
    def columns(self) -> int:
        return self._size[0]

    @property
    def rows(self) -> int:
        return self._size[1]

    def feed(self, data: bytes) -> None:
        lib.ghostty_terminal_vt_write(self._handle, data, len(data))

    def replies(self) -> bytes:
        return self._channels.take_replies()

    def events(self) -> list[Event]:
        return self._channels.take_events()

    def resize(self, columns: int, rows: int) -> None:
        self._size = self._shared_size[0] = (max(1, columns), max(1, rows))
        self._terminal.resize(*self._size)
        self._limit_scrollback()
        self._reader.invalidate()

    def dirty_rows(self) -> dict[int, list[Run]]:
        return self._reader.dirty_rows()

    @property
    def cursor(self) -> Cursor:
        return self._reader.cursor()

    @property
    def held(self) -> bool:
        return self._is_set(_MODE_HOLD)

    @property
    def mouse_tracking(self) -> bool:
        return bool(self._terminal.get("mouse_tracking", "bool"))

    @property
    def wheel_to_keys(self) -> bool:
        return self.alternate_screen and self._is_set(_MODE_WHEEL_TO_KEYS)

    @property
    def alternate_screen(self) -> bool:
        screen = self._terminal.get("active_screen", "GhosttyTerminalScreen")
        return bool(screen == lib.GHOSTTY_TERMINAL_SCREEN_ALTERNATE)

    @property
    def reversed(self) -> bool:
        return self._is_set(_MODE_REVERSED)

    @property
    def bracketed_paste(self) -> bool:
        return self._is_set(_MODE_PASTE)

    def encode_key(self, key: Key) -> bytes:
        return self._input.key(key)

    def encode_mouse(
        self,
        action: MouseAction,
        button: MouseButton,
        x: int,
        y: int,
        *,
        shift: bool = False,
        alt: bool = False,
        ctrl: bool = False,
    ) -> bytes:
        return self._input.mouse(action, button, (x, y), self._size, (shift, ctrl, alt))

    def encode_paste(self, text: str) -> bytes:
        return self._input.paste(text, self.bracketed_paste)

    def encode_focus(self, gained: bool) -> bytes:
        return self._input.focus(gained) if self._is_set(_MODE_FOCUS) else b""

    def scroll(self, delta: int) -> None:
        move = ffi.new("CloudtuiScroll*")
        move.tag = lib.GHOSTTY_SCROLL_VIEWPORT_DELTA
        move.value.a = delta
        _scroll_viewport(self._handle, move[0])

    def scroll_to_bottom(self) -> None:
        move = ffi.new("CloudtuiScroll*")
        move.tag = lib.GHOSTTY_SCROLL_VIEWPORT_BOTTOM
        _scroll_viewport(self._handle, move[0])

    @property
    def scrollbar(self) -> Scrollbar:
        found = self._terminal.get("scrollbar", "GhosttyTerminalScrollbar")
        return Scrollbar(int(found.total), int(found.offset), int(found.len))

    def set_colors(
        self,
        foreground: tuple[int, int, int],
        background: tuple[int, int, int],
        palette: list[tuple[int, int, int]],
        dark: bool,
    ) -> None:
        self._channels.dark = dark
        for name, color in (("FOREGROUND", foreground), ("BACKGROUND", background)):
            option = getattr(lib, f"GHOSTTY_TERMINAL_OPT_COLOR_{name}")
            value = ffi.new("GhosttyColorRgb*", color)
            check(lib.ghostty_terminal_set(self._handle, option, value), name)
        colors = ffi.new("GhosttyColorRgb[256]")
        data = lib.GHOSTTY_TERMINAL_DATA_COLOR_PALETTE_DEFAULT
        check(lib.ghostty_terminal_get(self._handle, data, colors), "palette")
        for index, color in enumerate(palette):
            colors[index] = color
        option = lib.GHOSTTY_TERMINAL_OPT_COLOR_PALETTE
        check(lib.ghostty_terminal_set(self._handle, option, colors), "palette")
        self._reader.invalidate()

    def text(self) -> str:
        return "\n".join(
            "".join(text for text, _ in runs).rstrip() for runs in self._reader.all_rows()
        )

    def contents(self) -> str:
        return str(self._terminal.contents())

    def link_at(self, x: int, y: int) -> str:
        columns, rows = self._size
        if not (0 <= x < columns and 0 <= y < rows):
            return ""
        ref = self._terminal.ref(x, y, "viewport")
        found = read_buf(
            lambda room, size, length: lib.ghostty_grid_ref_hyperlink_uri(ref, room, size, length)
        )
        return str(found)

    def links(self) -> list[Link]:
        rows = self._reader.cells()
        found = plain_links([row.texts for row in rows], [row.wrapped for row in rows])
        for y, row in enumerate(rows):
            if True not in row.linked:
                continue
            last, start = "", 0
            for x in range(self.columns + 1):
                linked = x < self.columns and row.linked[x]
                url = self.link_at(x, y) if linked else ""
                if url != last:
                    if last:
                        found.append(
                            Link(last, pieces(y * self.columns + start, x - start, self.columns))
                        )
                    last, start = url, x
        return sorted(found, key=lambda link: link.pieces[0])

    def select(self, x: int, y: int, unit: Unit = "cell") -> None:
        self._finder.select(*self._inside(x, y), unit)

    def select_to(self, x: int, y: int) -> None:
        self._finder.select_to(*self._inside(x, y))

    def clear_selection(self) -> None:
        self._finder.clear()

    @property
    def selection(self) -> str:
        return self._finder.text()

    def search(self, words: str) -> Found:
        return self._finder.search(words)

    def next_match(self, step: int) -> Found:
        return self._finder.next_match(step)

    def marks(self) -> dict[int, list[Mark]]:
        found: dict[int, list[Mark]] = {}
        if self._finder.selecting:
            for y, start, end in self._reader.selected():
                found.setdefault(y, []).append(Mark(start, end, "selected"))
        for y, start, end, chosen in self._finder.matches(self.columns):
            found.setdefault(y, []).append(Mark(start, end, "here" if chosen else "match"))
        return found

    def restart(self) -> None:
        self._finder.clear()
        self.feed(_RESTART)
        if self.text().strip():
            self.feed(b"\x1b[%dH" % self.rows + b"\n" * self.rows)
        self.feed(b"\x1b[H\x1b[J")
        self.scroll_to_bottom()
        self.replies()
        self.events()

    def compress(self) -> bool:
        mode = lib.GHOSTTY_TERMINAL_COMPRESSION_MODE_INCREMENTAL
        code = lib.ghostty_terminal_compress(self._handle, mode, self._compressed)
        pending = lib.GHOSTTY_TERMINAL_COMPRESSION_RESULT_PENDING
        return not code and bool(self._compressed[0] == pending)

    def close(self) -> None:
        self._finish()

    def _inside(self, x: int, y: int) -> tuple[int, int]:
        return min(max(0, x), self.columns - 1), min(max(0, y), self.rows - 1)

    def _limit_scrollback(self) -> None:
        """Allow the memory that the lines asked for take at the width now set."""
        per_line = self.columns * _CELL_BYTES + _LINE_BYTES
        limit = ffi.new("size_t*", self._scrollback and self._scrollback * per_line + _PAGE_BYTES)
        option = lib.GHOSTTY_TERMINAL_OPT_SCROLLBACK_MAX_BYTES
        check(lib.ghostty_terminal_set(self._handle, option, limit), "scrollback bytes")

    def _is_set(self, mode: int) -> bool:
        self._mode.mode = mode
        data = lib.GHOSTTY_TERMINAL_DATA_MODE
        return not lib.ghostty_terminal_get(self._handle, data, self._mode) and bool(
            self._mode.value
        )
