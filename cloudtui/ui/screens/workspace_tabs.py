"""The line of tabs above the panes: what is in them, and what happened there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.style import Style
from textual.widget import Widget

from cloudtui.ui.widgets.splits import Splits
from cloudtui.ui.widgets.splits_frame import PaneFrame

if TYPE_CHECKING:
    from cloudtui.ui.screens.workspace import WorkspaceScreen


class TabBar(Widget):
    """Shown when there are two tabs or more; a click brings a tab to the front."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    TabBar { height: 1; dock: top; padding: 0 1; background: $background; display: none; }
    """

    def __init__(self, workspace: WorkspaceScreen) -> None:
        super().__init__()
        self.set_reactive(TabBar.auto_links, False)
        self._workspace = workspace
        self._rang: set[Splits] = set()
        self._progress: dict[PaneFrame, int] = {}

    def rang(self, frame: PaneFrame) -> None:
        """A bell or a notification; shown until the tab is looked at."""
        tab = self._tab(frame)
        if tab is not None and tab is not self._workspace.tab:
            self._rang.add(tab)
            self.refresh()

    def progressed(self, frame: PaneFrame, state: str, percent: int | None) -> None:
        """What a program tells of its progress; state none takes it away."""
        if state == "none" or percent is None:
            self._progress.pop(frame, None)
        else:
            self._progress[frame] = percent
        self.refresh()

    def forget(self, tab: Splits) -> None:
        self._rang.discard(tab)

    def _tab(self, frame: PaneFrame) -> Splits | None:
        return next((t for t in self._workspace.tabs if frame in t.frames.values()), None)

    def render(self) -> Content:
        return Content("  ").join(
            [self._entry(number, tab) for number, tab in enumerate(self._workspace.tabs)]
        )

    def _entry(self, number: int, tab: Splits) -> Content:
        front = tab is self._workspace.tab
        style = "bold $foreground on $panel" if front else "$foreground-muted"
        words = f" {number + 1} {tab.words}"
        marks: list[tuple[str, str]] = []
        if any(f.loss for f in tab.frames.values()):
            marks.append((" × lost", "bold $warning"))
        if tab in self._rang:
            marks.append((" ! rang", "bold $accent"))
        told = (self._progress[f] for f in tab.frames.values() if f in self._progress)
        marks += [(f" {percent} %", "$accent") for percent in told]
        text = Content.assemble((words, style), *marks, (" ", style))
        return text.stylize(Style.from_meta({"@click": f"screen.tab({number})"}))
