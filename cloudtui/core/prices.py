"""What the machines cost: looked up at once in tables that are renewed in the background.

The table in the package is there from the start. Prices kept from an earlier run come next, then
AWS's own: the price page of each region in view, the Pricing API for types that it lacks, Spot
prices, and the volumes and idle addresses where their price is known.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from cloudtui.core.events import (
    Event,
    Events,
    InventoryChanged,
    Note,
    Noted,
    PricesChanged,
    Severity,
)
from cloudtui.core.inventory import Inventory
from cloudtui.core.tasks import cancel, keep
from cloudtui.files import price_table
from cloudtui.files.price_table import Kept
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance, State
from cloudtui.model.place import Place
from cloudtui.model.price import (
    Bill,
    Disks,
    Price,
    PriceTable,
    Source,
    StoragePrices,
    disk,
    pays,
    sum_up,
    system_of,
    why_unknown,
    with_disks,
    with_idle,
    with_in_use,
)

if TYPE_CHECKING:
    from cloudtui.aws.clients import Amazon
    from cloudtui.aws.prices import PricePage

FRESH = timedelta(days=7)
"""How long prices read from AWS are used without asking again."""
RETRY = timedelta(hours=1)
"""How long after a failure the same is asked again."""
MOVING = timedelta(minutes=10)
"""How long Spot prices, and the list of volumes and addresses, are used."""
WAKE_SECONDS = 60.0
AT_ONCE = 2
PRODUCTS_AT_A_TIME = 20

NEVER = datetime.min.replace(tzinfo=UTC)

_System = tuple[str, str]
"""Region and operating system."""
_Spot = tuple[str, str, str]
"""Type, zone and platform."""


@dataclass(slots=True)
class _Region:
    """What is known of a region, and when to ask again."""

    kept: Kept | None = None
    read: bool = False
    again: datetime = NEVER
    asked: set[str] = field(default_factory=set)
    """Systems and types that AWS was asked for in vain."""
    problem: CloudtuiError | None = None


@dataclass(slots=True)
class _Survey:
    """The volumes and idle addresses of a place."""

    volumes: Mapping[str, Disks]
    """By the machine they are attached to; under the empty id, those of none."""
    idle: int
    when: datetime


class Prices:
    """Every change of a price is emitted as PricesChanged."""

    def __init__(self, inventory: Inventory, events: Events) -> None:
        self._inventory = inventory
        self._events = events
        self._tables: dict[_System, tuple[PriceTable, ...]] = {}
        self._opened = False
        self._regions: defaultdict[str, _Region] = defaultdict(_Region)
        self._spot: dict[Place, tuple[datetime, Mapping[_Spot, tuple[float, date] | None]]] = {}
        self._surveys: dict[Place, _Survey] = {}
        self._pages: dict[str, PricePage] = {}
        self._wake = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._changes = 0
        self._last: tuple[object, bool, int, Bill] | None = None
        self._seen: frozenset[tuple[str, ...]] = frozenset()
        self._end = events.listen(self._hear)

    # Looking up

    def price(self, instance: Instance) -> Price | None:
        """What the machine costs an hour while it runs, or None when that is not known."""
        if why_unknown(instance):
            return None
        if instance.spot:
            return self._spot_price(instance)
        for table in self._known().get((instance.region, system_of(instance)), ()):
            hourly = table.hourly.get(instance.type)
            if hourly is not None:
                return Price(hourly, table.as_of, table.source)
        return None

    def why_unknown(self, instance: Instance) -> str:
        """Why `price` is None, as part of a sentence."""
        if reason := why_unknown(instance):
            return reason
        problem = self._regions[instance.region].problem
        if instance.spot:
            return "EC2 gave no Spot price for it"
        if problem:
            return f"{problem.title.rstrip('.')}"
        return f"no table has {instance.type} in {instance.region}"

    def public_address(self, region: str) -> Price | None:
        """What a public IPv4 address costs an hour, as AWS's price page says; None before it was
        read."""
        known = self._storage(region)
        if known is None or known.idle_address is None:
            return None
        return Price(known.idle_address, known.as_of, Source.PAGE)

    def bill(self, instances: Iterable[Instance], *, rest: bool = True) -> Bill:
        """What these cost now, their volumes and addresses included; machines that do not run cost
        nothing themselves. With `rest`, what belongs to no machine in their regions is added."""
        last = self._last
        if last and last[0] is instances and last[1:3] == (rest, self._changes):
            return last[3]
        machines = tuple(instances)
        total = sum_up(self.price(i) for i in machines if pays(i))
        if self._surveys:
            total = self._with_surveys(total, machines, rest)
        self._last = (instances, rest, self._changes, total)
        return total

    @property
    def problems(self) -> tuple[CloudtuiError, ...]:
        """Why prices of some regions were not read from AWS, each reason once."""
        found = {str(r.problem): r.problem for r in self._regions.values() if r.problem}
        return tuple(found.values())

    def _with_surveys(self, total: Bill, machines: Iterable[Instance], rest: bool) -> Bill:
        by_place: defaultdict[Place, set[str]] = defaultdict(set)
        public: defaultdict[Place, int] = defaultdict(int)
        for machine in machines:
            place = Place(machine.profile, machine.region)
            by_place[place].add(machine.id)
            public[place] += bool(machine.public_ip) and machine.state is not State.TERMINATED
        for place, ids in by_place.items():
            survey = self._surveys.get(place)
            if survey is None:
                continue
            prices = self._storage(place.region)
            wanted = {*ids, ""} if rest else ids
            disks = sum((d for i, d in survey.volumes.items() if i in wanted), Disks())
            total = with_disks(total, disks, prices.as_of if prices else None)
            total = with_in_use(total, public[place], prices)
            if rest:
                total = with_idle(total, survey.idle, prices)
        return total

    def _spot_price(self, instance: Instance) -> Price | None:
        _, prices = self._spot.get(Place(instance.profile, instance.region), (None, {}))
        system = instance.platform_details or "Linux/UNIX"
        found = prices.get((instance.type, instance.zone, system))
        return Price(*found, Source.SPOT) if found else None

    def _storage(self, region: str) -> StoragePrices | None:
        kept = self._regions[region].kept
        return kept.storage if kept else None

    def _known(self) -> dict[_System, tuple[PriceTable, ...]]:
        if not self._opened:
            self._opened = True
            try:
                self._add(price_table.shipped())
            except CloudtuiError as error:
                self._say(error)
        return self._tables

    def _add(self, *tables: PriceTable) -> None:
        """Look these up from now on, the newest first; one of the same source gives way."""
        for table in tables:
            key = (table.region, table.system)
            others = [t for t in self._tables.get(key, ()) if t.source is not table.source]
            newest = sorted((*others, table), key=lambda t: t.as_of, reverse=True)
            self._tables[key] = tuple(newest)

    # Keeping up to date

    def start(self) -> None:
        """Renew prices in the background from now on."""
        if self._keeper is None:
            self._keeper = keep(self._keep(), "prices")

    async def close(self) -> None:
        self._end()
        await cancel(self._keeper)

    async def read_kept(self, regions: Iterable[str]) -> None:
        """Take in what earlier runs kept of these regions; asks nobody."""
        self._known()
        for region in sorted(set(regions)):
            known = self._regions[region]
            if known.read:
                continue
            known.read = True
            try:
                kept = await asyncio.to_thread(price_table.read_kept, region)
            except CloudtuiError as error:
                self._say(error)
                continue
            if kept:
                self._take(kept)

    async def survey(self) -> None:
        """List the volumes and Elastic IPs of every place in view now, whatever their price.

        A place that cannot be listed is left out.
        """
        places = {Place(i.profile, i.region) for i in self._inventory.state.instances}
        await asyncio.gather(*(self._survey(place) for place in places))
        self._changed()

    def _hear(self, event: Event) -> None:
        if isinstance(event, InventoryChanged) and self._keeper and not event.state.loading:
            needs = frozenset(
                (i.profile, i.region, i.type, i.lifecycle, system_of(i))
                for i in event.state.instances
                if i.state is not State.TERMINATED
            )
            if needs != self._seen:
                self._seen = needs
                self._wake.set()

    async def _keep(self) -> None:
        while True:
            self._wake.clear()
            await self.renew()
            try:
                async with asyncio.timeout(WAKE_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def renew(self) -> None:
        """Ask AWS for what is missing or old; every failure stays with its region."""
        machines = [i for i in self._inventory.state.instances if i.state is not State.TERMINATED]
        # Rows of an earlier run may be of an account that is not logged in now.
        machines = [i for i in machines if not self._inventory.state.dimmed(i)]
        told = self._changes

        def tell() -> None:
            nonlocal told
            if self._changes != told:
                told = self._changes
                self._events.emit(PricesChanged())

        await self.read_kept(i.region for i in machines)
        tell()
        by_region: defaultdict[str, list[Instance]] = defaultdict(list)
        by_place: defaultdict[Place, list[Instance]] = defaultdict(list)
        for machine in machines:
            by_region[machine.region].append(machine)
            by_place[Place(machine.profile, machine.region)].append(machine)
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(region: str) -> None:
            async with gate:
                await self._renew_region(region, by_region[region])
                tell()

        async def other(place: Place) -> None:
            async with gate:
                await self._renew_spot(place, by_place[place])
                await self._renew_survey(place)
                tell()

        await asyncio.gather(*(one(region) for region in by_region))
        await asyncio.gather(*(other(place) for place in by_place))

    async def _renew_region(self, region: str, machines: list[Instance]) -> None:
        known, now = self._regions[region], datetime.now(UTC)
        if known.again > now:
            return
        old = known.kept is None or now - known.kept.fetched > FRESH
        if old:
            known.asked.clear()
        have = set() if old or not known.kept else {table.system for table in known.kept.tables}
        wanted = {system_of(i) for i in machines} - {""}
        lacking = wanted - have - known.asked
        if not lacking and not self._unpriced(machines, known):
            return
        try:
            amazon = await self._inventory.amazon_for(machines[0])
            page = await self._page(amazon, region)
        except CloudtuiError as error:
            known.problem, known.again = error, now + RETRY
            return
        if page is None:
            known.again = now + RETRY
            return
        known.problem = None
        if lacking:
            await self._read_page(page, region, lacking, known, renew=old)
        if types := self._unpriced(machines, known):
            await self._ask_products(amazon, region, types, known)
        if known.problem:
            known.again = now + RETRY

    async def _read_page(
        self, page: PricePage, region: str, systems: set[str], known: _Region, *, renew: bool
    ) -> None:
        tables: list[PriceTable] = []
        for system in sorted(systems):
            try:
                tables.append(await page.machines(region, system))
            except CloudtuiError as error:
                known.problem = error
                known.asked.add(system)
        storage = self._storage(region)
        if renew or storage is None:
            try:
                storage = await page.storage(region)
            except CloudtuiError as error:
                known.problem = known.problem or error
        if not tables:
            return
        others = known.kept.tables if known.kept and not renew else ()
        fetched = datetime.now(UTC) if renew or not known.kept else known.kept.fetched
        await self._store(Kept(region, fetched, (*others, *tables), storage))

    async def _ask_products(
        self, amazon: Amazon, region: str, types: list[str], known: _Region
    ) -> None:
        from cloudtui.aws import prices

        found: dict[str, float] = {}
        days: list[date] = []
        for kind in types[:PRODUCTS_AT_A_TIME]:
            try:
                answer = await prices.product_price(amazon, region, kind)
            except CloudtuiError as error:
                # Not allowed, or not reached: the rest would fail alike.
                known.asked.update(types)
                known.problem = known.problem or error
                break
            known.asked.add(kind)
            if answer:
                found[kind] = answer[0]
                days.append(answer[1])
        if not found:
            return
        kept = known.kept or Kept(region, datetime.now(UTC))
        earlier = next((t for t in kept.tables if t.source is Source.API), None)
        if earlier:
            found, days = {**earlier.hourly, **found}, [*days, earlier.as_of]
        table = PriceTable(region, min(days), Source.API, found)
        others = tuple(t for t in kept.tables if t.source is not Source.API)
        await self._store(replace(kept, tables=(*others, table)))

    async def _store(self, kept: Kept) -> None:
        self._take(kept)
        await asyncio.to_thread(price_table.keep, kept)

    def _take(self, kept: Kept) -> None:
        self._regions[kept.region].kept = kept
        self._add(*kept.tables)
        self._changes += 1

    def _unpriced(self, machines: Iterable[Instance], known: _Region) -> list[str]:
        """The types whose Linux price no table has, and that AWS was not asked for yet."""
        return sorted(
            {
                i.type
                for i in machines
                if i.type not in known.asked
                and not i.spot
                and not why_unknown(i)
                and system_of(i) == "Linux"
                and self.price(i) is None
            }
        )

    async def _page(self, amazon: Amazon, region: str) -> PricePage | None:
        from cloudtui.aws import prices

        address = await prices.page_address(amazon, region)
        if not address:
            return None
        if address not in self._pages:
            self._pages[address] = prices.PricePage(address)
        return self._pages[address]

    async def _renew_spot(self, place: Place, machines: list[Instance]) -> None:
        spot = [i for i in machines if i.spot and pays(i) and not why_unknown(i)]
        when, known = self._spot.get(place, (None, {}))
        keys = {(i.type, i.zone, i.platform_details or "Linux/UNIX") for i in spot}
        now = datetime.now(UTC)
        if not spot or (when and now - when < MOVING and keys <= known.keys()):
            return
        from cloudtui.aws import prices

        found: Mapping[_Spot, tuple[float, date] | None]
        try:
            amazon = await self._inventory.amazon(place.profile)
            found = await prices.spot_prices(
                amazon, place.region, {k for k, _, _ in keys}, {s for _, _, s in keys}
            )
        except CloudtuiError:
            found = known
        # What EC2 has no price for stays unknown until it is asked again.
        missing: dict[_Spot, tuple[float, date] | None] = dict.fromkeys(keys - found.keys())
        self._spot[place] = (now, {**missing, **found})
        if self._spot[place][1] != known:
            self._changes += 1

    async def _renew_survey(self, place: Place) -> None:
        survey = self._surveys.get(place)
        if survey and datetime.now(UTC) - survey.when < MOVING:
            return
        if survey or self._storage(place.region):
            await self._survey(place)

    async def _survey(self, place: Place) -> None:
        from cloudtui.aws import details

        prices = self._storage(place.region)
        found: defaultdict[str, Disks] = defaultdict(Disks)
        try:
            amazon = await self._inventory.amazon(place.profile)
            async for page in details.region_volumes(amazon, place.region):
                for volume in page:
                    found[volume.instance_id] += disk(volume, prices)
            idle = await details.idle_addresses(amazon, place.region)
        except CloudtuiError as error:
            self._regions[place.region].problem = error
            return
        self._surveys[place] = _Survey(dict(found), idle, datetime.now(UTC))
        self._changes += 1

    def _changed(self) -> None:
        self._changes += 1
        self._events.emit(PricesChanged())

    def _say(self, error: CloudtuiError) -> None:
        detail = "\n".join(part for part in (error.detail, error.hint) if part)
        self._events.emit(Noted(Note(error.title, Severity.WARNING, detail)))
