"""The log of one run, live: followed over reconnects, searched, wrapped, scrolled back."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from textual import on, work
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Input, Static

from cloudtui.core.events import Event, JobsChanged, Severity
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance
from cloudtui.model.job import Job
from cloudtui.model.log_lines import plain
from cloudtui.model.training import parts, sparkline
from cloudtui.model.words import data_size, duration, plural
from cloudtui.ui.actions import Action, Where
from cloudtui.ui.run_views import stop_question, why_not_run
from cloudtui.ui.screens.area import Area, bindings
from cloudtui.ui.widgets.face import Face
from cloudtui.ui.widgets.frame import Footer
from cloudtui.ui.widgets.log_view import LogView
from cloudtui.ui.widgets.pane_colors import PaneColors
from cloudtui.ui.widgets.run_details import log_path
from cloudtui.ui.widgets.runs_table import COLOURS, GLYPHS

LINES_FIRST = 2000
"""Lines from the end of the log that are shown at first."""
TURN_BYTES = 64 * 1024
"""Taken in before the next key and paint: about 2 ms, at most 15."""
WAITING_MOST = 4 * 1024 * 1024
"""Bytes that came and are not shown yet, beyond which the oldest of them are left out."""
SPARKS_SHOWN = 16
REFRESH_SECONDS = 3.0


class RunLogScreen(Area):
    """The state above, the lines below; at the end it follows."""

    WHERE = Where.RUN_LOG
    BINDINGS = bindings(Where.RUN_LOG)
    AUTO_FOCUS = "LogView"
    CSS = """
    RunLogScreen #title { padding: 0 1; height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    RunLogScreen #doing {
        padding: 0 1; height: 1; color: $accent; text-wrap: nowrap; text-overflow: ellipsis;
    }
    RunLogScreen LogView { padding: 0; }
    RunLogScreen Input { height: 1; border: none; padding: 0 1; background: $panel; dock: bottom; }
    RunLogScreen Input:focus { border: none; background-tint: transparent; }
    """

    def __init__(self, instance: Instance, job: Job) -> None:
        super().__init__()
        self._instance, self._job = instance, job
        self._waiting: list[bytes] = []
        self._waits = 0
        """Bytes in `_waiting`."""
        self._left_out = 0
        self._came = asyncio.Event()
        self._got_any = False
        self._trouble = ""
        """Why nothing comes now."""

    def compose(self) -> ComposeResult:
        yield Static(id="title", markup=False)
        yield Static(id="doing", markup=False)
        yield Face(id="face")
        yield LogView()
        yield Input(placeholder="find", id="find")
        yield Footer(self.footer_keys)

    def on_mount(self) -> None:
        self.query_one(Input).display = False
        self.view.display = False
        self.query_one(Face).work(f"Reading the log of {self._job.id} …   Esc goes back")
        self.app.theme_changed_signal.subscribe(self, lambda _: self._recolour())
        self._recolour()
        self._title()
        self.set_interval(1.0, self._title)
        self.set_interval(REFRESH_SECONDS, self._refresh)
        self._follow()
        self._take_in()

    @property
    def view(self) -> LogView:
        return self.query_one(LogView)

    @property
    def instance(self) -> Instance:
        return self._instance

    @property
    def job(self) -> Job:
        """The run as it was last listed."""
        jobs = self.workbench.jobs.state(self._instance.id).jobs
        self._job = next((job for job in jobs if job.id == self._job.id), self._job)
        return self._job

    def why_not(self, action: Action) -> str:
        return why_not_run(action, self.job) or super().why_not(action)

    def show(self, event: Event) -> None:
        super().show(event)
        if isinstance(event, JobsChanged) and event.state.instance_id == self._instance.id:
            self._title()
            self.refresh_footer()

    def _recolour(self) -> None:
        _, _, base, ink = self.view.colors
        dark = self.app.current_theme.dark
        self.view.repaint(PaneColors(self.app.theme_variables, ink.rgb, base.rgb, dark))

    # What is shown above

    def _title(self) -> None:
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
                lines=LINES_FIRST,
                on_bytes=self._take,
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
        self._title()

    def _in_trouble(self, error: CloudtuiError | None) -> None:
        """The connection is lost, and is made again; or, with None, it is back."""
        self._trouble = f"{error.title} It goes on by itself." if error else ""
        self._title()

    def _take(self, data: bytes) -> None:
        self._waiting.append(data)
        self._waits += len(data)
        while self._waits > WAITING_MOST and len(self._waiting) > 1:
            gone = len(self._waiting.pop(0))
            self._waits -= gone
            self._left_out += gone
        self._came.set()

    @work(group="take in", exclusive=True)
    async def _take_in(self) -> None:
        while True:
            await self._came.wait()
            self._came.clear()
            while self._waiting:
                data = b"".join(self._waiting)
                self._waiting, self._waits = [], 0
                for at in range(0, len(data), TURN_BYTES):
                    self._got_any = True
                    self.view.feed(data[at : at + TURN_BYTES])
                    await asyncio.sleep(0)
            self._show_face()

    def _show_face(self) -> None:
        face, view = self.query_one(Face), self.view
        there = len(view.log_lines) > 0
        if there and not view.display:
            face.display, view.display = False, True
            if self.focused is None:
                view.focus()
        elif not there and not self._trouble:
            ended = self.job.state.over
            face.say(
                f"{self._job.id} has printed nothing{'' if ended else ' yet'}.",
                "" if ended else "What it prints is shown here as it comes.",
                [("Esc", "go back")],
            )

    def refresh_now(self) -> None:
        """Read the log anew."""
        self.view.clear()
        self._got_any, self._trouble, self._left_out = False, "", 0
        self._follow()

    # Moving

    def row_down(self) -> None:
        self.view.move(1)

    def row_up(self) -> None:
        self.view.move(-1)

    def page_down(self) -> None:
        self.view.move(max(1, self.view.size.height - 1))

    def page_up(self) -> None:
        self.view.move(-max(1, self.view.size.height - 1))

    def first_row(self) -> None:
        self.view.to_start()

    def last_row(self) -> None:
        self.view.to_end()

    def log_left(self) -> None:
        self.view.sideways(-1)

    def log_right(self) -> None:
        self.view.sideways(1)

    def toggle_wrap(self) -> None:
        self.view.toggle_wrap()

    @on(LogView.Scrolled)
    def _scrolled(self) -> None:
        self._title()

    # Finding

    def start_filter(self) -> None:
        field = self.query_one(Input)
        field.display = True
        self.set_focus(field)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self.view.find(event.value)
        self._title()

    @on(Input.Submitted)
    def _sought(self, event: Input.Submitted) -> None:
        if event.value and not self.view.hits:
            self.cloudtui.say(f"{event.value!r} is not in it.", Severity.WARNING)
        self._leave_field()

    def _leave_field(self) -> None:
        field = self.query_one(Input)
        field.display = bool(field.value)
        self.view.focus()

    def next_hit(self) -> None:
        self._step(1)

    def previous_hit(self) -> None:
        self._step(-1)

    def _step(self, by: int) -> None:
        if not self.view.step(by):
            self.cloudtui.say("Nothing is looked for. Press / to find a word.", Severity.WARNING)
        self._title()

    def back(self) -> None:
        """Esc: end the search, then go back."""
        field = self.query_one(Input)
        if field.display:
            field.value = ""
            self._leave_field()
        else:
            super().back()

    # Doing

    def copy(self) -> None:
        """Put the lines that are here on the clipboard."""
        log = self.view.log_lines
        lines = [plain(line) for line in log.lines[: len(log)]]
        self.app.copy_to_clipboard("\n".join(lines))
        self.cloudtui.say(f"Copied {plural(len(lines), 'line')}. All of it is {log_path(self.job)}")

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
            self.cloudtui.fail(error)
        self._title()
