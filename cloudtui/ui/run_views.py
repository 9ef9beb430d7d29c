"""The ways to runs from any screen, the questions about them, and what calls for attention."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, cast

from textual.content import Content
from textual.widgets import Input

from cloudtui.core.attachment import Attachment, OnData
from cloudtui.core.events import Alerted, InventoryState, Severity
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance, State
from cloudtui.model.job import Job
from cloudtui.model.words import listed, plural
from cloudtui.ui.action import Action
from cloudtui.ui.actions import key_words
from cloudtui.ui.work import start_work

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloudtui.model.digest import Digest
    from cloudtui.model.last_seen import AwayRuns
    from cloudtui.ui.app import CloudtuiApp
    from cloudtui.ui.screens.session_dialogs import Destroy

IDLE_SECONDS = 1.5
"""Since the last key; who presses keys just now has something in mind."""


class RunViews:
    """Handlers of the app for the actions in `actions_runs`."""

    @property
    def _run_app(self) -> CloudtuiApp:
        return cast("CloudtuiApp", self)

    def open_runs(self, instance: Instance | None = None, job: Job | None = None) -> None:
        """The list of runs, back to it where it is open; with a run, the cursor on that."""
        from cloudtui.ui.screens.runs import RunsScreen

        app = self._run_app
        while len(app.screen_stack) > 1 and not isinstance(app.screen, RunsScreen):
            app.pop_screen()
        there = app.screen if isinstance(app.screen, RunsScreen) else None
        screen = there or RunsScreen()
        if instance and job:
            screen.want(instance, job)
        if there is None:
            app.push_screen(screen)

    def open_run_log(self, instance: Instance, job: Job) -> None:
        from cloudtui.ui.screens.run_log import RunLogScreen

        self._run_app.push_screen(RunLogScreen(instance, job))

    def attach_run(self, instance: Instance, job: Job) -> None:
        """The session that shows the run, in a pane."""
        start_work(self._run_app, self._attach_run, instance, job, group="run")

    async def _attach_run(self, instance: Instance, job: Job) -> None:
        app, jobs = self._run_app, self._run_app.workbench.jobs
        try:
            session = await jobs.session(instance, job)
        except CloudtuiError as error:
            app.fail(error)
            return
        if session is not None:
            app.open_session(instance, session)
            return

        async def opener(columns: int, rows: int, on_data: OnData) -> Attachment:
            return await jobs.attach(instance, job, columns, rows, on_data)

        app.hand_over(opener, instance)

    def run_here(self) -> None:
        """A new run on the machine that the screen in front is about."""
        self.new_run(getattr(self._run_app.screen, "instance", None))

    def new_run(self, instance: Instance | None) -> None:
        """Ask for a new run and start it; without a machine, which one is asked first."""
        start_work(self._run_app, self._new_run, instance, group="run form")

    async def _new_run(self, instance: Instance | None) -> None:
        from cloudtui.ui.screens.dialogs import Choose
        from cloudtui.ui.screens.run_form import RunForm

        app = self._run_app
        if instance is None:
            known = app.workbench.inventory.state.instances
            running = {i.id: i for i in known if i.state is State.RUNNING}
            names = {i.id: i.label for i in sorted(running.values(), key=lambda i: i.spoken)}
            chosen = await app.push_screen_wait(Choose("A run on which machine?", names))
            if chosen is None:
                return
            instance = running[chosen]
        if reason := app.workbench.why_not("jobs.new", instance):
            app.say(reason, Severity.WARNING)
            return
        started = await app.push_screen_wait(RunForm(instance))
        if started is not None:
            if not started.state.over:
                app.say(f"{started.id} on {instance.spoken} is {started.state}.")
            self.open_runs(instance, started)

    # What ended while nobody looked

    _news: Digest | None = None
    _news_asked = False

    def look_for_news(self, state: InventoryState) -> None:
        """Once the machines are listed for the first time: what ended since the last visit?"""
        if self._news_asked or state.updated is None or state.loading:
            return
        self._news_asked = True
        start_work(self._run_app, self._look_for_news, group="news")

    async def _look_for_news(self) -> None:
        app = self._run_app
        digests = app.workbench.digests
        digests.watch()
        found = await digests.look(everywhere=False, ask=False)
        if found.empty:
            return
        self._news = found
        if self._idle:
            await self._show_news(found)
        else:
            key = key_words(app.keys["go.news"][0])
            app.say(f"{found.words} Press {key} to see it.")

    @property
    def _idle(self) -> bool:
        """Nothing is being typed, opened or chosen that a screen would come over."""
        app = self._run_app
        at_start = len(app.screen_stack) == 1 and not isinstance(app.focused, Input)
        return at_start and monotonic() - app.pressed >= IDLE_SECONDS

    def open_digest(self) -> None:
        """Show again what was told, or look now."""
        start_work(self._run_app, self._open_digest, group="news", exclusive=True)

    async def _open_digest(self) -> None:
        app = self._run_app
        found = self._news
        if found is None:
            found = await app.workbench.digests.look(everywhere=False, ask=False)
        else:
            from cloudtui.model.digest import brought_up

            jobs = app.workbench.jobs
            machines = {each.id: each for each in app.workbench.inventory.state.instances}
            found = brought_up(found, lambda id: jobs.state(id).jobs, machines.get)
        if found.empty:
            app.say("No run ended since the last visit.")
            return
        self._news = found
        await self._show_news(found)

    async def _show_news(self, found: Digest) -> None:
        from cloudtui.ui.screens.digest import DigestScreen

        app = self._run_app
        app.push_screen(DigestScreen(found))
        try:
            await app.workbench.digests.told(found)
        except OSError as error:
            app.say(
                f"What was told cannot be remembered: {error.strerror}.",
                Severity.WARNING,
                "Make ~/.local/state/cloudtui writable; until then it is told again.",
            )

    # Attention

    def alerted(self, event: Alerted) -> None:
        """Ring the bell and tell the desktop, as the setting says; the toast is the note's."""
        from cloudtui.ui.attention import call

        alert, app = event.alert, self._run_app
        call(app, alert.title, alert.detail, app.settings.alerts)


def why_not_run(action: Action, job: Job) -> str:
    """Why an action cannot be done to the run; empty when it can."""
    match action.id:
        case "run.attach_run" if job.state.over:
            return f"{job.id} has ended; Enter shows its log."
        case "run.stop_run" if job.state.over:
            return f"{job.id} has ended: {job.words}."
        case "run.rerun" if job.by_hand:
            return f"{job.id} was begun by hand; n starts a run that can be started again."
        case "run.remove_run" if job.by_hand:
            return f"{job.id} was begun by hand and has no record; x ends it."
        case "run.remove_run" if not job.state.over:
            return f"{job.id} is {job.state}; x stops it first."
    return ""


def stop_question(instance: Instance, job: Job) -> Destroy:
    """Whether the run is to be stopped, by name and host."""
    from cloudtui.ui.screens.session_dialogs import Destroy

    what = "What runs in it" if job.by_hand else "It"
    how = f"{what} is told to end (INT), after a while more firmly (TERM), then killed (KILL)."
    then = "\nWhat was to follow it is not done." if job.then else ""
    if job.by_hand:
        how += "\nThen the session is ended: what it shows is kept nowhere."
        return Destroy(
            f"End the {job.holder} session {job.id} on {instance.spoken}?",
            _about(instance, job, how),
            "End it",
            "s",
        )
    return Destroy(
        f"Stop {job.id} on {instance.spoken}?",
        _about(instance, job, how + then),
        "Stop it",
        "s",
    )


def second_question(instance: Instance, job: Job) -> Destroy:
    """Whether a run that has not ended is to be started a second time beside itself."""
    from cloudtui.ui.screens.session_dialogs import Destroy

    how = (
        f"It is {job.state}, and goes on. The second one runs in the same folder and may write "
        "over the same files; both share the machine's memory and GPUs."
    )
    title = f"Start {job.id} on {instance.spoken} a second time?"
    return Destroy(title, _about(instance, job, how), "Start a second one", "s")


def remove_question(instance: Instance, job: Job) -> Destroy:
    """Whether the run's record is to be removed."""
    from cloudtui.ui.screens.session_dialogs import Destroy

    how = "Its log and record on the host are deleted. Files that it wrote itself stay."
    return Destroy(
        f"Remove {job.id} of {instance.spoken}?", _about(instance, job, how), "Remove it", "d"
    )


def remove_ended_question(ended: Sequence[tuple[Instance, Sequence[Job]]], query: str) -> Destroy:
    """Whether the records of many runs are to be removed: how many, which, and where."""
    from cloudtui.ui.screens.session_dialogs import Destroy

    count = sum(len(jobs) for _, jobs in ended)
    which = f"of those that match {query!r}" if query else "of all machines that answered"
    hosts = [
        Content.assemble(
            (f"{instance.label}\n", "bold"), f"  {listed([job.id for job in jobs], 8)}\n"
        )
        for instance, jobs in ended
    ]
    how = "\nTheir logs and records on the hosts are deleted. Files that they wrote stay."
    title = f"Remove {plural(count, 'run')} that ended, {which}?"
    return Destroy(title, Content.assemble(*hosts, how), f"Remove {count}", "d")


def forget_question(away: AwayRuns, job: Job) -> Destroy:
    """Whether what was last seen of a run is to be known here no more."""
    from cloudtui.ui.screens.session_dialogs import Destroy

    instance = away.instance
    how = f"What was last seen of it is removed from this computer. {instance.spoken} is "
    how += (
        f"{instance.state}: it cannot be seen again."
        if away.terminated
        else f"{instance.state}: the record there stays, and is listed when it runs again."
    )
    title = f"Forget {job.id} on {instance.spoken}?"
    return Destroy(title, _about(instance, job, how), "Forget it", "d")


def _about(instance: Instance, job: Job, how: str) -> Content:
    return Content.assemble(
        (f"{'session' if job.by_hand else 'run':<9}", "$foreground-muted"),
        (f"{job.id}  {f'{job.holder}, begun by hand' if job.by_hand else job.words}\n", "bold"),
        ("host     ", "$foreground-muted"),
        (f"{instance.label}\n", "bold"),
        ("command  ", "$foreground-muted"),
        f"{job.command_line or '-'}\n\n",
        how,
    )


async def copy_of(app: CloudtuiApp, job: Job) -> str | None:
    """What of a run is to be copied; None when nothing is."""
    from cloudtui.ui.screens.dialogs import Choose
    from cloudtui.ui.widgets.run_details import log_path

    texts = {"command": job.command_line, "log": log_path(job), "id": job.id}
    if not job.by_hand and job.cwd:
        texts["folder"] = job.cwd
    options = {name: f"{name:<9}{text}" for name, text in texts.items() if text}
    chosen = await app.push_screen_wait(Choose(f"Copy what of {job.id}?", options))
    return texts[chosen] if chosen else None
