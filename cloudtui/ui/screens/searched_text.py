"""What screens of text have in common: the lines are moved through and searched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.widgets import Input

from cloudtui.core.events import Severity
from cloudtui.ui.screens.area import Area
from cloudtui.ui.widgets.log_view import LogView
from cloudtui.ui.widgets.pane_colors import PaneColors


class Finding(Area):
    """Composes an `Input` that is hidden until `/` is pressed, and the text, which is its
    `AUTO_FOCUS`."""

    AUTO_FOCUS: ClassVar[str] = ""

    @property
    def hits(self) -> Sequence[object]:
        """Where the word is."""
        raise NotImplementedError

    def find(self, words: str) -> None:
        """Look for these from now on, and go to the nearest."""
        raise NotImplementedError

    def step(self, by: int) -> bool:
        """Go to the next place but `by`; False when there is none."""
        raise NotImplementedError

    def start_filter(self) -> None:
        field = self.query_one(Input)
        field.display = True
        self.set_focus(field)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self.find(event.value)

    @on(Input.Submitted)
    def _sought(self, event: Input.Submitted) -> None:
        if event.value and not self.hits:
            self.cloudtui.say(f"{event.value!r} is not in it.", Severity.WARNING)
        self._leave_field()

    def _leave_field(self) -> None:
        field = self.query_one(Input)
        field.display = bool(field.value)
        self.query_one(self.AUTO_FOCUS).focus()

    def next_hit(self) -> None:
        self._step(1)

    def previous_hit(self) -> None:
        self._step(-1)

    def _step(self, by: int) -> None:
        if not self.step(by):
            self.cloudtui.say("Nothing is looked for. Press / to find a word.", Severity.WARNING)

    def back(self) -> None:
        """Esc: end the search, then go back."""
        field = self.query_one(Input)
        if field.display:
            field.value = ""
            self._leave_field()
        else:
            super().back()


class SearchedText(Finding):
    """Composes a `LogView` as its text."""

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

    @property
    def hits(self) -> Sequence[object]:
        return self.view.hits

    def find(self, words: str) -> None:
        self.view.find(words)
        self.title_now()

    def step(self, by: int) -> bool:
        found = self.view.step(by)
        self.title_now()
        return found
