"""A remote terminal as a widget.

All keys go to the program but one, the leader. The pane owns an engine and a channel that its
opener gives it; leaving closes the channel and nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from rich.cells import cell_len
from textual import events
from textual.timer import Timer

from cloudtui.model.errors import CloudtuiError
from cloudtui.ui.widgets import pane_messages as messages
from cloudtui.ui.widgets.pane_channel import Opener, PaneChannel, PaneEnd
from cloudtui.ui.widgets.pane_clock import PaintClock
from cloudtui.ui.widgets.pane_feed import Feeder
from cloudtui.ui.widgets.pane_hands import PaneHands
from cloudtui.ui.widgets.pane_keys import key_name, normal_name, pressed
from cloudtui.ui.widgets.pane_modes import LinkList, PasteQuestion
from cloudtui.ui.widgets.pane_reading import Reading
from cloudtui.ui.widgets.pane_words import leader_line, scrollback_line
from cloudtui.ui.work import start_work
from cloudtui.vt import engine as vt

__all__ = ["Opener", "Pane", "PaneChannel", "PaneEnd"]

_SETTLE = 3.0
"""Seconds without output after which the scrollback is made small."""


class Pane(PaneHands, can_focus=True):
    """A terminal that lives in `state` opening, open, frozen, ended or failed."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    Pane { width: 1fr; height: 1fr; }
    """

    Opened = messages.Opened
    Left = messages.Left
    Ended = messages.Ended
    Failed = messages.Failed
    TitleChanged = messages.TitleChanged
    Bell = messages.Bell
    Told = messages.Told
    LeaderKey = messages.LeaderKey
    PasteAsked = messages.PasteAsked

    def __init__(
        self,
        open: Opener,
        *,
        leader: str = "ctrl+]",
        connecting: str = "",
        hints: str = "",
        scrollback: int = 10_000,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """`connecting` is shown while opening; `hints` names more leader keys (`f full screen`).

        `scrollback` is in lines.
        """
        super().__init__(name, id, classes)
        self.title = ""
        self.sentence = ""
        self.leader = normal_name(leader)
        self.tee: Callable[[bytes], None] | None = None
        """Given all that the host sends."""
        self.typed: Callable[[vt.Key | str], None] | None = None
        """Given every key and pasted text of the person."""
        self._notice = ""
        self._hints = hints
        self._open = open
        self._connecting = connecting
        self._scrollback = scrollback
        self._channel: PaneChannel | None = None
        self._source = 0
        self._unsent = b""
        self._early: list[vt.Key] = []
        self._leading = False
        self._leaving = False
        self._settled = 0
        self._feeder = Feeder(self._feed, self._after_feed, self._pause, self._resume)
        self._resizing = PaintClock(self._take_size, lambda: False)
        self._patience: Timer | None = None

    @property
    def notice(self) -> str:
        """A line over the last row, for as long as it is set."""
        return self._notice

    @notice.setter
    def notice(self, words: str) -> None:
        self._notice = words
        self._refresh_bars()

    # Life

    def on_mount(self) -> None:
        if self._connecting:
            self._patience = self.set_timer(0.3, self._say_connecting)
        self.set_interval(_SETTLE, self._settle)
        self._take_room()

    async def on_unmount(self) -> None:
        self._leaving = True
        self._feeder.stop()
        self._clock.stop()
        self._resizing.stop()
        channel, self._channel = self._channel, None
        if channel is not None and self.state in ("open", "frozen"):
            await channel.close()
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()

    def on_resize(self) -> None:
        self._take_room()

    def watch_virtual_size(self) -> None:
        # Textual sends no Resize when something asked for a region between mount and layout.
        self._take_room()

    def _take_room(self) -> None:
        gutter = self.styles.gutter
        columns = self.outer_size.width - gutter.width
        rows = self.outer_size.height - gutter.height
        if columns < 1 or rows < 1 or (columns, rows) == (self._rows.columns, len(self._rows)):
            return
        first = self._rows.columns == 0
        self._rows.resize(columns, rows)
        if first:
            start_work(self, self._live, group="pane", exit_on_error=True)
        elif self._engine is not None:
            self._resizing.schedule()
        self.refresh()

    def _take_size(self) -> None:
        """Tell engine and remote the size, at most once a frame."""
        size = self._rows.columns, len(self._rows)
        if self._engine is None or size == (self._engine.columns, self._engine.rows):
            return
        self._engine.resize(*size)
        if self._channel is not None and self.state == "open":
            self._channel.resize(*size)
        self._paint_now()
        self.refresh()

    async def _live(self) -> None:
        """Open the first channel and stay with it."""
        try:
            factory = await asyncio.to_thread(vt.load)
            size = self._rows.columns, len(self._rows)
            self._engine = factory(*size, cell_len=cell_len, scrollback=self._scrollback)
            self._recolor()
            for key in self._early:
                self._write(self._engine.encode_key(key))
            channel = await self._connect(self._open)
        except CloudtuiError as error:
            self._fail(error)
            return
        if channel is not None:
            await self._stay(channel)

    async def _connect(self, open: Opener) -> PaneChannel | None:
        """A channel whose bytes come here from now on; None when the pane is gone by then."""
        self._source += 1
        source = self._source
        fresh = self._channel is not None or self.state == "frozen"

        def take(data: bytes) -> None:
            nonlocal fresh
            if source != self._source:
                return
            if fresh and self._engine is not None:
                fresh = False
                self._engine.restart()
            if self.tee is not None:
                self.tee(data)
            self._feeder.take(data)

        size = self._rows.columns, len(self._rows)
        channel = await open(*size, take)
        if self._leaving or source != self._source:
            await channel.close()
            return None
        self._channel = channel
        self._rows.dimmed = False
        self._set_state("open")
        now = self._rows.columns, len(self._rows)
        if now != size:
            if self._engine is not None:
                self._engine.resize(*now)
            channel.resize(*now)
        unsent, self._unsent = self._unsent, b""
        if unsent:
            channel.write(unsent)
        self._tell_focus(self.has_focus)
        self.post_message(self.Opened(self))
        return channel

    async def _stay(self, channel: PaneChannel) -> None:
        """Wait for the end of a channel and tell it."""
        end = await channel.wait()
        if self._leaving or channel is not self._channel or self._engine is None:
            return
        self._channel = None
        self._feeder.finish()
        if self._mode is None:
            self._engine.scroll_to_bottom()
        if self.state != "frozen":
            self.sentence = end.sentence
            self._rows.dimmed = True
            self._set_state("ended")
        self._paint_now()
        self.post_message(self.Ended(self, end.ending, end.sentence))

    def freeze(self, sentence: str) -> None:
        """Keep what is shown, dimmed, with a sentence; keys go nowhere."""
        if self.state in ("open", "ended", "frozen"):
            self.sentence = sentence
            self._rows.dimmed = True
            if self.state == "frozen":
                self._refresh_bars()
            else:
                self._set_state("frozen")
                self._paint_now()

    def thaw(self) -> None:
        """Go on where `freeze` stopped."""
        if self.state == "frozen":
            lives = self._channel is not None
            self._rows.dimmed = not lives
            self._set_state("open" if lives else "ended")
            self._paint_now()

    async def reopen(self, open: Opener) -> None:
        """Go on with another channel; what is shown stays until its first bytes.

        Raises:
            CloudtuiError: `open` failed; the pane stays frozen.
        """
        if self._leaving or self._engine is None:
            return
        if self.state != "frozen":
            self.freeze(self.sentence)
        before, self._channel = self._channel, None
        self._source += 1
        if before is not None:
            await before.close()
        channel = await self._connect(open)
        if channel is not None:
            start_work(self, self._stay, channel, group="pane", exit_on_error=True)

    def _fail(self, error: CloudtuiError) -> None:
        self._words = [part for part in (error.title, error.detail, error.hint) if part]
        self.sentence = error.title
        self._set_state("failed")
        self.post_message(self.Failed(self, error))

    def _set_state(self, state: str) -> None:
        self.state = state
        self._leading = False
        if self._patience is not None:
            self._patience.stop()
        if state in ("open", "ended", "frozen"):
            self._words = None
        self.refresh()

    def _say_connecting(self) -> None:
        if self.state == "opening":
            self._words = [self._connecting]
            self.refresh()

    async def leave(self) -> None:
        """Close the channel, ending nothing on the remote, and post `Left`."""
        if self._leaving:
            return
        self._leaving = True
        channel, self._channel = self._channel, None
        if channel is not None:
            await channel.close()
        self._set_state("ended")
        self.post_message(self.Left(self))

    # Bytes in

    def _feed(self, data: bytes) -> None:
        if self._engine is not None:
            self._settled = 0
            self._engine.feed(data)

    def _after_feed(self) -> None:
        engine = self._engine
        if engine is None:
            return
        self._write(engine.replies())
        for event in engine.events():
            self._show_event(event)
        self._clock.schedule()

    def _show_event(self, event: vt.Event) -> None:
        match event:
            case vt.Title(text):
                if text != self.title:
                    self.title = text
                    self.post_message(self.TitleChanged(self, text))
            case vt.Bell():
                self.post_message(self.Bell(self))
            case _:
                self.post_message(self.Told(self, event))

    def _pause(self) -> None:
        if self._channel is not None:
            self._channel.pause()

    def _resume(self) -> None:
        if self._channel is not None:
            self._channel.resume()

    def _settle(self) -> None:
        """Make the scrollback of a quiet pane small, a step at a time."""
        self._settled += 1
        if self._settled == 2 and self._engine is not None and self._engine.compress():
            self._settled = 1
            self.call_later(self._settle)

    # Bytes out

    def send(self, data: bytes) -> None:
        """Write to the program as if typed, showing the newest rows."""
        if self.state != "open" or not data:
            return
        if self._engine is not None and self._rows.marks:
            self._engine.clear_selection()
            self._paint_now()
        self._to_bottom()
        self._write(data)

    def type(self, what: vt.Key | str) -> None:
        """Type a key or paste text in the modes of this pane's program."""
        if self._engine is not None:
            to_key, to_paste = self._engine.encode_key, self._engine.encode_paste
            self.send(to_paste(what) if isinstance(what, str) else to_key(what))

    def paste(self, text: str) -> None:
        """Give the program text; asks first when a bare shell would run it at once."""
        engine = self._engine
        if engine is None or self.state != "open":
            return
        lines = "\n" in text or "\r" in text
        if lines and not (engine.bracketed_paste or engine.alternate_screen):
            self._enter(PasteQuestion(text, self._give))
            self.post_message(self.PasteAsked(self, text))
        else:
            self._give(text)

    def _give(self, what: vt.Key | str) -> None:
        self.type(what)
        if self.typed is not None and self.state == "open":
            self.typed(what)

    def _write(self, data: bytes) -> None:
        if not data:
            return
        if self._channel is not None:
            if self.state == "open":
                self._channel.write(data)
        elif self.state == "opening" and len(self._unsent) < 65_536:
            self._unsent += data

    # Keys and the pane's own words

    def _bottom_line(self) -> str:
        if self._mode is not None:
            return self._mode.line()
        if self._leading:
            return leader_line(self.leader, self._hints, self._rows.columns)
        if self.state in ("ended", "frozen"):
            return f" {self.sentence}"
        if self._engine is None:
            return ""
        return scrollback_line(self._engine.scrollbar, False) or (
            f" {self._notice}" if self._notice else ""
        )

    async def on_key(self, event: events.Key) -> None:
        if self._mode is not None or self._leading or key_name(event) == self.leader:
            event.stop()
            event.prevent_default()
            await self._own_key(event)
        elif self.state in ("ended", "failed"):
            if event.key in ("enter", "escape", "q", "d") and not self._leaving:
                event.stop()
                event.prevent_default()
                await self.leave()
        else:
            event.stop()
            event.prevent_default()
            self._send_key(event)

    async def _own_key(self, event: events.Key) -> None:
        if self._mode is not None:
            if self._mode.key(event.key, event.character):
                self._show_mode()
            else:
                self._leave_mode()
        elif self._leading:
            self._leading = False
            self._refresh_bars()
            await self._after_leader(event)
        else:
            self._leading = True
            self._refresh_bars()

    async def _after_leader(self, event: events.Key) -> None:
        engine = self._engine
        if key_name(event) == self.leader:
            self._send_key(event)
        elif event.key == "d":
            await self.leave()
        elif event.key in ("left_square_bracket", "v", "slash", "u") and engine is not None:
            if event.key == "u":
                self._enter(LinkList(engine, self._open_link, self.copy))
                return
            reading = Reading(engine, self.copy, searching=event.key == "slash")
            if event.key == "v":
                reading.begin()
            self._enter(reading)
        elif event.key == "p":
            self.paste(self.app.clipboard)
        elif event.key != "escape":
            self.post_message(self.LeaderKey(self, event.key))

    def _send_key(self, event: events.Key) -> None:
        key = pressed(event)
        if key is not None and self.state == "open":
            self._give(key)

    def type_ahead(self, event: events.Key) -> None:
        """A key typed before the pane has the focus; it reaches the program when it is open."""
        key = pressed(event)
        if self.state == "open":
            self._send_key(event)
        elif key is not None and self._engine is not None:
            self._write(self._engine.encode_key(key))
        elif key is not None:
            self._early.append(key)

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        self.paste(event.text)

    def on_focus(self) -> None:
        self._tell_focus(True)

    def on_blur(self) -> None:
        self._leading = False
        self._tell_focus(False)

    def _tell_focus(self, gained: bool) -> None:
        if self._engine is not None and self.state == "open":
            self._write(self._engine.encode_focus(gained))
        self.refresh()
