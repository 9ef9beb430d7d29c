"""The beginning of a file, to read and to search."""

from __future__ import annotations

import asyncio
import posixpath

from textual import work
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Input, Static

from cloudtui.core.browsing import VIEWED, Browsing
from cloudtui.model.copy import legible
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.log_lines import plain
from cloudtui.model.words import data_size
from cloudtui.ui.actions import Where
from cloudtui.ui.screens.area import bindings
from cloudtui.ui.screens.searched_text import SearchedText
from cloudtui.ui.widgets.face import Face
from cloudtui.ui.widgets.frame import Footer
from cloudtui.ui.widgets.log_view import LogView

TURN_BYTES = 32 << 10
DUMPED = 64 << 10
"""Bytes of a binary file that are shown."""


class FileViewScreen(SearchedText):
    """Text as it is, anything else in hexadecimal."""

    WHERE = Where.VIEWER
    BINDINGS = bindings(Where.VIEWER)
    CSS = """
    FileViewScreen #title { padding: 0 1; height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    FileViewScreen Input {
        height: 1; border: none; padding: 0 1; background: $panel; dock: bottom;
    }
    FileViewScreen Input:focus { border: none; background-tint: transparent; }
    """

    def __init__(self, browsing: Browsing, path: str) -> None:
        super().__init__()
        self._browsing, self._path = browsing, path

    def compose(self) -> ComposeResult:
        yield Static(id="title", markup=False)
        yield Face(id="face")
        yield LogView()
        yield Input(placeholder="find", id="find")
        yield Footer(self.footer_keys)

    def on_mount(self) -> None:
        self.query_one(Input).display = False
        self.app.theme_changed_signal.subscribe(self, lambda _: self._recolour())
        self._recolour()
        self._load()

    @work(exclusive=True, group="read")
    async def _load(self) -> None:
        face, view, name = self.query_one(Face), self.view, posixpath.basename(self._path)
        view.display, face.display = False, True
        face.work(f"Reading {legible(name)} …")
        try:
            data, facts = await self._browsing.content(self._path)
        except CloudtuiError as error:
            face.fail(error, [("Ctrl-r", "try again now"), ("Esc", "go back")])
            return
        binary = b"\0" in data[:8192]
        shown = min(len(data), DUMPED if binary else VIEWED)
        part = f"the first {data_size(shown)} of " if shown < facts.size else ""
        kind = "   binary" if binary else ""
        title = Content.assemble(
            (f"{self._browsing.name}:{legible(self._path)}", "bold"),
            (f"   {part}{data_size(facts.size)}{kind}", "$foreground-muted"),
        )
        self.query_one("#title", Static).update(title)
        if not data:
            face.say("The file is empty.", "", [("Esc", "go back")])
            return
        face.display, view.display = False, True
        view.clear()
        view.following = False
        text = dump(data[:DUMPED]) if binary else data
        for start in range(0, len(text), TURN_BYTES):
            view.feed(text[start : start + TURN_BYTES])
            await asyncio.sleep(0)
        if self.focused is None:
            view.focus()

    # Moving

    def page_down(self) -> None:
        self.view.move(self.view.size.height)

    def page_up(self) -> None:
        self.view.move(-self.view.size.height)

    def copy(self) -> None:
        """Put what is shown on the clipboard."""
        self.app.copy_to_clipboard("\n".join(map(plain, self.view.log_lines.lines)))
        self.cloudtui.say("Copied.")

    def refresh_now(self) -> None:
        self._load()


def dump(data: bytes) -> bytes:
    """Sixteen bytes a line, in hexadecimal and as far as they are letters."""
    lines = []
    for start in range(0, len(data), 16):
        row = data[start : start + 16]
        letters = "".join(chr(b) if 32 <= b < 127 else "." for b in row)
        lines.append(f"{start:08x}  {row.hex(' '):<47}  {letters}")
    return ("\n".join(lines) + "\n").encode()
