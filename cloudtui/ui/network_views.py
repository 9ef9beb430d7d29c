"""The ways from any list of machines to security groups and Elastic IPs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from cloudtui.core.events import Severity
from cloudtui.model.access import Opening
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance
from cloudtui.model.security_group import SSH, Rule, Viewer
from cloudtui.model.words import listed
from cloudtui.ui.work import start_work

if TYPE_CHECKING:
    from cloudtui.ui.app import CloudtuiApp
    from cloudtui.ui.screens.plan import Line


class NetworkViews:
    """Handlers of the app for the actions in `actions_network`."""

    @property
    def _console(self) -> CloudtuiApp:
        return cast("CloudtuiApp", self)

    def open_groups(self) -> None:
        from cloudtui.ui.screens.security_groups import SecurityGroupsScreen

        instance: Instance | None = getattr(self._console.screen, "instance", None)
        if instance:
            self._console.push_screen(SecurityGroupsScreen(instance))

    def open_addresses(self) -> None:
        from cloudtui.ui.screens.addresses import AddressesScreen

        app = self._console
        instance: Instance | None = getattr(app.screen, "instance", None)
        if not isinstance(app.screen, AddressesScreen):
            app.push_screen(AddressesScreen(instance))

    def let_me_in(self) -> None:
        """Open SSH of the machine in front to the user's own address."""
        instance: Instance | None = getattr(self._console.screen, "instance", None)
        if instance:
            app = self._console
            start_work(app, open_port, app, instance, (SSH, SSH), group="groups")


async def open_port(
    app: CloudtuiApp, instance: Instance, ports: tuple[int, int], source: str = ""
) -> bool:
    """Ask, open, and say how it ended; True when something was changed."""
    from cloudtui.ui.screens.plan import PlanQuestion

    groups = app.workbench.security_groups
    what = Rule("tcp", *ports, "").what
    to = source or "your own address"
    question = PlanQuestion(
        f"Open {what} of {instance.label} to {to}?",
        lambda: groups.plan_open(instance, ports, source=source),
        lambda plan: told(plan, groups.viewer()),
        "Open",
        possible=lambda plan: bool(plan.add or plan.remove),
    )
    plan = await app.push_screen_wait(question)
    if plan is None:
        return False
    try:
        changed = await groups.open(plan)
    except CloudtuiError as error:
        app.fail(error)
        return True
    sources = listed([rule.source for rule in changed.added])
    if sources:
        app.say(f"{what} of {instance.label} is open to {sources}, by {plan.group.label}.")
    elif changed.removed:
        app.say(f"{listed([rule.source for rule in changed.removed])} is not let in any more.")
    else:
        app.say(f"{what} of {instance.label} was opened by somebody else.", Severity.WARNING)
    return True


def told(plan: Opening, viewer: Viewer) -> Sequence[Line]:
    """The lines of the question."""
    from cloudtui.ui.screens.plan import line

    names = plan.access.names
    lines = [
        ("", f"Open already: {rule.sentence(viewer, names)}, in {group.label}.", "$state-running")
        for group, rule in plan.already
    ]
    lines += [
        ("+ ", f"{rule.what} from {rule.origin(names)}, in group {plan.group.label}", "bold")
        for rule in plan.add
    ]
    lines += [
        ("- ", f"{rule.sentence(viewer, names)}, in group {group.label}", "")
        for group, rule in plan.remove
    ]
    lines += [line("! ", caution) for caution in plan.cautions]
    lines += [line("- ", f"Not looked up: {problem}") for problem in plan.access.problems]
    return lines
