"""What a machine costs an hour, and what several cost together. All prices are in US dollars.

A price that is not known is None or counted as unknown; nothing here estimates one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from cloudtui.model.instance import Instance, State

HOURS_A_MONTH = 730
"""As AWS turns the price of a month into hours."""


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
class Bill:
    """What some machines cost an hour now, their disks and idle addresses included when known."""

    machines: float = 0.0
    """Dollars an hour of the running machines whose price is known."""
    known: int = 0
    unknown: int = 0
    """Running machines with and without a known price."""
    storage: float = 0.0
    """Dollars an hour of the volumes whose price is known."""
    storage_unknown: int = 0
    """GiB whose price is not known."""
    addresses: float = 0.0
    addresses_unknown: int = 0
    """Elastic IPs that stand idle, and whose price is not known."""
    as_of: date | None = None
    """The day of the oldest price in the sum."""

    @property
    def hourly(self) -> float:
        """All that is known, in dollars an hour."""
        return self.machines + self.storage + self.addresses

    @property
    def words(self) -> str:
        """`$7.32/h`, `$7.32/h + 2 unknown`, `? $/h`; empty when nothing runs."""
        if not (self.known or self.unknown or self.hourly):
            return ""
        if not self.hourly and not self.known:
            return "? $/h"
        more = f" + {self.unknown} unknown" if self.unknown else ""
        return f"${dollars(self.hourly)}/h{more}"


def dollars(amount: float) -> str:
    """Two decimals, three below ten cents, four below one cent."""
    if amount and amount < 0.01:
        return f"{amount:.4f}"
    return f"{amount:.3f}" if amount and amount < 0.1 else f"{amount:,.2f}"


def pays(instance: Instance) -> bool:
    """Whether EC2 charges for the machine itself now; volumes cost in every state."""
    return instance.state in (State.PENDING, State.RUNNING)


def why_unknown(instance: Instance) -> str:
    """Why the on-demand Linux price is not this machine's, or an empty string."""
    if instance.platform:
        return f"its platform is {instance.platform}, and the prices are Linux's"
    if instance.lifecycle not in ("", "spot"):
        return f"it is a {instance.lifecycle} machine"
    return ""


def sum_up(prices: Iterable[Price | None]) -> Bill:
    """The bill of running machines, one entry each."""
    found = list(prices)
    known = [price for price in found if price]
    return Bill(
        machines=sum(price.hourly for price in known),
        known=len(known),
        unknown=len(found) - len(known),
        as_of=min((price.as_of for price in known), default=None),
    )
