"""What a machine costs an hour, and what several cost together. All prices are in US dollars.

A price that is not known is None or counted as unknown; nothing here estimates one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum

from cloudtui.model.details import Volume
from cloudtui.model.instance import Instance, State

HOURS_A_MONTH = 730
"""As AWS turns the price of a month into hours."""

SYSTEMS = {
    "Linux/UNIX": "Linux",
    "Red Hat Enterprise Linux": "RHEL",
    "SUSE Linux": "SUSE",
    "Windows": "Windows",
}
"""EC2's platform details -> the operating system on AWS's price page. Others are not priced."""


class Source(StrEnum):
    """Where a price was read."""

    TABLE = "table in cloudtui"
    PAGE = "AWS price page"
    API = "AWS Pricing API"
    SPOT = "EC2 spot price history"


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars an hour as AWS published them on a day."""

    hourly: float
    as_of: date
    source: Source = Source.TABLE

    @property
    def words(self) -> str:
        """`1.21`, `0.042`: for a column that says `$/h`."""
        return dollars(self.hourly)


@dataclass(frozen=True, slots=True)
class PriceTable:
    """On-demand prices of one region and operating system, shared tenancy, by type."""

    region: str
    as_of: date
    source: Source
    hourly: Mapping[str, float] = field(default_factory=dict)
    """Dollars an hour by instance type."""
    system: str = "Linux"


@dataclass(frozen=True, slots=True)
class StoragePrices:
    """What volumes and public addresses of one region cost."""

    as_of: date
    monthly: Mapping[str, float] = field(default_factory=dict)
    """Dollars a month: of a GiB by volume type (`gp3`), of an IOPS (`gp3 iops`) and of a MiB/s
    (`gp3 throughput`) above what is included."""
    idle_address: float | None = None
    """Dollars an hour of a public IPv4 address, whether something uses it or nothing."""


@dataclass(frozen=True, slots=True)
class Bill:
    """What some machines cost an hour now, with disks and addresses when they are known."""

    machines: float = 0.0
    """Dollars an hour of the running machines whose price is known."""
    known: int = 0
    unknown: int = 0
    """Running machines with and without a known price."""
    storage: float = 0.0
    """Dollars an hour of the volumes whose price is known."""
    storage_gib: int = 0
    storage_unknown: int = 0
    """GiB with and without a known price."""
    addresses: float = 0.0
    """Dollars an hour of the machines' public IPv4 addresses and of idle Elastic IPs."""
    in_use: int = 0
    """Public addresses of machines whose price is known."""
    idle: int = 0
    idle_unknown: int = 0
    """Idle Elastic IPs with and without a known price."""
    as_of: date | None = None
    """The day of the oldest price in the sum."""

    @property
    def hourly(self) -> float:
        """All that is known, in dollars an hour."""
        return self.machines + self.storage + self.addresses

    @property
    def words(self) -> str:
        """`$7.32/h`, `$7.32/h + 2 unknown`, `? $/h`; empty when nothing costs."""
        if not (self.known or self.unknown or self.hourly):
            return ""
        if not self.hourly and not self.known:
            return "? $/h"
        more = f" + {self.unknown} unknown" if self.unknown else ""
        return f"${dollars(self.hourly)}/h{more}"


def dollars(amount: float) -> str:
    """Two decimals, three below ten cents, four below one cent."""
    if 0 < amount < 0.00995:
        return f"{amount:.4f}"
    return f"{amount:.3f}" if 0 < amount < 0.0995 else f"{amount:,.2f}"


def pays(instance: Instance) -> bool:
    """Whether EC2 charges for the machine itself now; volumes cost in every state."""
    return instance.state in (State.PENDING, State.RUNNING)


def system_of(instance: Instance) -> str:
    """The operating system as the price page names it; empty for one that is not priced."""
    if instance.platform_details:
        return SYSTEMS.get(instance.platform_details, "")
    return {"": "Linux", "windows": "Windows"}.get(instance.platform.lower(), "")


def why_unknown(instance: Instance) -> str:
    """Why a list price would not be this machine's, or an empty string."""
    if instance.tenancy not in ("", "default"):
        return f"its tenancy is {instance.tenancy}"
    if instance.lifecycle not in ("", "spot"):
        return f"it is a {instance.lifecycle} machine"
    if not system_of(instance):
        return f"its platform is {instance.platform_details or instance.platform}"
    return ""


def sum_up(prices: Iterable[Price | None]) -> Bill:
    """The bill of running machines, one entry each."""
    total, known, unknown, oldest = 0.0, 0, 0, None
    for price in prices:
        if price is None:
            unknown += 1
            continue
        known += 1
        total += price.hourly
        if oldest is None or price.as_of < oldest:
            oldest = price.as_of
    return Bill(machines=total, known=known, unknown=unknown, as_of=oldest)


@dataclass(frozen=True, slots=True)
class Disks:
    """Some volumes: dollars an hour of those whose price is known, GiB of both kinds."""

    hourly: float = 0.0
    gib: int = 0
    unknown: int = 0

    def __add__(self, other: Disks) -> Disks:
        return Disks(self.hourly + other.hourly, self.gib + other.gib, self.unknown + other.unknown)


def disk(volume: Volume, prices: StoragePrices | None) -> Disks:
    """What one volume costs."""
    monthly = monthly_of(volume, prices) if prices else None
    if monthly is None:
        return Disks(unknown=volume.size)
    return Disks(monthly / HOURS_A_MONTH, volume.size)


def with_disks(bill: Bill, disks: Disks, as_of: date | None) -> Bill:
    """The bill with volumes added; `as_of` is the day of their prices."""
    bill = replace(
        bill,
        storage=bill.storage + disks.hourly,
        storage_gib=bill.storage_gib + disks.gib,
        storage_unknown=bill.storage_unknown + disks.unknown,
    )
    return _dated(bill, as_of) if disks.gib else bill


def with_idle(bill: Bill, count: int, prices: StoragePrices | None) -> Bill:
    """The bill with the idle Elastic IPs of one region added."""
    if count and prices and prices.idle_address is not None:
        cost = bill.addresses + count * prices.idle_address
        return _dated(replace(bill, addresses=cost, idle=bill.idle + count), prices.as_of)
    return replace(bill, idle_unknown=bill.idle_unknown + count)


def with_in_use(bill: Bill, count: int, prices: StoragePrices | None) -> Bill:
    """The bill with the public IPv4 addresses of one region's machines added, at a known price."""
    if not count or prices is None or prices.idle_address is None:
        return bill
    cost = bill.addresses + count * prices.idle_address
    return _dated(replace(bill, addresses=cost, in_use=bill.in_use + count), prices.as_of)


def _dated(bill: Bill, day: date | None) -> Bill:
    return bill if day is None else replace(bill, as_of=min(bill.as_of or day, day))


INCLUDED = {"gp3": (3000, 125)}
"""IOPS and MiB/s that cost nothing extra, by volume type."""
_TIERS = ((32_000, "io2 iops"), (32_000, "io2 iops 2"), (None, "io2 iops 3"))
"""How many IOPS of an io2 volume cost which price."""


def monthly_of(volume: Volume, prices: StoragePrices) -> float | None:
    """Dollars a month of a volume, or None when a part of its price is not known."""
    of = prices.monthly
    if volume.type not in of:
        return None
    cost = volume.size * of[volume.type]
    if volume.type == "io2":
        left = volume.iops
        for width, name in _TIERS:
            here = left if width is None else min(left, width)
            if here > 0:
                if name not in of:
                    return None
                cost += here * of[name]
            left -= here
        return cost
    free_iops, free_throughput = INCLUDED.get(volume.type, (0, 0))
    extra = max(0, volume.iops - free_iops) if volume.type in ("gp3", "io1") else 0
    fast = max(0, volume.throughput - free_throughput) if volume.type == "gp3" else 0
    for amount, name in ((extra, "iops"), (fast, "throughput")):
        if amount:
            rate = of.get(f"{volume.type} {name}")
            if rate is None:
                return None
            cost += amount * rate
    return cost
