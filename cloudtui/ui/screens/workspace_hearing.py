"""What the panes of the workspace tell: ends, losses, titles, bells, clipboard writes, links."""

from __future__ import annotations

import time

from textual import on, work

from cloudtui.core.events import Severity
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance
from cloudtui.model.session import Ending
from cloudtui.ui.screens.workspace_moving import Moving
from cloudtui.ui.screens.workspace_tabs import TabBar
from cloudtui.ui.widgets import pane_messages as said
from cloudtui.ui.widgets.pane import Pane
from cloudtui.ui.widgets.pane_clipboard import copy_out
from cloudtui.ui.widgets.splits_frame import PaneFrame
from cloudtui.vt import engine as vt

TOGETHER = 1.0
"""Seconds between panes that lost one connection, which is said once."""


class Hearing(Moving):
    """Answers to every message of a pane but its keys."""

    def __init__(self) -> None:
        super().__init__()
        self._told_lost: dict[str, float] = {}
        """When a pane of that host lost its connection last."""

    def _close(self, frame: PaneFrame) -> bool:
        """Take a pane away; False when its tab went with it."""
        raise NotImplementedError

    def _leave(self) -> None:
        raise NotImplementedError

    def _typed(self, frame: PaneFrame, what: vt.Key | str) -> None:
        """Something was typed into a pane."""
        raise NotImplementedError

    def _of(self, pane: Pane) -> PaneFrame:
        frame = pane.parent
        assert isinstance(frame, PaneFrame)
        return frame

    @on(said.Opened)
    def _opened(self, event: said.Opened) -> None:
        frame = self._of(event.pane)
        frame.opened()
        event.pane.typed = lambda what: self._typed(frame, what)
        if frame is self.frame:
            self._settle()

    @on(said.Left)
    def _left(self, event: said.Left) -> None:
        frame = self._of(event.pane)
        over = frame.ending is not None
        if not (self._close(frame) and over):
            self._leave()

    @on(said.Ended)
    def _ended(self, event: said.Ended) -> None:
        frame = self._of(event.pane)
        if event.ending is Ending.DETACHED:
            self.cloudtui.say(event.sentence)
            if not self._close(frame):
                self._leave()
            return
        severity = Severity.INFORMATION if event.ending is Ending.ENDED else Severity.WARNING
        seen = frame.display and self.is_current
        self.cloudtui.say(event.sentence, severity, toast=not seen)
        self._over(frame, event.ending)

    @on(said.Failed)
    def _failed(self, event: said.Failed) -> None:
        self.cloudtui.fail(event.error, toast=False)
        self._over(self._of(event.pane), Ending.FAILED)

    def _over(self, frame: PaneFrame, ending: Ending) -> None:
        frame.ended(ending)
        if frame is self.frame:
            self._settle()
        self.query_one(TabBar).refresh()

    @on(PaneFrame.Lost)
    def _lost(self, event: PaneFrame.Lost) -> None:
        where = event.frame.target
        if event.loss is None:
            if event.frame.ending is None and event.frame.pane.state == "open":
                self.cloudtui.say(f"{where.name} on {where.host} is back.", toast=False)
        else:
            now = time.monotonic()
            if now - self._told_lost.get(where.host, -TOGETHER) >= TOGETHER:
                text = f"Lost the connection to {where.host}; connecting again."
                self.cloudtui.say(text, Severity.WARNING, toast=not self.is_current)
            self._told_lost[where.host] = now
        self.query_one(TabBar).refresh()

    @on(said.TitleChanged)
    def _title_changed(self, event: said.TitleChanged) -> None:
        self._of(event.pane).refresh_title()
        self.query_one(TabBar).refresh()

    @on(said.Bell)
    def _bell(self, event: said.Bell) -> None:
        if not self.cloudtui.handed_over:
            self.app.bell()
        self.query_one(TabBar).rang(self._of(event.pane))

    @on(said.Told)
    def _told(self, event: said.Told) -> None:
        frame = self._of(event.pane)
        match event.event:
            case vt.ClipboardWrite(text=text, refused=size) if not self.cloudtui.handed_over:
                if size:
                    self.cloudtui.say(
                        f"{frame.target.host} wanted {size >> 20} MB on the clipboard; "
                        "more than 1 MB is refused.",
                        Severity.WARNING,
                    )
                elif text:
                    copy_out(self.app, text)
            case vt.Notification(title=title, body=body):
                words = ": ".join(part for part in (title, body) if part)
                self.cloudtui.say(f"{frame.target.host}: {words}")
                self.query_one(TabBar).rang(frame)
            case vt.Progress(state=state, percent=percent):
                self.query_one(TabBar).progressed(frame, state, percent)

    @on(said.LinkOpened)
    def _link_opened(self, event: said.LinkOpened) -> None:
        self._follow(self._of(event.pane).target.instance, event.url)

    @work
    async def _follow(self, instance: Instance | None, url: str) -> None:
        """Open a page here; what is on the host's own localhost is reached by a tunnel."""
        try:
            reached = await self.workbench.links.reach(instance, url)
        except CloudtuiError as error:
            self.cloudtui.fail(error)
            return
        if await self.workbench.browse(reached.url):
            if reached.sentence:
                self.cloudtui.say(reached.sentence)
            return
        copy_out(self.app, reached.url)
        words = f"{reached.sentence} No browser could be started here; the address was copied."
        self.cloudtui.say(words.strip())
