"""Tables of prices on disk: the one that comes with cloudtui, and those kept from AWS."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from cloudtui.model.errors import CloudtuiError
from cloudtui.model.price import Source

SHIPPED_REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Linux on-demand prices of one region, shared tenancy, in dollars an hour by type."""

    region: str
    as_of: date
    source: Source
    hourly: Mapping[str, float] = field(default_factory=dict)


def shipped() -> PriceTable:
    """The table in the package: us-east-1, on the day its first line names.

    Raises:
        CloudtuiError: the file is missing or broken.
    """
    path = Path(__file__).parent / "data" / f"prices-{SHIPPED_REGION}.tsv"
    try:
        head, *lines = path.read_text(encoding="ascii").splitlines()
        day = re.search(r"\d{4}-\d\d-\d\d", head)
        if day is None:
            raise ValueError("its first line names no day")
        pairs = (line.split("\t") for line in lines)
        hourly = {name: float(price) for name, price in pairs}
        return PriceTable(SHIPPED_REGION, date.fromisoformat(day[0]), Source.TABLE, hourly)
    except (OSError, ValueError) as error:
        raise CloudtuiError(
            f"The table of prices that comes with cloudtui cannot be read: {error}.",
            str(path),
            "Prices are unknown until AWS's own are read; installing cloudtui again mends it.",
        ) from error
