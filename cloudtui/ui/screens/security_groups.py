"""What lets traffic in and out of one machine, and what can be done about it."""

from __future__ import annotations

from textual import on, work
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from cloudtui.core.events import DetailsChanged, Event, InventoryChanged
from cloudtui.model.access import Access, Closing, GroupChange
from cloudtui.model.errors import CloudtuiError, UsageError
from cloudtui.model.instance import Instance
from cloudtui.model.security_group import SSH, cidr, exposed, ports
from cloudtui.ui.actions import Action, Where
from cloudtui.ui.network_views import open_port
from cloudtui.ui.screens.area import bindings
from cloudtui.ui.screens.list_area import FilterField, ListArea
from cloudtui.ui.screens.plan import Line, PlanQuestion, line
from cloudtui.ui.widgets.face import Face
from cloudtui.ui.widgets.frame import Footer, Header
from cloudtui.ui.widgets.keyed_table import KeyedTable
from cloudtui.ui.widgets.rules_table import RulesTable


class SecurityGroupsScreen(ListArea):
    """The rules in a table, under a few lines that say who gets in."""

    WHERE = Where.GROUPS
    BINDINGS = bindings(Where.GROUPS)
    AUTO_FOCUS = "RulesTable"
    CSS = """
    SecurityGroupsScreen #summary { height: auto; max-height: 6; padding: 0 1 1 1; }
    """

    def __init__(self, instance: Instance) -> None:
        super().__init__()
        self._instance = instance
        self._access: Access | None = None
        self._error: CloudtuiError | None = None
        self._unknown: CloudtuiError | None = None
        """Why the user's own address is not known."""

    def compose(self) -> ComposeResult:
        yield Header(self.WHERE)
        yield FilterField(placeholder="words such as ssh, 0.0.0.0, out, office")
        yield Static(id="trouble", markup=False)
        yield Static(id="summary", markup=False)
        yield RulesTable()
        yield Face(id="face")
        yield Footer(self.footer_keys)

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one(Header).machine = self._instance.spoken
        self.paint()
        self._load()

    @property
    def instance(self) -> Instance:
        return self._instance

    @property
    def chosen(self) -> tuple[Instance, ...]:
        """The one machine."""
        return (self._instance,)

    @property
    def table(self) -> RulesTable:
        return self.query_one(RulesTable)

    def why_not(self, action: Action) -> str:
        if reason := super().why_not(action):
            return reason
        if action.id in ("groups.close", "groups.copy") and self.table.rule is None:
            return "No rule is selected."
        return ""

    def show(self, event: Event) -> None:
        super().show(event)
        if isinstance(event, InventoryChanged):
            row = next((i for i in event.state.instances if i.id == self._instance.id), None)
            if row is not None and row != self._instance:
                changed = row.security_groups != self._instance.security_groups
                self._instance = row
                if changed:
                    self._load()
        elif isinstance(event, DetailsChanged) and event.instance_id == self._instance.id:
            self.refresh_footer()

    def refresh_now(self) -> None:
        self._load(fresh=True)

    @work(exclusive=True, group="access")
    async def _load(self, *, fresh: bool = False) -> None:
        groups = self.workbench.security_groups
        try:
            self._access = await groups.access(self._instance)
            self._error = None
        except CloudtuiError as error:
            self._error = error
        self.paint()
        try:
            await groups.my_addresses(fresh=fresh)
            self._unknown = None
        except CloudtuiError as error:
            self._unknown = error
        self.paint()

    def paint(self) -> None:
        if not self.is_mounted:
            return
        access, face = self._access, self.query_one(Face)
        trouble, summary = self.query_one("#trouble", Static), self.query_one("#summary", Static)
        if access is not None:
            viewer = self.workbench.security_groups.viewer()
            self.table.show_rules(access, viewer, self.query_text)
            summary.update(self._summary(access))
        rows = bool(self.table.row_count)
        face.display, self.table.display, summary.display = not rows, rows, access is not None
        trouble.display = bool(self._error and access)
        if self._error:
            trouble.update(f"× {self._error.title} Ctrl-r tries again, ~ has the details.")
        if rows and self.focused is None:
            self.table.focus()
        elif not rows:
            self._paint_face(face, access)
        self.refresh_footer()

    def _paint_face(self, face: Face, access: Access | None) -> None:
        if access is None and self._error:
            face.fail(self._error, [("Ctrl-r", "try again"), ("Esc", "go back")])
        elif access is None:
            face.work(f"Looking up the security groups of {self._instance.spoken} …")
        elif self.query_text:
            face.say("No rule matches the filter.", "", [("Esc", "clear the filter")])
        else:
            face.say(
                "Its security groups have no rule: nothing gets in, and nothing gets out.",
                "",
                [("a", "open SSH to your own address"), ("e", "choose other groups")],
            )

    def _summary(self, access: Access) -> Content:
        lines: list[Content] = []
        viewer = self.workbench.security_groups.viewer()
        for address in viewer.addresses:
            letting = access.letting(address, SSH)
            told, style = "SSH is not open to you: a opens it.", "$warning"
            if letting:
                group = letting[0][0]
                told, style = f"SSH is open to you, by {group.name or group.id}.", "$state-running"
            lines.append(Content.assemble(f"Your address {address}: ", (told, style)))
        if not viewer.addresses:
            words = self._unknown.title if self._unknown else "Asking for your public address …"
            lines.append(Content.styled(words, "$foreground-muted"))
        if exposed(access.groups):
            lines.append(
                Content.styled(
                    "▲ SSH is open to the whole world. Press a to open it to you alone, then x on "
                    "the rule that is red.",
                    "bold $error",
                )
            )
        shared = [
            f"{group.name or group.id} is also of {others}"
            for group in access.groups
            if (others := access.others(group))
        ]
        several = len(access.interfaces)
        if several > 1:
            shared.append(f"{several} network interfaces, each with groups of its own")
        if shared:
            lines.append(Content.styled("; ".join(shared), "$foreground-muted"))
        lines += [Content.styled(problem, "$foreground-muted") for problem in access.problems]
        return Content("\n").join(lines)

    # Doing

    @work(group="groups")
    async def let_me_in(self) -> None:
        if await open_port(self.cloudtui, self._instance, (SSH, SSH)):
            self._load()

    @work(group="groups")
    async def open_port(self) -> None:
        from cloudtui.ui.screens.dialogs import Answers

        fields = [("port, or ports: 8000-8100", True), ("for whom (empty: your own address)", True)]
        note = f"TCP ports of {self._instance.label}."
        answers = await self.app.push_screen_wait(Answers("Open a port", fields, note))
        if answers is None:
            return
        try:
            wanted = ports(answers[0])
            source = cidr(answers[1]) if answers[1].strip() else ""
        except UsageError as error:
            self.cloudtui.fail(error)
            return
        if await open_port(self.cloudtui, self._instance, wanted, source):
            self._load()

    @work(group="groups")
    async def close_rule(self) -> None:
        pair, access, groups = self.table.rule, self._access, self.workbench.security_groups
        if pair is None or access is None:
            return
        group, rule = pair
        question = PlanQuestion(
            f"Take a rule away from {group.label}?",
            lambda: groups.plan_close_rule(access, group, rule),
            self._tell_closing,
            "Close",
            key="y",
            possible=lambda plan: bool(plan.rules),
        )
        plan = await self.app.push_screen_wait(question)
        if plan is None:
            return
        try:
            changed = await groups.close(plan)
        except CloudtuiError as error:
            self.cloudtui.fail(error)
        else:
            how = "is closed" if changed.removed else "was gone already"
            self.cloudtui.say(f"{rule.what} from {rule.source} {how}, in {group.label}.")
        self._load()

    def _tell_closing(self, plan: Closing) -> list[Line]:
        viewer, names = self.workbench.security_groups.viewer(), plan.access.names
        lines: list[Line] = [("- ", rule.sentence(viewer, names), "bold") for _, rule in plan.rules]
        return [*lines, *(line("! ", caution) for caution in plan.cautions)]

    @work(group="groups")
    async def change_groups(self) -> None:
        from cloudtui.ui.screens.choose import ChooseSome
        from cloudtui.ui.screens.places import Entry

        access, groups = self._access, self.workbench.security_groups
        if access is None:
            return
        interface = await self._interface(access)
        if interface is None:
            return
        try:
            known = await groups.candidates(self._instance)
        except CloudtuiError as error:
            self.cloudtui.fail(error)
            return
        own = next((i for i in access.interfaces if i.id == interface), None)
        marked = [i for i, _ in own.groups] if own else [g.id for g in access.groups]
        entries = [
            Entry(group.id, group.name or group.id, f"{group.id}  {group.description}")
            for group in known
        ]
        title = f"Security groups of {self._instance.label}"
        chosen = await self.app.push_screen_wait(ChooseSome(title, entries, marked))
        if chosen is None:
            return
        question = PlanQuestion(
            f"Change the groups of {self._instance.label}?",
            lambda: groups.plan_groups(self._instance, chosen, interface_id=interface),
            _tell_groups,
            "Change",
        )
        plan = await self.app.push_screen_wait(question)
        if plan is None:
            return
        try:
            await groups.set_groups(plan)
        except CloudtuiError as error:
            self.cloudtui.fail(error)
        else:
            names = ", ".join(group.name or group.id for group in plan.after)
            self.cloudtui.say(f"{self._instance.label} has {names} now.")
        self._load()

    async def _interface(self, access: Access) -> str | None:
        """The network interface that is meant, empty when there is one; None is a no."""
        from cloudtui.ui.screens.dialogs import Choose

        if len(access.interfaces) < 2:
            return ""
        options = {
            i.id: f"{i.id}  {i.private_ip}  {i.public_ip}  {', '.join(n for _, n in i.groups)}"
            for i in access.interfaces
        }
        title = f"{self._instance.label} has several network interfaces, each with groups"
        return await self.app.push_screen_wait(Choose(title, options))

    def copy(self) -> None:
        if self.table.rule:
            source = self.table.rule[1].source
            self.app.copy_to_clipboard(source)
            self.cloudtui.say(f"Copied {source}")

    @on(KeyedTable.Moved)
    def _moved(self) -> None:
        self.refresh_footer()


def _tell_groups(plan: GroupChange) -> list[Line]:
    lines: list[Line] = [("+ ", group.label, "bold") for group in plan.added]
    lines += [("- ", group.label, "bold") for group in plan.removed]
    if not lines:
        lines = [("", "It has just these groups already.", "")]
    return [*lines, *(line("! ", caution) for caution in plan.cautions)]
