"""hosts rules, open, close, groups: what lets traffic in and out of an instance."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Awaitable, Callable

from cloudtui.cli import output
from cloudtui.cli.prompts import agree
from cloudtui.core.security_groups import Changed
from cloudtui.core.workbench import Workbench
from cloudtui.model.access import Access, close_command
from cloudtui.model.errors import CloudtuiError, UsageError
from cloudtui.model.security_group import SSH, Group, Rule, Viewer, exposed, ports


async def _rules(bench: Workbench, words: argparse.Namespace) -> int:
    machine = await bench.inventory.find(words.name)
    problem = ""
    try:
        await bench.security_groups.my_addresses()
    except CloudtuiError as error:
        problem = error.title
    access = await bench.security_groups.access(machine)
    viewer = bench.security_groups.viewer()
    if _json(words):
        output.document(_document(access, viewer))
    else:
        _print(access, viewer)
    for sentence in (*access.problems, problem):
        if sentence:
            output.narrate(sentence)
    if exposed(access.groups):
        output.narrate(
            f"SSH of {machine.label} is open to the whole world. Open it to you alone: "
            f"cloudtui hosts open {shlex.quote(machine.spoken)}, then close the other: "
            f"{close_command(machine, exposed(access.groups)[0])}"
        )
    return 0


def _print(access: Access, viewer: Viewer) -> None:
    names = access.names
    for group in access.groups:
        others = access.others(group)
        output.line(f"{group.label}{f', also of {others}' if others else ''}")
        for way, rules in (("in ", group.inbound), ("out", group.outbound)):
            for rule in rules:
                mark = "!" if rule.exposed else " "
                output.line(f"{mark} {way} {rule.sentence(viewer, names)}")
        if not group.inbound:
            output.line("  in  nothing")
        if not group.outbound:
            output.line("  out nothing")
    if len(access.interfaces) > 1:
        for interface in access.interfaces:
            has = ", ".join(name or group for group, name in interface.groups)
            output.line(f"{interface.id} {interface.private_ip} {interface.public_ip}: {has}")
    for address in viewer.addresses:
        letting = access.letting(address, SSH)
        by = f"by {letting[0][0].label}" if letting else "closed"
        output.narrate(f"SSH from your address {address}: {'open, ' if letting else ''}{by}.")


def _document(access: Access, viewer: Viewer) -> dict[str, object]:
    return {
        "instance": access.instance.id,
        "name": access.instance.name,
        "addresses": list(viewer.addresses),
        "groups": [
            {
                "id": group.id,
                "name": group.name,
                "description": group.description,
                "members": list(access.members.get(group.id, ())),
                "rules": [
                    _rule(group, rule, access, viewer) for rule in (*group.inbound, *group.outbound)
                ],
            }
            for group in access.groups
        ],
        "interfaces": [
            {
                "id": i.id,
                "private": i.private_ip,
                "public": i.public_ip or None,
                "groups": [group for group, _ in i.groups],
            }
            for i in access.interfaces
        ],
    }


def _rule(
    group: Group, rule: Rule, access: Access | None = None, viewer: Viewer | None = None
) -> dict[str, object]:
    told: dict[str, object] = {
        "group": group.id,
        "direction": "out" if rule.outbound else "in",
        "protocol": rule.protocol,
        "from_port": rule.first if rule.first >= 0 else None,
        "to_port": rule.last if rule.last >= 0 else None,
        "source": rule.source,
        "description": rule.description,
        "world": rule.world,
    }
    if access and viewer:
        told |= {"mine": viewer.made(rule), "words": rule.sentence(viewer, access.names)}
    return told


async def _open(bench: Workbench, words: argparse.Namespace) -> int:
    machine = await bench.inventory.find(words.name)
    groups = bench.security_groups
    plan = await groups.plan_open(
        machine, ports(words.port), source=words.source, group=words.group
    )
    names, viewer = plan.access.names, groups.viewer()
    for group, rule in plan.already:
        output.narrate(f"Open already: {rule.sentence(viewer, names)}, in {group.label}.")
    if plan.add:
        output.narrate(f"{plan.sentence}.")
    for group, rule in plan.remove:
        output.narrate(f"  - takes away: {rule.sentence(viewer, names)}, in {group.label}")
    for caution in plan.cautions:
        output.narrate(f"  ! {caution}")
    changed = Changed()
    if plan.add or plan.remove:
        await _ask(words, "open")
        changed = await groups.open(plan)
    for rule in changed.added:
        output.narrate(f"{plan.what} of {machine.label} is open to {rule.source}.")
    _tell(words, plan.group, changed)
    return 0


async def _close(bench: Workbench, words: argparse.Namespace) -> int:
    machine = await bench.inventory.find(words.name)
    groups = bench.security_groups
    plan = await groups.plan_close(
        machine,
        ports(words.port) if words.port else None,
        source=words.source,
        group=words.group,
    )
    names, viewer = plan.access.names, groups.viewer()
    output.narrate(f"{plan.sentence} of {machine.label}:")
    for group, rule in plan.rules:
        output.narrate(f"  - {rule.sentence(viewer, names)}, in {group.label}")
    for caution in plan.cautions:
        output.narrate(f"  ! {caution}")
    await _ask(words, "close")
    changed = await groups.close(plan)
    for rule in changed.removed:
        output.narrate(f"Closed: {rule.what} from {rule.source}.")
    for rule in changed.gone:
        output.narrate(f"Gone already: {rule.what} from {rule.source}.")
    _tell(words, plan.rules[0][0], changed)
    return 0


async def _groups(bench: Workbench, words: argparse.Namespace) -> int:
    machine = await bench.inventory.find(words.name)
    groups = bench.security_groups
    if words.set and (words.add or words.remove):
        raise UsageError("--set names all groups: it does not go with --add or --remove.")
    if not (words.set or words.add or words.remove):
        return await _show_groups(bench, words)
    wanted = words.set
    if not wanted:
        access = await groups.access(machine)
        own = next((i for i in access.interfaces if i.id == words.interface), None)
        have = [g for g, _ in own.groups] if own else [g.id for g in access.groups]
        names = {group.name: group.id for group in access.groups}
        gone = {names.get(word, word) for word in words.remove}
        if unknown := [word for word in words.remove if names.get(word, word) not in have]:
            access.group(unknown[0])
        wanted = [*(i for i in have if i not in gone), *words.add]
    plan = await groups.plan_groups(machine, wanted, interface_id=words.interface)
    if not plan:
        output.narrate(f"{machine.label} has just these groups already.")
    else:
        output.narrate(f"{plan.sentence}.")
        for caution in plan.cautions:
            output.narrate(f"  ! {caution}")
        await _ask(words, "groups", *_options(words))
        await groups.set_groups(plan)
    if _json(words):
        output.document({"groups": [_group(group) for group in plan.after]})
    else:
        for group in plan.after:
            output.line(group.label)
    return 0


async def _show_groups(bench: Workbench, words: argparse.Namespace) -> int:
    machine = await bench.inventory.find(words.name)
    access = await bench.security_groups.access(machine)
    known = await bench.security_groups.candidates(machine)
    has = {group.id for group in access.groups}
    if _json(words):
        output.document(
            {
                "groups": [_group(group) for group in access.groups],
                "others": [_group(group) for group in known if group.id not in has],
            }
        )
        return 0
    output.table(
        ("", "NAME", "ID", "IN", "OUT", "DESCRIPTION"),
        [
            (
                "*" if group.id in has else "",
                group.name or "-",
                group.id,
                str(len(group.inbound)),
                str(len(group.outbound)),
                group.description or "-",
            )
            for group in sorted(known, key=lambda g: (g.id not in has, g.name, g.id))
        ],
    )
    output.narrate(f"* {machine.label} has it. Change them with --add, --remove or --set.")
    return 0


def _group(group: Group) -> dict[str, object]:
    return {"id": group.id, "name": group.name, "description": group.description}


def _options(words: argparse.Namespace) -> list[str]:
    found: list[str] = []
    for option in ("add", "remove", "set"):
        for value in getattr(words, option):
            found += [f"--{option}", value]
    return [*found, *(["--interface", words.interface] if words.interface else [])]


async def _ask(words: argparse.Namespace, verb: str, *options: str) -> None:
    command = ["cloudtui", "hosts", verb, words.name, *options]
    for option, value in (
        ("--port", getattr(words, "port", "")),
        ("--from", getattr(words, "source", "")),
        ("--group", getattr(words, "group", "")),
    ):
        command += [option, value] if value else []
    undone = "Nothing was changed"
    await agree("Do it?", undone, shlex.join(command), yes=getattr(words, "yes", False))


def _tell(words: argparse.Namespace, group: Group, changed: Changed) -> None:
    if _json(words):
        output.document(
            {
                "added": [_rule(group, rule) for rule in changed.added],
                "removed": [_rule(group, rule) for rule in changed.removed],
                "gone": [_rule(group, rule) for rule in changed.gone],
            }
        )


def _json(words: argparse.Namespace) -> bool:
    return getattr(words, "json", False)


VERBS: dict[str, Callable[[Workbench, argparse.Namespace], Awaitable[int]]] = {
    "rules": _rules,
    "open": _open,
    "close": _close,
    "groups": _groups,
}
