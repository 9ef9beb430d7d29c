"""The runs of every running machine: how they fare, and what can be done with them."""

from __future__ import annotations

from textual import on, work
from textual.app import ComposeResult
from textual.widgets import Static

from cloudtui.core.events import Event, InventoryChanged, JobsChanged, Severity
from cloudtui.core.jobs import HostJobs, Jobs
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance, State
from cloudtui.model.job import Job
from cloudtui.model.job_filter import job_matches, name_in_list
from cloudtui.model.last_seen import AwayRuns
from cloudtui.model.words import listed, plural
from cloudtui.ui.actions import Action, Where
from cloudtui.ui.run_views import (
    copy_of,
    forget_question,
    remove_ended_question,
    remove_question,
    second_question,
    stop_question,
    why_not_run,
)
from cloudtui.ui.screens.area import bindings
from cloudtui.ui.screens.hosts_area import HostsArea
from cloudtui.ui.screens.list_area import FilterField
from cloudtui.ui.widgets.face import Face
from cloudtui.ui.widgets.frame import Footer, Header
from cloudtui.ui.widgets.keyed_table import KeyedTable
from cloudtui.ui.widgets.run_details import RunPanel, about_host, about_run
from cloudtui.ui.widgets.runs_table import RunsTable, row_key

REFRESH_SECONDS = 3.0
"""How often the hosts with an open connection are asked while the list is in front."""
PAINT_SECONDS = 1.0
SOON_SECONDS = 0.05
"""What many hosts answer in so long is painted once."""
DETAILS_FROM = 20
"""Terminal rows from which the details are shown unless they are switched off."""


class RunsScreen(HostsArea):
    """See `HostsArea` for which hosts are asked by themselves."""

    WHERE = Where.RUNS
    BINDINGS = bindings(Where.RUNS)
    AUTO_FOCUS = "RunsTable"
    LEFT_OUT = (*HostsArea.LEFT_OUT, "machine.shell")

    def __init__(self) -> None:
        super().__init__()
        self._hosts: tuple[HostJobs, ...] = ()
        self._away: tuple[AwayRuns, ...] = ()
        self._wish: bool | None = None
        """The details are shown; None: when the terminal is tall enough."""
        self._refreshing = self._due = False
        self._remembered = 0
        """Of how many machines runs are shown that were seen by an earlier console."""
        self._wanted = ""
        """The row that the cursor is to go to once it is there."""

    def compose(self) -> ComposeResult:
        yield Header(self.WHERE)
        yield FilterField(placeholder="words such as bert, state:running, host:gpu*, exit:1")
        yield Static(id="trouble", markup=False)
        yield RunsTable()
        yield Face(id="face")
        yield RunPanel()
        yield Footer(self.footer_keys)

    def on_mount(self) -> None:
        super().on_mount()
        self.set_interval(REFRESH_SECONDS, self._refresh_in_front)
        self.set_interval(PAINT_SECONDS, self._paint_in_front)
        self.paint()
        self._refresh_in_front()

    # What is under the cursor

    @property
    def _known(self) -> tuple[HostJobs | AwayRuns, ...]:
        """The hosts, the machines that do not run, and what was seen before of hosts that were
        not asked."""
        return (*self._hosts, *self._away)

    @property
    def table(self) -> RunsTable:
        return self.query_one(RunsTable)

    @property
    def _place(self) -> tuple[HostJobs | AwayRuns, Job | None] | None:
        """The host under the cursor, and its run there."""
        machine, _, run = (self.table.key or "").partition("/")
        for host in self._known:
            if host.instance.id == machine:
                named = (job for job in host.jobs if name_in_list(job) == run)
                job = next(named, None)
                if job or not run:
                    return host, job
        return None

    @property
    def instance(self) -> Instance | None:
        return self._place[0].instance if self._place else None

    @property
    def job(self) -> Job | None:
        """The run under the cursor."""
        return self._place[1] if self._place else None

    def want(self, instance: Instance, job: Job) -> None:
        """Put the cursor on a run, now or as soon as it is there."""
        self._wanted = row_key(instance, job)
        if self.is_mounted:
            self.paint()

    def why_not(self, action: Action) -> str:
        if action.id == "session.ask_all":
            return "They are being asked. Esc stops that." if self._asking else ""
        choose = self.instance is None and not self.workbench.read_only
        if action.id == "run.new_run" and choose:
            return "" if self._hosts else "No machine runs. Press 1, then u on one, to start it."
        if action.id == "run.remove_ended":
            return super().why_not(action) if self._ended() else "No run in the list has ended."
        if action.id.startswith("run.") and action.id != "run.new_run":
            place = self._place
            host = place[0] if place else None
            if isinstance(host, AwayRuns):
                return _why_not_away(action, host)
            if host and place and place[1] is None and host.state.updated is None:
                return f"The runs of {host.instance.spoken} are not known yet. Press A to ask."
            if place is None or place[1] is None:
                return "No run is selected. Press n to start one."
            if reason := why_not_run(action, place[1]):
                return reason
        return super().why_not(action)

    # Painting

    def show(self, event: Event) -> None:
        super().show(event)
        again = isinstance(event, JobsChanged) and event.state.loading and event.state.updated
        if isinstance(event, JobsChanged | InventoryChanged) and not again and not self._due:
            self._due = True
            self.set_timer(SOON_SECONDS, self._paint_due)

    def _paint_due(self) -> None:
        self._due = False
        self.paint()

    def _paint_in_front(self) -> None:
        if self.app.screen is self:
            self.paint()

    def paint(self) -> None:
        self._hosts, query = self.workbench.jobs.hosts, self.query_text
        last_seen = self.workbench.last_seen
        unasked = [h.instance for h in self._hosts if h.state.updated is None]
        before = [seen for instance in unasked if (seen := last_seen.before(instance))]
        filling = self.fills() or (len(before) > self._remembered and not self.table.chosen)
        self._remembered = len(before)
        self._away = (*before, *last_seen.hosts)
        runs = [
            (host.instance, job, isinstance(host, HostJobs) and host.state.error is not None)
            for host in self._known
            for job in host.jobs
            if job_matches(job, host.instance.spoken, query)
        ]
        notes = [
            (host.instance, words, host.state.error.title if host.state.error else "")
            for host in self._hosts
            if (words := _words(host)) and query.casefold() in host.instance.spoken.casefold()
        ]
        any_runs = any(host.jobs for host in self._known)
        show_notes = notes if runs or not any_runs or not query else []
        self.table.show_runs(runs, show_notes, filling=filling)
        if self._wanted in self.table.keys_shown:
            self.table.select(self._wanted)
            self._wanted = ""
        self.paint_rows()
        self.tell_trouble(*self._missing_output())
        self._paint_details()
        self.refresh_footer()

    def paint_face(self, face: Face) -> None:
        count = sum(len(host.jobs) for host in self._known)
        if count:
            face.say(
                "No run matches the filter.",
                f"{plural(count, 'run')} without it.",
                [("Esc", "clear the filter")],
            )
        elif self._hosts:
            face.say(
                "No run on a machine that runs now.",
                "A run is a command that goes on when the connection ends, this computer sleeps or "
                "cloudtui is left: with its log, exit code, progress and what is to happen then. "
                "Those of a stopped machine are shown as they were last seen.",
                [("n", "start one"), ("cloudtui run NAME -- CMD", "in a shell")],
            )
        else:
            self.paint_no_hosts(face, "The runs")

    def _missing_output(self) -> list[str]:
        """Of which runs that go on output was lost, since their hosts' disks were full."""
        names = [
            f"{job.id} on {host.instance.spoken}"
            for host in self._hosts
            for job in host.state.jobs
            if job.missing and not job.state.over
        ]
        return [f"The disk was full: output of {listed(names, 3)} is missing."] if names else []

    def _paint_details(self) -> None:
        panel, place = self.query_one(RunPanel), self._place
        tall = self.app.size.height >= DETAILS_FROM
        wanted = tall if self._wish is None else self._wish
        panel.display = wanted and self.table.display and place is not None
        if not panel.display or place is None:
            return
        host, job = place
        away = host if isinstance(host, AwayRuns) else None
        if job is not None:
            price = self.workbench.prices.price(host.instance)
            width = self.app.size.width - 3  # its padding, and a bar to scroll with
            lost = host.state if isinstance(host, HostJobs) and host.state.error else None
            panel.tell(about_run(job, host.instance, price, away, lost=lost, width=width))
        elif isinstance(host, HostJobs):
            panel.tell(about_host(host.instance, host.state.error))

    def toggle_details(self) -> None:
        self._wish = not self.query_one(RunPanel).display
        self._paint_details()

    @on(KeyedTable.Moved)
    def _moved(self) -> None:
        self._paint_details()
        self.refresh_footer()

    def on_resize(self) -> None:
        self.paint()

    # Asking

    @property
    def asked(self) -> Jobs:
        return self.workbench.jobs

    def _refresh_in_front(self) -> None:
        if not self._refreshing:
            super()._refresh_in_front()

    async def refresh_connected(self) -> None:
        self._refreshing = True
        try:
            await self.workbench.last_seen.load()
            self.paint()
            await super().refresh_connected()
        finally:
            self._refreshing = False

    def open_runs(self) -> None:
        """It is open."""

    # Doing

    @on(KeyedTable.RowSelected)
    def _row_selected(self) -> None:
        self.action_do("run.view")

    def open_run_log(self) -> None:
        """The log; a session that was begun by hand has none and is attached."""
        place = self._place
        if place is None or place[1] is None:
            return
        if place[1].by_hand:
            self.cloudtui.attach_run(place[0].instance, place[1])
        else:
            self.cloudtui.open_run_log(place[0].instance, place[1])

    def attach_run(self) -> None:
        if self.instance and self.job:
            self.cloudtui.attach_run(self.instance, self.job)

    def new_run(self) -> None:
        self.cloudtui.new_run(self.instance)

    @work(group="run")
    async def stop_run(self) -> None:
        instance, job = self.instance, self.job
        if instance is None or job is None:
            return
        if not await self.app.push_screen_wait(stop_question(instance, job)):
            return
        self.cloudtui.say(f"Stopping {job.id} on {instance.spoken} …")
        self.workbench.alerts.expect(instance.id, job.id)
        if await self.went_well(self.workbench.jobs.stop(instance, job)):
            self.cloudtui.say(f"Stopped {job.id} on {instance.spoken}.")
        else:
            self.workbench.alerts.unexpect(instance.id, job.id)

    @work(group="run")
    async def rerun(self) -> None:
        instance, job = self.instance, self.job
        if instance is None or job is None:
            return
        active = not job.state.over and not job.by_hand
        if active and not await self.app.push_screen_wait(second_question(instance, job)):
            return
        try:
            again = await self.workbench.jobs.rerun(instance, job)
        except CloudtuiError as error:
            self.cloudtui.fail(error)
            return
        self.want(instance, again)
        self.cloudtui.say(f"{job.id} on {instance.spoken} was started again as {again.id}.")

    @work(group="run")
    async def remove_run(self) -> None:
        instance, job, place = self.instance, self.job, self._place
        if instance is None or job is None or place is None:
            return
        if isinstance(place[0], AwayRuns):
            await self._forget(place[0], job)
            return
        agreed = await self.app.push_screen_wait(remove_question(instance, job))
        if agreed and await self.went_well(self.workbench.jobs.remove(instance, job)):
            self.cloudtui.say(f"Removed {job.id} of {instance.spoken}, its log included.")

    def _ended(self) -> list[tuple[Instance, list[Job]]]:
        """By machine, of those that run, the runs in the list that are done with."""
        found = [
            (
                host.instance,
                [
                    job
                    for job in host.jobs
                    if job.done_with and job_matches(job, host.instance.spoken, self.query_text)
                ],
            )
            for host in self._hosts
        ]
        return [(instance, jobs) for instance, jobs in found if jobs]

    @work(group="run")
    async def remove_ended(self) -> None:
        ended = self._ended()
        agreed = await self.app.push_screen_wait(remove_ended_question(ended, self.query_text))
        if not agreed:
            return
        removed = 0
        for instance, jobs in ended:
            self.cloudtui.say(f"Removing {plural(len(jobs), 'run')} of {instance.spoken} …")
            if await self.went_well(self.workbench.jobs.remove_all(instance, jobs)):
                removed += len(jobs)
        if removed:
            self.cloudtui.say(f"Removed {plural(removed, 'run')}, logs included.")

    async def _forget(self, away: AwayRuns, job: Job) -> None:
        if not await self.app.push_screen_wait(forget_question(away, job)):
            return
        try:
            await self.workbench.last_seen.forget(away.instance, {job.id})
        except OSError as error:
            self.cloudtui.say(
                f"What was last seen of {job.id} cannot be removed here: {error.strerror}.",
                Severity.WARNING,
                "Make ~/.local/state/cloudtui writable.",
            )
            return
        self.cloudtui.say(f"Forgot {job.id} on {away.instance.spoken}.")
        self.paint()

    @work(group="run")
    async def copy(self) -> None:
        job = self.job
        if job and (text := await copy_of(self.cloudtui, job)):
            self.cloudtui.copy_to_clipboard(text)
            self.cloudtui.say(f"Copied {text}")


def _why_not_away(action: Action, away: AwayRuns) -> str:
    """Why an action cannot be done to a run as it was last seen; empty when it can."""
    removable = away.instance.state is not State.RUNNING
    if action.id == "run.copy" or (action.id == "run.remove_run" and removable):
        return ""
    machine = away.instance
    if machine.state is State.RUNNING:
        return f"The runs of {machine.spoken} are not known yet. Press A to ask."
    if away.terminated:
        return f"{machine.spoken} is {machine.state}: what is shown below is all that is left."
    if machine.state is State.STOPPED:
        return f"{machine.spoken} is stopped. Press 1, then u on it, to start it."
    return f"{machine.spoken} is {machine.state}. {away.next}"


def _words(host: HostJobs) -> str:
    """Why a host has no rows of its own; empty when it needs none."""
    if host.state.error:
        return "not listed"
    if host.state.updated is None:
        return "asking …" if host.state.loading else "not asked"
    return ""
