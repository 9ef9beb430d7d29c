"""What screens of logs have in common: they follow, and are searched, wrapped and scrolled back."""

from __future__ import annotations

import asyncio

from textual import on, work
from textual.app import ComposeResult
from textual.widgets import Input, Static

from cloudtui.core.events import Severity
from cloudtui.model.log_lines import plain
from cloudtui.ui.screens.area import Area
from cloudtui.ui.widgets.face import Face
from cloudtui.ui.widgets.frame import Footer
from cloudtui.ui.widgets.log_view import LogView
from cloudtui.ui.widgets.pane_colors import PaneColors

TURN_BYTES = 64 * 1024
"""Taken in before the next key and paint: about 2 ms, at most 15."""
PAUSE_SECONDS = 0.05
"""What comes in so long is painted once."""
WAITING_MOST = 4 * 1024 * 1024
"""Bytes that came and are not shown yet, beyond which the oldest of them are left out."""


class LogArea(Area):
    """`take` what comes; `title` is what is above the lines, `empty` what is said without any."""

    AUTO_FOCUS = "LogView"
    DEFAULT_CSS = """
    LogArea #title { padding: 0 1; height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    LogArea #doing {
        padding: 0 1; height: 1; color: $accent; text-wrap: nowrap; text-overflow: ellipsis;
    }
    LogArea LogView { padding: 0; }
    LogArea Input { height: 1; border: none; padding: 0 1; background: $panel; dock: bottom; }
    LogArea Input:focus { border: none; background-tint: transparent; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._waiting: list[bytes] = []
        self._waits = 0
        """Bytes in `_waiting`."""
        self._left_out = 0
        self._came = asyncio.Event()
        self._got_any = False
        self._trouble = ""
        """Why nothing comes now."""

    def compose(self) -> ComposeResult:
        yield Static(id="title", markup=False)
        yield Static(id="doing", markup=False)
        yield Face(id="face")
        yield LogView()
        yield Input(placeholder="find", id="find")
        yield Footer(self.footer_keys)

    def on_mount(self) -> None:
        self.query_one(Input).display = False
        self.view.display = False
        self.app.theme_changed_signal.subscribe(self, lambda _: self._recolour())
        self._recolour()
        self.title_now()
        self.set_interval(1.0, self.title_now)
        self._take_in()

    @property
    def view(self) -> LogView:
        return self.query_one(LogView)

    def _recolour(self) -> None:
        _, _, base, ink = self.view.colors
        dark = self.app.current_theme.dark
        self.view.repaint(PaneColors(self.app.theme_variables, ink.rgb, base.rgb, dark))

    def title_now(self) -> None:
        """Say above what is true now."""

    def empty(self) -> None:
        """Say in the face why there are no lines."""

    def taken_in(self) -> None:
        """All that came so far is in the view."""

    # What comes

    def take(self, data: bytes) -> None:
        """Show this behind what is there, soon."""
        self._waiting.append(data)
        self._waits += len(data)
        while self._waits > WAITING_MOST and len(self._waiting) > 1:
            gone = len(self._waiting.pop(0))
            self._waits -= gone
            self._left_out += gone
        self._came.set()

    @work(group="take in", exclusive=True)
    async def _take_in(self) -> None:
        while True:
            await self._came.wait()
            self._came.clear()
            while self._waiting:
                data = b"".join(self._waiting)
                self._waiting, self._waits = [], 0
                for at in range(0, len(data), TURN_BYTES):
                    self._got_any = True
                    self.view.feed(data[at : at + TURN_BYTES])
                    await asyncio.sleep(0)
            self.taken_in()
            self._show_face()
            await asyncio.sleep(PAUSE_SECONDS)

    def _show_face(self) -> None:
        face, view = self.query_one(Face), self.view
        there = len(view.log_lines) > 0
        if there and not view.display:
            face.display, view.display = False, True
            if self.focused is None:
                view.focus()
            self.title_now()
        elif not there and not self._trouble:
            self.empty()

    def start_anew(self) -> None:
        """Forget what came."""
        self.view.clear()
        self._waiting, self._waits = [], 0
        self._got_any, self._trouble, self._left_out = False, "", 0

    # Moving

    def row_down(self) -> None:
        self.view.move(1)

    def row_up(self) -> None:
        self.view.move(-1)

    def page_down(self) -> None:
        self.view.move(max(1, self.view.size.height - 1))

    def page_up(self) -> None:
        self.view.move(-max(1, self.view.size.height - 1))

    def first_row(self) -> None:
        self.view.to_start()

    def last_row(self) -> None:
        self.view.to_end()

    def log_left(self) -> None:
        self.view.sideways(-1)

    def log_right(self) -> None:
        self.view.sideways(1)

    def toggle_wrap(self) -> None:
        self.view.toggle_wrap()

    @on(LogView.Scrolled)
    def _scrolled(self) -> None:
        self.title_now()

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

    def copy_lines(self) -> int:
        """Put the lines that are here on the clipboard; how many they are."""
        log = self.view.log_lines
        lines = [plain(line) for line in log.lines[: len(log)]]
        self.app.copy_to_clipboard("\n".join(lines))
        return len(lines)
