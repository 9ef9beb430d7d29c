"""One machine in full: what it is, what it costs, its volumes, open ports, image and tags."""

from __future__ import annotations

from textual import work
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from cloudtui.core.events import (
    DetailsChanged,
    Event,
    InventoryChanged,
    PricesChanged,
    TunnelsChanged,
    VitalsChanged,
)
from cloudtui.core.vitals import Watch
from cloudtui.model.instance import Instance
from cloudtui.ui.actions import Where
from cloudtui.ui.screens.area import Scrolled, bindings
from cloudtui.ui.widgets.details import About, sections
from cloudtui.ui.widgets.frame import Footer, Header


class MachineScreen(Scrolled):
    """Sections that fill as EC2 answers; it follows the machine's row."""

    WHERE = Where.DETAILS
    BINDINGS = bindings(Where.DETAILS)
    CSS = """
    MachineScreen VerticalScroll { padding: 1 2; scrollbar-size-vertical: 1; }
    MachineScreen #text { height: auto; }
    """

    def __init__(self, instance: Instance) -> None:
        super().__init__()
        self._instance = instance
        self._watch: Watch | None = None

    def compose(self) -> ComposeResult:
        yield Header(self.WHERE)
        with VerticalScroll():
            yield Static(id="text")
        yield Footer(self.footer_keys)

    def on_mount(self) -> None:
        header = self.query_one(Header)
        header.state, header.machine = self.workbench.inventory.state, self._instance.spoken
        self._paint()
        self._load()
        if self.workbench.connections.peek(self._instance):
            self._watch = self.workbench.vitals.watch(self._instance, ask=False)

    def on_unmount(self) -> None:
        if self._watch:
            self._watch.close()

    @property
    def instance(self) -> Instance:
        return self._instance

    @property
    def chosen(self) -> tuple[Instance, ...]:
        """The one machine."""
        return (self._instance,)

    def show(self, event: Event) -> None:
        super().show(event)
        if isinstance(event, InventoryChanged):
            row = next((i for i in event.state.instances if i.id == self._instance.id), None)
            if row is not None and row != self._instance:
                changed = row.state is not self._instance.state
                self._instance = row
                if changed:
                    self._load()
                self._paint()
        elif isinstance(event, DetailsChanged):
            if event.instance_id == self._instance.id:
                self._paint()
        elif isinstance(event, VitalsChanged):
            if event.state.instance_id == self._instance.id:
                self._paint()
        elif isinstance(event, PricesChanged | TunnelsChanged):
            self._paint()

    @work(exclusive=True, group="details")
    async def _load(self, fresh: bool = False) -> None:
        await self.workbench.details.load(self._instance, fresh=fresh)
        self._paint()

    def _paint(self) -> None:
        if self.is_mounted:
            about = About.of(self.workbench, self._instance)
            self.query_one("#text", Static).update(sections(about))

    def refresh_now(self) -> None:
        self._load(fresh=True)
