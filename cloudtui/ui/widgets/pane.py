"""A remote terminal as a widget.

All keys go to the program but one, the leader. The pane owns an engine and a channel that its
opener gives it; leaving closes the channel and nothing else.
"""

from __future__ import annotations

import asyncio

from rich.cells import cell_len
from rich.style import Style as RichStyle
from textual import events, on
from textual.color import Color
from textual.geometry import Region
from textual.strip import Strip
from textual.timer import Timer
from textual.widget import Widget

from cloudtui.model.errors import CloudtuiError
from cloudtui.model.session import Ending
from cloudtui.ui.widgets import pane_messages as messages
from cloudtui.ui.widgets.pane_channel import Opener, PaneChannel, PaneEnd
from cloudtui.ui.widgets.pane_clock import PaintClock
from cloudtui.ui.widgets.pane_colors import PaneColors
from cloudtui.ui.widgets.pane_feed import Feeder
from cloudtui.ui.widgets.pane_keys import ALT_KEYS, normal_name, terminal_key
from cloudtui.ui.widgets.pane_mouse import PaneMouse
from cloudtui.ui.widgets.pane_rows import PaneRows, line_of
from cloudtui.ui.widgets.pane_words import leader_line, scrollback_line, scrollback_move, wrapped
from cloudtui.vt import engine as vt

__all__ = ["Opener", "Pane", "PaneChannel", "PaneEnd"]


class Pane(Widget, can_focus=True):
    """A terminal that lives in `state` opening, open, ended or failed."""

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
        super().__init__(name=name, id=id, classes=classes)
        self.state = "opening"
        self.title = ""
        self.sentence = ""
        self.leader = normal_name(leader)
        self._hints = hints
        self._open = open
        self._connecting = connecting
        self._scrollback = scrollback
        self._engine: vt.Engine | None = None
        self._channel: PaneChannel | None = None
        self._unsent = b""
        self._leading = False
        self._browsing = False
        self._leaving = False
        self._words: list[str] = []
        self._rows = PaneRows(PaneColors({}, (200, 200, 200), (0, 0, 0), dark=True))
        self._feeder = Feeder(self._feed, self._after_feed, self._pause, self._resume)
        self._clock = PaintClock(self._paint_now, self._held)
        self._mouse = PaneMouse(self._write)
        self._patience: Timer | None = None

    # Life

    def on_mount(self) -> None:
        self.app.theme_changed_signal.subscribe(self, lambda _: self._recolor())
        self._recolor()
        if self._connecting:
            self._patience = self.set_timer(0.3, self._say_connecting)

    async def on_unmount(self) -> None:
        ALT_KEYS.restore()
        self._leaving = True
        self._feeder.stop()
        self._clock.stop()
        channel, self._channel = self._channel, None
        if channel is not None and self.state == "open":
            await channel.close()
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()

    def on_resize(self) -> None:
        columns, rows = self.content_size
        if columns < 1 or rows < 1 or (columns, rows) == (self._rows.columns, len(self._rows)):
            return
        first = self._rows.columns == 0
        self._rows.resize(columns, rows)
        if first:
            self.run_worker(self._live(), group="pane", exit_on_error=True)
        elif self._engine is not None:
            self._engine.resize(columns, rows)
            if self._channel is not None and self.state == "open":
                self._channel.resize(columns, rows)
            self._paint_now()
        self.refresh()

    async def _live(self) -> None:
        """Open the channel, wait for its end, tell both."""
        try:
            factory = await asyncio.to_thread(vt.load)
            size = self._rows.columns, len(self._rows)
            self._engine = factory(*size, cell_len=cell_len, scrollback=self._scrollback)
            self._tell_colors()
            channel = await self._open(*size, self._feeder.take)
        except CloudtuiError as error:
            self._fail(error)
            return
        self._channel = channel
        self._set_state("open")
        now = self._rows.columns, len(self._rows)
        if now != size:
            self._engine.resize(*now)
            channel.resize(*now)
        unsent, self._unsent = self._unsent, b""
        if unsent:
            channel.write(unsent)
        self.post_message(self.Opened(self))
        end = await channel.wait()
        if not self._leaving:
            self._feeder.finish()
            self._engine.scroll_to_bottom()
            self._paint_now()
            self._end(end.ending, end.sentence)

    def _fail(self, error: CloudtuiError) -> None:
        self._words = [part for part in (error.title, error.detail, error.hint) if part]
        self.sentence = error.title
        self._set_state("failed")
        self.post_message(self.Failed(self, error))

    def _end(self, ending: Ending, sentence: str) -> None:
        self.sentence = sentence
        self._rows.dimmed = True
        self._set_state("ended")
        self.post_message(self.Ended(self, ending, sentence))

    def _set_state(self, state: str) -> None:
        self.state = state
        self._leading = self._browsing = False
        if self._patience is not None:
            self._patience.stop()
        if state == "open":
            self._words = []
        else:
            ALT_KEYS.restore()
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
        channel = self._channel
        if channel is not None and self.state == "open":
            await channel.close()
        self._set_state("ended")
        self.post_message(self.Left(self))

    # Bytes in

    def _feed(self, data: bytes) -> None:
        if self._engine is not None:
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

    # Bytes out

    def send(self, data: bytes) -> None:
        """Write to the program as if typed, showing the newest rows."""
        if self.state != "open" or not data:
            return
        self._to_bottom()
        self._write(data)

    def paste(self, text: str) -> None:
        """Give the program text, bracketed when it asked for that."""
        if self._engine is not None:
            self.send(self._engine.encode_paste(text))

    def _write(self, data: bytes) -> None:
        if not data:
            return
        if self._channel is not None:
            if self.state == "open":
                self._channel.write(data)
        elif len(self._unsent) < 65_536:
            self._unsent += data

    # Painting

    @property
    def text(self) -> str:
        """The rows shown, one per line, without trailing spaces."""
        return self._rows.text() if self._engine is None else self._engine.text()

    def _held(self) -> bool:
        return self._engine is not None and self._engine.held

    def _paint_now(self) -> None:
        engine = self._engine
        if engine is None:
            return
        changed = engine.dirty_rows()
        self._rows.update(changed)
        before, self._rows.cursor = self._rows.cursor, engine.cursor
        dirty = set(changed)
        if before != self._rows.cursor:
            dirty |= {place.y for place in (before, self._rows.cursor) if place.visible}
        if not dirty:
            return
        if len(dirty) * 2 > len(self._rows):
            self.refresh()
        else:
            width = self._rows.columns
            self.refresh(*(Region(0, y, width, 1) for y in sorted(dirty)))

    def render_line(self, y: int) -> Strip:
        columns, rows = self._rows.columns, len(self._rows)
        colors = self._rows.colors
        if self._engine is None or self.state in ("opening", "failed"):
            words = wrapped(self._words, columns)
            return line_of(words[y] if y < len(words) else "", columns, colors.plain)
        bar = self._bottom_line() if y == rows - 1 else ""
        if bar:
            return line_of(bar, columns, self._bar_style())
        return self._rows.line(y, self.has_focus and self.app.app_focus)

    def _bottom_line(self) -> str:
        """The pane's own words over the last row, or nothing."""
        if self.state == "ended":
            return f" {self.sentence}"
        if self._leading:
            return leader_line(self.leader, self._hints)
        if self._engine is None:
            return ""
        return scrollback_line(self._engine.scrollbar, self._browsing)

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
        colors = PaneColors(variables, foreground.rgb, background.rgb, self.app.current_theme.dark)
        self._rows.colors = colors
        self.styles.background = Color(*colors.background)
        self._rows.clear()
        self._tell_colors()
        self._paint_now()
        self.refresh()

    def _tell_colors(self) -> None:
        colors = self._rows.colors
        if self._engine is not None:
            self._engine.set_colors(
                colors.foreground, colors.background, colors.palette, colors.dark
            )

    # Scrollback

    def _scroll(self, lines: int) -> None:
        if self._engine is not None:
            self._engine.scroll(lines)
            self._show_scroll()

    def _to_bottom(self) -> None:
        self._browsing = False
        if self._engine is not None and not self._engine.scrollbar.at_bottom:
            self._engine.scroll_to_bottom()
            self._show_scroll()

    def _show_scroll(self) -> None:
        self._paint_now()
        self._refresh_bottom()

    def _refresh_bottom(self) -> None:
        self.refresh(Region(0, max(0, len(self._rows) - 1), self._rows.columns, 1))

    def _browse(self, key: str) -> bool:
        """Move in the scrollback; False when the key is not one for that."""
        lines = scrollback_move(key, self._engine.scrollbar) if self._engine else None
        if lines is not None:
            self._scroll(lines)
        elif key in ("escape", "q"):
            self._to_bottom()
            self._refresh_bottom()
        else:
            return False
        return True

    # Keys

    async def on_key(self, event: events.Key) -> None:
        if self.state in ("ended", "failed"):
            if event.key in ("enter", "escape", "q", "d") and not self._leaving:
                event.stop()
                event.prevent_default()
                await self.leave()
            return
        event.stop()
        event.prevent_default()
        if self._leading:
            await self._after_leader(event)
        elif event.key == self.leader:
            self._leading = True
            self._refresh_bottom()
        elif not (self._browsing and self._browse(event.key)):
            self._send_key(event)

    async def _after_leader(self, event: events.Key) -> None:
        self._leading = False
        self._refresh_bottom()
        if event.key == self.leader:
            self._send_key(event)
        elif event.key == "d":
            await self.leave()
        elif event.key == "left_square_bracket":
            self._browsing = True
            self._refresh_bottom()
        elif event.key != "escape":
            self.post_message(self.LeaderKey(self, event.key))

    def _send_key(self, event: events.Key) -> None:
        key = terminal_key(event.key, event.character)
        if key is not None and self._engine is not None:
            self.send(self._engine.encode_key(key))

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        self.paste(event.text)

    def on_focus(self) -> None:
        if self.state in ("opening", "open"):
            ALT_KEYS.use()
        self._tell_focus(True)

    def on_blur(self) -> None:
        ALT_KEYS.restore()
        self._leading = False
        self._tell_focus(False)

    def _tell_focus(self, gained: bool) -> None:
        if self._engine is not None and self.state == "open":
            self._write(self._engine.encode_focus(gained))
        self.refresh()

    # Mouse

    @on(events.MouseScrollUp)
    @on(events.MouseScrollDown)
    @on(events.MouseScrollLeft)
    @on(events.MouseScrollRight)
    def _wheel(self, event: events.MouseEvent) -> None:
        if self._engine is not None:
            event.stop()
            event.prevent_default()
            lines = self._mouse.wheel(self._engine, event, self._cell(event))
            if lines:
                self._scroll(lines)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        engine = self._engine
        if engine is not None and self._takes_mouse(event):
            self.capture_mouse()
            self._mouse.press(engine, event, self._cell(event))

    def on_mouse_up(self, event: events.MouseUp) -> None:
        if self._mouse.button:
            event.stop()
            self.release_mouse()
            if self._engine is not None:
                self._mouse.release(self._engine, event, self._cell(event))

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._engine is not None and self._takes_mouse(event):
            self._mouse.move(self._engine, event, self._cell(event))

    def _takes_mouse(self, event: events.MouseEvent) -> bool:
        """Whether the program has asked for the mouse; the event then goes nowhere else."""
        wanted = self.state == "open" and self._engine is not None and self._engine.mouse_tracking
        if wanted:
            event.stop()
        return wanted

    def _cell(self, event: events.MouseEvent) -> tuple[int, int]:
        x, y = event.get_content_offset_capture(self)
        return min(max(0, x), self._rows.columns - 1), min(max(0, y), len(self._rows) - 1)
