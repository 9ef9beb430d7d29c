"""A new run: what, where, when, and what then. It stays open until the run is there."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Checkbox, Input, Label, Static

from cloudtui.files import run_forms
from cloudtui.model.errors import CloudtuiError, Refused
from cloudtui.model.instance import Instance
from cloudtui.model.job import Job, name_of
from cloudtui.model.job_form import FIELDS, QUEUE, Form, command_of, read_form, words_of
from cloudtui.model.upload import LARGE, largest
from cloudtui.model.words import data_size
from cloudtui.ui.screens.dialogs import Body, Dialog

if TYPE_CHECKING:
    from cloudtui.ui.app import CloudtuiApp

KEYS = "Ctrl-s or Ctrl-Enter starts it   Tab and arrows move   Esc cancels"


class _Tick(Checkbox):
    """`[x]` or `[ ]`, which is seen without colours too."""

    BUTTON_LEFT, BUTTON_RIGHT = "[", "]"

    @property
    def BUTTON_INNER(self) -> str:  # type: ignore[override]
        return "x" if self.value else " "


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
        height: 1; border: none; padding: 0; margin-left: 8; background: $panel; width: 1fr;
        background-tint: transparent;
        &:focus { border: none; background: $block-cursor-background; }
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
                        last.get(name, ""), placeholder=example, id=name, select_on_focus=False
                    )
                    yield Static(id=f"{name}-wrong", classes="wrong", markup=False)
            yield _Tick(
                "queue: wait until the runs before it have ended",
                value=bool(last.get(QUEUE)),
                id=QUEUE,
            )
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

    @work
    async def _list(self) -> None:
        """Have the runs there known, and the connection open by the time that it is needed."""
        await self._app.workbench.jobs.list(self._instance)
        if self.is_mounted:
            self._check()

    @on(Input.Changed)
    @on(Checkbox.Changed)
    def _changed(self) -> None:
        self._check()

    def _check(self) -> Form | None:
        values = self.values
        known = self._app.workbench.jobs.state(self._instance.id).jobs
        queue = self.query_one(Checkbox).value
        form, wrong = read_form(values, queue=queue, runs=[job.id for job in known])
        if form is not None and form.sync and not form.sync[0].is_dir():
            wrong["sync"] = "No such folder here."
            form = None
        for name in FIELDS:
            shown = self.query_one(f"#{name}-wrong", Static)
            words = wrong.get(name, "") if values[name].strip() or self._tried else ""
            shown.display = bool(words)
            shown.update(words)
        self._suggest_name(values["command"])
        if not self._starting:
            self._tell(form.words(self._instance.spoken) if form else "")
        return form

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
        plan = await uploads.plan(self._instance, local, remote)
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
        queue = {QUEUE: "yes"} if self.query_one(Checkbox).value else {}
        run_forms.remember(self._instance.id, self.values | queue)

    def action_cancel(self) -> None:
        """Leave; what was typed is there the next time."""
        if self._starting:
            self.workers.cancel_group(self, "start")
            return
        self._remember()
        super().action_cancel()
