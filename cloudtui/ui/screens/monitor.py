"""What one machine is doing: GPUs, processors, memory, disks, network, runs and processes."""

from __future__ import annotations

from textual.app import ComposeResult

from cloudtui.core.events import Event, InventoryChanged, JobsChanged, VitalsChanged
from cloudtui.core.vitals import Watch
from cloudtui.model.instance import Instance
from cloudtui.model.vitals import warnings
from cloudtui.ui.actions import Where
from cloudtui.ui.screens.area import Area, bindings
from cloudtui.ui.widgets.board import SPANS, Order, Run, View
from cloudtui.ui.widgets.face import Face
from cloudtui.ui.widgets.frame import Footer, Header
from cloudtui.ui.widgets.monitor_board import MonitorBoard
from cloudtui.ui.work import start_work

RUNS_SHOWN = 2
RUNS_EVERY = 5.0
"""Seconds between two looks at the runs of the machine."""


class MonitorScreen(Area):
    """Live while it is in front or below another screen; the samples stay when it is left."""

    WHERE = Where.MONITOR
    BINDINGS = bindings(Where.MONITOR)
    AUTO_FOCUS = "MonitorBoard"

    def __init__(self, instance: Instance) -> None:
        super().__init__()
        self._instance = instance
        self._watch: Watch | None = None
        self._span = 0
        """Seconds that are shown; 0 for the least that shows all there is."""
        self._order = Order.GPU

    def compose(self) -> ComposeResult:
        yield Header(self.WHERE)
        yield Face(id="face")
        yield MonitorBoard()
        yield Footer(self.footer_keys)

    def on_mount(self) -> None:
        header = self.query_one(Header)
        header.state, header.machine = self.workbench.inventory.state, self._instance.spoken
        self._watch = self.workbench.vitals.watch(self._instance)
        self._look_at_runs()
        self.set_interval(RUNS_EVERY, self._look_at_runs)
        self._paint()

    def on_unmount(self) -> None:
        if self._watch:
            self._watch.close()

    @property
    def instance(self) -> Instance:
        return self._instance

    @property
    def board(self) -> MonitorBoard:
        return self.query_one(MonitorBoard)

    def show(self, event: Event) -> None:
        super().show(event)
        if isinstance(event, InventoryChanged):
            row = next((i for i in event.state.instances if i.id == self._instance.id), None)
            self._instance = row or self._instance
        elif (
            isinstance(event, VitalsChanged | JobsChanged)
            and event.state.instance_id == self._instance.id
        ):
            self._paint()

    def _look_at_runs(self) -> None:
        start_work(self, self._list_runs, group="runs", exclusive=True)

    async def _list_runs(self) -> None:
        if self.workbench.connections.peek(self._instance):
            await self.workbench.jobs.list(self._instance, ask=False)

    def _runs(self) -> list[Run]:
        jobs = self.workbench.jobs.state(self._instance.id).jobs
        alive = [job for job in jobs if not job.state.over and job.training.loss is not None]
        return [Run(job.id, job.training) for job in alive[:RUNS_SHOWN]]

    def _paint(self) -> None:
        state, face = self.workbench.vitals.state(self._instance.id), self.query_one(Face)
        face.display, self.board.display = not state.samples, bool(state.samples)
        if state.samples:
            if self.focused is None:
                self.board.focus()
            trouble = ""
            if not state.live:
                why = state.error.title if state.error else "The machine is asked again."
                trouble = f"{why} It is tried again."
            self.board.show_view(View(state.samples, self._runs(), self.span, self._order, trouble))
        elif state.error:
            face.fail(state.error, [("Ctrl-r", "try again now"), ("Esc", "go back")])
        else:
            face.work(f"Asking {self._instance.label} what it is doing …")

    @property
    def told(self) -> list[str]:
        """The warnings in sight."""
        state = self.workbench.vitals.state(self._instance.id)
        return [words for _, words in warnings(state.samples)]

    # Doing

    @property
    def span(self) -> int:
        """Seconds that the plots show."""
        samples = self.workbench.vitals.state(self._instance.id).samples
        if self._span or not samples:
            return self._span or SPANS[0]
        age = samples[-1].when - samples[0].when
        return next((span for span in SPANS if span >= age), SPANS[-1])

    def zoom(self) -> None:
        self._span = SPANS[(SPANS.index(self.span) + 1) % len(SPANS)]
        self._paint()

    def next_order(self) -> None:
        orders = list(Order)
        self._order = orders[(orders.index(self._order) + 1) % len(orders)]
        self._paint()

    def refresh_now(self) -> None:
        """Begin the stream anew."""
        if self._watch:
            self._watch.close()
        self._watch = self.workbench.vitals.watch(self._instance)
        self._look_at_runs()
        if not self.workbench.vitals.state(self._instance.id).samples:
            self.query_one(Face).work(f"Asking {self._instance.label} what it is doing …")

    # Scrolling

    def row_down(self) -> None:
        self.board.scroll_down(animate=False)

    def row_up(self) -> None:
        self.board.scroll_up(animate=False)

    def page_down(self) -> None:
        self.board.scroll_page_down(animate=False)

    def page_up(self) -> None:
        self.board.scroll_page_up(animate=False)

    def first_row(self) -> None:
        self.board.scroll_home(animate=False)

    def last_row(self) -> None:
        self.board.scroll_end(animate=False)
