"""Reading the screen back out of libghostty-vt as styled runs.

A row comes as packed 64-bit cells in one call; text and style ids are mapped at C speed through
dictionaries that fill themselves. The layout of a cell is asked of the library.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from pyghostty import ffi, lib
from pyghostty._ffi import check
from pyghostty.core import init_sized

from cloudtui.vt.engine import PLAIN, CellLen, Color, Cursor, Run, Style
from cloudtui.vt.ghostty_cells import LAYOUT, MEMO_LIMIT, WIDE, StyleIds, Texts
from cloudtui.vt.widths import fit

_SHAPES: dict[int, Any] = {
    int(lib.GHOSTTY_RENDER_STATE_CURSOR_VISUAL_STYLE_BAR): "bar",
    int(lib.GHOSTTY_RENDER_STATE_CURSOR_VISUAL_STYLE_UNDERLINE): "underline",
}


class RowCells(NamedTuple):
    """The cells of one row: texts, which are links (OSC 8), whether it goes on in the next."""

    texts: list[str]
    linked: list[bool]
    wrapped: bool


class RowReader:
    """A render state of one terminal and what is needed to read it quickly."""

    def __init__(self, terminal: Any, cell_len: CellLen) -> None:
        self._terminal = terminal
        self._cell_len = cell_len
        state = ffi.new("GhosttyRenderState*")
        check(lib.ghostty_render_state_new(ffi.NULL, state), "render_state_new")
        self._state = state[0]
        self._rows = ffi.new("GhosttyRenderStateRowIterator*")
        check(lib.ghostty_render_state_row_iterator_new(ffi.NULL, self._rows), "row_iterator_new")
        self._cells = ffi.new("GhosttyRenderStateRowCells*")
        check(lib.ghostty_render_state_row_cells_new(ffi.NULL, self._cells), "row_cells_new")
        self._view = ffi.new("GhosttyCellsView*")
        self._selection = init_sized("GhosttyRenderStateRowSelection")
        self._style = init_sized("GhosttyStyle")
        self._style_bytes = ffi.buffer(self._style)
        self._cursor = init_sized("GhosttyRenderStateCursor")
        self._dirty = ffi.new("GhosttyRenderStateDirty*")
        self._row_number = ffi.new("uint16_t*")
        self._row_id = ffi.new("GhosttyRenderStateRowId*")
        self._length = ffi.new("uint32_t*")
        self._palette = ffi.new("GhosttyColorRgb[256]")
        self._palette_before = ffi.new("GhosttyColorRgb[256]")
        self._texts = Texts(cell_len)
        self._style_ids = StyleIds()
        self._styles: dict[bytes, Style] = {}
        self._clusters: dict[tuple[str, int], str] = {}
        self._own_colors: dict[int, tuple[int, int, int]] = {}
        self._defaults: tuple[Color, Color] = (None, None)
        self._plain = PLAIN
        self._seen: dict[int, dict[int, Style]] = {}
        """Styles by id, by page: ids mean nothing beyond a page, nor after the next byte."""
        self._all = True

    def close(self) -> None:
        lib.ghostty_render_state_row_cells_free(self._cells[0])
        lib.ghostty_render_state_row_iterator_free(self._rows[0])
        lib.ghostty_render_state_free(self._state)

    def invalidate(self) -> None:
        """Make the next `dirty_rows` give every row."""
        self._all = True

    def dirty_rows(self) -> dict[int, list[Run]]:
        self._read_colors()
        self._update()
        state_dirty = self._dirty
        lib.ghostty_render_state_get(self._state, lib.GHOSTTY_RENDER_STATE_DATA_DIRTY, state_dirty)
        everything = self._all or state_dirty[0] == lib.GHOSTTY_RENDER_STATE_DIRTY_FULL
        if not everything and state_dirty[0] == lib.GHOSTTY_RENDER_STATE_DIRTY_FALSE:
            return {}
        self._seen.clear()
        rows = self._each_row() if everything else self._each_dirty_row()
        found = {y: self._runs() for y in rows}
        lib.ghostty_render_state_clean(self._state)
        self._all = False
        return found

    def all_rows(self) -> list[list[Run]]:
        """Every row shown, leaving what is dirty dirty."""
        self._update()
        self._seen.clear()
        return [self._runs() for _ in self._each_row()]

    def cells(self) -> list[RowCells]:
        """Every row shown, cell by cell."""
        self._update()
        found = []
        raw, wrapped = ffi.new("GhosttyRow*"), ffi.new("bool*")
        for _ in self._each_row():
            cells = self._packed()
            texts = [" " if t is None else t for t in map(self._texts.__getitem__, cells)]
            row = self._rows[0]
            lib.ghostty_render_state_row_get(row, lib.GHOSTTY_RENDER_STATE_ROW_DATA_RAW, raw)
            lib.ghostty_row_get(raw[0], lib.GHOSTTY_ROW_DATA_WRAP, wrapped)
            linked = [bool(cell & LAYOUT.linked) for cell in cells]
            found.append(RowCells(texts, linked, bool(wrapped[0])))
        return found

    def selected(self) -> Iterator[tuple[int, int, int]]:
        """Row, first column and column after the last of what is selected."""
        self._update()
        found = self._selection
        for y in self._each_row():
            data = lib.GHOSTTY_RENDER_STATE_ROW_DATA_SELECTION
            if not lib.ghostty_render_state_row_get(self._rows[0], data, found):
                yield y, found.start_x, found.end_x + 1

    def cursor(self) -> Cursor:
        self._update()
        found = self._cursor
        check(
            lib.ghostty_render_state_get(self._state, lib.GHOSTTY_RENDER_STATE_DATA_CURSOR, found),
            "cursor",
        )
        if not found.viewport_has_value:
            return Cursor(0, 0, False)
        return Cursor(
            max(0, found.viewport_x - bool(found.wide_tail)),
            found.viewport_y,
            bool(found.visible),
            _SHAPES.get(int(found.visual_style), "block"),
            bool(found.blinking),
        )

    def _update(self) -> None:
        check(lib.ghostty_render_state_update(self._state, self._terminal), "render_state_update")

    def _each_row(self) -> Iterator[int]:
        lib.ghostty_render_state_get(
            self._state, lib.GHOSTTY_RENDER_STATE_DATA_ROW_ITERATOR, self._rows
        )
        y, row = 0, self._rows[0]
        while lib.ghostty_render_state_row_iterator_next(row):
            yield y
            y += 1

    def _each_dirty_row(self) -> Iterator[int]:
        lib.ghostty_render_state_get(
            self._state, lib.GHOSTTY_RENDER_STATE_DATA_ROW_ITERATOR, self._rows
        )
        row, number = self._rows[0], self._row_number
        while lib.ghostty_render_state_row_iterator_next_dirty(row, number):
            yield number[0]

    def _packed(self) -> list[int]:
        view = self._view
        data = lib.GHOSTTY_RENDER_STATE_ROW_DATA_CELLS_RAW
        lib.ghostty_render_state_row_get(self._rows[0], data, view)
        cells: list[int] = ffi.unpack(view.ptr, view.len)
        return cells

    def _runs(self) -> list[Run]:
        """The row the iterator is on."""
        row = self._rows[0]
        cells = self._packed()
        mapped = list(map(self._texts.__getitem__, cells))
        styles = list(map(self._style_ids.__getitem__, cells))
        first = styles[0]
        uniform = styles.count(first) == len(styles)
        clusters = None in mapped
        if clusters or first or not uniform:
            lib.ghostty_render_state_row_get(
                row, lib.GHOSTTY_RENDER_STATE_ROW_DATA_CELLS, self._cells
            )
        texts = (
            [self._cluster(x, cells[x]) if text is None else text for x, text in enumerate(mapped)]
            if clusters
            else mapped
        )
        if uniform:
            return [("".join(texts), self._resolve(first, cells[0], 0))]  # type: ignore[arg-type]
        lib.ghostty_render_state_row_get(row, lib.GHOSTTY_RENDER_STATE_ROW_DATA_ID, self._row_id)
        seen = self._seen.setdefault(self._row_id.bits[0], {})
        join = "".join
        runs: list[Run] = []
        start, last = 0, first
        for x, style_id in enumerate(styles):
            if style_id != last:
                style = seen.get(last)
                if style is None:
                    style = seen[last] = self._resolve(last, cells[start], start)
                runs.append((join(texts[start:x]), style))  # type: ignore[arg-type]
                start, last = x, style_id
        style = seen.get(last) or self._resolve(last, cells[start], start)
        runs.append((join(texts[start:]), style))  # type: ignore[arg-type]
        return runs

    def _cluster(self, x: int, cell: int) -> str:
        cells, length = self._cells[0], self._length
        lib.ghostty_render_state_row_cells_select(cells, x)
        lib.ghostty_render_state_row_cells_get(
            cells, lib.GHOSTTY_RENDER_STATE_ROW_CELLS_DATA_GRAPHEMES_LEN, length
        )
        points = ffi.new("uint32_t[]", max(1, length[0]))
        lib.ghostty_render_state_row_cells_get(
            cells, lib.GHOSTTY_RENDER_STATE_ROW_CELLS_DATA_GRAPHEMES_BUF, points
        )
        # A cell can hold an endless pile of combining marks; no letter has more than a few.
        text = "".join(map(chr, points[0 : min(length[0], 32)]))
        width = 2 if (cell >> LAYOUT.wide) & 3 == WIDE else 1
        known = self._clusters.get((text, width))
        if known is None:
            if len(self._clusters) > MEMO_LIMIT:
                self._clusters.clear()
            known = self._clusters[text, width] = fit(text, width, self._cell_len)
        return known

    def _resolve(self, style_id: int, cell: int, x: int) -> Style:
        if not style_id:
            return self._plain
        if cell & 2:
            return self._background_only(cell)
        cells = self._cells[0]
        lib.ghostty_render_state_row_cells_select(cells, x)
        lib.ghostty_render_state_row_cells_get(
            cells, lib.GHOSTTY_RENDER_STATE_ROW_CELLS_DATA_STYLE, self._style
        )
        raw = bytes(self._style_bytes)
        style = self._styles.get(raw)
        if style is None:
            if len(self._styles) > MEMO_LIMIT:
                self._styles.clear()
            style = self._styles[raw] = self._read_style()
        return style

    def _background_only(self, cell: int) -> Style:
        content = (cell >> LAYOUT.content) & 0xFFFFFF
        background: Color = (content & 0xFF, (content >> 8) & 0xFF, content >> 16)
        if cell & 3 == 2:
            index = content & 0xFF
            background = self._own_colors.get(index, index)
        return self._plain._replace(bg=background)

    def _read_style(self) -> Style:
        found = self._style
        return Style(
            self._color(found.fg_color, self._defaults[0]),
            self._color(found.bg_color, self._defaults[1]),
            bool(found.bold),
            bool(found.faint),
            bool(found.italic),
            int(found.underline),
            bool(found.inverse),
            bool(found.strikethrough),
            bool(found.blink),
            bool(found.invisible),
            bool(found.overline),
        )

    def _color(self, value: Any, default: Color) -> Color:
        if value.tag == lib.GHOSTTY_STYLE_COLOR_PALETTE:
            index = int(value.value.palette)
            return self._own_colors.get(index, index)
        if value.tag == lib.GHOSTTY_STYLE_COLOR_RGB:
            rgb = value.value.rgb
            return (rgb.r, rgb.g, rgb.b)
        return default

    def _read_colors(self) -> None:
        """Notice colours the program set for itself (OSC 4, 10 and 11)."""
        now = self._palette
        lib.ghostty_terminal_get(self._terminal, lib.GHOSTTY_TERMINAL_DATA_COLOR_PALETTE, now)
        defaults = (
            self._own("FOREGROUND"),
            self._own("BACKGROUND"),
        )
        if defaults == self._defaults and ffi.buffer(now)[:] == ffi.buffer(self._palette_before)[:]:
            return
        standard = ffi.new("GhosttyColorRgb[256]")
        lib.ghostty_terminal_get(
            self._terminal, lib.GHOSTTY_TERMINAL_DATA_COLOR_PALETTE_DEFAULT, standard
        )
        ffi.memmove(self._palette_before, now, ffi.sizeof("GhosttyColorRgb[256]"))
        current = [(c.r, c.g, c.b) for c in now]
        usual = [(c.r, c.g, c.b) for c in standard]
        self._own_colors = {i: current[i] for i in range(256) if current[i] != usual[i]}
        self._defaults = defaults
        self._plain = Style(*defaults)
        self._styles.clear()
        self._all = True

    def _own(self, which: str) -> Color:
        """The default foreground or background when the program changed it."""
        now, usual = ffi.new("GhosttyColorRgb*"), ffi.new("GhosttyColorRgb*")
        name = f"GHOSTTY_TERMINAL_DATA_COLOR_{which}"
        if lib.ghostty_terminal_get(self._terminal, getattr(lib, name), now):
            return None
        unset = lib.ghostty_terminal_get(self._terminal, getattr(lib, f"{name}_DEFAULT"), usual)
        color = (now.r, now.g, now.b)
        return color if unset or color != (usual.r, usual.g, usual.b) else None
