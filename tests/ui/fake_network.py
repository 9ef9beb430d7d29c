"""Security groups and Elastic IPs of the pretend fleet, in memory, planned by the real rules."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from cloudtui.core.events import AddressesChanged, AddressesState, Events
from cloudtui.core.security_groups import Changed
from cloudtui.model import access as plans
from cloudtui.model import address as address_plans
from cloudtui.model.access import Access, Closing, GroupChange, Opening
from cloudtui.model.address import Address, Association, Removal, holder_of, hourly
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance
from cloudtui.model.place import Place
from cloudtui.model.price import Price
from cloudtui.model.security_group import SSH, Group, Interface, Rule, Viewer, cidr, mark

ME, TODAY = "ada@laptop", date(2026, 11, 21)
MY_ADDRESS = "81.2.69.142"
ANYWHERE = Rule("-1", -1, -1, "0.0.0.0/0", outbound=True)
NLP = Group(
    "sg-0123456789abcdef0",
    "nlp-ssh",
    (
        Rule("tcp", 22, 22, "203.0.113.0/24", "office"),
        Rule("tcp", 22, 22, "81.2.69.7/32", mark(ME, date(2026, 11, 9))),
        Rule("tcp", 8888, 8888, "sg-0123456789abcdef0"),
    ),
    (ANYWHERE,),
    "vpc-0a1b2c3d",
)
OPEN = Group(
    "sg-0fedcba9876543210",
    "quick",
    (Rule("tcp", 22, 22, "0.0.0.0/0"),),
    (ANYWHERE,),
    "vpc-0a1b2c3d",
    "open for now",
)


class FakeSecurityGroups:
    """Every machine has `groups`; `refusal` is raised by every question, `hold` keeps callers."""

    def __init__(self) -> None:
        self.groups: tuple[Group, ...] = (NLP,)
        self.known: tuple[Group, ...] = (NLP, OPEN)
        self.interfaces: tuple[Interface, ...] = ()
        self.members: dict[str, tuple[str, ...]] = {NLP.id: ("jupyter-lab",)}
        self.addresses: tuple[str, ...] = (MY_ADDRESS,)
        self.unknown: CloudtuiError | None = None
        self.refusal: CloudtuiError | None = None
        self.change_refusal: CloudtuiError | None = None
        self.done: list[Opening | Closing | GroupChange] = []
        self.hold = asyncio.Event()
        self.hold.set()

    def viewer(self) -> Viewer:
        return Viewer(ME, TODAY, () if self.unknown else self.addresses)

    async def my_addresses(self, *, fresh: bool = False) -> tuple[str, ...]:
        if self.unknown:
            raise self.unknown
        return self.addresses

    async def access(self, instance: Instance) -> Access:
        await self.hold.wait()
        if self.refusal:
            raise self.refusal
        return Access(instance, self.groups, self.interfaces, self.members)

    async def candidates(self, instance: Instance) -> tuple[Group, ...]:
        return self.known

    async def plan_open(
        self,
        instance: Instance,
        ports: tuple[int, int] = (SSH, SSH),
        *,
        source: str = "",
        group: str = "",
    ) -> Opening:
        mine = [cidr(a) for a in await self.my_addresses()]
        return plans.opening(
            await self.access(instance),
            self.viewer(),
            [source] if source else mine,
            *ports,
            group,
            named=bool(source),
        )

    async def open(self, plan: Opening) -> Changed:
        self._do(plan)
        gone = {rule.key for _, rule in plan.remove}
        self.groups = tuple(
            replace(g, inbound=(*(r for r in g.inbound if r.key not in gone), *plan.add))
            if g.id == plan.group.id
            else g
            for g in self.groups
        )
        return Changed(plan.add, tuple(rule for _, rule in plan.remove))

    async def plan_close_rule(self, access: Access, group: Group, rule: Rule) -> Closing:
        return plans.closing(access, [(group, rule)], self.viewer())

    async def close(self, plan: Closing) -> Changed:
        self._do(plan)
        gone = {rule.key for _, rule in plan.rules}
        self.groups = tuple(
            replace(g, inbound=tuple(r for r in g.inbound if r.key not in gone))
            for g in self.groups
        )
        return Changed(removed=tuple(rule for _, rule in plan.rules))

    async def plan_groups(
        self, instance: Instance, wanted: Sequence[str], *, interface_id: str = ""
    ) -> GroupChange:
        access = await self.access(instance)
        return plans.group_change(access, self.known, wanted, self.viewer(), interface_id)

    async def set_groups(self, plan: GroupChange) -> None:
        self._do(plan)
        self.groups = plan.after

    def _do(self, plan: Opening | Closing | GroupChange) -> None:
        if self.change_refusal:
            raise self.change_refusal
        self.done.append(plan)


class FakeAddresses:
    """`held` is what `load` finds; moves change it at once."""

    def __init__(self, events: Events, inventory: Any) -> None:
        self._events, self._inventory = events, inventory
        self.state = AddressesState()
        self.seen: dict[str, Instance] = {}
        self.held: tuple[Address, ...] = ()
        self.failure: CloudtuiError | None = None
        self.change_refusal: CloudtuiError | None = None
        self.done: list[tuple[str, str]] = []

    async def load(self) -> AddressesState:
        errors = ((Place("", "us-east-1"), self.failure),) if self.failure else ()
        self._set(AddressesState(self.held, False, datetime.now(UTC), errors))
        return self.state

    def price(self, address: Address) -> Price | None:
        return hourly(address)

    def holder(self, address: Address) -> str:
        return holder_of(address, self._instances)

    async def allocate(self, place: Place, name: str = "") -> Address:
        self._do("allocate", name)
        made = Address("54.9.9.9", place.region, "eipalloc-9", tags={"Name": name})
        self._put((*self.held, made))
        return made

    async def plan_associate(
        self, address: Address, instance: Instance, *, interface_id: str = ""
    ) -> Association:
        return address_plans.association(
            address, instance, self._instances, (), self.held, interface_id
        )

    async def associate(self, plan: Association) -> Address:
        self._do("associate", plan.instance.name)
        made = replace(plan.address, association_id="eipassoc-1", instance_id=plan.instance.id)
        self._put(tuple(made if a.ip == made.ip else a for a in self.held))
        return made

    async def plan_disassociate(self, address: Address) -> Removal:
        return address_plans.disassociation(address, self._instances)

    async def disassociate(self, plan: Removal) -> None:
        self._do("disassociate", plan.address.ip)
        free = replace(plan.address, association_id="", instance_id="")
        self._put(tuple(free if a.ip == free.ip else a for a in self.held))

    async def plan_release(self, address: Address) -> Removal:
        return address_plans.release(address, self._instances)

    async def release(self, plan: Removal) -> None:
        self._do("release", plan.address.ip)
        self._put(tuple(a for a in self.held if a.ip != plan.address.ip))

    @property
    def _instances(self) -> dict[str, Instance]:
        return {i.id: i for i in self._inventory.state.instances}

    def _do(self, verb: str, what: str) -> None:
        if self.change_refusal:
            raise self.change_refusal
        self.done.append((verb, what))

    def _put(self, held: tuple[Address, ...]) -> None:
        self.held = held
        self._set(replace(self.state, addresses=held))

    def _set(self, state: AddressesState) -> None:
        self.state = state
        self._events.emit(AddressesChanged(state))
