"""Tables of prices on disk: the one that comes with cloudtui, and those kept from AWS."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from cloudtui.files import paths
from cloudtui.files.atomic import write_atomically
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.price import PriceTable, Source, StoragePrices

SHIPPED_REGION = "us-east-1"
_SHAPE = 1
"""The shape of the kept files; those of another one are read again from AWS."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What was read from AWS for a region."""

    region: str
    fetched: datetime
    tables: tuple[PriceTable, ...] = ()
    storage: StoragePrices | None = None


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


def kept_file(region: str) -> Path:
    """Where the prices of a region are kept."""
    return paths.cache_dir() / "prices" / f"{region}.json"


def read_kept(region: str) -> Kept | None:
    """The prices kept for a region, or None when there are none.

    Raises:
        CloudtuiError: the file was broken; it is set aside under another name.
    """
    path = kept_file(region)
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CloudtuiError(
            f"The kept prices of {region} cannot be read: {error.strerror}.",
            str(path),
            "They are read from AWS again.",
        ) from error
    try:
        data = json.loads(text)
        if data["shape"] != _SHAPE:
            return None
        return _kept(region, data)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CloudtuiError(
            f"The kept prices of {region} are broken, and set aside.",
            _set_aside(path),
            "They are read from AWS again.",
        ) from error


def keep(kept: Kept) -> None:
    """Write what was read from AWS; a disk that takes no files is no failure."""
    data: dict[str, Any] = {
        "shape": _SHAPE,
        "region": kept.region,
        "fetched": kept.fetched.isoformat(),
        "tables": [
            {
                "system": table.system,
                "as_of": table.as_of.isoformat(),
                "source": table.source.name,
                "hourly": dict(table.hourly),
            }
            for table in kept.tables
        ],
    }
    if kept.storage:
        data["storage"] = {
            "as_of": kept.storage.as_of.isoformat(),
            "monthly": dict(kept.storage.monthly),
            "idle_address": kept.storage.idle_address,
        }
    try:
        write_atomically(kept_file(kept.region), json.dumps(data).encode())
    except OSError:
        return


def _kept(region: str, data: Mapping[str, Any]) -> Kept:
    fetched = datetime.fromisoformat(data["fetched"])
    if data["region"] != region or fetched.tzinfo is None or fetched > datetime.now(UTC):
        raise ValueError
    tables = tuple(
        PriceTable(
            region,
            date.fromisoformat(table["as_of"]),
            Source[table["source"]],
            _prices(table["hourly"]),
            str(table["system"]),
        )
        for table in data["tables"]
    )
    return Kept(region, fetched, tables, _storage(data.get("storage")))


def _storage(data: Mapping[str, Any] | None) -> StoragePrices | None:
    if data is None:
        return None
    idle = data["idle_address"]
    return StoragePrices(
        date.fromisoformat(data["as_of"]),
        _prices(data["monthly"]),
        None if idle is None else _price(idle),
    )


def _prices(data: Mapping[str, Any]) -> dict[str, float]:
    return {str(name): _price(value) for name, value in data.items()}


def _price(value: Any) -> float:
    price = float(value)
    if not math.isfinite(price) or price < 0:
        raise ValueError
    return price


def _set_aside(path: Path) -> str:
    aside = path.with_name(f"{path.name}.broken")
    try:
        path.replace(aside)
    except OSError:
        return str(path)
    return str(aside)
