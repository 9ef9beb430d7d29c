"""Start, stop and the rest from the list: the plan as a question, and what became of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TYPE_CHECKING

from textual import events, on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input, Label, Static

from cloudtui.core.events import Severity
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance
from cloudtui.model.lifecycle import Plan, Target, Verb, whom
from cloudtui.model.progress import Phase, Step
from cloudtui.model.words import duration, listed
from cloudtui.ui.action import Action
from cloudtui.ui.actions import key_words
from cloudtui.ui.actions_machines import VERBS
from cloudtui.ui.screens.area import Area
from cloudtui.ui.screens.dialogs import Body, Dialog
from cloudtui.ui.widgets.wrapped import wrapped
from cloudtui.ui.work import start_work

if TYPE_CHECKING:
    from cloudtui.core.lifecycle import Lifecycle
    from cloudtui.ui.app import CloudtuiApp

CONFIRMING = ("y", "o")
"""Agrees to anything but an end for good: the first that did not open the dialog."""
TERMINATING = ("ctrl+t", "ctrl+y")


class ChangeMachines(Dialog[Plan | None]):
    """The plan, machine by machine. It opens at once and fills when EC2 has answered.

    Cancel has the focus, or the field where a name has to be typed; Enter never agrees.
    """

    def __init__(
        self,
        verb: Verb,
        machines: Sequence[Instance],
        ask: Callable[[], Awaitable[Plan]],
        opened_by: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self._verb, self._machines, self._ask = verb, tuple(machines), ask
        known = TERMINATING if verb is Verb.TERMINATE else CONFIRMING
        self.key = next(key for key in known if key not in opened_by[:1])
        self.plan: Plan | None = None

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            title = f"{self._verb.value.capitalize()} {whom(self._machines)}?"
            yield Label(title, id="title", markup=False)
            with Body():
                asked = f"Asking EC2 about {whom(self._machines)} …"
                yield Static(asked, id="plan", markup=False)
            yield Input(id="typed")
            yield Label("", id="hint", markup=False)
            with Horizontal(id="buttons"):
                yield Button("Cancel  Esc", id="cancel")
                agree = f"{self._verb.value.capitalize()}  {key_words(self.key)}"
                yield Button(agree, id="agree", disabled=True)

    def on_mount(self) -> None:
        self.query_one("#typed").display = False
        self.query_one("#hint").display = False
        self.query_one("#agree").can_focus = False
        self.query_one("#cancel").focus()
        self._fill()

    @work
    async def _fill(self) -> None:
        try:
            plan = await self._ask()
        except CloudtuiError as error:
            parts = (error.title, error.detail, error.hint)
            self.query_one("#plan", Static).update("\n".join(part for part in parts if part))
            self.query_one("#agree").display = False
            return
        self.plan = plan
        self.query_one("#plan", Static).update(described(plan, self._width))
        if not plan.possible:
            self.query_one("#agree").display = False
            self.query_one("#cancel", Button).label = "Close  Esc"
            return
        self.query_one("#title", Label).update(plan.question)
        if self._verb is Verb.TERMINATE:
            typed = self.query_one("#typed", Input)
            typed.display = self.query_one("#hint").display = True
            typed.focus()
        self._weigh()

    @property
    def _width(self) -> int:
        """Cells of a line in the box."""
        return min(76, self.app.size.width * 94 // 100) - 8

    @property
    def agreed(self) -> bool:
        """Whether nothing stands between the confirming key and the change."""
        if self.plan is None or not self.plan.possible:
            return False
        return self._verb is not Verb.TERMINATE or self.plan.accepts(
            self.query_one("#typed", Input).value
        )

    def _weigh(self) -> None:
        self.query_one("#agree", Button).disabled = not self.agreed
        if self.plan is None or not self.plan.possible:
            return
        wanted = " or ".join(self.plan.answers)
        self.query_one("#hint", Label).update(
            f"{key_words(self.key)} terminates {self.plan.whom}. Enter does nothing."
            if self.agreed
            else f"Type {wanted}"
        )

    @on(Input.Changed)
    def _changed(self) -> None:
        self._weigh()

    def on_key(self, event: events.Key) -> None:
        if event.key == self.key:
            event.stop()
            self._agree()

    @on(Button.Pressed, "#agree")
    def _agree(self) -> None:
        if self.agreed:
            self.dismiss(self.plan)

    @on(Button.Pressed, "#cancel")
    def action_cancel(self) -> None:
        self.dismiss(None)


def described(plan: Plan, width: int = 68) -> Content:
    """The plan in lines of `width` cells: what will be done and what to know before, then what is
    left out."""
    lines: list[Content] = []
    for target in plan.possible:
        lines += _about(plan.verb, target, width)
    if plan.cost:
        lines.append(wrapped("", plan.cost, width))
    for target in plan.left_out:
        lines.append(wrapped("× ", target.reason, width))
        if target.cure:
            lines.append(wrapped("  ", target.cure, width, "$foreground-muted"))
    for problem in plan.problems:
        lines.append(wrapped("? ", problem.title, width, "$foreground-muted"))
    return Content("\n").join(lines)


def _about(verb: Verb, target: Target, width: int) -> list[Content]:
    i = target.instance
    arrow = "" if verb is Verb.REBOOT else f" → {verb.goal.value}"
    head = wrapped(f"{i.state.glyph} ", i.label, width, "bold")
    about = f"{i.type}  {i.zone or i.region}  {i.state.value}{arrow}"
    return [
        head,
        wrapped("  ", about, width, "$foreground-muted"),
        *(
            wrapped("  ! ", caution.text, width, "$warning")
            if caution.loss
            else wrapped("  - ", caution.text, width, "$foreground-muted")
            for caution in target.cautions
        ),
    ]


class MachineChanges(Area):
    """The actions on `chosen` of a screen with machines."""

    @property
    def chosen(self) -> tuple[Instance, ...]:
        """The machines that an action is about."""
        return (self.instance,) if self.instance else ()

    def why_not(self, action: Action) -> str:
        """Why it can be done to none of them; a dialog says it of each."""
        if action.id not in VERBS:
            return super().why_not(action)
        machines = self.chosen or (None,)
        reasons = [self.workbench.why_not(action.rule, machine) for machine in machines]
        if not all(reasons):
            return ""
        more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
        return f"{reasons[0]}{more}"

    def start_machines(self) -> None:
        self._change(Verb.START)

    def stop_machines(self) -> None:
        self._change(Verb.STOP)

    def hibernate_machines(self) -> None:
        self._change(Verb.HIBERNATE)

    def reboot_machines(self) -> None:
        self._change(Verb.REBOOT)

    def terminate_machines(self) -> None:
        self._change(Verb.TERMINATE)

    def _change(self, verb: Verb) -> None:
        start_work(self.app, self._follow_change, verb, self.chosen, group="lifecycle")

    async def _follow_change(self, verb: Verb, machines: Sequence[Instance]) -> None:
        opened_by = self.cloudtui.keys[f"machine.{verb.value}"]
        done = await change(self.cloudtui, self.workbench.lifecycle, verb, machines, opened_by)
        self.changed(done)

    def changed(self, ids: Collection[str]) -> None:
        """A change of these machines has come to its end."""


async def change(
    app: CloudtuiApp,
    lifecycle: Lifecycle,
    verb: Verb,
    machines: Sequence[Instance],
    opened_by: Sequence[str],
) -> Collection[str]:
    """Ask, do it, and say how it ended; rows show the states meanwhile.

    Returns the ids of the machines that got where they should.
    """
    question = ChangeMachines(verb, machines, lambda: lifecycle.plan(verb, machines), opened_by)
    plan = await app.push_screen_wait(question)
    if plan is None:
        return ()
    app.say(f"{verb.gerund.capitalize()} {plan.whom} …")
    asked = {target.instance.id for target in plan.possible}
    ends: list[Step] = []
    try:
        async for step in lifecycle.perform(plan):
            if step.ended and step.before.id in asked:  # the question has told of the others
                ends.append(step)
                if step.error or step.phase is Phase.LEFT:
                    _say_failure(app, step)
    except CloudtuiError as error:
        app.fail(error)
        return ()
    done = [step for step in ends if step.phase is Phase.DONE]
    if len(done) == 1:
        app.say(done[0].sentence)
    elif done:
        took = duration(max(step.elapsed for step in done))
        names = listed([step.before.spoken for step in done])
        app.say(f"{len(done)} machines were {verb.participle} within {took}: {names}.")
    return {step.before.id for step in done}


def _say_failure(app: CloudtuiApp, step: Step) -> None:
    if step.phase is Phase.LEFT or step.error is None:
        app.say(step.sentence, Severity.WARNING, step.error.title if step.error else "")
    else:
        app.fail(step.error)
