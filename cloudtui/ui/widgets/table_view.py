"""Rows in columns, painted line by line: the length of the list costs nothing.

What the rows are is a subclass's business; here are columns that fit, the cursor, the mouse and
the selection of text.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip

MARK = "▌"
PADDING = 1
"""Cells on each side of a column; a mark stands in those before the first one."""
HEADER = 1
"""Lines of the headings."""
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Heading:
    """A column: `spare` says how early it goes when the screen is narrow (0 = never)."""

    key: str
    title: str
    spare: int = 0
    right: bool = False


class TableView(ScrollView, can_focus=True, inherit_bindings=False):
    """The lines in view of `row_count` rows; a row is named by its place from the top."""

    DEFAULT_CSS = """
    TableView {
        height: 1fr;
        background: $background;
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
        scrollbar-size-horizontal: 0;
        & > .table--header { background: $background; color: $foreground-muted; }
        & > .table--header-hover { background: $block-hover-background; color: $foreground; }
        & > .table--row { background: $background; color: $foreground; }
        & > .table--hover { background: $block-hover-background; color: $foreground; }
        & > .table--cursor {
            background: $block-cursor-blurred-background;
            color: $foreground;
            text-style: none;
        }
        &:focus > .table--cursor {
            background: $block-cursor-background;
            color: $foreground;
            text-style: bold;
        }
        & > .table--mark { color: $accent; text-style: bold; }
    }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--header",
        "table--header-hover",
        "table--row",
        "table--hover",
        "table--cursor",
        "table--mark",
    }

    WIDEST: ClassVar[int] = 48
    """Cells of a column at most; longer texts end in an ellipsis."""

    class Moved(Message):
        """The row under the cursor is another one, or the rows changed."""

    class RowSelected(Message):
        """The row under the cursor was clicked."""

    def __init__(self, headings: Sequence[Heading], order: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.set_reactive(TableView.auto_links, False)
        self.headings = tuple(headings)
        self.order_by = order
        self.descending = False
        self.cursor_row = 0
        self._fitting: tuple[Heading, ...] = ()
        self._fitted: tuple[tuple[str, int, str], ...] = ()
        """Of those that fit: key, cells and words of the heading."""
        self._widths: dict[str, int] = {}
        self._room = Size(0, 0)
        """The size that the columns were chosen for."""
        self._lines: dict[tuple[int, str], Strip] = {}
        self._inks: dict[str, Style] = {}
        self._mouse: tuple[int, int] = (-1, -1)
        self._painting = False

    # What a subclass knows

    @property
    def row_count(self) -> int:
        raise NotImplementedError

    def row_at(self, place: int) -> Any:
        """The row, as `words` and `marked` are given it."""
        raise NotImplementedError

    def words(self, row: Any, column: str) -> tuple[str, Style]:
        """What stands in a cell, however long."""
        raise NotImplementedError

    def marked(self, row: Any) -> bool:
        return False

    def heading_clicked(self, column: str) -> None:
        """The mouse chose a column."""

    # Columns

    @property
    def columns_shown(self) -> tuple[str, ...]:
        """The keys of the columns that fit."""
        return tuple(heading.key for heading in self._fitting)

    def widen(self, column: str, width: int) -> bool:
        """Give a column as many cells as its text needs; whether it had fewer."""
        if width <= self._widths.get(column, 0) or self._widths.get(column) == self.WIDEST:
            return False
        self._widths[column] = min(width, self.WIDEST)
        return True

    def fit(self) -> bool:
        """Choose the columns that there is room for; whether lines look otherwise now."""
        before = (self._room, self._fitted)
        self._room = self.size
        scrolls = self.row_count + HEADER > self._room.height
        room = self._room.width
        if scrolls and not self.show_vertical_scrollbar:
            room -= self.scrollbar_size_vertical  # which takes its room after this
        fitting = list(self.headings)
        if self._room.width:
            for heading in sorted((h for h in fitting if h.spare), key=lambda h: -h.spare):
                if sum(self._width(h) + 2 * PADDING for h in fitting) <= room:
                    break
                fitting.remove(heading)
        self._fitting = tuple(fitting)
        self._fitted = tuple((h.key, self._width(h), self._title(h)) for h in fitting)
        return before != (self._room, self._fitted)

    def _width(self, heading: Heading) -> int:
        mark = 2 if heading.key == self.order_by else 0
        return max(self._widths.get(heading.key, 0), cell_len(heading.title) + mark)

    def _title(self, heading: Heading) -> str:
        if heading.key != self.order_by:
            return heading.title
        mark = "▼" if self.descending else "▲"
        return f"{mark} {heading.title}" if heading.right else f"{heading.title} {mark}"

    def _column_at(self, x: int) -> str:
        end = 0
        for key, width, _ in self._fitted:
            end += width + 2 * PADDING
            if x < end:
                return key
        return ""

    # Painting

    def repaint(self) -> None:
        """Build the lines in view anew."""
        self._lines.clear()
        self.refresh()

    def keep_lines(self, places: Container[int]) -> None:
        """Forget what was built for lines of other places."""
        self._lines = {at: strip for at, strip in self._lines.items() if at[0] in places}

    def repaint_row(self, place: int) -> None:
        for kind in ("row", "hover", "cursor"):
            self._lines.pop((place, kind), None)
        self.refresh_line(place + HEADER)

    def notify_style_update(self) -> None:
        self._lines.clear()
        self._inks.clear()
        super().notify_style_update()

    def render_lines(self, crop: Region) -> list[Strip]:
        if self._room != self.size:
            # Textual sends no Resize when something asked for a region between mount and layout.
            self._lines.clear()
            self.fit()
            self.call_later(self._take_room)
        self._painting = True
        try:
            return super().render_lines(crop)
        finally:
            self._painting = False

    def render_line(self, y: int) -> Strip:
        line = y if y < HEADER else self.scroll_offset.y + y
        strip = self._heading_line() if y < HEADER else self._row_line(line - HEADER)
        selection = self.text_selection
        span = selection.get_span(line) if selection else None
        if span:
            strip = self._selected(strip, *span)
        # Where in the text the mouse is, is asked outside of painting only, and costs.
        return strip if self._painting else strip.apply_offsets(0, line)

    def _ink(self, kind: str) -> Style:
        if kind not in self._inks:
            self._inks[kind] = self.get_component_styles(f"table--{kind}").rich_style
        return self._inks[kind]

    def _heading_line(self) -> Strip:
        base, lit = self._ink("header"), self._ink("header-hover")
        x, y = self._mouse
        under = self._column_at(x) if 0 <= y < HEADER else ""
        parts = []
        for heading, (key, width, title) in zip(self._fitting, self._fitted, strict=True):
            text = fitted(title, width, right=heading.right)
            parts.append(Segment(f" {text} ", lit if under == key else base))
        return Strip(parts).adjust_cell_length(self.size.width, base)

    def _row_line(self, place: int) -> Strip:
        kind = "row"
        if place == self.cursor_row:
            kind = "cursor"
        elif place == self._under_mouse:
            kind = "hover"
        strip = self._lines.get((place, kind))
        if strip is None or strip.cell_length != self.size.width:
            self._lines[place, kind] = strip = self._build(place, kind)
        return strip

    def _build(self, place: int, kind: str) -> Strip:
        width = self.size.width
        if place >= self.row_count:
            return Strip.blank(width, self._ink("row"))
        base, row, wider = self._ink(kind), self.row_at(place), False
        parts = [Segment(MARK, base + self._ink_of_mark) if self.marked(row) else _gap(base)]
        for heading, (key, cells, _) in zip(self._fitting, self._fitted, strict=True):
            text, style = self.words(row, key)
            wider |= self.widen(key, len(text) if text.isascii() else cell_len(text))
            text = fitted(text, cells, right=heading.right)
            parts.append(Segment(f"{text}  ", base + style))
        if wider:
            self.call_later(self._grown)
        return Strip(parts).adjust_cell_length(width, base)

    @property
    def _ink_of_mark(self) -> Style:
        return Style(color=self._ink("mark").color, bold=True)

    def _grown(self) -> None:
        if self.fit():
            self.repaint()

    # Text under the mouse

    def _selected(self, strip: Strip, start: int, end: int) -> Strip:
        text = strip.text
        begin = cell_len(text[:start])
        stop = strip.cell_length if end < 0 else cell_len(text[:end])
        style = self.screen.get_component_rich_style("screen--selection")
        middle = [
            Segment(s.text, (s.style or Style.null()) + style) for s in strip.crop(begin, stop)
        ]
        return Strip.join([strip.crop(0, begin), Strip(middle), strip.crop(stop)])

    def selection_updated(self, selection: Selection | None) -> None:
        self.refresh()

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The text of the selected lines as it is painted, the headings being the first line."""
        first = selection.start.y if selection.start else 0
        last = min(selection.end.y if selection.end else self.row_count, self.row_count)
        lines = []
        for line in range(first, last + 1):
            strip = self._build(line - HEADER, "row") if line >= HEADER else self._heading_line()
            start, end = selection.get_span(line) or (0, 0)
            lines.append(strip.text[start : end if end >= 0 else None].rstrip())
        return "\n".join(lines), "\n"

    def unselect(self) -> None:
        """The lines are others now: what was selected in them is no longer there."""
        if self in self.screen.selections:
            rest = {w: s for w, s in self.screen.selections.items() if w is not self}
            self.screen.selections = rest

    # Moving

    @property
    def lines_in_view(self) -> int:
        """How many rows there is room for."""
        return max(1, self.size.height - HEADER)

    def go(self, place: int) -> None:
        """Put the cursor on a row, and bring that into view."""
        place = max(0, min(place, self.row_count - 1))
        if place != self.cursor_row:
            before, self.cursor_row = self.cursor_row, place
            self.refresh_line(before + HEADER)
            self.refresh_line(place + HEADER)
            self.post_message(self.Moved())
        self.follow()

    @property
    def cursor_in_view(self) -> bool:
        return 0 <= self.cursor_row - self.scroll_offset.y < self.lines_in_view

    def follow(self) -> None:
        """Bring the cursor into view."""
        if self.size.height and not self.cursor_in_view:
            above = self.cursor_row < self.scroll_offset.y
            self.scroll(self.cursor_row if above else self.cursor_row - self.lines_in_view + 1)

    def scroll(self, top: int) -> None:
        """Make this the row at the top, as far as there are rows below it."""
        self.scroll_to(y=max(0, top), animate=False, force=True)

    def action_cursor_down(self) -> None:
        self.go(self.cursor_row + 1)

    def action_cursor_up(self) -> None:
        self.go(self.cursor_row - 1)

    def action_page_down(self) -> None:
        self.go(self.cursor_row + self.lines_in_view)

    def action_page_up(self) -> None:
        self.go(self.cursor_row - self.lines_in_view)

    def action_scroll_top(self) -> None:
        self.go(0)

    def action_scroll_bottom(self) -> None:
        self.go(self.row_count - 1)

    # Events

    def on_resize(self) -> None:
        self._take_room()

    def _take_room(self) -> None:
        self._lines.clear()
        self.fit()
        self.follow()
        self.refresh()

    @property
    def _under_mouse(self) -> int:
        """The place of the row under the mouse; negative when there is none."""
        y = self._mouse[1]
        return self.scroll_offset.y + y - HEADER if y >= HEADER else -1

    def on_mouse_move(self, event: events.MouseMove) -> None:
        self._point(event.x, event.y)

    def on_leave(self) -> None:
        self._point(-1, -1)

    def _point(self, x: int, y: int) -> None:
        before, self._mouse = self._mouse, (x, y)
        lines = {before[1], y} if before[1] != y else {y} if y == 0 else set[int]()
        for line in lines:
            if line >= 0:
                self.refresh(Region(0, line, self.size.width, 1))

    def on_click(self, event: events.Click) -> None:
        if event.button != 1 or self.text_selection:
            return
        if event.y < HEADER:
            if column := self._column_at(event.x):
                self.heading_clicked(column)
            return
        place = self.scroll_offset.y + event.y - HEADER
        if place >= self.row_count:
            return
        event.stop()
        if place == self.cursor_row:
            self.post_message(self.RowSelected())
        else:
            self.go(place)


def _gap(style: Style) -> Segment:
    return Segment(" " * PADDING, style)


def fitted(text: str, width: int, *, right: bool = False) -> str:
    """Exactly as many cells, cut with an ellipsis; nothing in it moves the terminal's cursor."""
    if not text.isprintable():
        text = _UNPRINTABLE.sub("·", text)
    length = len(text) if text.isascii() else cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + "…"
    gap = " " * (width - length)
    return gap + text if right else text + gap
