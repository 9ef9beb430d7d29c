"""A log on the screen: the last lines in their colours, followed, searched, wrapped or not."""

from __future__ import annotations

from bisect import bisect_right
from typing import ClassVar

from rich.ansi import AnsiDecoder
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip

from cloudtui.model.log_lines import LogLines, plain
from cloudtui.ui.widgets.pane_colors import PaneColors
from cloudtui.ui.widgets.preview import themed

STRIPS_KEPT = 400
"""Rows whose drawing is remembered."""


class LogView(ScrollView, can_focus=True, inherit_bindings=False):
    """`feed` it; it stays at the end until somebody scrolls up."""

    DEFAULT_CSS = """
    LogView {
        height: 1fr;
        background: $background;
        overflow-x: hidden;
        overflow-y: scroll;
        scrollbar-size-vertical: 1;
        scrollbar-size-horizontal: 0;
        & > .log--hit { background: $warning 40%; }
        & > .log--current { background: $warning; color: $background; }
    }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {"log--hit", "log--current"}

    class Scrolled(Message):
        """The view is elsewhere, or follows no more."""

    class AtTop(Message):
        """Somebody wants to go up from the first line kept."""

    def __init__(self) -> None:
        super().__init__()
        self.set_reactive(LogView.auto_links, False)
        self.log_lines = LogLines()
        self.following = True
        self.wrap = False
        self.hits: list[int] = []
        """The numbers of the lines that hold the words."""
        self.hit = -1
        self._words = ""
        self._left = 0
        self._widest = 0
        self._starts: list[int] = [0]
        """With `wrap`: the row at which each line begins."""
        self._strips: dict[tuple[int, int], Strip] = {}
        """Rows as they were drawn, by the line's number and the part of it."""
        self._look: object = None
        """What all of them were drawn with."""
        self._base: Style | None = None
        """The style of the lines, while they are painted."""
        self._width = 0
        self._colors: PaneColors | None = None

    # What is in it

    def feed(self, data: bytes) -> None:
        """Take in what the log got."""
        log = self.log_lines
        before = log.first
        changed = log.feed(data)
        gone = log.first - before
        rows_gone = self._row_of(gone) if gone else 0
        if len(self._strips) > STRIPS_KEPT:
            self._strips.clear()
        for key in [key for key in self._strips if key[0] >= changed]:
            del self._strips[key]
        self._refit(max(0, changed - log.first), gone)
        self._find_in(changed)
        top = self.scroll_offset.y
        self._resize()
        if self.following:
            self.scroll_to(y=self.virtual_size.height, animate=False, force=True)
        elif rows_gone:
            self.scroll_to(y=max(0, top - rows_gone), animate=False, force=True)
        self.refresh()

    def keep_in_view(self, below: int) -> None:
        """Scroll so that so many lines are below the top of the view."""
        if not self.following:
            row = self._row_of(max(0, len(self.log_lines) - below))
            self.scroll_to(y=row, animate=False, force=True)

    def clear(self) -> None:
        self.log_lines = LogLines()
        self._strips.clear()
        self.hits, self.hit = [], -1
        self._starts, self._widest = [0], 0
        self._resize()
        self.refresh()

    # Where is what

    def _refit(self, index: int, gone: int) -> None:
        """Work out anew where the lines from `index` on begin, after `gone` were dropped."""
        lines = self.log_lines.lines
        if not self.wrap:
            if index < len(lines):
                self._widest = max(self._widest, max(map(len, lines[index:])))
            return
        starts = self._starts
        if gone:
            base = starts[min(gone, len(starts) - 1)]
            starts = [start - base for start in starts[gone:]] or [0]
        del starts[index + 1 :]
        width = max(1, self._width)
        for line in lines[len(starts) - 1 :]:
            starts.append(starts[-1] + _rows(line, width))
        self._starts = starts

    def _row_of(self, index: int) -> int:
        return self._starts[min(index, len(self._starts) - 1)] if self.wrap else index

    def _line_at(self, row: int) -> tuple[int, int]:
        """The line that a row belongs to, counted from the first one kept, and its part of it."""
        if not self.wrap:
            return row, 0
        index = bisect_right(self._starts, row) - 1
        return index, row - self._starts[index]

    @property
    def _room(self) -> int:
        """Cells of a row, the scrollbar left out."""
        return max(1, self.scrollable_content_region.width)

    @property
    def rows(self) -> int:
        count = len(self.log_lines)
        return self._starts[min(count, len(self._starts) - 1)] if self.wrap else count

    def _resize(self) -> None:
        self.virtual_size = Size(1, self.rows)

    def toggle_wrap(self) -> None:
        """Long lines go on in the next row, or beyond the right side."""
        index, _ = self._line_at(self.scroll_offset.y)
        self.wrap, self._left = not self.wrap, 0
        self._starts = [0]
        self._refit(0, 0)
        self._resize()
        top = self.rows if self.following else self._row_of(index)
        self.scroll_to(y=top, animate=False, force=True)
        self.refresh()

    def on_resize(self) -> None:
        if self._room != self._width:
            self._width = self._room
            if self.wrap:
                self._starts = [0]
                self._refit(0, 0)
            self._resize()
        if self.following:
            self.scroll_to(y=self.rows, animate=False, force=True)

    # Moving

    def move(self, rows: int) -> None:
        """Up or down; at the end it follows again."""
        top = self.scroll_offset.y
        if rows < 0 and top == 0:
            self.post_message(self.AtTop())
        last = max(0, self.rows - self.size.height)
        wanted = max(0, min(last, top + rows))
        self.following = wanted >= last and rows > 0
        self.scroll_to(y=wanted, animate=False, force=True)
        self.post_message(self.Scrolled())

    def to_start(self) -> None:
        self.move(-self.rows - 1)

    def to_end(self) -> None:
        """The last line, and every one that comes."""
        self.following = True
        self.scroll_to(y=self.rows, animate=False, force=True)
        self.post_message(self.Scrolled())

    def sideways(self, steps: int) -> None:
        """Half a screen to the right, or with a negative number to the left."""
        if not self.wrap:
            most = max(0, self._widest - self._room)
            self._left = max(0, min(most, self._left + steps * self._room // 2))
            self.refresh()

    def on_mouse_scroll_up(self) -> None:
        self.move(-3)

    def on_mouse_scroll_down(self) -> None:
        self.move(3)

    # Finding

    def find(self, words: str) -> None:
        """Look for words, upper and lower case alike; the last place found is the current one."""
        self._words = words.casefold()
        self.hits, self.hit = [], -1
        if self._words:
            self._find_in(self.log_lines.first)
            self.hit = len(self.hits) - 1
            self._show_hit()
        self.refresh()

    def _find_in(self, changed: int) -> None:
        if not self._words:
            return
        log = self.log_lines
        current = self.hits[self.hit] if 0 <= self.hit < len(self.hits) else None
        kept = [n for n in self.hits if log.first <= n < changed]
        start = max(0, changed - log.first)
        for number, line in enumerate(log.lines[start:], log.first + start):
            if self._words in plain(line).casefold():
                kept.append(number)
        self.hits = kept
        self.hit = kept.index(current) if current in kept else len(kept) - 1

    def step(self, by: int) -> bool:
        """Go to the next place found, or the one before; False when there is none."""
        if not self.hits:
            return False
        self.hit = (self.hit + by) % len(self.hits)
        self._show_hit()
        self.refresh()
        return True

    def _show_hit(self) -> None:
        if not self.hits:
            return
        row = self._row_of(self.hits[self.hit] - self.log_lines.first)
        top, height = self.scroll_offset.y, self.size.height
        if not top <= row < top + height:
            self.following = False
            self.scroll_to(y=max(0, row - height // 2), animate=False, force=True)
            self.post_message(self.Scrolled())

    # Drawing

    def repaint(self, colors: PaneColors) -> None:
        """Draw in other colours."""
        self._colors = colors
        self._strips.clear()
        self.refresh()

    def render_lines(self, crop: Region) -> list[Strip]:
        self._base = self.rich_style  # worked out from all the widgets around, so once a paint
        try:
            return super().render_lines(crop)
        finally:
            self._base = None

    def render_line(self, y: int) -> Strip:
        width, row = self._room, self.scroll_offset.y + y
        base = self._base or self.rich_style
        if row >= self.rows:
            return Strip.blank(width, base)
        index, part = self._line_at(row)
        number = self.log_lines.first + index
        left = part * width if self.wrap else self._left
        look = (width, self._left, self.wrap, self._words, base)
        if look != self._look:
            self._look, self._strips = look, {}
        selection = self.text_selection
        span = selection.get_span(index) if selection else None
        current = bool(self.hits) and self.hits[self.hit] == number
        key = (number, part)
        strip = self._strips.get(key)
        if strip is None or span is not None or current:
            strip = self._drawn(index, left, base, span, current=current)
            if span is None and not current:
                self._strips[key] = strip
        # Where in the text the mouse is, is asked outside of painting only, and costs.
        return strip if self._base else strip.apply_offsets(left, index)

    def _drawn(
        self, index: int, left: int, base: Style, span: tuple[int, int] | None, *, current: bool
    ) -> Strip:
        width = self._room
        line = AnsiDecoder().decode_line(self.log_lines.lines[index])
        text = themed(line, self._colors) if self._colors else line
        if self._words:
            low = text.plain.casefold()
            style = self.get_component_rich_style("log--current" if current else "log--hit")
            at = low.find(self._words)
            while at >= 0:
                text.stylize(style, at, at + len(self._words))
                at = low.find(self._words, at + len(self._words))
        if span is not None:
            start, end = span
            chosen = self.screen.get_component_rich_style("screen--selection")
            text.stylize(chosen, start, len(text.plain) if end < 0 else end)
        segments = [
            Segment(s.text, base + s.style if s.style else base)
            for s in text.render(self.app.console)
            if s.text and not s.control
        ]
        return Strip(segments).crop(left, left + width).adjust_cell_length(width, base)

    # Text under the mouse

    def selection_updated(self, selection: Selection | None) -> None:
        self.refresh()

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        text = "\n".join(map(plain, self.log_lines.lines))
        return selection.extract(text), "\n"


def _rows(line: str, width: int) -> int:
    text = plain(line)
    cells = len(text) if text.isascii() else cell_len(text)
    return max(1, -(-cells // width))
