"""The beginning of a file, to read and to search."""

from __future__ import annotations

import asyncio
import posixpath

from rich.cells import cell_len
from textual import work
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Input, Static

from cloudtui.core.browsing import VIEWED, Browsing
from cloudtui.model.copy import legible
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.log_lines import LogLines, plain
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
        self._end = False
        """The end of a file is shown that is too long to be shown whole."""
        self._whole = True

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
            data, facts = await self._browsing.content(self._path, VIEWED, end=self._end)
        except CloudtuiError as error:
            face.fail(error, [("Ctrl-r", "try again now"), ("Esc", "go back")])
            return
        binary = b"\0" in data[:8192]
        shown = min(len(data), DUMPED if binary else VIEWED)
        self._whole = shown >= facts.size
        which = "last" if self._end else "first"
        part = "" if self._whole else f"the {which} {data_size(shown)} of "
        kind = f"   {sort_of(data)}" if binary else ""
        other = "" if self._whole else f"   {'g the beginning' if self._end else 'G the end'}"
        words = f"   {part}{data_size(facts.size)}{kind}{other}"
        place = f"{self._browsing.name}:{legible(self._path)}"
        room = max(len(name), self.size.width - 2 - cell_len(words))
        if cell_len(place) > room:
            place = f"…{place[-room + 1 :]}"
        title = Content.assemble((place, "bold"), (words, "$foreground-muted"))
        self.query_one("#title", Static).update(title)
        if not data:
            face.say("The file is empty.", "", [("Esc", "go back")])
            return
        face.display, view.display = False, True
        view.clear()
        view.log_lines = LogLines(VIEWED + 1)  # all of them
        view.following = False
        text = data
        if binary:
            start = facts.size - shown if self._end else 0
            text = dump(data[-DUMPED:] if self._end else data[:DUMPED], start)
        elif self._end and not self._whole:
            text = data.partition(b"\n")[2] or data
        for start in range(0, len(text), TURN_BYTES):
            view.feed(text[start : start + TURN_BYTES])
            await asyncio.sleep(0)
        if self._end:
            view.to_end()
        if self.focused is None:
            view.focus()

    # Moving

    def first_row(self) -> None:
        self._show_part(end=False)
        super().first_row()

    def last_row(self) -> None:
        self._show_part(end=True)
        super().last_row()

    def _show_part(self, *, end: bool) -> None:
        if not self._whole and self._end is not end:
            self._end = end
            self._load()

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


SORTS = (
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"%PDF", "a PDF document"),
    (b"\x7fELF", "a program or library (ELF)"),
    (b"\x1f\x8b", "compressed by gzip"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd"),
    (b"PK\x03\x04", "a zip archive, as PyTorch's and NumPy's files are"),
    (b"\x89HDF", "an HDF5 file"),
    (b"SQLite format 3", "an SQLite database"),
    (b"PAR1", "a Parquet file"),
    (b"\x93NUMPY", "a NumPy array"),
)


def sort_of(data: bytes) -> str:
    """What is in a file that is no text, by how it begins."""
    return next((words for mark, words in SORTS if data.startswith(mark)), "binary")


def dump(data: bytes, first: int = 0) -> bytes:
    """Sixteen bytes a line, in hexadecimal and as far as they are letters; the first byte is number
    `first` of the file."""
    lines = []
    for start in range(0, len(data), 16):
        row = data[start : start + 16]
        letters = "".join(chr(b) if 32 <= b < 127 else "." for b in row)
        lines.append(f"{first + start:08x}  {row.hex(' '):<47}  {letters}")
    return ("\n".join(lines) + "\n").encode()
