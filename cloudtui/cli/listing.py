"""ls: the instances as a table, or as a JSON document of a stable shape."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime

from cloudtui.cli import login, output
from cloudtui.core.events import InventoryState
from cloudtui.core.prices import Prices
from cloudtui.core.workbench import Workbench
from cloudtui.model.filter import Filter
from cloudtui.model.instance import Instance, State
from cloudtui.model.price import Bill, pays
from cloudtui.model.words import listed, since

Opened = Callable[[argparse.Namespace], AbstractAsyncContextManager[Workbench]]

SCHEMA = 1
"""Of the JSON document: raised when a key goes away or means something else, not for new keys."""
NEAR_NAMES = 6


async def ls(opened: Opened, words: argparse.Namespace) -> int:
    """Print the instances that match every filter word."""
    wanted = Filter(words.filter)
    async with opened(words) as bench:
        state = await bench.inventory.load()
        for _place, error in state.errors:
            if await login.offered(bench, error):
                state = await bench.inventory.load()
                break
        rows = sorted(
            (i for i in state.instances if wanted.matches(i)),
            key=lambda i: (i.region, i.name.casefold(), i.id),
        )
        await bench.prices.read_kept(i.region for i in rows)
        if words.prices:
            await bench.prices.renew()
        bill = bench.prices.bill(rows, rest=not words.filter)
        if words.json:
            output.document(_document(state, rows, bench.prices, bill))
        elif rows or not state.errors:
            _print(state, rows, bench.prices, bill, words)
            if not rows:
                _explain(wanted, state)
    told: set[tuple[str, str]] = set()
    for place, error in state.errors:
        region = place.region
        what = (error.title.replace(region, "") if region else error.title, error.detail)
        if what not in told:
            output.failure(error)
        elif region:
            output.narrate(f"{region}: the same.")
        told.add(what)
    return state.errors[0][1].exit_code if state.errors else 0


def _explain(wanted: Filter, state: InventoryState) -> None:
    """Say why nothing matched: a word that does not exist, or names that are only near."""
    if wanted.problem:
        output.narrate(wanted.problem)
    if value := wanted.near_value(state.instances):
        output.narrate(value)
    near = [i.spoken for i in wanted.rows(state.instances)]
    if near:
        more = " …" if len(near) > NEAR_NAMES else ""
        output.narrate(f"Names near it: {', '.join(near[:NEAR_NAMES])}{more}")


def _print(
    state: InventoryState,
    rows: Sequence[Instance],
    prices: Prices,
    bill: Bill,
    words: argparse.Namespace,
) -> None:
    if not rows:
        query = " ".join(words.filter)
        where = ", ".join(state.regions)
        which = f" match {query!r}" if query else ""
        output.narrate(
            f"No instances{which} in {where}. Another region: --region REGION or --region all."
        )
        return
    now = datetime.now(UTC)
    profiles, regions = len(state.profiles) > 1, len(state.regions) > 1
    first = (*(("PROFILE",) if profiles else ()), *(("REGION",) if regions else ()))
    output.table(
        (*first, "NAME", "ID", "STATE", "TYPE", "ZONE", "ADDRESS", "UP", "KEY", "MARKET", "$/H"),
        [
            (
                *((i.profile or "default",) if profiles else ()),
                *((i.region,) if regions else ()),
                i.name or "-",
                i.id,
                i.state.value,
                i.type,
                i.zone or i.region,
                i.address or "-",
                since(i.launched, now) if i.state is State.RUNNING else "-",
                i.key_name or "-",
                i.lifecycle or "on-demand",
                _price_words(i, prices),
            )
            for i in rows
        ],
    )
    output.narrate(_total_words(rows, bill))
    if bill.unknown:
        output.narrate(
            _why_unknown(rows, prices)
            if words.prices
            else "Ask AWS for unknown prices: cloudtui ls --prices"
        )


def _why_unknown(rows: Iterable[Instance], prices: Prices) -> str:
    """Why AWS had no price: each reason once, with the machines that it is of."""
    names: dict[str, list[str]] = {}
    for instance in rows:
        if pays(instance) and not prices.price(instance):
            names.setdefault(prices.why_unknown(instance), []).append(instance.spoken)
    told = (f"{listed(some, NEAR_NAMES)} ({reason})" for reason, some in names.items())
    return f"AWS was asked and has no price for {'; '.join(told)}."


def _price_words(instance: Instance, prices: Prices) -> str:
    """What it costs an hour now: a machine that does not run costs nothing itself."""
    if not pays(instance):
        return "-"
    price = prices.price(instance)
    return price.words if price else "?"


def _total_words(rows: Sequence[Instance], bill: Bill) -> str:
    running = sum(map(pays, rows))
    words = f"{len(rows)} listed, {running} running"
    if bill.words:
        words += f": {bill.words}"
    if bill.as_of:
        words += f" (list prices as of {bill.as_of})"
    return f"{words}."


def _document(
    state: InventoryState, rows: Sequence[Instance], prices: Prices, bill: Bill
) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "account": state.identity.account if state.identity else None,
        "profiles": [
            {
                "name": profile,
                "account": identity.account if identity else None,
                "arn": identity.arn if identity else None,
            }
            for profile in state.profiles
            for identity in [state.identities.get(profile)]
        ],
        "regions": list(state.regions),
        "instances": [_instance(i, prices) for i in rows],
        "total": {
            "currency": "USD",
            "hourly": round(bill.hourly, 4),
            "machines": round(bill.machines, 4),
            "storage": round(bill.storage, 4),
            "addresses": round(bill.addresses, 4),
            "priced": bill.known,
            "unpriced": bill.unknown,
            "as_of": bill.as_of.isoformat() if bill.as_of else None,
        },
        "errors": [
            {
                "profile": place.profile,
                "region": place.region,
                **output.problem(error),
            }
            for place, error in state.errors
        ],
    }


_AS_IT_IS = (
    "id",
    "name",
    "type",
    "profile",
    "region",
    "zone",
    "public_ip",
    "public_dns",
    "private_ip",
    "ipv6",
    "key_name",
    "image_id",
    "architecture",
    "platform",
    "platform_details",
    "lifecycle",
    "tenancy",
    "hibernation",
    "root_device",
    "vpc_id",
    "subnet_id",
    "iam_profile",
    "state_reason",
)


def _instance(instance: Instance, prices: Prices) -> dict[str, object]:
    """Its fields by EC2's names; the price is of an hour that it runs."""
    price = prices.price(instance)
    return {
        **{name: getattr(instance, name) for name in _AS_IT_IS},
        "state": instance.state.value,
        "launched": instance.launched.isoformat() if instance.launched else None,
        "tags": dict(instance.tags),
        "security_groups": [{"id": i, "name": n} for i, n in instance.security_groups],
        "volume_ids": list(instance.volume_ids),
        "price": {
            "hourly": price.hourly,
            "as_of": price.as_of.isoformat(),
            "source": price.source.value,
        }
        if price
        else None,
    }
