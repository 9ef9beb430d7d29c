"""What screens of logs have in common: they follow, and are searched, wrapped and scrolled back."""

from __future__ import annotations

import asyncio

from textual import on, work
from textual.app import ComposeResult
from textual.widgets import Input, Static

from cloudtui.model.log_lines import plain
from cloudtui.ui.screens.searched_text import SearchedText
from cloudtui.ui.widgets.face import Face
from cloudtui.ui.widgets.frame import Footer
from cloudtui.ui.widgets.log_view import LogView

TURN_BYTES = 64 * 1024
"""Taken in before the next key and paint: about 2 ms, at most 15."""
PAUSE_SECONDS = 0.05
"""What comes in so long is painted once."""
WAITING_MOST = 4 * 1024 * 1024
"""Bytes that came and are not shown yet, beyond which the oldest of them are left out."""


class LogArea(SearchedText):
    """`take` what comes; `title` is what is above the lines, `empty` what is said without any."""

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

    def page_down(self) -> None:
        self.view.move(max(1, self.view.size.height - 1))

    def page_up(self) -> None:
        self.view.move(-max(1, self.view.size.height - 1))

    def log_left(self) -> None:
        self.view.sideways(-1)

    def log_right(self) -> None:
        self.view.sideways(1)

    def toggle_wrap(self) -> None:
        self.view.toggle_wrap()

    @on(LogView.Scrolled)
    def _scrolled(self) -> None:
        self.title_now()

    def copy_lines(self) -> int:
        """Put the lines that are here on the clipboard; how many they are."""
        log = self.view.log_lines
        lines = [plain(line) for line in log.lines[: len(log)]]
        self.app.copy_to_clipboard("\n".join(lines))
        return len(lines)
