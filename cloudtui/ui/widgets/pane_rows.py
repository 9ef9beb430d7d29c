"""The rows of a pane as strips, drawn once and kept until the engine says they changed."""

from __future__ import annotations

from collections.abc import Mapping

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style as RichStyle
from textual.strip import Strip

from cloudtui.ui.widgets.pane_colors import PaneColors
from cloudtui.vt.engine import Cursor, Mark, Run

_UNDERLINE = RichStyle(underline=True, bold=True)
_DIM = RichStyle(dim=True)


class PaneRows:
    """What is shown: `columns` wide strips, one per row, and the cursor over them."""

    def __init__(self, colors: PaneColors) -> None:
        self.colors = colors
        self.columns = 0
        self.cursor = Cursor(0, 0, False)
        self.dimmed = False
        self.lit = True
        """Whether a blinking cursor is to be seen now."""
        self.marks: dict[int, list[Mark]] = {}
        self._strips: list[Strip] = []

    def __len__(self) -> int:
        return len(self._strips)

    def resize(self, columns: int, rows: int) -> None:
        """Give every row the new width; rows the engine redraws follow."""
        self.columns = columns
        kept = [strip.adjust_cell_length(columns, self.colors.plain) for strip in self._strips]
        blank = Strip([Segment(" " * columns, self.colors.plain)], columns)
        self._strips = (kept + [blank] * rows)[:rows]

    def clear(self) -> None:
        rows, self._strips = len(self._strips), []
        self.resize(self.columns, rows)

    def update(self, changed: Mapping[int, list[Run]]) -> None:
        style, columns, strips = self.colors.style, self.columns, self._strips
        for y, runs in changed.items():
            if y < len(strips):
                strips[y] = Strip([Segment(text, style(look)) for text, look in runs], columns)

    def line(self, y: int, focused: bool) -> Strip:
        """One row as it is drawn now."""
        if not 0 <= y < len(self._strips):
            return Strip([Segment(" " * self.columns, self.colors.plain)], self.columns)
        strip = self._strips[y]
        if self.dimmed:
            strip = strip.apply_style(_DIM)
        if y in self.marks:
            strip = self._marked(strip, self.marks[y])
        if (
            self.lit
            and self.cursor.visible
            and y == self.cursor.y
            and 0 <= self.cursor.x < self.columns
        ):
            return self._with_cursor(strip, focused)
        return strip

    def text(self) -> str:
        return "\n".join(strip.text.rstrip() for strip in self._strips)

    def _marked(self, strip: Strip, marks: list[Mark]) -> Strip:
        for start, end, kind in marks:
            painted = self._repaint(strip.crop(start, end), self.colors.marks[kind])
            strip = Strip.join([strip.crop(0, start), painted, strip.crop(end, self.columns)])
        return strip

    def _with_cursor(self, strip: Strip, focused: bool) -> Strip:
        at, shape = self.cursor.x, self.cursor.shape
        character = strip.crop(at, at + 1).text
        wide = strip.crop(at, min(at + 2, self.columns))
        width = 2 if len(wide.text) == 1 and cell_len(wide.text) == 2 else 1
        under = wide if width == 2 else strip.crop(at, at + 1)
        if not focused:
            marked = self._repaint(under, self.colors.cursor_away)
        elif shape == "block":
            marked = self._repaint(under, self._block(under))
        elif shape == "bar" and character == " ":
            own = next((s.style for s in under if s.style), self.colors.plain)
            color = RichStyle(color=self.colors.cursor.bgcolor)
            marked = Strip([Segment("▏", own + color)], 1)
        else:
            marked = under.apply_style(_UNDERLINE)
        return Strip.join([strip.crop(0, at), marked, strip.crop(at + width, self.columns)])

    def _block(self, under: Strip) -> RichStyle:
        """The cursor's colours; the other way around on a cell that has its colour already."""
        cursor = self.colors.cursor
        if any(own and own.bgcolor == cursor.bgcolor for _, own, _ in under):
            return RichStyle(color=cursor.bgcolor, bgcolor=cursor.color)
        return cursor

    @staticmethod
    def _repaint(strip: Strip, style: RichStyle) -> Strip:
        return Strip(
            [Segment(text, (own or RichStyle()) + style) for text, own, _ in strip],
            strip.cell_length,
        )


def line_of(text: str, columns: int, style: RichStyle) -> Strip:
    """One line of the pane's own words, cut or filled to the width."""
    return Strip([Segment(text, style)]).adjust_cell_length(columns, style)
