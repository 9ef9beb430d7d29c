"""Files here and on a machine, side by side: copied, moved, looked at, edited."""

from __future__ import annotations

import posixpath
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from textual import events, on, work
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Static

from cloudtui.core.browsing import Browsing
from cloudtui.core.copies import CopyOrder, Spot
from cloudtui.core.events import CopiesChanged, Event, Severity
from cloudtui.model.copy import CopyPhase, CopyState, legible, unchanged
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance, State
from cloudtui.model.words import listed, plural
from cloudtui.ui.actions import Action, Where
from cloudtui.ui.screens.area import bindings
from cloudtui.ui.screens.dialogs import Answers, Ask, Choose
from cloudtui.ui.screens.list_area import FilterField, ListArea
from cloudtui.ui.widgets.copies_lines import copy_lines
from cloudtui.ui.widgets.file_panel import FilePanel
from cloudtui.ui.widgets.files_table import UP, FilesTable
from cloudtui.ui.widgets.frame import Footer, Header
from cloudtui.ui.widgets.keyed_table import KeyedTable

LINES = 3
"""Copies that are shown below the two sides."""
NAMED = 8
SLOW_SECONDS = 0.3
"""What takes longer is told while it goes on."""
CHANGES = {
    "files.delete_files",
    "files.rename_file",
    "files.mkdir",
    "files.edit_file",
    "files.move",
}
ON_A_ROW = {"files.copy", "files.move", "files.delete_files"}
ON_A_FILE = {"files.view_file", "files.edit_file"}


class FilesScreen(ListArea):
    """The left side begins here, the right one in the machine's home folder."""

    WHERE = Where.FILES
    BINDINGS = bindings(Where.FILES)
    AUTO_FOCUS = "#right FilesTable"
    CSS = """
    FilesScreen #sides { height: 1fr; }
    FilesScreen #right { border-left: solid $border-blurred; }
    FilesScreen #copies { height: auto; max-height: 3; padding: 0 1; color: $foreground-muted; }
    """

    def __init__(self, instance: Instance) -> None:
        super().__init__()
        self._instance = instance
        self._under_way: set[str] = set()
        self._sides: list[Browsing] = []

    def compose(self) -> ComposeResult:
        yield Header(self.WHERE)
        yield FilterField(placeholder="words of a name")
        with Horizontal(id="sides"):
            yield FilePanel(self._browse(None), str(Path.cwd()), id="left")
            yield FilePanel(self._browse(self._instance), "~", id="right")
        yield Static(id="copies", markup=False)
        yield Footer(self.footer_keys)

    def on_mount(self) -> None:
        super().on_mount()
        for panel in self.panels:
            self.load(panel)
        self._paint_copies()

    async def on_unmount(self) -> None:
        for side in self._sides:
            await side.close()

    def _browse(self, instance: Instance | None) -> Browsing:
        bench = self.workbench
        side = Browsing(instance, bench.copies.file_system, read_only=bench.read_only)
        self._sides.append(side)
        return side

    # The two sides

    @property
    def panels(self) -> tuple[FilePanel, FilePanel]:
        return self.query_one("#left", FilePanel), self.query_one("#right", FilePanel)

    @property
    def panel(self) -> FilePanel:
        """The side that keys are about."""
        left, right = self.panels
        if left.active or right.active:
            self._last = left if left.active else right
        return self._last if self._last is not None else right

    _last: FilePanel | None = None

    @property
    def other(self) -> FilePanel:
        left, right = self.panels
        return right if self.panel is left else left

    @property
    def table(self) -> FilesTable:
        return self.panel.table

    @property
    def instance(self) -> Instance | None:
        return self.panel.browsing.instance or self.other.browsing.instance

    def paint(self) -> None:
        for panel in self.panels:
            if panel is self.panel:
                panel.filter = self.query_text
            panel.paint()
        self.refresh_footer()

    @on(KeyedTable.Moved)
    def _moved(self) -> None:
        self.refresh_footer()

    @on(KeyedTable.RowSelected)
    def _clicked(self) -> None:
        self.open_row()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        for panel in self.panels:
            panel.paint()
        self.refresh_footer()

    def show(self, event: Event) -> None:
        super().show(event)
        if isinstance(event, CopiesChanged):
            running = {s.key for s in event.copies if not s.ended}
            if self._under_way - running:
                for panel in self.panels:
                    self.load(panel)
                self._tell([s for s in event.copies if s.key in self._under_way - running])
            self._under_way = running
            self._paint_copies()

    def _tell(self, ended: list[CopyState]) -> None:
        for state in ended:
            if state.error:
                self.cloudtui.fail(state.error)
            elif state.phase is CopyPhase.DONE:
                more = f", {state.same} unchanged" if state.same else ""
                said = f"Copied {plural(state.files_done, 'file')}{more}: {state.words}"
                severity = Severity.WARNING if state.remarks else Severity.INFORMATION
                self.cloudtui.say(said, severity, "\n".join(state.remarks[:LINES]))

    def _paint_copies(self) -> None:
        states = self.workbench.copies.states
        self._under_way = {s.key for s in states if not s.ended}
        lines = copy_lines([s for s in states if not s.ended], self.app.size.width - 2, LINES)
        copies = self.query_one("#copies", Static)
        copies.display = bool(lines)
        copies.update("\n".join(lines))

    def why_not(self, action: Action) -> str:
        if not action.id.startswith("files."):
            return super().why_not(action)
        panel = self.panel
        names = panel.names
        if action.id in ON_A_ROW and not names:
            return "No file is selected."
        if action.id == "files.rename_file" and (not panel.table.key or panel.table.key == UP.key):
            return "No file is selected."
        row = panel.table.row_of(panel.table.key or "")
        if action.id in ON_A_FILE and (row is None or not row.facts.file):
            return "No file is under the cursor."
        if action.id in CHANGES and (reason := panel.browsing.why_not_change()):
            return reason
        if action.id in ("files.copy", "files.move"):
            if self.other.folder is None:
                return "The other side shows no folder."
            order = self._order(names[:1], action.id == "files.move")
            return self.workbench.copies.why_not(order)
        return ""

    # Walking

    @work(group="list")
    async def load(self, panel: FilePanel, path: str = "", cursor: str = "") -> None:
        turn = panel.begin()
        try:
            folder = await panel.browsing.folder(path or panel.path)
        except CloudtuiError as error:
            if panel.folder and path and path != panel.path:
                self.cloudtui.fail(error)
                panel.show_folder(turn, panel.folder)
            else:
                panel.show_error(turn, error)
            return
        if panel is self.panel and folder.path != panel.path:
            self.clear_filter()
        if self.is_attached:
            panel.show_folder(turn, folder, cursor)
            self.refresh_footer()
            if self.focused is None:
                panel.table.focus()

    def refresh_now(self) -> None:
        for panel in self.panels:
            self.load(panel)

    def open_row(self) -> None:
        panel = self.panel
        name = panel.table.key
        row = panel.table.row_of(name or "")
        if name == UP.key:
            self.go_up()
        elif row and row.facts.folder:
            self.load(panel, panel.joined(row.key))
        elif row and row.facts.file:
            self.view_file()
        elif row:
            self.cloudtui.say("It leads nowhere.", Severity.WARNING)

    def go_up(self) -> None:
        panel = self.panel
        path, name = posixpath.split(panel.path)
        if name:
            self.load(panel, path, name)

    def other_side(self) -> None:
        self.other.table.focus()

    def mark_row(self) -> None:
        self.table.mark()
        self.panel.paint_place()

    def invert_marks(self) -> None:
        self.table.invert_marks()
        self.panel.paint_place()

    def toggle_hidden(self) -> None:
        self.panel.hidden = not self.panel.hidden
        self.panel.paint()

    @work(group="dialog")
    async def go_to_path(self) -> None:
        panel = self.panel
        given = await self.app.push_screen_wait(
            Answers(f"Go to a folder of {panel.browsing.name}", [("path", True)])
        )
        if given and given[0].strip():
            path = given[0].strip()
            whole = path.startswith(("/", "~"))
            self.load(panel, path if whole else panel.joined(path))

    @work(group="dialog")
    async def choose_machine(self) -> None:
        panel = self.panel
        running = [i for i in self.workbench.inventory.state.instances if i.state is State.RUNNING]
        options = {"": "this computer"} | {i.id: i.label for i in running}
        chosen = await self.app.push_screen_wait(Choose("Files of which machine?", options))
        if chosen is None:
            return
        machine = next((i for i in running if i.id == chosen), None)
        await panel.browsing.close()
        panel.browsing, panel.folder = self._browse(machine), None
        self.load(panel, "~" if machine else str(Path.cwd()))

    # Copying

    def _order(self, names: list[str], move: bool) -> CopyOrder:
        panel, other = self.panel, self.other
        sources = tuple(Spot(panel.browsing.instance, panel.joined(n)) for n in names)
        return CopyOrder(sources, Spot(other.browsing.instance, other.path), move=move)

    def copy_files(self) -> None:
        self._copy(move=False)

    def move_files(self) -> None:
        self._copy(move=True)

    @work(group="dialog")
    async def _copy(self, *, move: bool) -> None:
        panel, other = self.panel, self.other
        names = panel.names
        order = self._order(names, move)
        over = self._replaced(names)
        what = listed([legible(name) for name in names], NAMED)
        if move or over:
            goal = f"{other.browsing.name}:{legible(other.path)}"
            lines = [f"To {goal}."]
            if over:
                lines.append(f"Replaced there: {listed([legible(n) for n in over], NAMED)}.")
            if move:
                lines.append(
                    f"Taken away from {panel.browsing.name} once everything is there, whole."
                )
            verb = "Move" if move else "Copy"
            agreed = await self.app.push_screen_wait(Ask(f"{verb} {what}?", "\n".join(lines), verb))
            if not agreed:
                return
        try:
            self.workbench.copies.start(order)
        except CloudtuiError as error:
            self.cloudtui.fail(error)
            return
        panel.table.keep_marks()
        panel.paint()

    def _replaced(self, names: list[str]) -> list[str]:
        """Files that stand on the other side and are others."""
        there = {row.key: row.facts for row in self.other.folder.rows} if self.other.folder else {}
        found = []
        for name in names:
            row, now = self.panel.table.row_of(name), there.get(name)
            if row and now and row.facts.file and not unchanged(row.facts, now):
                found.append(name)
        return found

    # Changing

    @work(group="dialog")
    async def delete_files(self) -> None:
        panel = self.panel
        names, where = panel.names, f"{panel.browsing.name}:{legible(panel.path)}"
        machine = panel.browsing.instance
        folders = [n for n in names if (row := panel.table.row_of(n)) and row.facts.kind == "d"]
        lines = [f"  {legible(name)}{'/' if name in folders else ''}" for name in names[:NAMED]]
        if len(names) > NAMED:
            lines.append(f"  and {len(names) - NAMED} more")
        inside = "\nFolders go with everything in them." if folders else ""
        title = f"Delete {legible(names[0]) if len(names) == 1 else plural(len(names), 'entry')}?"
        on = f" ({machine.id})" if machine else ""
        body = "\n".join([f"In {where}{on}:", *lines]) + inside
        paths = [panel.joined(name) for name in names]
        if not await self.app.push_screen_wait(Ask(title, body, "Delete")):
            return
        what = f"deleting {legible(names[0]) if len(names) == 1 else plural(len(names), 'entry')} …"
        shown = self.set_timer(SLOW_SECONDS, lambda: panel.tell(what))
        try:
            left = await panel.browsing.remove(paths)
        except CloudtuiError as error:
            self.cloudtui.fail(error)
            return
        finally:
            shown.stop()
            panel.tell("")
        for problem in left[:3]:
            self.cloudtui.say(f"Not deleted: {problem}", Severity.ERROR)
        if not left:
            self.cloudtui.say(f"Deleted {listed([legible(n) for n in names], 4)}.")
        self.load(panel)

    @work(group="dialog")
    async def make_folder(self) -> None:
        panel = self.panel
        name = await self._name_for(f"New folder in {legible(panel.path)}")
        if name:
            await self._do(panel, panel.browsing.mkdir(panel.joined(name)), name)

    @work(group="dialog")
    async def rename_file(self) -> None:
        panel, old = self.panel, self.panel.table.key
        name = await self._name_for(f"Another name for {legible(old or '')}")
        if name and old:
            renamed = panel.browsing.rename(panel.joined(old), panel.joined(name))
            await self._do(panel, renamed, name)

    async def _name_for(self, title: str) -> str:
        given = await self.app.push_screen_wait(Answers(title, [("name", True)]))
        name = given[0].strip() if given else ""
        if "/" in name or name in (".", ".."):
            self.cloudtui.say(f"{name} is no name: it cannot hold a slash.", Severity.WARNING)
            return ""
        return name

    async def _do(self, panel: FilePanel, doing: Coroutine[Any, Any, None], cursor: str) -> None:
        try:
            await doing
        except CloudtuiError as error:
            self.cloudtui.fail(error)
            cursor = ""
        self.load(panel, panel.path, cursor)

    # Looking and editing

    def view_file(self) -> None:
        from cloudtui.ui.screens.file_view import FileViewScreen

        panel = self.panel
        if name := panel.table.key:
            self.app.push_screen(FileViewScreen(panel.browsing, panel.joined(name)))

    @work(group="edit", exclusive=True)
    async def edit_file(self) -> None:
        from cloudtui.ui.file_editing import edited

        panel, name = self.panel, self.panel.table.key
        if not name:
            return
        try:
            said = await edited(self.cloudtui, panel.browsing, panel.joined(name))
        except CloudtuiError as error:
            self.cloudtui.fail(error)
        else:
            self.cloudtui.say(said)
        self.load(panel, panel.path, name)
