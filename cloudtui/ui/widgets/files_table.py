"""The entries of one folder: thousands of rows cost no more than those in view."""

from __future__ import annotations

import stat
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

from rich.cells import cell_len
from rich.style import Style

from cloudtui.core.browsing import FileRow
from cloudtui.model.copy import Facts, legible
from cloudtui.model.words import data_size
from cloudtui.ui.themes import cell_style
from cloudtui.ui.widgets.keyed_table import Heading, KeyedTable
from cloudtui.ui.widgets.table_view import HEADER, PADDING

UP = FileRow("..", Facts("d"))
HEADINGS = (
    Heading("name", "Name"),
    Heading("size", "Size", right=True),
    Heading("time", "Modified", spare=1),
    Heading("mode", "Mode", spare=2),
)
CELLS = {"size": 8, "time": 16, "mode": 10}
NARROWEST = 16
_MARKS = {"d": "/", "l": "@", "o": "="}
_NS = 1_000_000_000


_ORDERS: Mapping[str, Callable[[FileRow], Any]] = {
    "size": lambda row: row.facts.size if row.facts.file else -1,
    "time": attrgetter("facts.mtime"),
    "mode": attrgetter("facts.mode"),
}
"""Rows that are equal in these stay in the order of their names."""


class FilesTable(KeyedTable):
    """Folders first; the name takes the room that is left."""

    WIDEST = 400

    def __init__(self) -> None:
        super().__init__(HEADINGS, "name")
        self._widths = dict(CELLS)
        self._name_cells = NARROWEST
        self._colours: Mapping[str, str] = {}
        self._up: list[FileRow] = []
        self._by_name: tuple[Sequence[FileRow], ...] = ()
        """The folders, and the files."""

    def show_files(self, rows: Sequence[FileRow], *, above: bool) -> None:
        """Show exactly these rows, which are in the order of a `Folder`, and the way up."""
        self.recolour()
        first_file = bisect_left(rows, True, key=lambda row: not row.facts.folder)
        self._up, self._by_name = [UP] if above else [], (rows[:first_file], rows[first_file:])
        self.put(self._ordered(rows))

    def recolour(self) -> None:
        self._colours = self.app.theme_variables

    @property
    def chosen_names(self) -> list[str]:
        """The names of the rows that are marked, or of the one under the cursor."""
        marked = [key for key in self._places if key in self.marks] if self.marks else []
        return marked or [key for key in (self.key,) if key and key != UP.key]

    def row_of(self, name: str) -> FileRow | None:
        place = self._places.get(name)
        return None if place is None else self._rows[place]

    def _ordered(self, rows: Sequence[Any]) -> list[Any]:
        """Those of the folder, whose own order spares most of the work: it may have thousands."""
        found = [*self._up]
        for each in self._by_name:
            if self.order_by in _ORDERS:
                each = sorted(each, key=_ORDERS[self.order_by], reverse=self.descending)
            found += reversed(each) if self.order_by == "name" and self.descending else each
        return found

    # Columns

    def fit(self) -> bool:
        before = self._room, self._fitted
        self._name_cells = NARROWEST
        super().fit()
        room = self.size.width - self.scrollbar_size_vertical
        if self.row_count + HEADER <= self.size.height:
            room = self.size.width
        others = sum(self._width(h) + 2 * PADDING for h in self._fitting if h.key != "name")
        self._name_cells = max(NARROWEST, room - others - 2 * PADDING)
        self._fitted = tuple((h.key, self._width(h), self._title(h)) for h in self._fitting)
        return before != (self._room, self._fitted)

    def _width(self, heading: Heading) -> int:
        if heading.key == "name":
            return self._name_cells
        mark = 2 if heading.key == self.order_by else 0
        return max(CELLS[heading.key], cell_len(heading.title) + mark)

    def widen(self, column: str, width: int) -> bool:
        return False

    # Cells

    def words(self, row: Any, column: str) -> tuple[str, Style]:
        facts: Facts = row.facts
        quiet = cell_style(self._colours, "foreground-muted")
        if column == "name":
            return self._called(row), self._ink_of(facts)
        if row is UP:
            return "", quiet
        if column == "size":
            return (data_size(facts.size) if facts.file else "-"), quiet
        if column == "time":
            try:
                when = datetime.fromtimestamp(facts.mtime / _NS).astimezone()
            except (OverflowError, ValueError, OSError):
                return "-", quiet  # no year of ours
            return when.strftime("%Y-%m-%d %H:%M"), quiet
        return stat.filemode(facts.mode | _KINDS.get(facts.kind, 0)), quiet

    def _called(self, row: FileRow) -> str:
        mark = _MARKS.get(row.facts.kind, "")
        leads = f" → {legible(row.facts.target)}" if row.facts.target else ""
        return f"{legible(row.key)}{mark}{leads}"

    def _ink_of(self, facts: Facts) -> Style:
        if facts.folder:
            return cell_style(self._colours, "accent") + Style(bold=True)
        if facts.kind == "l" and not facts.through:
            return cell_style(self._colours, "error")
        return Style.null()

    def mark(self) -> None:
        if self.key == UP.key:
            self.action_cursor_down()
        else:
            super().mark()

    def invert_marks(self) -> None:
        super().invert_marks()
        if UP.key in self.marks:
            self._mark(self.marks - {UP.key})


_KINDS = {"d": stat.S_IFDIR, "l": stat.S_IFLNK, "f": stat.S_IFREG}
