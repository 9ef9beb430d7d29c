"""A list whose cursor stays on its row's key through refresh, order and removal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rich.style import Style
from rich.text import Text
from textual.geometry import Size
from textual.message import Message

from cloudtui.ui.widgets.table_view import HEADER, MARK, Heading, TableView

__all__ = ["MARK", "Heading", "Keyed", "KeyedTable", "Row"]


class Keyed(Protocol):
    """What every row has."""

    @property
    def key(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Row:
    """A row by its key; `cells` and `order` by column key. A None in `order` sorts last."""

    key: str
    cells: Mapping[str, Text]
    order: Mapping[str, Any]


class KeyedTable(TableView):
    """Rows are shown with `show`; keys come from the table of actions, through the screen."""

    FIRST_MATTER = False
    """What comes first is not to go out of view above by itself: from the top on, the cursor rather
    changes its line."""

    class Ordered(Message):
        """The rows were put into another order."""

    def __init__(self, headings: Sequence[Heading], order: str, *, id: str | None = None) -> None:
        super().__init__(headings, order, id=id)
        self.marks: frozenset[str] = frozenset()
        """The keys of the marked rows, shown or hidden by the filter."""
        self._rows: list[Any] = []
        self._places: dict[str, int] = {}
        self.chosen = False
        """The cursor was put somewhere; else it is where it was at first."""
        self._left: str | None = None
        """The key of the row that the cursor was on when the last rows went."""

    @property
    def row_count(self) -> int:
        return len(self._rows)

    @property
    def key(self) -> str | None:
        """The key of the row under the cursor, or None in an empty table."""
        return self._rows[self.cursor_row].key if self._rows else None

    @property
    def keys_shown(self) -> list[str]:
        """The keys shown, from top to bottom."""
        return list(self._places)

    def get_cell(self, key: str, column: str) -> Text:
        """A cell as it is before it is cut to its column's width."""
        text, style = self.words(self._rows[self._places[key]], column)
        return Text(text, style)

    def show(self, rows: Sequence[Row], *, filling: bool = False) -> None:
        """Make the table hold exactly these rows, in its own order.

        While it is `filling` for the first time, a cursor that rests on the first row stays there
        as rows come in above it; later it belongs to its row.
        """
        for heading in self.headings:
            widths = (row.cells[heading.key].cell_len for row in rows)
            self._widths[heading.key] = min(max(widths, default=0), self.WIDEST)
        self.put(self._ordered(rows), filling=filling)

    def select(self, key: str) -> None:
        """Put the cursor on a row, if it is there."""
        if key in self._places:
            self.go(self._places[key])

    def go(self, place: int) -> None:
        super().go(place)
        self.chosen = True

    def order(self, column: str, *, descending: bool = False) -> None:
        """Sort by a column; the cursor stays on its row."""
        self.order_by, self.descending = column, descending
        self.sort()
        self.post_message(self.Ordered())

    def order_next(self) -> str:
        """Sort by the next visible column and return its title."""
        keys = self.columns_shown or tuple(h.key for h in self.headings)
        place = keys.index(self.order_by) if self.order_by in keys else -1
        self.order(keys[(place + 1) % len(keys)])
        return next(h.title for h in self.headings if h.key == self.order_by)

    def sort(self) -> None:
        """Put the rows into the order that is wanted now."""
        self.put(self._ordered(self._rows))

    def _ordered(self, rows: Sequence[Any]) -> list[Any]:
        column = self.order_by
        there = [row for row in rows if row.order.get(column) is not None]
        missing = [row for row in rows if row.order.get(column) is None]
        there.sort(key=lambda row: row.order[column], reverse=self.descending)
        return [*there, *missing]

    def put(self, rows: list[Any], *, filling: bool = False) -> None:
        """Show rows that are in order.

        The cursor stays on its row, or goes to the next one of those that are still there; where
        it is in view, it stays on its line.
        """
        old, place, top = self._rows, self.cursor_row, self.scroll_offset.y
        in_view = self.cursor_in_view
        self._left = self.key or self._left
        self._rows, self._places = rows, {row.key: n for n, row in enumerate(rows)}
        stays_on_top = filling and place == 0
        self.cursor_row = 0 if stays_on_top else self._heir(old, place)
        self.virtual_size = Size(1, len(rows) + HEADER)
        refitted = self.fit()
        if in_view:
            at_first = self.FIRST_MATTER and top == 0 and self.cursor_row < self.lines_in_view
            stays = stays_on_top or at_first
            self.scroll(0 if stays else self.cursor_row - place + top)
            self.follow()
        if self.text_selection and [row.key for row in old] != list(self._places):
            self.unselect()
        if refitted:
            self.repaint()
        else:
            self._repaint_changed(old, place)
        self.post_message(self.Moved())

    def _repaint_changed(self, old: list[Any], cursor: int) -> None:
        """Build the lines in view anew whose rows are not the ones that were there."""
        top, rows = self.scroll_offset.y, self._rows
        view = range(top, top + self.lines_in_view)
        changed = {cursor, self.cursor_row} if cursor != self.cursor_row else set()
        for place in view:
            now = rows[place] if place < len(rows) else None
            if now is not (old[place] if place < len(old) else None):
                changed.add(place)
        self.keep_lines(view)
        if 2 * len(changed) > len(view):
            self.refresh()
        for place in changed:
            self.repaint_row(place)

    def _heir(self, old: Sequence[Keyed], place: int) -> int:
        """Where the cursor goes that was at this place of the rows before."""
        if not old and self._left in self._places:
            return self._places[self._left]
        for row in (*old[place:], *reversed(old[:place])):
            if row.key in self._places:
                return self._places[row.key]
        return max(0, min(place, len(self._rows) - 1))

    # Cells

    def row_at(self, place: int) -> Any:
        return self._rows[place]

    def words(self, row: Any, column: str) -> tuple[str, Style]:
        cell: Text = row.cells[column]
        return cell.plain, cell.style if isinstance(cell.style, Style) else Style.parse(cell.style)

    def marked(self, row: Any) -> bool:
        return row.key in self.marks

    def heading_clicked(self, column: str) -> None:
        self.order(column, descending=column == self.order_by and not self.descending)

    # Marks

    @property
    def marks_hidden(self) -> int:
        """How many of the marked rows the filter hides."""
        return sum(key not in self._places for key in self.marks)

    def mark(self) -> None:
        """Mark the row under the cursor, or take its mark away, and go to the next row."""
        if self.key is not None:
            self._mark(self.marks ^ {self.key})
            self.action_cursor_down()

    def invert_marks(self) -> None:
        """Mark the rows shown that are not marked, and unmark those that are."""
        self._mark(self.marks ^ frozenset(self._places))

    def keep_marks(self, keys: Iterable[str] = ()) -> None:
        """Only rows with these keys stay marked."""
        kept = self.marks.intersection(keys) if self.marks else self.marks
        if kept != self.marks:
            self._mark(kept)

    def _mark(self, keys: frozenset[str]) -> None:
        self.marks = keys
        self.repaint()
        self.post_message(self.Moved())
