"""The tunnels: where from, where to, how they fare."""

from __future__ import annotations

from contextlib import ExitStack

from textual import on, work
from textual.app import ComposeResult
from textual.widgets import Static

from cloudtui.core.events import Event, Severity, TunnelsChanged
from cloudtui.model.instance import Instance
from cloudtui.model.tunnel import Direction, TunnelPhase, TunnelState
from cloudtui.model.words import plural
from cloudtui.ui.actions import Action, Where
from cloudtui.ui.screens.area import bindings
from cloudtui.ui.screens.dialogs import Ask
from cloudtui.ui.screens.list_area import FilterField, ListArea
from cloudtui.ui.widgets.face import Face
from cloudtui.ui.widgets.frame import Footer, Header
from cloudtui.ui.widgets.keyed_table import KeyedTable
from cloudtui.ui.widgets.tunnels_table import TunnelsTable


class TunnelsScreen(ListArea):
    """A table over what the tunnel under the cursor says went wrong last."""

    WHERE = Where.TUNNELS
    BINDINGS = bindings(Where.TUNNELS)
    AUTO_FOCUS = "TunnelsTable"

    def __init__(self) -> None:
        super().__init__()
        self._watching = ExitStack()

    def compose(self) -> ComposeResult:
        yield Header(self.WHERE)
        yield FilterField(placeholder="words such as 8888, bert, reconnecting")
        yield TunnelsTable()
        yield Face(id="face")
        yield Static(id="told", markup=False)
        yield Footer(self.footer_keys)

    def on_mount(self) -> None:
        super().on_mount()
        self._watching.enter_context(self.workbench.tunnels.watched())
        self.set_interval(1, self.paint)
        self.paint()

    def on_unmount(self) -> None:
        self._watching.close()

    @property
    def table(self) -> TunnelsTable:
        return self.query_one(TunnelsTable)

    @property
    def tunnel(self) -> TunnelState | None:
        """The tunnel under the cursor."""
        found = self.workbench.tunnels.states
        return next((t for t in found if t.key == self.table.key), None)

    @property
    def instance(self) -> Instance | None:
        """The machine that it leads to."""
        tunnel = self.tunnel
        return self.workbench.inventory.by_id(tunnel.instance_id) if tunnel else None

    def why_not(self, action: Action) -> str:
        if not action.id.startswith("tunnel."):
            return super().why_not(action)
        tunnel = self.tunnel
        if tunnel is None:
            return "No tunnel is selected. Press 1, then t on a machine, to open one."
        if action.id == "tunnel.browser" and tunnel.direction is not Direction.LOCAL:
            return "Only a tunnel that leads to a port there can be opened in the browser."
        if action.id == "tunnel.again" and tunnel.phase is TunnelPhase.UP:
            return f"{tunnel.where} is up."
        return ""

    def show(self, event: Event) -> None:
        super().show(event)
        if isinstance(event, TunnelsChanged):
            self.paint()

    @on(KeyedTable.Moved)
    def _moved(self) -> None:
        self._paint_told()
        self.refresh_footer()

    def refresh_now(self) -> None:
        self.workbench.inventory.refresh()

    def paint(self) -> None:
        tunnels, face = self.workbench.tunnels.states, self.query_one(Face)
        self.table.show_tunnels(tunnels, self.query_text)
        rows = bool(self.table.row_count)
        face.display, self.table.display = not rows, rows
        self._paint_told()
        if rows and self.focused is None:
            self.table.focus()
        elif not rows and tunnels:
            face.say("No tunnel matches the filter.", "", [("Esc", "clear the filter")])
        elif not rows:
            face.say(
                "No tunnel is open.",
                "A tunnel brings a port of a machine here: TensorBoard, Ray, Dask, a database. "
                "It goes on by itself after a cut, and its local port never closes meanwhile.",
                [("1 then t", "open one to the machine under the cursor")],
            )
        self.refresh_footer()

    def _paint_told(self) -> None:
        told, tunnel = self.query_one("#told", Static), self.tunnel
        problem = (tunnel.error or tunnel.problem) if tunnel else None
        told.display = problem is not None
        told.update(str(problem) if problem else "")

    # Doing

    def copy(self) -> None:
        if tunnel := self.tunnel:
            address = self._address(tunnel)
            self.cloudtui.copy_to_clipboard(address)
            self.cloudtui.say(f"Copied {address}")

    def _address(self, tunnel: TunnelState) -> str:
        match tunnel.direction:
            case Direction.DYNAMIC:
                return f"socks5h://localhost:{tunnel.local_port}"
            case Direction.REMOTE:
                return f"localhost:{tunnel.remote_port}"
        return f"http://localhost:{tunnel.local_port}/"

    @work(group="tunnel")
    async def browse(self) -> None:
        if tunnel := self.tunnel:
            address = self._address(tunnel)
            if not await self.workbench.browse(address):
                self.cloudtui.say(f"No browser was opened here: {address}", Severity.WARNING)

    @work(group="tunnel")
    async def again(self) -> None:
        if tunnel := self.tunnel:
            await self.went_well(self.workbench.tunnels.retry(tunnel.key))

    @work(group="tunnel")
    async def close_tunnel(self) -> None:
        tunnel = self.tunnel
        if tunnel is None:
            return
        if tunnel.connections:
            agreed = await self.app.push_screen_wait(
                Ask(
                    f"Close {tunnel.where}?",
                    f"{plural(tunnel.connections, 'connection')} through it will be cut.",
                    "Close it",
                )
            )
            if not agreed:
                return
        if await self.went_well(self.workbench.tunnels.close_one(tunnel.key)):
            self.cloudtui.say(f"Closed {tunnel.where}.")
