"""Paints the monitor's lines; of a new sample only the lines that changed."""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from cloudtui.ui.widgets.board import Line, View, lay_out

INKS = (
    "text",
    "title",
    "muted",
    "plot",
    "quiet",
    "track",
    "hint",
    "warning",
    "error",
)


class MonitorBoard(ScrollView, can_focus=True, inherit_bindings=False):
    """The lines of `view`, which `show_view` sets."""

    DEFAULT_CSS = """
    MonitorBoard {
        height: 1fr;
        background: $background;
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
        scrollbar-size-horizontal: 0;
        & > .board--text { color: $foreground; }
        & > .board--title { color: $foreground; text-style: bold; }
        & > .board--muted { color: $foreground-muted; }
        & > .board--plot { color: $primary; }
        & > .board--quiet { color: $foreground-muted; }
        & > .board--track { color: $border-blurred; }
        & > .board--hint { color: $primary; }
        & > .board--warning { color: $warning; }
        & > .board--error { color: $error; }
    }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"board--{ink}" for ink in INKS}

    def __init__(self) -> None:
        super().__init__()
        self.set_reactive(MonitorBoard.auto_links, False)
        self._view = View()
        self._lines: list[Line] = []
        self._inks: dict[str, Style] = {}

    @property
    def lines(self) -> list[str]:
        """What is shown, as plain text."""
        return ["".join(text for text, _ in line) for line in self._lines]

    def show_view(self, view: View) -> None:
        """Show this from now on."""
        self._view = view
        self._take()

    def _take(self) -> None:
        size = self.scrollable_content_region.size
        if size.width < 3 or not size.height:
            return
        before, self._lines = self._lines, lay_out(self._view, size.width - 2, size.height)
        if len(before) != len(self._lines):
            self.virtual_size = Size(size.width, len(self._lines))
            self.refresh()
            return
        top = self.scroll_offset.y
        for number, (old, new) in enumerate(zip(before, self._lines, strict=True)):
            if old != new and 0 <= number - top < size.height:
                self.refresh(Region(0, number - top, size.width, 1))

    def on_resize(self, event: events.Resize) -> None:
        self._lines = []
        self._take()
        self.refresh()

    def notify_style_update(self) -> None:
        self._inks.clear()
        super().notify_style_update()

    def render_line(self, y: int) -> Strip:
        number = self.scroll_offset.y + y
        width = self.scrollable_content_region.width
        base = self.rich_style
        if number >= len(self._lines):
            return Strip.blank(width, base)
        pieces = [Segment(text, base + self._ink(ink)) for text, ink in self._lines[number]]
        return (
            Strip([Segment(" ", base), *pieces])
            .adjust_cell_length(width, base)
            .apply_offsets(0, number)
        )

    def _ink(self, ink: str) -> Style:
        if ink not in self._inks:
            self._inks[ink] = self.get_component_rich_style(f"board--{ink}", partial=True)
        return self._inks[ink]
