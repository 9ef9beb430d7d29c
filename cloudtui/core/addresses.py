"""Elastic IPs: listed place by place, allocated, moved and released."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cloudtui.core.events import AddressesChanged, AddressesState, Events
from cloudtui.core.inventory import Inventory
from cloudtui.core.prices import Prices
from cloudtui.model import address as plans
from cloudtui.model.address import Address, Association, Removal
from cloudtui.model.errors import READ_ONLY, CloudtuiError, NotFound, QuotaReached, Refused
from cloudtui.model.instance import Instance
from cloudtui.model.place import Place
from cloudtui.model.price import Price

if TYPE_CHECKING:
    from cloudtui.aws.clients import Amazon


LOOKS, LOOK_SECONDS = 5, 1.0
"""How often a machine is looked at until it has its new address, and the time between."""

Sleep = Callable[[float], Awaitable[None]]


class Addresses:
    """Keeps `state`; every change is emitted as AddressesChanged."""

    def __init__(
        self,
        inventory: Inventory,
        prices: Prices,
        events: Events,
        *,
        read_only: bool = False,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._inventory = inventory
        self._prices = prices
        self._events = events
        self._read_only = read_only
        self._sleep = sleep
        self.state = AddressesState()
        self.seen: dict[str, Instance] = {}
        """The machines that the last move touched, as EC2 had them after it, by id."""

    async def load(self) -> AddressesState:
        """List every place in view now; failures are in the state's `errors`, and the addresses
        of a place that failed stay as they were."""
        self._set(replace(self.state, loading=True))
        places = self._places()
        answers = await asyncio.gather(*(self._list(place) for place in places))
        found: dict[str, Address] = {}
        errors: list[tuple[Place, CloudtuiError]] = []
        for place, answer in zip(places, answers, strict=True):
            if isinstance(answer, CloudtuiError):
                errors.append((place, answer))
                answer = tuple(
                    a for a in self.state.addresses if Place(a.profile, a.region) == place
                )
            for address in answer:
                found.setdefault(address.allocation_id or address.ip, address)
        self._set(AddressesState(tuple(found.values()), False, datetime.now(UTC), tuple(errors)))
        return self.state

    async def find(self, name: str) -> Address:
        """The Elastic IP that `name` means; see `model.address.resolve`.

        Raises:
            NotFound, Ambiguous
            CloudtuiError: a place could not be listed and no other has it.
        """
        if self.state.updated is None:
            await self.load()
        try:
            return plans.resolve(name, self.state.addresses)
        except NotFound:
            if self.state.errors:
                raise self.state.errors[0][1] from None
            raise

    def price(self, address: Address) -> Price | None:
        """What it costs an hour, in use or not; None when nobody knows."""
        return plans.hourly(address, self._prices.public_address(address.region))

    def holder(self, address: Address) -> str:
        """Who has it, in words; empty for nobody."""
        return plans.holder_of(address, self._instances)

    # Changing

    async def allocate(self, place: Place, name: str = "") -> Address:
        """A new Elastic IP.

        Raises:
            Refused: read-only mode.
            QuotaReached: with how many there are, and what to do.
            CloudtuiError: EC2 refuses, or was not reached.
        """
        self.may_change()
        from cloudtui.aws import addresses as calls

        amazon = await self._inventory.amazon(place.profile)
        try:
            made = await calls.allocate(amazon, place.region, name)
        except QuotaReached as error:
            raise await self._full(amazon, place, error) from error
        await self._renew(place)
        return replace(made, profile=place.profile)

    async def _full(self, amazon: Amazon, place: Place, error: QuotaReached) -> QuotaReached:
        from cloudtui.aws import addresses as calls

        try:
            have = await calls.addresses(amazon, place.region)
        except CloudtuiError:
            return error
        most = await calls.quota(amazon, place.region)
        idle = tuple(a for a in have if a.idle)
        return calls.full(place.region, len(have), most, idle, error.detail)

    async def plan_associate(
        self, address: Address, instance: Instance, *, interface_id: str = ""
    ) -> Association:
        """What giving the address to the machine would do, from what EC2 says now.

        Raises:
            Refused: read-only mode, or a reason that stands against it.
            NotFound: the address or the machine is gone.
            CloudtuiError: AWS was not reached or refused.
        """
        self.may_change()
        from cloudtui.aws import security_groups

        instance = await self._inventory.confirmed(instance)
        self._same_account(address, instance)
        region = address.region
        if region != instance.region:
            return plans.association(address, instance, self._instances)
        amazon = await self._inventory.amazon(address.profile)
        fresh, others = await self._fresh(address)
        try:
            own = await security_groups.interfaces(
                amazon, region, "attachment.instance-id", [instance.id]
            )
        except CloudtuiError:
            own = ()  # EC2 refuses the machine as such when it has several
        return plans.association(fresh, instance, self._instances, own, others, interface_id)

    async def associate(self, plan: Association) -> Address:
        """Do it; the machines concerned are listed again at once.

        Raises:
            Refused: read-only mode.
            CloudtuiError: EC2 refuses, or was not reached.
        """
        self.may_change()
        from cloudtui.aws import addresses as calls

        amazon = await self._inventory.amazon(plan.address.profile)
        association = await calls.associate(amazon, plan)
        primary = plan.interface is None or plan.interface.index == 0
        await self._moved(
            plan.address,
            [plan.instance.id, plan.taken_from_id],
            arrives=plan.instance.id if primary else "",
        )
        return replace(plan.address, association_id=association, instance_id=plan.instance.id)

    async def plan_disassociate(self, address: Address) -> Removal:
        """What taking it off whoever has it would do.

        Raises:
            Refused, NotFound, CloudtuiError: as `plan_associate`.
        """
        self.may_change()
        fresh, _ = await self._fresh(address)
        return plans.disassociation(fresh, self._instances)

    async def disassociate(self, plan: Removal) -> None:
        """Do it; the machine is listed again at once.

        Raises:
            Refused: read-only mode.
            CloudtuiError: EC2 refuses, or was not reached.
        """
        self.may_change()
        from cloudtui.aws import addresses as calls

        await calls.disassociate(await self._inventory.amazon(plan.address.profile), plan.address)
        await self._moved(plan.address, [plan.address.instance_id])

    async def plan_release(self, address: Address) -> Removal:
        """What giving it back to AWS would do.

        Raises:
            Refused: read-only mode; something has it.
            NotFound, CloudtuiError: as `plan_associate`.
        """
        self.may_change()
        fresh, _ = await self._fresh(address)
        return plans.release(fresh, self._instances)

    async def release(self, plan: Removal) -> None:
        """Give it back, unless somebody has it by now: EC2 may take it away without a word.

        Raises:
            Refused: read-only mode; something has it.
            CloudtuiError: EC2 refuses, or was not reached.
        """
        self.may_change()
        from cloudtui.aws import addresses as calls

        again = await self.plan_release(plan.address)
        amazon = await self._inventory.amazon(again.address.profile)
        await calls.release(amazon, again.address)
        await self._renew(Place(again.address.profile, again.address.region))

    # Parts

    def _same_account(self, address: Address, instance: Instance) -> None:
        one, other = address.profile, instance.profile
        known = self._inventory.state.identities
        accounts = [known[p].account if p in known else p for p in (one, other)]
        if one != other and accounts[0] != accounts[1]:
            raise Refused(
                f"Cannot associate {address.label} with {instance.label}: the address is "
                f"{accounts[0] or 'the default profile'}'s and the machine "
                f"{accounts[1] or 'the default profile'}'s.",
                "An Elastic IP goes to machines of its own account.",
            )

    @property
    def _instances(self) -> dict[str, Instance]:
        return {i.id: i for i in self._inventory.state.instances}

    def _places(self) -> tuple[Place, ...]:
        state = self._inventory.state
        failed = [place for place, _ in state.errors if place.region not in ("", "all")]
        return tuple(dict.fromkeys((*state.listed, *failed)))

    async def _list(self, place: Place) -> tuple[Address, ...] | CloudtuiError:
        from cloudtui.aws import addresses as calls

        try:
            amazon = await self._inventory.amazon(place.profile)
            found = await calls.addresses(amazon, place.region)
        except CloudtuiError as error:
            return error
        return tuple(replace(a, profile=place.profile) for a in found)

    async def _fresh(self, address: Address) -> tuple[Address, tuple[Address, ...]]:
        """The address as EC2 has it now, and all of its region."""
        place = Place(address.profile, address.region)
        answer = await self._list(place)
        if isinstance(answer, CloudtuiError):
            raise answer
        self._put(place, answer)
        for found in answer:
            if (found.allocation_id, found.ip) == (address.allocation_id, address.ip):
                return found, answer
        raise NotFound(
            f"{address.label} is not the account's any more.",
            hint="Look again: Ctrl-r, or cloudtui ip ls",
        )

    async def _moved(self, address: Address, ids: Iterable[str], *, arrives: str = "") -> None:
        """Look at the machines concerned: the list, the ssh config and connections follow.

        EC2 may tell for a moment what was; that machine is looked at until it has the address.
        """
        place, wanted = Place(address.profile, address.region), [i for i in ids if i]
        self.seen = {}
        try:
            for _ in range(LOOKS):
                self.seen = found = await self._inventory.look(place, wanted)
                if not arrives or arrives not in found or found[arrives].public_ip == address.ip:
                    break
                await self._sleep(LOOK_SECONDS)
        except CloudtuiError:
            self._inventory.refresh()
        self._inventory.follow(wanted)
        await self._renew(place)

    async def _renew(self, place: Place) -> None:
        answer = await self._list(place)
        if not isinstance(answer, CloudtuiError):
            self._put(place, answer)

    def _put(self, place: Place, found: tuple[Address, ...]) -> None:
        there = (place.profile, place.region)
        others = [a for a in self.state.addresses if (a.profile, a.region) != there]
        self._set(replace(self.state, addresses=(*others, *found)))

    def _set(self, state: AddressesState) -> None:
        if state != self.state:
            self.state = state
            self._events.emit(AddressesChanged(state))

    def may_change(self) -> None:
        """Nothing, or the refusal of read-only mode.

        Raises:
            Refused
        """
        if self._read_only:
            raise Refused(READ_ONLY, hint="Leave out --read-only to change Elastic IPs.")
