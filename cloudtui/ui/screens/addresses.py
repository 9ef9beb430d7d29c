"""The Elastic IPs: who has them, what they cost, and the moves."""

from __future__ import annotations

import asyncio

from textual import on, work
from textual.app import ComposeResult
from textual.widgets import Static

from cloudtui.core.events import (
    AddressesChanged,
    Event,
    InventoryChanged,
    PricesChanged,
)
from cloudtui.model.address import Address, Association, Removal, cost_words
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance, State
from cloudtui.model.place import Place
from cloudtui.model.price import HOURS_A_MONTH, dollars
from cloudtui.ui.actions import Action, Where
from cloudtui.ui.screens.area import bindings
from cloudtui.ui.screens.list_area import FilterField, ListArea
from cloudtui.ui.screens.plan import Line, PlanQuestion, line
from cloudtui.ui.widgets.addresses_table import AddressesTable
from cloudtui.ui.widgets.face import Face
from cloudtui.ui.widgets.frame import Footer, Header
from cloudtui.ui.widgets.keyed_table import KeyedTable

READ_ONLY_ACTIONS = frozenset(
    {"address.associate", "address.allocate", "address.disassociate", "address.release"}
)
"""Those that read-only refuses."""


class AddressesScreen(ListArea):
    """A table over one line that says what is paid for nothing."""

    WHERE = Where.ADDRESSES
    BINDINGS = bindings(Where.ADDRESSES)
    AUTO_FOCUS = "AddressesTable"

    def __init__(self, machine: Instance | None = None) -> None:
        """`machine` is the one that was under the cursor: it is offered first."""
        super().__init__()
        self._machine = machine
        self._asked: frozenset[Place] = frozenset()
        """The places that were listed when the addresses were asked for last."""

    def compose(self) -> ComposeResult:
        yield Header(self.WHERE)
        yield FilterField(placeholder="words such as 54.1, bert, nothing, eu-west-1")
        yield Static(id="trouble", markup=False)
        yield Static(id="told", markup=False)
        yield AddressesTable()
        yield Face(id="face")
        yield Footer(self.footer_keys)

    def on_mount(self) -> None:
        super().on_mount()
        self.set_interval(self.workbench.settings.refresh_seconds, self._load_in_front)
        self.paint()
        self._load()

    @property
    def table(self) -> AddressesTable:
        return self.query_one(AddressesTable)

    @property
    def address(self) -> Address | None:
        """The address under the cursor."""
        key = self.table.key
        found = self.workbench.addresses.state.addresses
        return next((a for a in found if key in (a.allocation_id, a.ip)), None)

    @property
    def instance(self) -> Instance | None:
        """The machine that has it."""
        address = self.address
        if address is None or not address.instance_id:
            return None
        return self._instances.get(address.instance_id)

    @property
    def _instances(self) -> dict[str, Instance]:
        return {i.id: i for i in self.workbench.inventory.state.instances}

    def why_not(self, action: Action) -> str:
        if action.id in READ_ONLY_ACTIONS and self.workbench.read_only:
            return self.workbench.why_not("groups.change", None)
        if not action.id.startswith("address.") or action.id == "address.allocate":
            return super().why_not(action)
        address = self.address
        if address is None:
            return "No address is selected. Press n to get one."
        if action.id == "address.disassociate" and address.idle:
            return f"Nothing has {address.label}: there is nothing to disassociate."
        if action.id == "address.release" and not address.idle:
            holder = self.workbench.addresses.holder(address)
            return f"{holder} has {address.label}: take it off first, with x."
        return ""

    def show(self, event: Event) -> None:
        super().show(event)
        if isinstance(event, InventoryChanged) and frozenset(event.state.listed) != self._asked:
            self._load()
        if isinstance(event, AddressesChanged | InventoryChanged | PricesChanged):
            self.paint()

    def refresh_now(self) -> None:
        self.workbench.inventory.refresh()
        self._load()

    @work(exclusive=True, group="addresses")
    async def _load(self) -> None:
        self._asked = frozenset(self.workbench.inventory.state.listed)
        await self.workbench.addresses.load()

    def _load_in_front(self) -> None:
        if self.app.screen is self:
            self._load()

    def paint(self) -> None:
        if not self.is_mounted:
            return
        state, face = self.workbench.addresses.state, self.query_one(Face)
        self.table.show_addresses(
            state.addresses, self.workbench.addresses, self._instances, self.query_text
        )
        rows = bool(self.table.row_count)
        face.display, self.table.display = not rows, rows
        trouble = self.query_one("#trouble", Static)
        trouble.display = bool(state.errors and state.addresses)
        if state.errors:
            more = f" (and {len(state.errors) - 1} more)" if len(state.errors) > 1 else ""
            trouble.update(f"× {state.errors[0][1].title}{more} Ctrl-r tries again.")
        self._paint_told()
        if rows and self.focused is None:
            self.table.focus()
        elif not rows:
            self._paint_face(face)
        self.refresh_footer()

    def _paint_told(self) -> None:
        told, addresses = self.query_one("#told", Static), self.workbench.addresses
        idle = [a for a in addresses.state.addresses if a.idle]
        prices = [price for a in idle if (price := addresses.price(a))]
        told.display = bool(idle)
        cost = dollars(sum(price.hourly for price in prices) * HOURS_A_MONTH)
        told.update(
            f"Nothing uses {len(idle)} address{'' if len(idle) == 1 else 'es'}: ${cost} a month. "
            "Ctrl-d gives one back."
        )

    def _paint_face(self, face: Face) -> None:
        state = self.workbench.addresses.state
        if state.addresses:
            face.say("No address matches the filter.", "", [("Esc", "clear the filter")])
        elif state.errors and not state.loading:
            face.fail(state.errors[0][1], [("Ctrl-r", "try again"), ("Esc", "go back")])
        elif state.updated is None or not self._asked:
            face.work("Listing the Elastic IPs …")
        else:
            face.say(
                "No Elastic IP in the regions in view.",
                "A machine gets another public address at each start. An Elastic IP stays the "
                "same; it costs about $3.65 a month, used or not.",
                [("n", "get one"), ("R", "choose other regions, on the first screen")],
            )

    # Doing

    @work(group="address")
    async def associate(self) -> None:
        address = self.address
        if address is None:
            return
        machine = await self._choose_machine(address)
        if machine is None:
            return
        addresses = self.workbench.addresses
        interface = await self._choose_interface(machine)
        if interface is None:
            return
        question = PlanQuestion(
            f"Associate {address.label} with {machine.label}?",
            lambda: addresses.plan_associate(address, machine, interface_id=interface),
            _tell_association,
            "Associate",
            possible=lambda _: True,
        )
        plan = await self.app.push_screen_wait(question)
        if plan is None:
            return
        try:
            await addresses.associate(plan)
        except CloudtuiError as error:
            self.cloudtui.fail(error)
            self._load()
        else:
            self.cloudtui.say(f"{machine.label} is at {address.ip} now.")

    async def _choose_machine(self, address: Address) -> Instance | None:
        from cloudtui.ui.screens.choose import ChooseOne
        from cloudtui.ui.screens.places import Entry

        able = [
            i
            for i in self.workbench.inventory.state.instances
            if i.region == address.region
            and i.state in (State.RUNNING, State.STOPPED, State.STOPPING)
            and i.id != address.instance_id
        ]
        if not able:
            self.cloudtui.say(
                f"No machine in {address.region} can have {address.label}: an Elastic IP cannot "
                "leave its region."
            )
            return None
        able.sort(key=lambda i: (i.name.casefold(), i.id))
        entries = [
            Entry(i.id, i.spoken, f"{i.id}  {i.state.value}  {i.public_ip or 'no public address'}")
            for i in able
        ]
        first = [self._machine.id] if self._machine else []
        title = f"Which machine gets {address.label}?"
        chosen = await self.app.push_screen_wait(ChooseOne(title, entries, first))
        return self._instances.get(chosen[0]) if chosen else None

    async def _choose_interface(self, machine: Instance) -> str | None:
        """The network interface that is meant, empty when there is one; None is a no."""
        from cloudtui.ui.screens.dialogs import Choose

        try:
            access = await self.workbench.security_groups.access(machine)
        except CloudtuiError:
            return ""
        if len(access.interfaces) < 2:
            return ""
        options = {
            i.id: f"{i.id}  {i.private_ip}  {i.public_ip or 'no public address'}"
            for i in access.interfaces
        }
        title = f"{machine.label} has several network interfaces"
        return await self.app.push_screen_wait(Choose(title, options))

    @work(group="address")
    async def disassociate(self) -> None:
        address, addresses = self.address, self.workbench.addresses
        if address is None:
            return
        question = PlanQuestion(
            f"Take {address.label} off {addresses.holder(address)}?",
            lambda: addresses.plan_disassociate(address),
            _tell_removal,
            "Disassociate",
            possible=lambda _: True,
        )
        plan = await self.app.push_screen_wait(question)
        if plan is None:
            return
        try:
            await addresses.disassociate(plan)
        except CloudtuiError as error:
            self.cloudtui.fail(error)
            self._load()
            return
        machine = addresses.seen.get(plan.address.instance_id)
        where = (machine.public_ip if machine else "") or "no public address"
        self.cloudtui.say(f"{plan.holder} has {where} now.")

    @work(group="address")
    async def release(self) -> None:
        address, addresses = self.address, self.workbench.addresses
        if address is None:
            return
        question = PlanQuestion(
            f"Release {address.label} in {address.region}?",
            lambda: addresses.plan_release(address),
            _tell_removal,
            "Release",
            possible=lambda _: True,
        )
        plan = await self.app.push_screen_wait(question)
        if plan is None:
            return
        try:
            await addresses.release(plan)
        except CloudtuiError as error:
            self.cloudtui.fail(error)
            self._load()
        else:
            self.cloudtui.say(f"{address.label} is released.")

    @work(group="address")
    async def allocate(self) -> None:
        from cloudtui.ui.screens.dialogs import Answers

        place = await self._choose_place()
        if place is None:
            return
        note = "It costs $0.005 an hour, about $3.65 a month, used or not, until it is released."
        fields = [("name (may be empty)", True)]
        title = f"A new Elastic IP in {place.region}"
        answers = await self.app.push_screen_wait(Answers(title, fields, note))
        if answers is None:
            return
        addresses = self.workbench.addresses
        try:
            made = await addresses.allocate(place, answers[0].strip())
        except CloudtuiError as error:
            self.cloudtui.fail(error)
            return
        self.paint()  # the event that tells of it is on its way still
        self.table.select(made.allocation_id or made.ip)
        cost = cost_words(addresses.price(made))
        self.cloudtui.say(f"{made.label} is yours now, for {cost}. Enter gives it to a machine.")

    async def _choose_place(self) -> Place | None:
        from cloudtui.ui.screens.dialogs import Choose

        state = self.workbench.inventory.state
        places = {f"{p.profile}/{p.region}": p for p in state.listed}
        if not places:
            self.cloudtui.say("No region was listed yet.")
            return None
        if len(places) == 1:
            return next(iter(places.values()))
        several = len(state.profiles) > 1
        options = {
            key: f"{place.region}  {place.profile if several else ''}".rstrip()
            for key, place in places.items()
        }
        chosen = await self.app.push_screen_wait(Choose("A new Elastic IP where?", options))
        return places.get(chosen or "")

    def copy(self) -> None:
        if self.address:
            self.app.copy_to_clipboard(self.address.ip)
            self.cloudtui.say(f"Copied {self.address.ip}")

    @on(KeyedTable.Moved)
    def _moved(self) -> None:
        self.refresh_footer()

    @on(KeyedTable.RowSelected)
    def _row_selected(self) -> None:
        self.action_do("address.associate")

    def on_screen_resume(self) -> None:
        if self.is_mounted and not self.workbench.addresses.state.loading:
            asyncio.get_running_loop().call_soon(self.paint)


def _tell_association(plan: Association) -> list[Line]:
    return [line("! ", caution) for caution in plan.cautions] or [
        ("", "Nothing else has it, and the machine has no public address to lose.", "")
    ]


def _tell_removal(plan: Removal) -> list[Line]:
    return [line("! ", caution) for caution in plan.cautions]
