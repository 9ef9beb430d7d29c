"""The Jupyter servers of every running machine: kernels, terminals, what they hold."""

from __future__ import annotations

from collections.abc import Awaitable

from textual import on, work
from textual.app import ComposeResult
from textual.widgets import Static

from cloudtui.core.events import Event, InventoryChanged, NotebooksChanged, RecordingsChanged
from cloudtui.core.notebooks import HostNotebooks, Notebooks, wants_password
from cloudtui.model.instance import Instance
from cloudtui.model.words import plural
from cloudtui.ui.actions import Action, Where
from cloudtui.ui.screens.area import bindings
from cloudtui.ui.screens.hosts_area import HostsArea
from cloudtui.ui.screens.list_area import FilterField
from cloudtui.ui.screens.notebook_recordings import NotebookRecordings
from cloudtui.ui.widgets.face import Face
from cloudtui.ui.widgets.frame import Footer, Header
from cloudtui.ui.widgets.keyed_table import KeyedTable
from cloudtui.ui.widgets.notebooks_table import NotebooksTable, Place, places

REFRESH_SECONDS = 5.0
"""How often the hosts with an open connection are asked while the panel is in front."""

KERNEL_ONLY = ("notebooks.interrupt", "notebooks.restart", "notebooks.log", "notebooks.run_all")


class NotebooksScreen(HostsArea, NotebookRecordings):
    """See `HostsArea` for which hosts are asked by themselves."""

    WHERE = Where.NOTEBOOKS
    BINDINGS = bindings(Where.NOTEBOOKS)
    AUTO_FOCUS = "NotebooksTable"

    def __init__(self) -> None:
        super().__init__()
        self._hosts: tuple[HostNotebooks, ...] = ()

    def compose(self) -> ComposeResult:
        yield Header(self.WHERE)
        yield FilterField(placeholder="words such as train.ipynb, state:busy, host:gpu*, terminal")
        yield Static(id="trouble", markup=False)
        yield NotebooksTable()
        yield Face(id="face")
        yield Static(id="told", markup=False)
        yield Footer(self.footer_keys)

    def on_mount(self) -> None:
        super().on_mount()
        self.set_interval(REFRESH_SECONDS, self._refresh_in_front)
        self.paint()
        self._refresh_in_front()

    @property
    def asked(self) -> Notebooks:
        return self.workbench.notebooks

    async def refresh_connected(self) -> None:
        await super().refresh_connected()
        with_servers = [host.instance for host in self._hosts if host.connected and host.servers]
        await self.workbench.recordings.refresh(with_servers)

    # What is under the cursor

    @property
    def table(self) -> NotebooksTable:
        return self.query_one(NotebooksTable)

    @property
    def place(self) -> Place | None:
        """What the row under the cursor stands for, as it is now."""
        key = self.table.key
        return next((p for h in self._hosts for p in places(h) if p.key == key), None)

    @property
    def instance(self) -> Instance | None:
        return self.place.instance if self.place else None

    @property
    def notebook(self) -> tuple[str, str] | None:
        kernel = self.place.kernel if self.place else None
        return (kernel.id, kernel.path) if kernel else None

    def why_not(self, action: Action) -> str:
        place = self.place
        if action.id == "notebooks.ask_all":
            return "They are being asked. Esc stops that." if self._asking else ""
        if reason := super().why_not(action):
            return reason
        if place is None or not action.id.startswith("notebooks."):
            return ""
        if action.id in KERNEL_ONLY and place.kernel is None:
            return "No kernel is selected."
        if action.id == "notebooks.shutdown" and place.server is None:
            return f"No Jupyter server of {place.instance.spoken} is known."
        if action.id == "notebooks.password":
            wanted = place.server and wants_password(place.server)
            return "" if wanted else "No server that wants its password is selected."
        return ""

    # Showing

    def show(self, event: Event) -> None:
        super().show(event)
        if isinstance(event, NotebooksChanged | RecordingsChanged | InventoryChanged):
            self.paint()

    @on(KeyedTable.Moved)
    def _moved(self) -> None:
        self._paint_told()
        self.refresh_footer()

    def paint(self) -> None:
        self._hosts = self.workbench.notebooks.hosts
        recorded = {
            h.instance.id: self.workbench.recordings.state(h.instance.id) for h in self._hosts
        }
        self.table.show_hosts(self._hosts, self.query_text, recorded)
        self.paint_rows()
        self.tell_trouble()
        self._paint_told()
        self.refresh_footer()

    def paint_face(self, face: Face) -> None:
        if self._hosts:
            count = sum(len(host.servers) for host in self._hosts)
            without = f"{plural(count, 'Jupyter server')} without it."
            face.say("Nothing matches the filter.", without, [("Esc", "clear the filter")])
        else:
            self.paint_no_hosts(face, "The Jupyter servers, kernels and terminals")

    def _paint_told(self) -> None:
        told, words = self.query_one("#told", Static), self._words()
        told.display = bool(words)
        told.update(words)

    def _words(self) -> str:
        """What there is to say of the row under the cursor."""
        place = self.place
        if place is None:
            return ""
        if place.server is None:
            state = self.workbench.notebooks.state(place.instance.id)
            if state.error:
                return "\n".join(
                    part
                    for part in (state.error.title, state.error.detail, state.error.hint)
                    if part
                )
            if state.servers is None:
                return "A connects to every host and asks it; J opens Jupyter on this one."
            return "n starts a Jupyter server there."
        error = place.server.error
        if error and wants_password(place.server):
            return (
                f"{error.title} p gives it; Enter opens the server in the browser, which asks too."
            )
        return str(error) if error else ""

    def open_notebooks(self) -> None:
        """It is open."""

    # Doing

    def open_notebook(self) -> None:
        """The notebook or the server in the browser; a host without one starts it."""
        if place := self.place:
            self.cloudtui.open_jupyter(
                place.instance,
                server=place.server.server if place.server else None,
                notebook=place.kernel.path if place.kernel else "",
            )

    @work(group="act")
    async def new_server(self) -> None:
        from cloudtui.ui.screens.notebook_dialogs import NewServer

        place = self.place
        if place is None:
            return
        wish = await self.app.push_screen_wait(NewServer(place.instance))
        if wish:
            self.cloudtui.open_jupyter(place.instance, wish)

    @work(group="act")
    async def interrupt(self) -> None:
        place = self.place
        if place and place.server and place.kernel:
            doing = self.workbench.notebooks.interrupt(place.instance, place.server, place.kernel)
            if await self.went_well(doing):
                where = f"{place.kernel.spoken} on {place.instance.spoken}"
                self.cloudtui.say(f"Interrupted the kernel of {where}.")

    @work(group="act")
    async def restart_kernel(self) -> None:
        from cloudtui.ui.screens.notebook_dialogs import kernel_question

        place = self.place
        if not (place and place.server and place.kernel):
            return
        machine, server, kernel = place.instance, place.server, place.kernel
        question = kernel_question(machine, server, kernel, restart=True)
        if await self.app.push_screen_wait(question) and await self.went_well(
            self.workbench.notebooks.restart(machine, server, kernel)
        ):
            self.cloudtui.say(f"Restarted the kernel of {kernel.spoken} on {machine.spoken}.")

    @work(group="act")
    async def shut_down(self) -> None:
        from cloudtui.ui.screens import notebook_dialogs

        place, notebooks = self.place, self.workbench.notebooks
        if place is None or place.server is None:
            return
        machine, server = place.instance, place.server
        doing: Awaitable[None]
        if kernel := place.kernel:
            question = notebook_dialogs.kernel_question(machine, server, kernel, restart=False)
            what = f"the kernel of {kernel.spoken}"
        elif place.terminal:
            question = notebook_dialogs.terminal_question(machine, server, place.terminal)
            what = f"terminal {place.terminal}"
        else:
            question = notebook_dialogs.server_question(machine, server)
            what = f"the Jupyter server on port {server.server.port}"
        if not await self.app.push_screen_wait(question):
            return
        if kernel:
            doing = notebooks.shutdown(machine, server, kernel)
        elif place.terminal:
            doing = notebooks.shutdown_terminal(machine, server, place.terminal)
        else:
            doing = notebooks.shutdown_server(machine, server)
        if await self.went_well(doing):
            self.cloudtui.say(f"Shut down {what} on {machine.spoken}.")

    @work(group="act")
    async def give_password(self) -> None:
        place = self.place
        if place and place.server:
            await self.went_well(
                self.workbench.notebooks.log_in(place.instance, place.server.server)
            )
