"""The entries of the ssh config beside the machines they belong to."""

from __future__ import annotations

import shlex

from textual import on, work
from textual.app import ComposeResult
from textual.widgets import Static

from cloudtui.core.events import Event, HostsChanged
from cloudtui.files.paths import short
from cloudtui.model.host_drift import HostRow
from cloudtui.model.instance import Instance
from cloudtui.ui.actions import Action, Where
from cloudtui.ui.screens.area import bindings
from cloudtui.ui.screens.list_area import FilterField, ListArea
from cloudtui.ui.widgets.face import Face
from cloudtui.ui.widgets.frame import Footer, Header
from cloudtui.ui.widgets.hosts_table import HostsTable
from cloudtui.ui.widgets.keyed_table import KeyedTable

CHANGING = frozenset(
    {"host.sync", "host.sync_all", "host.add", "host.edit", "host.remove", "host.undo"}
)
"""Actions that read-only refuses."""
ON_AN_ENTRY = frozenset({"host.show", "host.sync", "host.edit", "host.remove", "host.copy"})


class HostsScreen(ListArea):
    """A table over the words about the entry under the cursor."""

    WHERE = Where.HOSTS
    BINDINGS = bindings(Where.HOSTS)
    AUTO_FOCUS = "HostsTable"

    def compose(self) -> ComposeResult:
        yield Header(self.WHERE)
        yield FilterField(placeholder="words such as bert, 54.1, changed, gone, cloudtui.conf")
        yield HostsTable()
        yield Face(id="face")
        yield Static(id="told", markup=False)
        yield Footer(self.footer_keys)

    def on_mount(self) -> None:
        super().on_mount()
        self.paint()
        self._look()

    @property
    def table(self) -> HostsTable:
        return self.query_one(HostsTable)

    @property
    def row(self) -> HostRow | None:
        """The entry under the cursor."""
        rows = self.workbench.hosts.state.rows
        return next((row for row in rows if row.entry.alias == self.table.key), None)

    @property
    def instance(self) -> Instance | None:
        return self.row.instance if self.row else None

    def why_not(self, action: Action) -> str:
        row = self.row
        if action.id in CHANGING and self.workbench.read_only:
            return self.workbench.why_not("hosts.change", None)
        if row is None and (action.id in ON_AN_ENTRY or action.rule == "shell"):
            return "No entry is selected. Press n to add a machine."
        if action.id == "host.sync" and row and not row.curable:
            why = row.drifts[0].words if row.drifts else f"{row.entry.alias} is in step."
            return why
        if action.id == "host.sync_all" and not self._drifted:
            return "Every entry has the address of its machine."
        if action.rule == "shell" and row and row.instance is None:
            alias = row.entry.alias
            return f"{alias} is no machine of the list. In a terminal: ssh {shlex.quote(alias)}"
        return super().why_not(action)

    @property
    def _drifted(self) -> list[str]:
        rows = self.workbench.hosts.state.rows
        return [row.entry.alias for row in rows if row.curable]

    def show(self, event: Event) -> None:
        super().show(event)
        if isinstance(event, HostsChanged):
            self.paint()

    def refresh_now(self) -> None:
        self.workbench.inventory.refresh()
        self._look()

    @work(exclusive=True, group="hosts")
    async def _look(self) -> None:
        await self.workbench.hosts.look()
        self.paint()

    def paint(self) -> None:
        if not self.is_mounted:
            return
        self.table.show_hosts(self.workbench.hosts.state.rows, self.query_text)
        face, rows = self.query_one(Face), bool(self.table.row_count)
        face.display, self.table.display = not rows, rows
        if rows and self.focused is None:
            self.table.focus()
        elif not rows:
            self._paint_face(face)
        self._paint_told()
        self.refresh_footer()

    def _paint_face(self, face: Face) -> None:
        hosts = self.workbench.hosts
        if hosts.state.rows:
            face.say("No entry matches the filter.", "", [("Esc", "clear the filter")])
        elif not hosts.state.looked:
            face.work("Reading the ssh config …")
        else:
            face.say(
                f"No entry for a single host in {short(hosts.entries.config_file)}.",
                "An entry gives a machine a name that ssh, scp, rsync and VS Code know. cloudtui "
                "keeps its address in step when the machine gets another one.",
                [("n", "add a machine"), ("h", "the same, on the list of machines")],
            )

    def _paint_told(self) -> None:
        told, row = self.query_one("#told", Static), self.row
        told.display = bool(row and row.drifts)
        if row:
            told.update("\n".join(drift.words for drift in row.drifts))

    @on(KeyedTable.Moved)
    def _moved(self) -> None:
        self._paint_told()
        self.refresh_footer()

    @on(KeyedTable.RowSelected)
    def _row_selected(self) -> None:
        self.action_do("host.show")

    def on_screen_resume(self) -> None:
        if self.is_mounted:
            self._look()

    # Actions on the entry under the cursor

    def show_host(self) -> None:
        if self.row:
            self.cloudtui.show_host(self.row)

    def sync_host(self) -> None:
        if self.row:
            self.cloudtui.sync_hosts([self.row.entry.alias])

    def sync_hosts(self) -> None:
        self.cloudtui.sync_hosts(self._drifted)

    def edit_host(self) -> None:
        if self.row:
            self.cloudtui.edit_host(self.row)

    def remove_host(self) -> None:
        if self.row:
            self.cloudtui.remove_host(self.row)

    def copy(self) -> None:
        if self.row:
            text = f"ssh {shlex.quote(self.row.entry.alias)}"
            self.app.copy_to_clipboard(text)
            self.cloudtui.say(f"Copied {text}")

    def open_hosts(self) -> None:
        """They are in front."""
