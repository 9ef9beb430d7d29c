"""Reading AWS's price documents: the maps behind its price pages, and Pricing GetProducts.

Each function takes the parsed JSON and returns what is sure. A price that stands there twice with
different amounts, in another currency or for another system is left out; a document of another
shape raises ValueError.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from cloudtui.model.price import PriceTable, Source, StoragePrices

LOCATIONS = "locations/1.0/aws/current/locations.json"
_MAPS = "pricing/2.0/meteredUnitMaps"
STORAGE = f"{_MAPS}/ec2/USD/current/ebs.json"
ADDRESSES = f"{_MAPS}/vpc/USD/current/vpc.json"

_GIB = re.compile(r"Storage .*\b(gp2|gp3|io1|io2|st1|sc1|standard) GB (?:Mo|month)")
_IOPS = re.compile(r"Provisioned EBS IOPS (?:Tier ([23]) )?(gp3|io1|io2) Volumes per IOPS Mo")
_THROUGHPUT = "Provisioned Throughput gp3 per GiBps mo"
_IDLE = "Hourly charge for Idle Public IPv4 Addresses per Hrs"


def machines_page(name: str, system: str) -> str:
    """The path of the map of on-demand prices; `name` is the region's as `locations` gives it."""
    from urllib.parse import quote

    where, what = quote(name, safe=""), quote(system, safe="")
    return f"{_MAPS}/ec2/USD/current/ec2-ondemand-without-sec-sel/{where}/{what}/index.json"


def locations(document: Any) -> dict[str, tuple[str, ...]]:
    """The names that AWS's price pages give a region, by region code."""
    found: dict[str, tuple[str, ...]] = {}
    for name, entry in _mapping(document).items():
        if isinstance(entry, Mapping) and entry.get("type") == "AWS Region":
            code = str(entry.get("code", ""))
            found[code] = (*found.get(code, ()), str(name))
    if not found:
        raise ValueError("it names no region")
    return found


def machines(
    document: Any, names: Iterable[str], region: str, system: str, today: date
) -> PriceTable:
    """The on-demand prices of a region from its map; `today` dates a map that has no date."""
    published = _published(document, today)
    found: dict[str, float] = {}
    doubtful: set[str] = set()
    for entry in _of_region(document, names).values():
        if not isinstance(entry, Mapping) or entry.get("Operating System", system) != system:
            continue
        kind, price = str(entry.get("Instance Type", "")), _amount(entry.get("price"))
        if not kind or not price:
            continue
        if found.setdefault(kind, price) != price:
            doubtful.add(kind)
    hourly = {kind: price for kind, price in found.items() if kind not in doubtful}
    if not hourly:
        raise ValueError(f"it has no price for {system} in {region}")
    return PriceTable(region, published, Source.PAGE, hourly, system)


def storage(disks: Any, addresses: Any, names: Iterable[str], today: date) -> StoragePrices:
    """What volumes and idle addresses of a region cost; None stands for a map not read."""
    wanted = tuple(names)
    monthly: dict[str, float] = {}
    day, idle = today, None
    if disks is not None:
        day = _published(disks, today)
        for words, entry in _of_region(disks, wanted).items():
            price = _amount(entry.get("price")) if isinstance(entry, Mapping) else None
            name = _storage_name(str(words))
            if price is None or not name:
                continue
            # Several entries of one name (GB Mo, GB month) say the same.
            monthly.setdefault(name, price / 1024 if name == "gp3 throughput" else price)
    if addresses is not None:
        entry = _of_region(addresses, wanted).get(_IDLE)
        idle = _amount(entry.get("price")) if isinstance(entry, Mapping) else None
        day = min(day, _published(addresses, today))
    return StoragePrices(day, monthly, idle)


def _storage_name(words: str) -> str:
    if found := _GIB.fullmatch(words):
        return found[1]
    if found := _IOPS.fullmatch(words):
        tier = f" {found[1]}" if found[1] else ""
        return f"{found[2]} iops{tier}"
    return "gp3 throughput" if words == _THROUGHPUT else ""


def product(texts: Iterable[str], kind: str, region: str) -> tuple[float, date] | None:
    """The hourly price of a type from GetProducts' answer and its day; None when it is not
    there, or not once."""
    found: set[tuple[float, date]] = set()
    for text in texts:
        entry = _mapping(json.loads(text))
        attributes = _mapping(_mapping(entry.get("product", {})).get("attributes", {}))
        if attributes.get("instanceType") != kind or attributes.get("regionCode") != region:
            continue
        day = date.fromisoformat(str(entry["publicationDate"])[:10])
        for term in _mapping(_mapping(entry.get("terms", {})).get("OnDemand", {})).values():
            for dimension in _mapping(_mapping(term).get("priceDimensions", {})).values():
                price = _amount(_mapping(dimension.get("pricePerUnit", {})).get("USD"))
                if price and dimension.get("unit") == "Hrs":
                    found.add((price, day))
    return found.pop() if len(found) == 1 else None


def _of_region(document: Any, names: Iterable[str]) -> Mapping[str, Any]:
    regions = _mapping(_mapping(document).get("regions"))
    for name in names:
        if name in regions:
            return _mapping(regions[name])
    raise ValueError("it does not name the region")


def _published(document: Any, today: date) -> date:
    manifest = _mapping(document).get("manifest")
    if not isinstance(manifest, Mapping):
        return today
    if manifest.get("currencyCode", "USD") != "USD":
        raise ValueError(f"its prices are in {manifest['currencyCode']}")
    try:
        return date.fromisoformat(str(manifest.get("hawkFilePublicationDate", ""))[:10])
    except ValueError:
        return today


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError("it has another shape than AWS's")
    return value


def _amount(value: Any) -> float | None:
    try:
        price = float(value)
    except (TypeError, ValueError):
        return None
    return price if math.isfinite(price) and price >= 0 else None
