"""A pane with its title line, what is kept of it while its connection is lost, and its log."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

from textual import work
from textual.app import ComposeResult
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from cloudtui.core.attachment import AttachmentEnd
from cloudtui.core.pane_log import PaneLog
from cloudtui.core.reattach import KeptAttachment, Loss
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.session import Ending
from cloudtui.ui.actions import key_words
from cloudtui.ui.widgets.pane import Pane, PaneChannel, PaneEnd
from cloudtui.ui.widgets.splits_target import OnData, Target

if TYPE_CHECKING:
    from cloudtui.ui.app import CloudtuiApp

LATENCY_SECONDS = 5.0
SILENT_SECONDS = 3.0
"""Seconds without an answer and without a byte after which a pane says so."""
ENTER_SECONDS = 1.0
"""Seconds after a connection came back in which Enter is not sent as the first key."""
HINTS = "? all keys  f full screen  | - split  arrows move  z zoom  x close  m console"


@runtime_checkable
class Measured(Protocol):
    """An attachment to another machine."""

    async def latency(self) -> float: ...


class Title(Widget):
    """One line: what is attached, where, how big, how far away; and how to leave."""

    DEFAULT_CSS = """
    Title { height: 1; dock: top; padding: 0 1; background: $panel; color: $foreground; }
    """

    def __init__(self, frame: PaneFrame, leader: str) -> None:
        super().__init__()
        self._frame, self._leader = frame, leader

    def render(self) -> Content:
        frame, pane = self._frame, self._frame.pane
        columns, rows = pane.size
        size = f"{columns}×{rows}" if columns else ""
        far = f"{frame.latency * 1000:.0f} ms  " if frame.latency and not frame.silent else ""
        right = Content.styled(f"{far}{size}", "$foreground-muted")
        if frame.alone:
            right = Content.assemble(
                right,
                "   ",
                (self._leader, "bold $footer-key-foreground"),
                (" d leaves", "$foreground-muted"),
            )
        parts = [frame.target.words, *frame.marks()]
        if frame.has_class("-sharing"):  # the mark first, to be seen in a narrow pane too
            parts = [*frame.marks(), Content(frame.target.words.plain)]
            right = Content(right.plain)
        left = Content("   ").join(parts)
        room = self.content_size.width - right.cell_length - 2
        if pane.title and left.cell_length + len(pane.title) + 3 <= room:
            left = Content.assemble(left, "   ", (pane.title, "$foreground-muted"))
        if left.cell_length > room:
            return left.truncate(self.content_size.width, ellipsis=True)
        return Content.assemble(left, " " * max(2, room + 2 - left.cell_length), right)


class PaneFrame(Widget):
    """One place of a layout; `again` puts a fresh pane into it."""

    DEFAULT_CSS = """
    PaneFrame { layers: below above; layout: vertical; }
    PaneFrame.-inner { border-left: vkey $border-blurred; }
    PaneFrame Pane { height: 1fr; layer: below; }
    PaneFrame Title { layer: below; }
    PaneFrame .loss {
        layer: above; dock: bottom; height: 1; padding: 0 1; display: none;
        background: $warning; color: $background; text-style: bold;
    }
    PaneFrame.-lost .loss { display: block; }
    PaneFrame.-lost Pane { tint: $background 55%; }
    PaneFrame.-several Title { background: $surface; color: $foreground-muted; }
    PaneFrame.-several.-active Title { background: $block-cursor-background; color: $foreground; }
    PaneFrame.-sharing { border-left: thick $error; }
    PaneFrame.-several.-sharing Title { background: $panel; color: $error; }
    PaneFrame.-several.-sharing.-active Title { background: $error; color: $background; }
    """

    class Lost(Message):
        """The connection is lost, or back when `loss` is None."""

        def __init__(self, frame: PaneFrame, loss: Loss | None) -> None:
            super().__init__()
            self.frame, self.loss = frame, loss

    def __init__(self, name: str, target: Target, leader: str) -> None:
        super().__init__(id=name)
        self.name_ = name
        self.target = target
        self.ending: Ending | None = None
        """How the pane stopped; None while it is open or being opened."""
        self.loss: Loss | None = None
        self.latency: float | None = None
        self._asked: float | None = None
        """When the host was asked what it has not answered yet."""
        self._heard = float("-inf")
        """When it sent something last."""
        self.log_: PaneLog | None = None
        self.alone, self.zoomed, self.shared = True, False, 0
        self._leader = leader
        self._channel: PaneChannel | None = None
        self._mirror: OnData | None = None
        self._was_silent = False
        self._lost_now = asyncio.Event()
        self._back = float("-inf")
        """When the connection came back."""
        self.pane = self._pane()

    @property
    def cloudtui(self) -> CloudtuiApp:
        return cast("CloudtuiApp", self.app)

    def compose(self) -> ComposeResult:
        yield Title(self, key_words(self._leader))
        yield self.pane
        yield Static("", classes="loss", markup=False)

    def on_mount(self) -> None:
        self.set_interval(1, self._tick)
        self.set_interval(LATENCY_SECONDS, self._ask_latency)

    def on_unmount(self) -> None:
        self.end_log()

    def _pane(self) -> Pane:
        pane = Pane(self._open, leader=self._leader, connecting=self.target.opening, hints=HINTS)
        pane.can_focus = False
        return pane

    async def again(self) -> None:
        """A fresh pane of the same target."""
        old, self.pane = self.pane, self._pane()
        self.ending = None
        await old.remove()
        await self.mount(self.pane, after=self.query_one(Title))

    def opened(self) -> None:
        self.pane.can_focus = True
        self.refresh_title()
        self._ask_latency()

    def ended(self, ending: Ending) -> None:
        self.ending = ending
        self.pane.can_focus = True
        self.refresh_title()

    # The channel, seen by the pane as one terminal

    async def _open(self, columns: int, rows: int, on_data: OnData) -> PaneChannel:
        self._asked = None

        def take(data: bytes) -> None:
            self._heard = monotonic()
            if self.log_ is not None:
                self._write_log(data)
            if self._mirror is not None:
                self._mirror(data)
            on_data(data)

        bench = self.cloudtui.workbench
        self._channel = await self.target.open(bench, columns, rows, take, self._changed)
        return _Wire(self, self._channel)

    def typed_to_host(self, channel: PaneChannel, data: bytes) -> None:
        """Bytes of the pane; those of a lost one are dropped, and Enter tries again."""
        if self._mirror is not None:
            return
        if self.loss is None:
            if data == b"\r" and monotonic() < self._back + ENTER_SECONDS:
                return  # meant for the line that said that Enter tries now
            if not data.startswith(b"\x1b"):  # answers of the terminal are not typed
                self._back = float("-inf")
            channel.write(data)
        elif b"\r" in data and isinstance(channel, KeptAttachment):
            channel.try_now()

    def _changed(self, loss: Loss | None) -> None:
        if loss is None and isinstance(self._channel, KeptAttachment):
            self.target = Target(self.target.instance, self._channel.session)
        told = (loss is None) is not (self.loss is None)
        if loss is None and self.loss is not None:
            self._back = monotonic()
        self.loss = loss
        if loss is not None:
            self.latency = self._asked = None
            self._lost_now.set()
        else:
            self._lost_now.clear()
        if self.is_attached:
            self.set_class(loss is not None, "-lost")
            self._tick()
            self.refresh_title()
            if told:
                self.post_message(self.Lost(self, loss))

    def _tick(self) -> None:
        if self.loss is not None:
            self.query_one(".loss", Static).update(self.loss.words(datetime.now(UTC)))
        elif self.silent or self._was_silent:
            self.refresh_title()
        self._was_silent = bool(self.silent)

    # The real terminal

    async def hand(self, columns: int, rows: int, on_data: OnData) -> Handed:
        """The open channel for the real terminal, with what is on the pane to begin with."""
        assert self._channel
        x, y = self.pane.place
        shown = self.pane.text.rstrip().replace("\n", "\r\n")
        on_data(f"\x1b[2J\x1b[H{shown}\x1b[{y + 1};{x + 1}H".encode())
        self._mirror = on_data
        self._channel.resize(columns, rows)
        return Handed(self, self._channel, self._lost_now)

    def take_back(self) -> None:
        self._mirror = None
        if self._channel is not None:
            self._channel.resize(*self.pane.size)

    # Latency, log, title

    def _ask_latency(self) -> None:
        seen = self.screen.is_current and self.display and self.loss is None
        if seen and self.target.instance is not None and self.pane.state == "open":
            self._measure()

    @work(exclusive=True, group="latency")
    async def _measure(self) -> None:
        channel = self._channel
        attachment = channel.attachment if isinstance(channel, KeptAttachment) else channel
        if isinstance(attachment, Measured):
            self._asked = self._asked or monotonic()
            try:
                self.latency = await attachment.latency()
            except CloudtuiError:
                self.latency = None
            self._asked = None
            self.refresh_title()

    @property
    def silent(self) -> int:
        """Seconds for which the host has been silent after a question; 0 while it is not."""
        if self._asked is None or self.pane.state != "open":
            return 0
        seconds = monotonic() - max(self._asked, self._heard)
        return round(seconds) if seconds >= SILENT_SECONDS else 0

    def start_log(self, name: str) -> None:
        """Raises CloudtuiError when the file cannot be made."""
        self.log_ = PaneLog(name)
        self.refresh_title()

    def end_log(self) -> None:
        if self.log_ is not None:
            self.log_.close()
            self.log_ = None

    def _write_log(self, data: bytes) -> None:
        assert self.log_
        if problem := self.log_.write(data):
            self.log_ = None
            self.cloudtui.fail(CloudtuiError(problem))
            self.refresh_title()

    def marks(self) -> list[Content]:
        """What is unusual about the pane now."""
        marks: list[Content] = []
        if self.has_class("-sharing"):
            marks.append(Content.styled(f" TYPING GOES TO {self.shared} PANES ", "bold reverse"))
        if self.loss is not None:
            marks.append(Content.styled("× connection lost", "bold $warning"))
        elif silent := self.silent:
            marks.append(Content.styled(f"no answer for {silent} s", "bold $warning"))
        if self.log_ is not None:
            marks.append(Content.styled("● log", "$accent"))
        if self.zoomed:
            marks.append(Content.styled("zoomed", "$accent"))
        return marks

    def refresh_title(self) -> None:
        self.set_class(not self.alone, "-several")
        for title in self.query(Title):
            title.refresh()


class _Wire:
    """The channel as the pane sees it."""

    def __init__(self, frame: PaneFrame, channel: PaneChannel) -> None:
        self._frame, self._channel = frame, channel
        self.pause, self.resume = channel.pause, channel.resume

    def write(self, data: bytes) -> None:
        self._frame.typed_to_host(self._channel, data)

    def resize(self, columns: int, rows: int) -> None:
        self._channel.resize(columns, rows)

    async def wait(self) -> PaneEnd:
        end = await self._channel.wait()
        if end.ending is Ending.LOST and self._frame.target.instance:
            where = self._frame.target.host
            return AttachmentEnd(
                Ending.LOST, f"Connection lost. The shell on {where} is gone; r opens a new one."
            )
        return end

    async def close(self) -> None:
        await self._channel.close()


class Handed:
    """The channel of a pane while the real terminal has it."""

    def __init__(self, frame: PaneFrame, channel: PaneChannel, lost: asyncio.Event) -> None:
        self._frame, self._channel, self._lost = frame, channel, lost
        self.write, self.resize = channel.write, channel.resize

    async def wait(self) -> AttachmentEnd:
        """The end of the program, or of the connection for now."""
        end = asyncio.ensure_future(self._channel.wait())
        lost = asyncio.ensure_future(self._lost.wait())
        try:
            await asyncio.wait((end, lost), return_when=asyncio.FIRST_COMPLETED)
            if end.done():
                return AttachmentEnd(end.result().ending, end.result().sentence)
            return AttachmentEnd(Ending.LOST, "Connection lost.")
        finally:
            end.cancel()
            lost.cancel()

    async def close(self) -> None:
        """The pane has it again; nothing is closed."""
        self._frame.take_back()
