"""The machines: the first screen."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from functools import partial

from textual import on, work
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.timer import Timer
from textual.widgets import Static

from cloudtui.core.events import (
    DetailsChanged,
    Event,
    InventoryChanged,
    InventoryState,
    JobsChanged,
    PricesChanged,
    TunnelsChanged,
)
from cloudtui.files import view
from cloudtui.model.errors import CloudtuiError, CredentialsProblem
from cloudtui.model.filter import Filter
from cloudtui.model.instance import Instance
from cloudtui.model.words import plural, since
from cloudtui.ui.actions import Where
from cloudtui.ui.screens.area import bindings
from cloudtui.ui.screens.lifecycle import MachineChanges
from cloudtui.ui.screens.list_area import FilterField, ListArea
from cloudtui.ui.widgets.details import About, describe
from cloudtui.ui.widgets.face import Face
from cloudtui.ui.widgets.frame import Footer, FooterKey, Header
from cloudtui.ui.widgets.keyed_table import KeyedTable
from cloudtui.ui.widgets.machine_columns import headings, offered
from cloudtui.ui.widgets.machines_table import MachinesTable

REST_SECONDS = 0.25
"""How long the cursor rests on a row before EC2 is asked about it."""
DETAILS_FROM = 28
"""Terminal rows from which the details are shown unless they are switched off."""

NEAR_NAMES = 6
"""How many near names are said."""

NO_ACCOUNT_STEPS = (
    ("cloudtui demo", "try everything on pretend machines, without an account"),
    ("AWS_PROFILE=NAME cloudtui", "use one of the profiles of ~/.aws/config"),
    ("aws sso login", "sign in again through your organisation"),
    ("aws configure", "store a long-lived access key"),
)


class MachinesScreen(ListArea, MachineChanges):
    """The table of instances, its filter, the details of the row, and the table's four faces."""

    WHERE = Where.MACHINES
    BINDINGS = bindings(Where.MACHINES)
    LEFT_OUT = ("go.back",)
    AUTO_FOCUS = "MachinesTable"

    def __init__(self) -> None:
        super().__init__()
        self._details: bool | None = None
        """None: shown when the terminal is tall enough."""
        self._resting: object = None
        """The row, in its state, whose details were asked for last."""
        self._look: Timer | None = None
        self._filling = False
        """The first listing is coming in; what ends it belongs to it."""

    def compose(self) -> ComposeResult:
        yield Header(self.WHERE)
        yield FilterField(placeholder="words such as bert, state:running, type:g5*, tag:team=nlp")
        yield Static(id="trouble", markup=False)
        yield Static(id="told", markup=False)
        yield MachinesTable()
        yield Face(id="face")
        yield VerticalScroll(Static(id="about"), id="details", can_focus=False)
        yield Footer(self.footer_keys)

    def on_mount(self) -> None:
        self._state = self.workbench.inventory.state
        super().on_mount()
        self.set_interval(1, self._tick)
        self._recall_view()
        self.paint()

    def _recall_view(self) -> None:
        self.table.choose(view.recall("columns"))
        column, *direction = view.recall("order") or ("name",)
        if headings((column,))[0].key == column:
            self.table.order_by, self.table.descending = column, bool(direction)

    @property
    def table(self) -> MachinesTable:
        return self.query_one(MachinesTable)

    @property
    def instance(self) -> Instance | None:
        return self.table.instance

    @property
    def chosen(self) -> tuple[Instance, ...]:
        """The machines that an action on many is about: the marked ones, else the cursor's own."""
        marks = self.table.marks
        marked = tuple(i for i in self._state.instances if i.id in marks) if marks else ()
        return marked or ((self.instance,) if self.instance else ())

    def show(self, event: Event) -> None:
        super().show(event)
        if isinstance(event, InventoryChanged):
            known = {error.title for _, error in self._state.errors}
            self._state = event.state
            for _, error in event.state.errors:
                if error.title not in known:
                    self.cloudtui.fail(error, toast=False)
            self.paint()
        elif isinstance(event, PricesChanged):
            self.table.prices_changed()
            self._paint_details()
        elif isinstance(event, TunnelsChanged | DetailsChanged | JobsChanged):
            self._paint_details()

    def paint(self) -> None:
        state = self._state
        filling, before = state.loading and state.updated is None, self._filling
        self._filling = filling
        self.table.show_instances(
            state.instances,
            state.dimmed,
            self.workbench.prices.price,
            self.query_text,
            filling=filling or before,
            profiles=len(state.profiles) > 1,
        )
        self.table.keep_marks(i.id for i in state.instances)
        self._paint_list()
        self._paint_trouble()
        self._paint_details()

    def _paint_list(self) -> None:
        """The rows, or a face where there are none; of many, once they were looked through."""
        if self.table.busy:
            return
        face, rows = self.query_one(Face), bool(self.table.row_count)
        face.display, self.table.display = not rows, rows
        if rows and self.focused is None:
            self.table.focus()
        if not rows:
            self._paint_face(face, self._state, self.query_text)
        self._paint_filter()

    def _paint_filter(self) -> None:
        """What the filter's words did not mean, and that what is shown is only near."""
        line, wanted = self.query_one("#told", Static), Filter(self.query_text)
        words = [wanted.problem] if wanted.problem else []
        if not self.table.row_count and (value := wanted.near_value(self._state.instances)):
            words.append(value)
        if self.table.near:
            words.append(near_words(self.query_text, self.table.names_shown))
        line.display = bool(words)
        line.update("\n".join(words))

    def _paint_face(self, face: Face, state: InventoryState, query: str) -> None:
        where = regions_words(state)
        if state.instances:
            count = plural(len(state.instances), "machine")
            face.say(
                f"No machine matches {query}.",
                f"{count} without it.",
                [("Esc", "clear the filter"), ("?", "the filter's words")],
            )
        elif state.errors and not state.loading:
            self._paint_failure(face, state)
        elif state.updated and not state.loading:
            face.say(
                f"No instances in {where}.",
                "Every EC2 instance of the account in that region is listed here.",
                [
                    ("cloudtui --region REGION", "look in another region"),
                    ("cloudtui --region all", "look in every region"),
                    ("cloudtui demo", "try everything on pretend machines"),
                    ("Ctrl-r", "ask again now"),
                ],
            )
        elif not face.words or not state.errors:
            face.work(f"Listing the instances{f' of {where}' if where else ''} …")

    def _paint_failure(self, face: Face, state: InventoryState) -> None:
        _, error = state.errors[0]
        steps: list[tuple[str, str]] = [("Ctrl-r", "try again now")]
        if isinstance(error, CredentialsProblem):
            face.say(error.title, error.detail, [*NO_ACCOUNT_STEPS, *steps], failed=True)
        else:
            face.fail(error, steps)

    def _paint_trouble(self) -> None:
        """The line above old rows that says why they are old."""
        line, state = self.query_one("#trouble", Static), self._state
        line.display = bool(state.errors and state.instances)
        if not line.display:
            return
        _, error = state.errors[0]
        more = f" (and {len(state.errors) - 1} more)" if len(state.errors) > 1 else ""
        age = f" Dimmed rows are from {self._age()} ago." if state.old_since else ""
        line.update(f"× {error.title}{more}{age} Ctrl-r tries again, ~ has the details.")

    def _age(self) -> str:
        return since(self._state.old_since, datetime.now(UTC))

    def _paint_details(self) -> None:
        panel, instance = self.query_one("#details"), self.instance
        wanted = self.app.size.height >= DETAILS_FROM if self._details is None else self._details
        panel.display = wanted and instance is not None and self.table.display
        panel.set_class(self.app.size.height < DETAILS_FROM, "-tight")
        if panel.display and instance:
            about = About.of(self.workbench, instance)
            self.query_one("#about", Static).update(describe(about, self.app.size.width - 3))
            self.call_later(self._look_closer, instance)

    def _look_closer(self, instance: Instance) -> None:
        """Ask EC2 about the row once the cursor has rested on it; moving on takes that back."""
        resting = (instance.id, instance.state)
        if resting == self._resting or self._state.dimmed(instance):
            return
        self._resting = resting
        self.workers.cancel_group(self, "details")
        if self._look:
            self._look.stop()
        self._look = self.set_timer(REST_SECONDS, partial(self._load_details, instance))

    @work(group="details")
    async def _load_details(self, instance: Instance) -> None:
        await self.workbench.details.load(instance)

    def _tick(self) -> None:
        self.table.tick()
        if self._state.errors:
            self._paint_trouble()

    def on_resize(self) -> None:
        self._paint_details()

    @on(KeyedTable.Moved)
    def _moved(self) -> None:
        self._paint_list()
        self._paint_details()
        self.refresh_footer()

    @on(KeyedTable.RowSelected)
    def _row_selected(self) -> None:
        self.action_do("machine.sessions")

    def toggle_details(self) -> None:
        self._details = not self.query_one("#details").display
        self._paint_details()

    def back(self) -> None:
        """Esc: clear the filter, then the marks."""
        if not self.clear_filter():
            self.table.keep_marks()

    def back_or_quit(self) -> None:
        self.cloudtui.leave()

    def go_machines(self) -> None:
        self.table.focus()

    def refresh_now(self) -> None:
        self.workbench.inventory.refresh()

    def footer_keys(self) -> list[FooterKey]:
        """The entries of the footer, how many machines are marked before them."""
        keys, table = super().footer_keys(), self.table
        if not table.marks:
            return keys
        hidden = table.marks_hidden
        words = f"marked, {hidden} hidden" if hidden else "marked"
        return [FooterKey("go.back", str(len(table.marks)), words), *keys]

    def changed(self, ids: Collection[str]) -> None:
        """Those that got where they should lose their marks; the others can be tried again."""
        if self.is_mounted:
            self.table.keep_marks(self.table.marks.difference(ids))

    def mark_row(self) -> None:
        self.table.mark()

    def invert_marks(self) -> None:
        self.table.invert_marks()

    @on(KeyedTable.Ordered)
    def _ordered(self) -> None:
        direction = ("descending",) if self.table.descending else ()
        view.remember(order=(self.table.order_by, *direction))

    @work
    async def choose_columns(self) -> None:
        """Ask which columns to show, and keep the answer for the next start."""
        from cloudtui.ui.screens.columns import ChooseColumns

        shown = [heading.key for heading in self.table.headings]
        columns = offered(shown, self._state.instances)
        chosen = await self.app.push_screen_wait(ChooseColumns(columns, shown))
        if chosen is not None:
            view.remember(columns=chosen)
            self.table.choose(chosen)
            self.paint()

    @work
    async def copy(self) -> None:
        """Ask what to copy of the machine that has the cursor now."""
        from cloudtui.ui.screens.dialogs import Choose

        instance = self.instance
        if instance is None:
            return
        choices = {
            "id": ("Id", instance.id),
            "name": ("Name", instance.name),
            "public": ("Public address", instance.public_ip),
            "dns": ("Public DNS name", instance.public_dns),
            "ipv6": ("IPv6 address", instance.ipv6),
            "private": ("Private address", instance.private_ip),
        }
        options = {k: f"{title:<16} {text}" for k, (title, text) in choices.items() if text}
        if not self.workbench.why_not("copy.ssh", instance):
            options["ssh"] = f"{'ssh command':<16} as typed in a terminal"
        chosen = await self.app.push_screen_wait(Choose(f"Copy of {instance.label}", options))
        if chosen is None:
            return
        try:
            if chosen == "ssh":
                text = await self.workbench.ssh_command(instance)
            else:
                text = choices[chosen][1]
        except CloudtuiError as error:
            self.cloudtui.fail(error)
            return
        self.app.copy_to_clipboard(text)
        self.cloudtui.say(f"Copied {text}")


def near_words(query: str, names: Iterable[str]) -> str:
    """That nothing matches, and the names of those shown instead."""
    few = list(dict.fromkeys(names))
    more = " …" if len(few) > NEAR_NAMES else ""
    return f"No machine matches {query}; near: {', '.join(few[:NEAR_NAMES])}{more}"


def regions_words(state: InventoryState) -> str:
    """`us-east-1`, `us-east-1 and eu-west-1`, `us-east-1 and 16 more regions`, or nothing."""
    match state.regions:
        case ():
            return ""
        case (only,):
            return only
        case (first, second):
            return f"{first} and {second}"
        case _:
            return f"{state.regions[0]} and {len(state.regions) - 1} more regions"
