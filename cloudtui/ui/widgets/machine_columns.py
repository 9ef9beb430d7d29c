"""The columns that the list of machines can have: their words, colours and orders."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

from rich.cells import cell_len

from cloudtui.model.instance import Instance, State
from cloudtui.model.price import Price, pays
from cloudtui.model.words import short_id, since, stamp
from cloudtui.ui.widgets.keyed_table import Heading

PriceOf = Callable[[Instance], Price | None]

COLUMNS = (
    Heading("state", "State"),
    Heading("name", "Name"),
    Heading("profile", "Profile", spare=4),
    Heading("id", "Id", spare=3),
    Heading("type", "Type", spare=2),
    Heading("region", "Region", spare=5),
    Heading("zone", "Zone", spare=5),
    Heading("address", "Address", spare=1),
    Heading("private", "Private address", spare=5),
    Heading("up", "Up", right=True),
    Heading("price", "$/h", spare=3, right=True),
    Heading("launched", "Launched", spare=7),
    Heading("key", "Key", spare=6),
    Heading("image", "Image", spare=7),
    Heading("spot", "Spot", spare=4),
)
"""All but the columns of tags, whose keys are `tag:NAME`."""

_LEFT_OUT = ("profile", "region", "private", "image")
USUAL = tuple(heading.key for heading in COLUMNS if heading.key not in _LEFT_OUT)
"""What is shown until the user chooses."""

TAGS_OFFERED = 30

STATE_COLOURS = {
    State.PENDING: "state-changing",
    State.RUNNING: "state-running",
    State.STOPPING: "state-changing",
    State.STOPPED: "state-stopped",
    State.SHUTTING_DOWN: "state-changing",
    State.TERMINATED: "state-terminated",
}
QUIET = "foreground-muted"

_STATES = list(State)
_BY_KEY = {heading.key: heading for heading in COLUMNS}


def headings(chosen: Sequence[str], *, profiles: bool = False) -> tuple[Heading, ...]:
    """The columns of these keys, or the usual ones; a key that no column has is left out.

    With `profiles`, machines of several profiles are shown: the usual columns tell whose.
    """
    keys = list(dict.fromkeys(key for key in chosen if key in _BY_KEY or _tag(key)))
    if not keys:
        keys = list(USUAL)
        if profiles:
            keys.insert(keys.index("name") + 1, "profile")
    return tuple(_BY_KEY.get(key) or Heading(key, _tag(key), spare=4) for key in keys)


def offered(shown: Iterable[str], instances: Iterable[Instance]) -> dict[str, str]:
    """Every column that can be chosen, its title by its key: those shown first, in their order."""
    tags = Counter(name for i in instances for name in i.tags if name != "Name")
    common = [f"tag:{name}" for name, _ in tags.most_common(TAGS_OFFERED)]
    keys = dict.fromkeys((*shown, *_BY_KEY, *common))
    return {key: _BY_KEY[key].title if key in _BY_KEY else f"tag {_tag(key)}" for key in keys}


def _tag(column: str) -> str:
    return column[len("tag:") :] if column.startswith("tag:") else ""


def words(instance: Instance, column: str, now: datetime, price: PriceOf) -> tuple[str, str]:
    """What a column says of a machine, and the variable of its colour; empty for the usual ink."""
    match column:
        case "state":
            text = f"{instance.state.glyph} {instance.state.value}"
            return text, STATE_COLOURS[instance.state]
        case "name":
            return instance.name, ""
        case "profile":
            return instance.profile or "default", QUIET
        case "id":
            return short_id(instance.id), QUIET
        case "type":
            return instance.type, ""
        case "region":
            return instance.region, QUIET
        case "zone":
            return instance.zone or instance.region, QUIET
        case "address":
            return instance.address, ""
        case "private":
            return instance.private_ip, QUIET
        case "up":
            return uptime(instance, now), ""
        case "price":
            return _price_words(instance, price)
        case "launched":
            return stamp(instance.launched)[:10], QUIET
        case "key":
            return instance.key_name, QUIET
        case "image":
            return instance.image_id, QUIET
        case "spot":
            return ("spot", "spot") if instance.spot else (" ", QUIET)
        case _:
            return instance.tags.get(_tag(column), ""), ""


_ALIKE: Mapping[str, Callable[[Instance], object]] = {
    "state": attrgetter("state"),
    "profile": attrgetter("profile"),
    "id": lambda i: len(i.id),
    "type": attrgetter("type"),
    "region": attrgetter("region"),
    "zone": attrgetter("zone", "region"),
    "up": lambda i: (i.state, i.launched and i.launched.date()),
    "price": attrgetter("type", "region", "zone", "lifecycle", "state", "platform_details"),
    "launched": lambda i: i.launched is None,
    "key": attrgetter("key_name"),
    "spot": attrgetter("lifecycle"),
}
"""What machines have in common of which a column says equally much."""


def widest(column: str, instances: Iterable[Instance], now: datetime, price: PriceOf) -> int:
    """Cells of the longest text that a column has for these machines."""
    if alike := _ALIKE.get(column):
        instances = {alike(instance): instance for instance in instances}.values()
    return max((cell_len(words(i, column, now, price)[0]) for i in instances), default=0)


def _price_words(instance: Instance, price: PriceOf) -> tuple[str, str]:
    if not pays(instance):
        return "-", QUIET
    found = price(instance)
    return found.words if found else "?", ""


def uptime(instance: Instance, now: datetime) -> str:
    """Time since the last launch of a machine that runs or is starting, else `-`."""
    up = instance.state in (State.RUNNING, State.PENDING)
    return since(instance.launched, now) if up else "-"


def rank(instance: Instance, column: str, price: PriceOf) -> Any:
    """What a column orders a machine by; None is last both ways."""
    match column:
        case "state":
            return _STATES.index(instance.state)
        case "name":
            return instance.name.casefold() or None
        case "profile":
            return instance.profile
        case "id":
            return instance.id
        case "type":
            return type_order(instance.type) if instance.type else None
        case "region":
            return instance.region
        case "zone":
            return instance.zone or instance.region
        case "address":
            return _address_order(instance.address)
        case "private":
            return _address_order(instance.private_ip)
        case "up":
            running = instance.state in (State.RUNNING, State.PENDING)
            return -instance.launched.timestamp() if running and instance.launched else None
        case "price":
            found = price(instance) if pays(instance) else None
            return found.hourly if found else None
        case "launched":
            return instance.launched.timestamp() if instance.launched else None
        case "key":
            return instance.key_name.casefold() or None
        case "image":
            return instance.image_id or None
        case "spot":
            return not instance.spot
        case _:
            return instance.tags.get(_tag(column), "").casefold() or None


_SIZES = ("nano", "micro", "small", "medium", "large", "xlarge")


def type_order(name: str) -> tuple[str, int, int]:
    """`g5.2xlarge` before `g5.12xlarge`: family, then size."""
    family, _, size = name.partition(".")
    digits = size[: -len("xlarge")] if size.endswith("xlarge") else ""
    if digits.isdigit():
        return family, len(_SIZES), int(digits)
    return family, _SIZES.index(size) if size in _SIZES else len(_SIZES) + 1, 0


def _address_order(text: str) -> tuple[int, int] | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return address.version, int(address)
