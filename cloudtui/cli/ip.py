"""ip ls, allocate, associate, disassociate, release."""

from __future__ import annotations

import argparse
import asyncio
import shlex
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager

from cloudtui.cli import output
from cloudtui.cli.prompts import agree
from cloudtui.core.workbench import Workbench
from cloudtui.model.address import Address, cost_words, monthly
from cloudtui.model.errors import CloudtuiError, Refused, UsageError
from cloudtui.model.instance import State
from cloudtui.model.place import Place
from cloudtui.model.price import dollars
from cloudtui.model.words import plural

Opened = Callable[[argparse.Namespace], AbstractAsyncContextManager[Workbench]]


async def perform(opened: Opened, words: argparse.Namespace) -> int:
    """The exit code of `cloudtui ip WHAT`.

    Raises:
        CloudtuiError: it was not done.
    """
    verb = VERBS[words.ip_verb or "ls"]
    async with opened(words) as bench:
        return await verb(bench, words)


async def _ls(bench: Workbench, words: argparse.Namespace) -> int:
    listed = await bench.inventory.load()
    state = await bench.addresses.load()
    failures = [*(e for _, e in listed.errors), *(e for _, e in state.errors)]
    await bench.prices.read_kept({a.region for a in state.addresses})
    rows = sorted(state.addresses, key=lambda a: (a.region, not a.idle, a.name, a.ip))
    if getattr(words, "json", False):
        output.document(
            {
                "addresses": [_document(bench, a) for a in rows],
                "errors": output.problems(failures),
            }
        )
    elif rows:
        output.table(
            ("ADDRESS", "NAME", "HELD BY", "REGION", "$/H", "$/MONTH", "ID"),
            [_columns(bench, a) for a in rows],
        )
    elif not failures:
        where = ", ".join(listed.regions)
        output.narrate(f"No Elastic IP in {where}. Get one: cloudtui ip allocate")
    _tell_idle(bench, rows)
    told: set[str] = set()
    for error in failures:
        if error.title not in told:
            output.failure(error)
        told.add(error.title)
    return failures[0].exit_code if failures else 0


def _columns(bench: Workbench, address: Address) -> tuple[str, ...]:
    price = bench.addresses.price(address)
    machine = bench.inventory.by_id(address.instance_id) if address.instance_id else None
    holder = bench.addresses.holder(address) or "nothing"
    if machine is not None and machine.state is not State.RUNNING:
        holder = f"{holder}, {machine.state.value}"
    return (
        address.ip,
        address.name or "-",
        holder,
        address.region,
        "?" if price is None else dollars(price.hourly).removesuffix("0"),
        "?" if price is None else monthly(price),
        address.allocation_id or "-",
    )


def _tell_idle(bench: Workbench, rows: Sequence[Address]) -> None:
    idle = [a for a in rows if a.idle]
    prices = [price for a in idle if (price := bench.addresses.price(a))]
    if idle and prices:
        a_month = sum(price.hourly for price in prices) * 730
        them = "it" if len(idle) == 1 else "them"
        output.narrate(
            f"Nothing uses {plural(len(idle), 'Elastic IP')}: ${dollars(a_month)} a month. "
            f"Give {them} back with: cloudtui ip release {shlex.join(a.ip for a in idle)}"
        )


def _document(bench: Workbench, address: Address) -> dict[str, object]:
    price = bench.addresses.price(address)
    return {
        "address": address.ip,
        "name": address.name,
        "region": address.region,
        "profile": address.profile,
        "id": address.allocation_id,
        "association": address.association_id or None,
        "instance": address.instance_id or None,
        "interface": address.interface_id or None,
        "holder": bench.addresses.holder(address) or None,
        "hourly": price.hourly if price else None,
        "tags": dict(address.tags),
    }


async def _allocate(bench: Workbench, words: argparse.Namespace) -> int:
    bench.addresses.may_change()
    place = await _one_place(bench)
    made = await bench.addresses.allocate(place, words.name)
    cost = cost_words(bench.addresses.price(made))
    output.narrate(f"{made.label} in {made.region} is yours now, and costs {cost}, used or not.")
    output.narrate(f"Give it to a machine: cloudtui ip associate {made.ip} NAME")
    _result(bench, words, made)
    return 0


async def _one_place(bench: Workbench) -> Place:
    """The one region and profile that are meant."""
    inventory = bench.inventory
    regions = tuple(dict.fromkeys(inventory.wanted_regions))
    if len(regions) > 1 or "all" in regions:
        raise UsageError(
            "An Elastic IP belongs to one region, and several are named.",
            f"They are {', '.join(regions)}.",
            "Name one: cloudtui ip allocate --region REGION",
        )
    profile = inventory.state.profiles[0]
    if len(inventory.state.profiles) > 1:
        raise UsageError(
            "An Elastic IP belongs to one account, and several profiles are named.",
            hint="Name one: --profile NAME",
        )
    amazon = await inventory.amazon(profile)
    region = regions[0] if regions else await asyncio.to_thread(lambda: amazon.home_region)
    return Place(profile, region)


async def _associate(bench: Workbench, words: argparse.Namespace) -> int:
    machine = await bench.inventory.find(words.name)
    address = await bench.addresses.find(words.address)
    plan = await bench.addresses.plan_associate(address, machine, interface_id=words.interface)
    output.narrate(f"{plan.sentence}.")
    for caution in plan.cautions:
        output.narrate(f"  ! {caution}")
    again = ["associate", address.ip, machine.spoken]
    again += ["--interface", words.interface] if words.interface else []
    await _ask(words, "Do it?", again)
    done = await bench.addresses.associate(plan)
    await bench.hosts.healing.heal(bench.addresses.seen.values())
    output.narrate(f"{machine.label} is at {done.ip} now.")
    _result(bench, words, done)
    return 0


async def _disassociate(bench: Workbench, words: argparse.Namespace) -> int:
    await bench.inventory.load()
    address = await bench.addresses.find(words.address)
    plan = await bench.addresses.plan_disassociate(address)
    output.narrate(f"Take {address.label} off {plan.holder}.")
    for caution in plan.cautions:
        output.narrate(f"  ! {caution}")
    await _ask(words, "Do it?", ["disassociate", address.ip])
    await bench.addresses.disassociate(plan)
    await bench.hosts.healing.heal(bench.addresses.seen.values())
    machine = bench.addresses.seen.get(plan.address.instance_id)
    where = (machine.public_ip if machine else "") or "no public address"
    output.narrate(f"{plan.holder} has {where} now.")
    _result(bench, words, await bench.addresses.find(address.ip))
    return 0


async def _release(bench: Workbench, words: argparse.Namespace) -> int:
    await bench.inventory.load()
    found = [await bench.addresses.find(name) for name in words.addresses]
    plans = []
    failures: list[CloudtuiError] = []
    for address in dict.fromkeys(found):
        try:
            plans.append(await bench.addresses.plan_release(address))
        except Refused as error:
            failures.append(error)
    for plan in plans:
        output.narrate(f"Release {plan.address.label} in {plan.address.region}.")
        for caution in plan.cautions:
            output.narrate(f"  ! {caution}")
    if plans:
        ips = [plan.address.ip for plan in plans]
        await _ask(words, f"Release {plural(len(plans), 'Elastic IP')}?", ["release", *ips])
    gone: list[Address] = []
    for plan in plans:
        try:
            await bench.addresses.release(plan)
            gone.append(plan.address)
        except CloudtuiError as error:
            failures.append(error)
    if getattr(words, "json", False):
        output.document({"released": [a.ip for a in gone], "errors": output.problems(failures)})
    else:
        for address in gone:
            output.line(f"{address.label} is released.")
    for failed in failures:
        output.failure(failed)
    return failures[0].exit_code if failures else 0


async def _ask(words: argparse.Namespace, question: str, again: Sequence[str]) -> None:
    command = shlex.join(["cloudtui", "ip", *again])
    await agree(question, "Nothing was changed", command, yes=getattr(words, "yes", False))


def _result(bench: Workbench, words: argparse.Namespace, address: Address) -> None:
    if getattr(words, "json", False):
        output.document(_document(bench, address))
    else:
        output.line(address.ip)


VERBS: dict[str, Callable[[Workbench, argparse.Namespace], Awaitable[int]]] = {
    "ls": _ls,
    "allocate": _allocate,
    "associate": _associate,
    "disassociate": _disassociate,
    "release": _release,
}
