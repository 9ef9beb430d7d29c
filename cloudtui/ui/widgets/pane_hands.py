"""What a person does to a pane with keys and mouse that the program never sees."""

from __future__ import annotations

from textual import events, on

from cloudtui.ui.widgets import pane_messages as messages
from cloudtui.ui.widgets.pane_clipboard import copy_out
from cloudtui.ui.widgets.pane_modes import Mode
from cloudtui.ui.widgets.pane_mouse import PaneMouse
from cloudtui.ui.widgets.pane_reading import Reading
from cloudtui.ui.widgets.pane_select import MouseSelection
from cloudtui.ui.widgets.pane_view import PaneView
from cloudtui.vt import engine as vt

_DRAG = 0.05
"""Seconds between two steps of scrolling while the mouse is held outside."""


class PaneHands(PaneView):
    """Selecting, searching, links and mouse; the mouse goes on to a program that asked for it."""

    LinkOpened = messages.LinkOpened
    Copied = messages.Copied

    def __init__(self, name: str | None, id: str | None, classes: str | None) -> None:
        super().__init__(name, id, classes)
        self.state = "opening"
        self._mouse = PaneMouse(self._write)
        self._selection = MouseSelection()

    def on_mount(self) -> None:
        self.set_interval(_DRAG, self._drag_on)

    def _write(self, data: bytes) -> None:
        """Send to the program."""
        raise NotImplementedError

    # Modes

    def _enter(self, mode: Mode) -> None:
        self._leave_mode()
        self._mode = mode
        self._show_mode()

    def _leave_mode(self) -> None:
        mode, self._mode = self._mode, None
        if mode is not None:
            mode.close()
            self._show_mode()

    def _show_mode(self) -> None:
        self._paint_now()
        self.refresh()

    def copy(self, text: str) -> None:
        """Put text on the person's clipboard."""
        if text:
            copy_out(self.app, text)
            self.post_message(self.Copied(self, text))

    def search(self) -> None:
        """Open the line to search the scrollback with."""
        if self._engine is not None:
            self._enter(Reading(self._engine, self.copy, searching=True))

    def links(self) -> list[str]:
        """Addresses on the rows shown, each once."""
        found = self._engine.links() if self._engine is not None else []
        return list(dict.fromkeys(link.url for link in found))

    def _open_link(self, url: str) -> None:
        self.post_message(self.LinkOpened(self, url))

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
        if engine is None or self._words is not None:
            return
        cell = self._cell(event)
        link = self._link_under(event)
        if event.ctrl and link is not None:
            event.stop()
            self._open_link(link.url)
        elif self._takes_mouse(event):
            self.capture_mouse()
            self._mouse.press(engine, event, cell)
        elif event.button == 1:
            event.stop()
            self.capture_mouse()
            self._selection.press(engine, cell)
            self._paint_now()

    def on_mouse_up(self, event: events.MouseUp) -> None:
        engine = self._engine
        if self._mouse.button or self._selection.active:
            event.stop()
            self.release_mouse()
        if engine is None:
            return
        if self._mouse.button:
            self._mouse.release(engine, event, self._cell(event))
        elif self._selection.active:
            self.copy(self._selection.release(engine))

    def on_mouse_move(self, event: events.MouseMove) -> None:
        engine = self._engine
        if engine is None or self._words is not None:
            return
        if self._selection.active:
            event.stop()
            y = event.get_content_offset_capture(self).y
            outside = min(0, y) + max(0, y - len(self._rows) + 1)
            self._selection.drag(engine, self._cell(event), outside)
            self._show_scroll()
        elif self._takes_mouse(event):
            self._mouse.move(engine, event, self._cell(event))
        elif event.button == 0:
            self._hover(self._link_under(event))

    def on_leave(self) -> None:
        self._hover(None)

    def _drag_on(self) -> None:
        """Scroll on while the mouse is held outside."""
        if self._selection.active and self._selection.outside and self._engine is not None:
            column = 0 if self._selection.outside < 0 else self._rows.columns - 1
            self._selection.drag(self._engine, (column, 0), self._selection.outside)
            self._show_scroll()

    def _hover(self, link: vt.Link | None) -> None:
        if link != self._link:
            self._link = link
            self._paint_now()

    def _link_under(self, event: events.MouseEvent) -> vt.Link | None:
        if self._engine is None:
            return None
        cell = self._cell(event)
        if self._link is not None and self._link.covers(*cell):
            return self._link
        return next((link for link in self._engine.links() if link.covers(*cell)), None)

    def _takes_mouse(self, event: events.MouseEvent) -> bool:
        """Whether the program has asked for the mouse; Shift keeps it for selecting."""
        wanted = self.state == "open" and self._engine is not None and self._engine.mouse_tracking
        if wanted and event.shift:
            return bool(self._mouse.button)
        if wanted:
            event.stop()
        return wanted

    def _cell(self, event: events.MouseEvent) -> tuple[int, int]:
        x, y = event.get_content_offset_capture(self)
        return min(max(0, x), self._rows.columns - 1), min(max(0, y), len(self._rows) - 1)
