"""The part of a pane that is seen: rows of an engine, cursor, marks and the pane's own words."""

from __future__ import annotations

from rich.style import Style as RichStyle
from textual.color import Color
from textual.geometry import Region
from textual.strip import Strip
from textual.timer import Timer
from textual.widget import Widget

from cloudtui.ui.widgets.pane_clock import PaintClock
from cloudtui.ui.widgets.pane_colors import PaneColors
from cloudtui.ui.widgets.pane_modes import Marks, Mode, link_marks
from cloudtui.ui.widgets.pane_rows import PaneRows, line_of
from cloudtui.ui.widgets.pane_words import wrapped
from cloudtui.vt import engine as vt

_BLINK = 0.53
"""Seconds a blinking cursor is on, and off."""


class PaneView(Widget):
    """Shows an engine; what the words say and what keys do is for the pane."""

    def __init__(self, name: str | None, id: str | None, classes: str | None) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._engine: vt.Engine | None = None
        self._mode: Mode | None = None
        self._words: list[str] | None = []
        """Shown instead of the rows; None for the rows."""
        self._link: vt.Link | None = None
        self._rows = PaneRows(PaneColors({}, (200, 200, 200), (0, 0, 0), dark=True))
        self._clock = PaintClock(self._paint_now, self._held)
        self._blinker: Timer | None = None

    def on_mount(self) -> None:
        self.app.theme_changed_signal.subscribe(self, lambda _: self._recolor())
        self._recolor()
        if self.app.animation_level != "none" and not self.app.is_headless:
            self._blinker = self.set_interval(_BLINK, self._blink)

    @property
    def text(self) -> str:
        """The rows shown, one per line, without trailing spaces."""
        return self._rows.text() if self._engine is None else self._engine.text()

    @property
    def place(self) -> tuple[int, int]:
        """Column and row of the program's cursor, from 0."""
        cursor = vt.Cursor(0, 0, False) if self._engine is None else self._engine.cursor
        return cursor.x, cursor.y

    @property
    def selected(self) -> str:
        """The text selected, or nothing."""
        return "" if self._engine is None else self._engine.selection

    def _bottom_line(self) -> str:
        """The pane's own words over a row, or nothing."""
        return ""

    # Painting

    def _held(self) -> bool:
        return self._engine is not None and self._engine.held

    def _paint_now(self) -> None:
        engine = self._engine
        if engine is None:
            return
        rows = self._rows
        if engine.reversed != rows.colors.reversed:
            self._recolor()
            return
        changed = engine.dirty_rows()
        rows.update(changed)
        before, rows.cursor = rows.cursor, self._cursor(engine)
        dirty = set(changed)
        if before != rows.cursor:
            rows.lit = True
            dirty |= {place.y for place in (before, rows.cursor) if place.visible}
        if changed:
            self._link = None
        marks = self._marks(engine)
        if marks != rows.marks:
            dirty |= {y for y in (*marks, *rows.marks) if marks.get(y) != rows.marks.get(y)}
            rows.marks = marks
        if not dirty:
            return
        if len(dirty) * 2 > len(rows):
            self.refresh()
        else:
            self.refresh(*(Region(0, y, rows.columns, 1) for y in sorted(dirty)))

    def _cursor(self, engine: vt.Engine) -> vt.Cursor:
        point = self._mode.point() if self._mode is not None else None
        if point is not None:
            return vt.Cursor(*point, True)
        return engine.cursor._replace(visible=False) if self._rows.dimmed else engine.cursor

    def _marks(self, engine: vt.Engine) -> Marks:
        marks = engine.marks()
        extra = self._mode.marks() if self._mode is not None else {}
        if self._link is not None:
            extra = {**extra, **link_marks(self._link)}
        for y, more in extra.items():
            marks.setdefault(y, []).extend(more)
        return marks

    def _blink(self) -> None:
        rows = self._rows
        lit = not rows.lit or not (rows.cursor.blinking and self.has_focus)
        if lit != rows.lit:
            rows.lit = lit
            self.refresh(Region(0, rows.cursor.y, rows.columns, 1))

    def render_line(self, y: int) -> Strip:
        columns = self._rows.columns
        colors = self._rows.colors
        if self._words is not None or self._engine is None:
            words = wrapped(self._words or [], columns)
            return line_of(words[y] if y < len(words) else "", columns, colors.plain)
        if y == self._bar_row():
            bar = self._bottom_line()
            if bar:
                return line_of(bar, columns, self._bar_style())
        return self._rows.line(y, self.has_focus and self.app.app_focus)

    def _bar_row(self) -> int:
        """The row of the pane's own words: the last, or the first when someone is at the last."""
        last = len(self._rows) - 1
        point = self._mode.point() if self._mode is not None else None
        return 0 if point is not None and point[1] == last > 0 else last

    def _bar_style(self) -> RichStyle:
        colors = self._rows.colors
        accent = Color.parse(self.app.theme_variables.get("primary", "#808080"))
        text = accent.get_contrast_text()
        plain = Color(*colors.background).blend(accent, 0.85)
        return RichStyle.from_color(text.rich_color, plain.rich_color)

    def _recolor(self) -> None:
        """Take the colours of the theme, for the program too."""
        variables = self.app.theme_variables
        self.styles.clear_rule("background")
        _, _, background, foreground = self.colors
        plain = PaneColors(variables, foreground.rgb, background.rgb, self.app.current_theme.dark)
        if self._engine is not None:
            self._engine.set_colors(plain.foreground, plain.background, plain.palette, plain.dark)
        swapped = self._engine is not None and self._engine.reversed
        colors = plain.swapped() if swapped else plain
        self._rows.colors = colors
        self.styles.background = Color(*colors.background)
        self._rows.clear()
        self._paint_now()
        self.refresh()

    # Scrollback

    def _scroll(self, lines: int) -> None:
        if self._engine is not None:
            self._engine.scroll(lines)
            self._show_scroll()

    def _to_bottom(self) -> None:
        if self._engine is not None and not self._engine.scrollbar.at_bottom:
            self._engine.scroll_to_bottom()
            self._show_scroll()

    def _show_scroll(self) -> None:
        self._paint_now()
        self._refresh_bars()

    def _refresh_bars(self) -> None:
        last = max(0, len(self._rows) - 1)
        width = self._rows.columns
        self.refresh(*(Region(0, y, width, 1) for y in {0, last}))
