"""The log of one run, live: followed over reconnects, searched, wrapped, scrolled back."""

from __future__ import annotations

from datetime import UTC, datetime
from time import monotonic

from textual import on, work
from textual.content import Content
from textual.widgets import Static

from cloudtui.core.events import Event, JobsChanged
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance
from cloudtui.model.job import Job
from cloudtui.model.log_lines import LINES_KEPT
from cloudtui.model.training import parts, sparkline
from cloudtui.model.words import data_size, duration, plural
from cloudtui.ui.actions import Action, Where
from cloudtui.ui.run_views import stop_question, why_not_run
from cloudtui.ui.screens.area import bindings
from cloudtui.ui.screens.log_area import LogArea
from cloudtui.ui.widgets.face import Face
from cloudtui.ui.widgets.log_view import LogView
from cloudtui.ui.widgets.run_details import log_path
from cloudtui.ui.widgets.runs_table import COLOURS, GLYPHS

LINES_FIRST = 2000
"""Lines from the end of the log that are shown at first."""
SPARKS_SHOWN = 16
REFRESH_SECONDS = 3.0
OLDER_SECONDS = 1.0
"""How long older lines may take to come while the view stays where it is."""


class RunLogScreen(LogArea):
    """The state above, the lines below; at the end it follows."""

    WHERE = Where.RUN_LOG
    BINDINGS = bindings(Where.RUN_LOG)

    def __init__(self, instance: Instance, job: Job) -> None:
        super().__init__()
        self._instance, self._job = instance, job
        self._lines = LINES_FIRST
        self._stay: tuple[int, float] | None = None
        """Older lines are read: so many were below the top, and until when to keep them there."""

    def on_mount(self) -> None:
        self.query_one(Face).work(f"Reading the log of {self._job.id} …   Esc goes back")
        self.set_interval(REFRESH_SECONDS, self._refresh)
        self._follow()

    @property
    def instance(self) -> Instance:
        return self._instance

    @property
    def job(self) -> Job:
        """The run as it was last listed."""
        jobs = self.workbench.jobs.state(self._instance.id).jobs
        self._job = next(
            (job for job in jobs if job.id == self._job.id and not job.by_hand), self._job
        )
        return self._job

    def why_not(self, action: Action) -> str:
        return why_not_run(action, self.job) or super().why_not(action)

    def show(self, event: Event) -> None:
        super().show(event)
        if isinstance(event, JobsChanged) and event.state.instance_id == self._instance.id:
            self.title_now()
            self.refresh_footer()

    # What is shown above

    def title_now(self) -> None:
        if not self.is_attached:
            return
        job, view = self.job, self.view
        elapsed = job.elapsed(datetime.now(UTC))
        told = []
        if view.hits:
            told.append(f"{view.hit + 1} of {len(view.hits)} found")
        if self._trouble:
            told.append(self._trouble)
        elif not job.state.over:
            told.append("following" if view.following else "G follows")
        if self._left_out:
            told.append(f"{data_size(self._left_out)} left out")
        if job.missing:
            told.append("disk was full: output is missing")
        told.append(duration(elapsed.total_seconds()) if elapsed is not None else "")
        told.append(data_size(job.log_bytes) if job.log_bytes else "")
        state = Content.styled(f"{GLYPHS[job.state]} {job.words}", f"${COLOURS[job.state]}")
        self.query_one("#title", Static).update(
            Content.assemble(
                (f"{job.id} on {self._instance.spoken}", "bold"),
                "   ",
                state,
                ("   " + "   ".join(part for part in told if part), "$foreground-muted"),
            )
        )
        doing = self.query_one("#doing", Static)
        words = parts(job.training)
        doing.display = bool(words)
        spark = sparkline(job.training.losses, SPARKS_SHOWN)
        line = Content(f"{spark}  {'   '.join(words)}".strip())
        doing.update(line.stylize("bold $error") if job.training.broken else line)

    @work(group="list", exclusive=True)
    async def _refresh(self) -> None:
        if self.app.screen is self and not self.job.state.over:
            await self.workbench.jobs.refresh(ask=False)

    # What comes

    @work(group="follow", exclusive=True)
    async def _follow(self) -> None:
        try:
            await self.workbench.jobs.follow(
                self._instance,
                self._job,
                lines=self._lines,
                on_bytes=self.take,
                on_trouble=self._in_trouble,
            )
        except CloudtuiError as error:
            self._trouble = error.title
            if not self._got_any:
                face = self.query_one(Face)
                face.fail(error, [("Ctrl-r", "try again now"), ("Esc", "go back")])
        else:
            self._trouble = ""
        self._came.set()
        self.title_now()

    def _in_trouble(self, error: CloudtuiError | None) -> None:
        """The connection is lost, and is made again; or, with None, it is back."""
        self._trouble = f"{error.title} It goes on by itself." if error else ""
        self.title_now()

    def empty(self) -> None:
        ended = self.job.state.over
        self.query_one(Face).say(
            f"{self._job.id} has printed nothing{'' if ended else ' yet'}.",
            "" if ended else "What it prints is shown here as it comes.",
            [("Esc", "go back")],
        )

    def refresh_now(self) -> None:
        """Read the log anew."""
        self.start_anew()
        self._follow()

    @on(LogView.AtTop)
    def _older(self) -> None:
        """Read more of the log, unless all of it is here, or as much as is kept."""
        there = len(self.view.log_lines)
        if self._stay is None and self._lines <= there and self._lines < LINES_KEPT:
            self._lines = min(LINES_KEPT, 4 * self._lines)
            self._stay = (there, monotonic() + OLDER_SECONDS)
            self.start_anew()
            self._follow()

    def taken_in(self) -> None:
        if self._stay is not None:
            below, until = self._stay
            self.view.keep_in_view(below)
            if monotonic() > until:
                self._stay = None

    # Doing

    def copy(self) -> None:
        """Put the lines that are here on the clipboard."""
        count = self.copy_lines()
        self.cloudtui.say(f"Copied {plural(count, 'line')}. All of it is {log_path(self.job)}")

    def attach_run(self) -> None:
        self.cloudtui.attach_run(self._instance, self.job)

    @work(group="run")
    async def stop_run(self) -> None:
        job = self.job
        if not await self.app.push_screen_wait(stop_question(self._instance, job)):
            return
        self.workbench.alerts.expect(self._instance.id, job.id)
        try:
            await self.workbench.jobs.stop(self._instance, job)
        except CloudtuiError as error:
            self.workbench.alerts.unexpect(self._instance.id, job.id)
            self.cloudtui.fail(error)
        self.title_now()
