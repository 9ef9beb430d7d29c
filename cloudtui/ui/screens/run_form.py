"""A new run: what, where, when, and what then. It stays open until the run is there."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.suggester import Suggester
from textual.widgets import Checkbox, Input, Label, Static

from cloudtui.files import run_forms
from cloudtui.model.errors import CloudtuiError, Refused
from cloudtui.model.instance import Instance
from cloudtui.model.job import Job, name_of
from cloudtui.model.job_form import (
    BESIDE,
    FIELDS,
    HOLDER,
    HOLDERS,
    OVERWRITE,
    QUEUE,
    TICKS,
    Form,
    command_of,
    read_form,
    words_of,
)
from cloudtui.model.upload import LARGE, largest
from cloudtui.model.words import data_size, listed
from cloudtui.ui.screens.dialogs import Body, Dialog
from cloudtui.ui.widgets.completion import Folders, Known
from cloudtui.ui.widgets.pick import Pick

if TYPE_CHECKING:
    from cloudtui.ui.app import CloudtuiApp

KEYS = "Ctrl-s starts it   Tab, ↑ ↓ move   → completes   Space ticks   Esc cancels"
STEPS = ("copy:", "s3:s3://", "run:", "stop", "on-fail:", "on-success:", "on-end:", "always:")


class _Tick(Checkbox):
    """`[x]` or `[ ]`, which is seen without colours too.

    All of it is the inner part: the sides are drawn in the colour of what is behind them.
    """

    BUTTON_LEFT, BUTTON_RIGHT = "", ""

    @property
    def BUTTON_INNER(self) -> str:  # type: ignore[override]
        return "[x]" if self.value else "[ ]"


class RunForm(Dialog[Job | None]):
    """The answer is the run that was started.

    The keys that move act at once, so that what is typed after them goes into the field that they
    lead to; the key that starts waits for what was typed before it.
    """

    BINDINGS = [
        Binding("ctrl+s,ctrl+enter", "start", show=False),
        Binding("enter,tab,down", "field(1)", show=False, priority=True),
        Binding("shift+tab,up", "field(-1)", show=False, priority=True),
    ]
    KEYS = KEYS
    CSS = """
    RunForm #title { margin-bottom: 1; }
    RunForm Horizontal { height: 1; }
    RunForm Horizontal > Label { width: 9; color: $foreground-muted; }
    RunForm Input { width: 1fr; margin: 0; }
    RunForm .wrong { width: auto; max-width: 50%; color: $error; padding-left: 1; }
    RunForm Checkbox {
        height: 1; border: none; padding: 0; margin-left: 1; background: $panel; width: auto;
        background-tint: transparent;
        &:disabled { color: $foreground-muted; }
        &:focus { border: none; background: $block-cursor-background; }
        & > .toggle--button { color: $foreground; background: transparent; }
        &.-on > .toggle--button { color: $text-success; background: transparent; }
        &:disabled > .toggle--button { color: $foreground-muted; }
        & > .toggle--label { background: transparent; }
        &:focus > .toggle--label { background: transparent; text-style: none; }
    }
    RunForm Body { margin: 1 0 0 0; }
    """

    def __init__(self, instance: Instance) -> None:
        super().__init__()
        self._instance = instance
        self._starting = False
        self._tried = False
        """Errors of fields that are empty are told only after a start was tried."""

    def compose(self) -> ComposeResult:
        last = run_forms.recall(self._instance.id)
        with Vertical(id="box"):
            yield Label(f"New run on {self._instance.label}", id="title", markup=False)
            for name, (label, example) in FIELDS.items():
                with Horizontal():
                    yield Label(label)
                    yield Input(
                        last.get(name, ""),
                        placeholder=example,
                        id=name,
                        select_on_focus=False,
                        suggester=self._suggester(name),
                    )
                    yield Static(id=f"{name}-wrong", classes="wrong", markup=False)
                    if tick := BESIDE.get(name):
                        yield _Tick(TICKS[tick], value=bool(last.get(tick)), id=tick)
            with Horizontal():
                yield Label("in")
                yield Pick(HOLDERS, last.get(HOLDER, ""), id=HOLDER)
            with Horizontal():
                yield Label()
                yield _Tick(TICKS[QUEUE], value=bool(last.get(QUEUE)), id=QUEUE)
            with Body():
                yield Static(id="told", markup=False)

    def on_mount(self) -> None:
        self.query_one("#command", Input).focus()
        self._check()
        self._list()

    @property
    def _app(self) -> CloudtuiApp:
        return cast("CloudtuiApp", self.app)

    @property
    def values(self) -> dict[str, str]:
        return {name: self.query_one(f"#{name}", Input).value for name in FIELDS}

    @property
    def _ticked(self) -> list[str]:
        return [tick for tick in TICKS if self.query_one(f"#{tick}", Checkbox).value]

    @property
    def _runs(self) -> list[Job]:
        """Those of the machine that can be waited for, as far as they are known."""
        known = self._app.workbench.jobs.state(self._instance.id).jobs
        return [job for job in known if not job.by_hand]

    def _suggester(self, field: str) -> Suggester | None:
        match field:
            case "command":
                return Known(lambda: (job.command_line for job in self._runs))
            case "cwd":
                return Known(lambda: (job.cwd for job in self._runs))
            case "after":
                return Known(lambda: (job.id for job in self._runs), words=True)
            case "then":
                return Known(lambda: STEPS, words=True)
            case "sync":
                return Folders()
        return None

    @work
    async def _list(self) -> None:
        """Have the runs there known, and the connection open by the time that it is needed."""
        await self._app.workbench.jobs.list(self._instance)
        if self.is_mounted:
            self._check()

    @on(Input.Changed)
    @on(Checkbox.Changed)
    @on(Pick.Changed)
    @on(events.DescendantFocus)
    def _changed(self) -> None:
        self._check()

    def _check(self) -> Form | None:
        values = self.values
        form, wrong = read_form(
            values,
            ticks=self._ticked,
            holder=self.query_one(Pick).value,
            runs=[job.id for job in self._runs],
            environ=os.environ,
        )
        for field, tick in BESIDE.items():
            self.query_one(f"#{tick}", Checkbox).disabled = not values[field].strip()
        if form is not None and form.sync and not form.sync[0].is_dir():
            wrong["sync"] = "No such folder here."
            form = None
        for name in FIELDS:
            shown = self.query_one(f"#{name}-wrong", Static)
            words = wrong.get(name, "") if values[name].strip() or self._tried else ""
            shown.display = bool(words)
            first, more, _ = words.partition(". ")
            shown.update(first + more.strip())
        self._suggest_name(values["command"])
        if not self._starting:
            here = (self.focused and self.focused.id) or ""
            about = self._choices() if here == "after" else ""
            if values.get(here, "").strip() and ". " in wrong.get(here, ""):
                about = wrong[here]
            self._tell(about or (form.words(self._instance.spoken) if form else ""))
        return form

    def _choices(self) -> str:
        """Which runs can be waited for; empty once some are named."""
        if self.values["after"].strip() or not self._runs:
            return ""
        active = [f"{job.id} ({job.state})" for job in self._runs if not job.state.over]
        ended = [job.id for job in self._runs if job.state.over]
        parts = [f"There: {listed(active)}." if active else "", f"Ended: {listed(ended)}."]
        return " ".join(part for part in parts if part != "Ended: .")

    def _suggest_name(self, command: str) -> None:
        try:
            words = command_of(command)
        except ValueError:
            return
        self.query_one("#name", Input).placeholder = name_of(words_of(words)) if words else ""

    def _tell(self, words: str, style: str = "$foreground-muted") -> None:
        self.query_one("#told", Static).update(Content.styled(words, style))

    def action_field(self, by: int) -> None:
        """To the next field, or the one before."""
        (self.focus_next if by > 0 else self.focus_previous)()

    def action_start(self) -> None:
        self._tried = True
        form = self._check()
        if form is None:
            wrong = [name for name in FIELDS if self.query_one(f"#{name}-wrong", Static).display]
            self.query_one(f"#{wrong[0]}", Input).focus()
        elif not self._starting:
            self._start(form)

    @work(group="start")
    async def _start(self, form: Form) -> None:
        self._starting, spoken = True, self._instance.spoken
        self._tell(f"Starting it on {spoken} …", "$accent")
        try:
            job = await self._app.workbench.jobs.run(
                self._instance,
                form.spec,
                self._confirm,
                partial(self._send, *form.sync) if form.sync else None,
            )
        except CloudtuiError as error:
            parts = (error.title, error.detail, error.hint)
            self._tell("\n".join(part for part in parts if part), "$error")
        else:
            self._remember()
            self.dismiss(job)
        finally:
            self._starting = False

    async def _confirm(self, question: str) -> bool:
        from cloudtui.ui.screens.session_dialogs import Destroy

        title = f"Terminate {self._instance.label} after the run?"
        return await self.app.push_screen_wait(Destroy(title, question, "Yes, terminate it", "t"))

    async def _send(self, local: Path, remote: str) -> None:
        """Send the folder; a large one is asked about."""
        from cloudtui.core.upload import Sent
        from cloudtui.ui.screens.session_dialogs import Destroy

        uploads = self._app.workbench.uploads
        self._tell(f"Looking what is to be sent to {remote} …", "$accent")
        overwrite = OVERWRITE in self._ticked
        plan = await uploads.plan(self._instance, local, remote, overwrite=overwrite)
        if plan.newer:
            self._app.say(f"Changed there, and left so: {listed(plan.newer)}.")
        if plan.size > LARGE:
            files = [f"{data_size(size):>9}  {name}" for name, size in largest(plan.files)]
            hint = "A .cloudtuiignore, written like a .gitignore, leaves things out."
            body = "\n".join([f"{plan.words}. The largest:", *files, "", hint])
            title = f"Send {data_size(plan.size)} to {self._instance.label}?"
            if not await self.app.push_screen_wait(Destroy(title, body, "Send it", "s")):
                raise Refused("Nothing was sent, and the run was not started.")

        def tell(sent: Sent) -> None:
            self._tell(f"Sending {sent.words}", "$accent")

        self._tell(f"{plan.words}.", "$accent")
        await uploads.send(plan, tell)

    def _remember(self) -> None:
        options = dict.fromkeys(self._ticked, "yes") | {HOLDER: self.query_one(Pick).value}
        run_forms.remember(self._instance.id, self.values | options)

    def action_cancel(self) -> None:
        """Leave; what was started last is there the next time, not what was typed now."""
        if self._starting:
            self.workers.cancel_group(self, "start")
            return
        super().action_cancel()
