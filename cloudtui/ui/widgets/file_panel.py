"""One side of the file screen: a machine, a folder of it, and the rows in it."""

from __future__ import annotations

import posixpath

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from cloudtui.core.browsing import Browsing, FileRow, Folder
from cloudtui.model.copy import legible
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.words import data_size
from cloudtui.ui.widgets.face import Face
from cloudtui.ui.widgets.files_table import UP, FilesTable

LEAST = 8
"""Cells of a path that are shown at least."""


class FilePanel(Vertical):
    """Shows what it is told; `browsing` asks the machine."""

    DEFAULT_CSS = """
    FilePanel {
        width: 1fr;
        height: 1fr;
        & > .place {
            height: 1; padding: 0 1; color: $foreground-muted;
            text-wrap: nowrap; text-overflow: ellipsis;
        }
        & > Face { padding: 1 2; }
    }
    """

    def __init__(self, browsing: Browsing, path: str, *, id: str) -> None:
        super().__init__(id=id)
        self.browsing = browsing
        self.path = path
        """The folder that is shown, or wanted first."""
        self.folder: Folder | None = None
        self.error: CloudtuiError | None = None
        self.busy = False
        self.doing = ""
        self.hidden = False
        """Names that begin with a dot are shown."""
        self.filter = ""
        self._wanted: tuple[Folder | None, bool, str] = (None, False, "")
        """What the rows that are shown were chosen from, and by what."""
        self._shown: tuple[FileRow, ...] = ()
        self.turn = 0
        """Of the answers only that to the last question counts."""

    def compose(self) -> ComposeResult:
        yield Static(classes="place", markup=False)
        yield FilesTable()
        yield Face()

    def on_mount(self) -> None:
        self.paint()

    @property
    def table(self) -> FilesTable:
        return self.query_one(FilesTable)

    @property
    def active(self) -> bool:
        return self.table.has_focus

    def joined(self, name: str) -> str:
        return posixpath.join(self.path, name)

    def tell(self, doing: str) -> None:
        """What is being done to the files; nothing when it has ended."""
        self.doing = doing
        if self.is_attached:
            self.paint_place()

    def begin(self) -> int:
        """A question is under way; its number."""
        self.turn += 1
        self.busy = True
        self.paint()
        return self.turn

    def show_folder(self, turn: int, folder: Folder, cursor: str = "") -> None:
        """The answer to a question."""
        if turn != self.turn:
            return
        moved = self.folder is None or folder.path != self.path
        self.folder, self.path, self.error, self.busy = folder, folder.path, None, False
        if moved:
            self.table.keep_marks()
            self.filter = ""
        else:
            self.table.keep_marks(row.key for row in folder.rows)
        self.paint()
        if moved:
            self.table.go(0)
        if cursor:
            self.table.select(cursor)

    def show_error(self, turn: int, error: CloudtuiError) -> None:
        if turn == self.turn:
            self.error, self.busy = error, False
            self.paint()

    def paint(self) -> None:
        if not self.is_mounted:
            return
        table, face = self.table, self.query_one(Face)
        wanted = self.folder, self.hidden, self.filter
        if self.folder is self._wanted[0] and wanted[1:] == self._wanted[1:]:
            table.recolour()
        else:
            self._wanted, self._shown = wanted, self._those_wanted()
            if self.folder:
                table.show_files(self._shown, above=self.path != "/")
        shown = self._shown
        table.display = self.folder is not None
        self.paint_place()
        if self.folder is None and self.error:
            face.display = True
            face.fail(self.error, [("Ctrl-r", "try again now"), ("p", "go to another folder")])
        elif self.folder is None:
            face.display = True
            face.work(f"Reading the files of {self.browsing.name} …")
        elif not shown:
            face.display = True
            if self.filter:
                face.say("No name matches the filter.", "", [("Esc", "clear the filter")])
            elif self.folder.rows:
                face.say("Only hidden files are here.", "", [(".", "show them")])
            else:
                face.say(
                    "This folder is empty.", "",
                    [("F5", "on the other side copies something here"), ("F7", "make a folder")],
                )  # fmt: skip
        else:
            face.display = False
        table.styles.height = "1fr" if shown or self.folder is None else 2

    def _those_wanted(self) -> tuple[FileRow, ...]:
        rows = self.folder.rows if self.folder else ()
        if not self.hidden:
            rows = tuple(row for row in rows if not row.key.startswith("."))
        for word in self.filter.casefold().split():
            rows = tuple(row for row in rows if word in row.key.casefold())
        return rows

    def paint_place(self) -> None:
        """Machine and folder, its beginning left out where it is too long; marks and room."""
        free = f"{data_size(self.folder.free)} free" if self.folder and self.folder.free else ""
        marked = f"{len(self.table.marks)} marked" if self.table.marks else ""
        trouble = self.error.title if self.error and self.folder else ""
        name, path = self.browsing.name, legible(self.path)
        parts = [self.doing] if self.doing else [part for part in (marked, free) if part]
        while True:
            more = "  ".join(parts)
            room = self.size.width - 2 - cell_len(f"{name}:") - (cell_len(more) + 2 if more else 0)
            if room >= LEAST or not parts:
                break
            parts.pop()
        if room > 0 and cell_len(path) > room:
            while path and cell_len(path) >= room:
                path = path[1:]
            path = f"…{path}"
        words = Content.assemble(
            (name, "bold $foreground" if self.active else "bold"),
            f":{path}",
            (f"  {more}" if more else "", "$foreground-muted"),
            (f"  {trouble}" if trouble else "", "$error"),
        )
        self.query_one(".place", Static).update(words)

    def on_resize(self) -> None:
        self.paint()

    @property
    def names(self) -> list[str]:
        """What an action is about."""
        return [name for name in self.table.chosen_names if name != UP.key]
