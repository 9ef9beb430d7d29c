"""What screens of text have in common: the lines are moved through and searched."""

from __future__ import annotations

from textual import on
from textual.widgets import Input

from cloudtui.core.events import Severity
from cloudtui.ui.screens.area import Area
from cloudtui.ui.widgets.log_view import LogView
from cloudtui.ui.widgets.pane_colors import PaneColors


class SearchedText(Area):
    """Composes a `LogView`, and an `Input` that is hidden until `/` is pressed."""

    AUTO_FOCUS = "LogView"

    @property
    def view(self) -> LogView:
        return self.query_one(LogView)

    def _recolour(self) -> None:
        _, _, base, ink = self.view.colors
        dark = self.app.current_theme.dark
        self.view.repaint(PaneColors(self.app.theme_variables, ink.rgb, base.rgb, dark))

    def title_now(self) -> None:
        """Say above what is true now."""

    # Moving

    def row_down(self) -> None:
        self.view.move(1)

    def row_up(self) -> None:
        self.view.move(-1)

    def first_row(self) -> None:
        self.view.to_start()

    def last_row(self) -> None:
        self.view.to_end()

    # Finding

    def start_filter(self) -> None:
        field = self.query_one(Input)
        field.display = True
        self.set_focus(field)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self.view.find(event.value)
        self.title_now()

    @on(Input.Submitted)
    def _sought(self, event: Input.Submitted) -> None:
        if event.value and not self.view.hits:
            self.cloudtui.say(f"{event.value!r} is not in it.", Severity.WARNING)
        self._leave_field()

    def _leave_field(self) -> None:
        field = self.query_one(Input)
        field.display = bool(field.value)
        self.view.focus()

    def next_hit(self) -> None:
        self._step(1)

    def previous_hit(self) -> None:
        self._step(-1)

    def _step(self, by: int) -> None:
        if not self.view.step(by):
            self.cloudtui.say("Nothing is looked for. Press / to find a word.", Severity.WARNING)
        self.title_now()

    def back(self) -> None:
        """Esc: end the search, then go back."""
        field = self.query_one(Input)
        if field.display:
            field.value = ""
            self._leave_field()
        else:
            super().back()
