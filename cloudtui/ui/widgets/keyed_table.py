"""A table whose cursor stays on its row's key through refresh, sort and removal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.coordinate import Coordinate
from textual.message import Message
from textual.strip import Strip
from textual.widgets import DataTable

MARK = "▌"


@dataclass(frozen=True, slots=True)
class Heading:
    """A column: `spare` says how early it goes when the screen is narrow (0 = never)."""

    key: str
    title: str
    spare: int = 0
    right: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A row by its key; `cells` and `order` by column key. A None in `order` sorts last."""

    key: str
    cells: Mapping[str, Text]
    order: Mapping[str, Any]


class KeyedTable(DataTable[Text], inherit_bindings=False):
    """Rows are shown with `show`, which updates, adds and removes by key and never clears.

    Keys come from the table of actions, through the screen.
    """

    DEFAULT_CSS = """
    KeyedTable {
        height: 1fr;
        background: $background;
        scrollbar-size-vertical: 1;
        scrollbar-size-horizontal: 0;
        &:focus { background-tint: transparent; }
        & > .datatable--header, &:focus > .datatable--header {
            background: $background;
            background-tint: transparent;
            color: $foreground-muted;
            text-style: none;
        }
        & > .datatable--header-hover { background: $block-hover-background; color: $foreground; }
        & > .datatable--hover { background: $block-hover-background; }
        & > .datatable--cursor {
            background: $block-cursor-blurred-background;
            color: $foreground;
            text-style: none;
        }
        &:focus > .datatable--cursor {
            background: $block-cursor-background;
            color: $foreground;
            text-style: bold;
        }
        & > .keyed-table--mark { color: $accent; text-style: bold; }
    }
    """
    COMPONENT_CLASSES = {"keyed-table--mark"}

    class Moved(Message):
        """The row under the cursor is another one, or its cells changed."""

    class Ordered(Message):
        """The rows were put into another order."""

    def __init__(self, headings: Sequence[Heading], order: str, *, id: str | None = None) -> None:
        super().__init__(
            cursor_type="row",
            cursor_foreground_priority="renderable",
            cursor_background_priority="css",
            id=id,
        )
        self.headings = tuple(headings)
        self._chosen: tuple[str, ...] = ()
        self._rows: tuple[Row, ...] = ()
        self._filling = False
        self.marks: frozenset[str] = frozenset()
        """The keys of the marked rows, shown or hidden by the filter."""
        self.order_by = order
        self.descending = False

    @property
    def key(self) -> str | None:
        """The key of the row under the cursor, or None in an empty table."""
        if not self.row_count:
            return None
        return self.coordinate_to_cell_key(Coordinate(self.cursor_row, 0)).row_key.value

    @property
    def keys_shown(self) -> list[str]:
        """The keys shown, from top to bottom."""
        return [row.key.value or "" for row in self.ordered_rows]

    @property
    def columns_shown(self) -> tuple[str, ...]:
        """The keys of the columns that fit."""
        return self._chosen

    def show(self, rows: Sequence[Row], *, filling: bool = False) -> None:
        """Make the table hold exactly these rows, in its own order.

        While it is `filling` for the first time, a cursor that rests on the first row stays there
        as rows come in above it; later it belongs to its row.
        """
        self._filling = filling
        self._rows = self._ordered(rows)
        with self.app.batch_update():
            if not self._fit():
                self._update()
        self.post_message(self.Moved())

    def mark(self) -> None:
        """Mark the row under the cursor, or take its mark away, and go to the next row."""
        if self.key is not None:
            self._mark(self.marks ^ {self.key})
            self.action_cursor_down()

    def invert_marks(self) -> None:
        """Mark the rows shown that are not marked, and unmark those that are."""
        self._mark(self.marks ^ frozenset(self.keys_shown))

    def keep_marks(self, keys: Iterable[str] = ()) -> None:
        """Only rows with these keys stay marked."""
        kept = self.marks.intersection(keys) if self.marks else self.marks
        if kept != self.marks:
            self._mark(kept)

    def _mark(self, keys: frozenset[str]) -> None:
        self.marks = keys
        self._clear_caches()
        self.refresh()
        self.post_message(self.Moved())

    def render_line(self, y: int) -> Strip:
        """The line with the mark of its row in the gutter."""
        strip = super().render_line(y)
        row = self.scroll_offset.y + y - self.header_height
        if not self.marks or y < self.header_height or row >= self.row_count:
            return strip
        key = self.coordinate_to_cell_key(Coordinate(row, 0)).row_key.value
        if key not in self.marks:
            return strip
        style = self.get_component_rich_style("keyed-table--mark", partial=True)
        under = next(iter(strip.crop(0, 1)), Segment(" ")).style or Style.null()
        mark = Segment(MARK, under + style)
        return Strip.join([Strip([mark], 1), strip.crop(1)])

    def select(self, key: str) -> None:
        """Put the cursor on a row, if it is there."""
        if key in self.rows:
            self.move_cursor(row=self.get_row_index(key))

    def order(self, column: str, *, descending: bool = False) -> None:
        """Sort by a column; the cursor stays on its row."""
        self.order_by, self.descending = column, descending
        for heading in self.headings:
            if heading.key in self.columns:
                shown = self.columns[heading.key]  # type: ignore[index]
                shown.label = self._label(heading)
                shown.content_width = max(shown.content_width, shown.label.cell_len)
        self._rows = self._ordered(self._rows)
        self._update(resort=True)
        self.post_message(self.Ordered())

    def order_next(self) -> str:
        """Sort by the next visible column and return its title."""
        keys = self._chosen or tuple(h.key for h in self.headings)
        place = keys.index(self.order_by) if self.order_by in keys else -1
        self.order(keys[(place + 1) % len(keys)])
        return next(h.title for h in self.headings if h.key == self.order_by)

    def _ordered(self, rows: Sequence[Row]) -> tuple[Row, ...]:
        column = self.order_by
        there = [row for row in rows if row.order.get(column) is not None]
        missing = [row for row in rows if row.order.get(column) is None]
        there.sort(key=lambda row: row.order[column], reverse=self.descending)
        return (*there, *missing)

    def _label(self, heading: Heading) -> Text:
        text = heading.title
        if heading.key == self.order_by:
            mark = "▼" if self.descending else "▲"
            text = f"{mark} {text}" if heading.right else f"{text} {mark}"
        return Text(text, justify="right" if heading.right else "left", no_wrap=True)

    def _fit(self) -> bool:
        """Choose the columns that fit; True when the table was built anew with them."""
        scrolls = len(self._rows) + self.header_height > self.size.height
        width = self.size.width - (self.scrollbar_size_vertical if scrolls else 0)
        chosen = list(self.headings)
        if self.size.width:
            widths = {h.key: self._width(h) for h in chosen}
            for heading in sorted((h for h in chosen if h.spare), key=lambda h: -h.spare):
                if sum(widths[h.key] for h in chosen) <= width:
                    break
                chosen.remove(heading)
        visible = tuple(h.key for h in chosen)
        if visible == self._chosen:
            return False
        key, top = self.key, self.scroll_y
        if self._filling and self.cursor_row == 0:
            key = None
        self.clear(columns=True)
        self._chosen = visible
        for heading in chosen:
            self.add_column(self._label(heading), key=heading.key)
        self._update()
        if key is not None and key in self.rows:
            self.move_cursor(row=self.get_row_index(key), scroll=False)
            self.scroll_to(y=top, animate=False)
        return True

    def _width(self, heading: Heading) -> int:
        widest = max((row.cells[heading.key].cell_len for row in self._rows), default=0)
        return max(widest, self._label(heading).cell_len) + 2 * self.cell_padding

    def _update(self, *, resort: bool = False) -> None:
        key, place = self.key, self.cursor_row
        wanted = {row.key for row in self._rows}
        for old in [k for k in self.keys_shown if k not in wanted]:
            self.remove_row(old)
        for row in self._rows:
            if row.key not in self.rows:
                self.add_row(*(row.cells[c] for c in self._chosen), key=row.key)
                continue
            for column in self._chosen:
                old_cell, cell = self.get_cell(row.key, column), row.cells[column]
                if old_cell.plain != cell.plain or old_cell.style != cell.style:
                    self.update_cell(row.key, column, cell, update_width=True)
        if self._chosen and (resort or self.keys_shown != [row.key for row in self._rows]):
            first = self._chosen[0]
            ranks = {id(self.get_cell(r.key, first)): n for n, r in enumerate(self._rows)}
            self.sort(first, key=lambda cell: ranks[id(cell)])
        if self._filling and place == 0:
            self.move_cursor(row=0)
        elif key is not None and key in self.rows:
            now = self.get_row_index(key)
            if now != self.cursor_row:
                self.move_cursor(row=now)
        elif self.row_count:
            self.move_cursor(row=min(place, self.row_count - 1))

    def on_resize(self, event: events.Resize) -> None:
        self._fit()

    def on_data_table_header_selected(self, event: DataTable.HeaderSelected) -> None:
        event.stop()
        column = str(event.column_key.value)
        self.order(column, descending=column == self.order_by and not self.descending)

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        event.stop()
        self.post_message(self.Moved())
