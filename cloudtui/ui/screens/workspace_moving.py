"""Moving about in the workspace: between panes and tabs, borders, zoom, swap, other tabs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from cloudtui.core.events import Severity
from cloudtui.model.layout import Axis, Way
from cloudtui.ui.screens.area import Area
from cloudtui.ui.widgets.splits import Board, Splits
from cloudtui.ui.widgets.splits_frame import PaneFrame

if TYPE_CHECKING:
    from cloudtui.ui.screens.dialogs import Dialog

Answer = TypeVar("Answer")

STEP = 4
"""Cells that one key press moves a border."""


class Moving(Area):
    """The tabs, the one in front, and the actions that change only which and where."""

    def __init__(self) -> None:
        super().__init__()
        self.board = Board()
        self.tabs: list[Splits] = []
        self.tab: Splits | None = None
        """The tab in front; None when there is no pane at all."""

    @property
    def frame(self) -> PaneFrame | None:
        """The active pane of the tab in front."""
        return self.tab.active if self.tab else None

    def ask(self, dialog: Dialog[Answer], answered: Callable[[Answer | None], None]) -> None:
        """Put a question. What is typed after it waits for the pane that the answer leads to."""
        self.set_focus(None)
        self.app.push_screen(dialog, answered)

    def show_tab(self, tab: Splits) -> None:
        """Bring it to the front."""
        raise NotImplementedError

    def _settle(self) -> None:
        raise NotImplementedError

    def _remember(self) -> None:
        raise NotImplementedError

    def _add_tab(self, tab: Splits) -> None:
        raise NotImplementedError

    def _drop_tab(self, tab: Splits) -> None:
        raise NotImplementedError

    def focus_left(self) -> None:
        self._step(Way.LEFT)

    def focus_right(self) -> None:
        self._step(Way.RIGHT)

    def focus_up(self) -> None:
        self._step(Way.UP)

    def focus_down(self) -> None:
        self._step(Way.DOWN)

    def _step(self, way: Way) -> None:
        if self.tab:
            self.tab.zoomed = False
            self.tab.activate(self.tab.step(way))
            self._settle()

    def grow_left(self) -> None:
        self._grow(Way.LEFT)

    def grow_right(self) -> None:
        self._grow(Way.RIGHT)

    def grow_up(self) -> None:
        self._grow(Way.UP)

    def grow_down(self) -> None:
        self._grow(Way.DOWN)

    def _grow(self, way: Way) -> None:
        if self.tab:
            self.tab.grow(way, STEP if way.axis is Axis.ROW else STEP // 2)
            self._remember()

    def toggle_zoom(self) -> None:
        if self.tab and len(self.tab.frames) > 1:
            self.tab.zoomed = not self.tab.zoomed
            self._settle()

    def swap_next(self) -> None:
        if self.tab:
            self.tab.swap(True)
            self._remember()

    def swap_previous(self) -> None:
        if self.tab:
            self.tab.swap(False)
            self._remember()

    def next_tab(self) -> None:
        self._turn(1)

    def previous_tab(self) -> None:
        self._turn(-1)

    def _turn(self, step: int) -> None:
        if self.tab:
            place = self.tabs.index(self.tab) + step
            self.show_tab(self.tabs[place % len(self.tabs)])

    def break_out(self) -> None:
        """Move the active pane to a tab of its own."""
        tab = self.tab
        if tab is None:
            return
        frame = tab.active
        if not tab.take(frame):
            self.cloudtui.say("This pane has a tab of its own already.", Severity.WARNING)
            return
        self._remember()
        self._add_tab(Splits(self.board, frame))

    def move_to_tab(self) -> None:
        """Ask for a tab, and move the active pane there."""
        from cloudtui.ui.screens.dialogs import Choose

        here = self.tab
        if here is None:
            return
        others = [tab for tab in self.tabs if tab is not here]
        options = {
            str(n): f"{self.tabs.index(tab) + 1}  {tab.words}" for n, tab in enumerate(others)
        }
        if len(here.frames) > 1:
            options["own"] = "A tab of its own"
        if not options:
            self.cloudtui.say("There is no other tab to move this pane to.", Severity.WARNING)
            return
        frame = here.active

        def chosen(answer: str | None) -> None:
            if answer is None or frame.name_ not in here.frames:
                return
            here.activate(frame)
            if answer == "own":
                self.break_out()
            elif others[int(answer)] in self.tabs:
                self._join(frame, here, others[int(answer)])

        self.ask(Choose(f"Move {frame.target.name} to", options), chosen)

    def _join(self, frame: PaneFrame, old: Splits, new: Splits) -> None:
        if old.take(frame):
            self._remember()
        else:
            self._drop_tab(old)
        new.add(frame, Axis.ROW)
        self.show_tab(new)
        self._remember()
