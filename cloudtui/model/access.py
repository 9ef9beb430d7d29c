"""What lets traffic in and out of one machine, and plans that open and close a port of it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from cloudtui.model.errors import Refused, UsageError
from cloudtui.model.instance import Instance, State
from cloudtui.model.security_group import (
    SSH,
    Group,
    Interface,
    Rule,
    Viewer,
    cidr,
    mark,
    network_of,
)
from cloudtui.model.words import listed, plural


@dataclass(frozen=True, slots=True)
class Access:
    """What lets traffic in and out of one machine."""

    instance: Instance
    groups: tuple[Group, ...] = ()
    """In the machine's order."""
    interfaces: tuple[Interface, ...] = ()
    """The machine's, the primary one first; empty when they could not be asked."""
    members: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What else has each group, by group id: labels of machines, then of other things."""
    problems: tuple[str, ...] = ()
    """What could not be looked up, a sentence each."""

    @property
    def names(self) -> dict[str, str]:
        """Group names by id."""
        return {group.id: group.name for group in self.groups if group.name}

    def rules(self) -> tuple[tuple[Group, Rule], ...]:
        """Every rule with its group, inbound first."""
        pairs = [(group, rule) for group in self.groups for rule in group.inbound]
        return (*pairs, *((group, rule) for group in self.groups for rule in group.outbound))

    def letting(
        self, address: str, first: int, last: int | None = None
    ) -> tuple[tuple[Group, Rule], ...]:
        """The inbound rules that let the address reach the TCP ports."""
        return tuple(
            (group, rule)
            for group, rule in self.rules()
            if not rule.outbound and rule.covers(first, last) and rule.allows(address)
        )

    def group(self, wanted: str) -> Group:
        """The machine's group of that id or name.

        Raises:
            UsageError: the machine has no such group.
        """
        found = [g for g in self.groups if wanted in (g.id, g.name)]
        if len(found) == 1:
            return found[0]
        have = ", ".join(group.label for group in self.groups)
        raise UsageError(
            f"{self.instance.label} has no security group {wanted!r}.",
            f"It has {have}." if have else "",
            f"Give it one with: cloudtui hosts groups {self.instance.spoken} --add GROUP",
        )

    def others(self, group: Group) -> str:
        """What else a change of the group touches: `also has effect on etl-box and 3 more`."""
        members = self.members.get(group.id, ())
        return listed(members, most=4)


# ------------------------------------------------------------------ plans


@dataclass(frozen=True, slots=True)
class Opening:
    """What opening TCP ports to some sources would do; nothing is done yet."""

    access: Access
    group: Group
    """Where the rules go."""
    first: int
    last: int
    add: tuple[Rule, ...] = ()
    """Empty when all of it is open already."""
    remove: tuple[tuple[Group, Rule], ...] = ()
    """The user's own rules for addresses that are another's now."""
    already: tuple[tuple[Group, Rule], ...] = ()
    """What lets the sources in as it is."""
    cautions: tuple[str, ...] = ()

    @property
    def what(self) -> str:
        return Rule("tcp", self.first, self.last, "").what

    @property
    def sentence(self) -> str:
        """`Open SSH (tcp 22) of bert-gpu (i-0f3c) to 203.0.113.7/32, in group nlp-ssh (sg-1)`."""
        sources = listed([rule.source for rule in self.add])
        label = self.access.instance.label
        return f"Open {self.what} of {label} to {sources}, in group {self.group.label}"


@dataclass(frozen=True, slots=True)
class Closing:
    """Which rules closing would take away."""

    access: Access
    rules: tuple[tuple[Group, Rule], ...]
    cautions: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        groups = listed(list(dict.fromkeys(group.label for group, _ in self.rules)))
        return f"Take {plural(len(self.rules), 'rule')} away from {groups}"


def best_group(access: Access, viewer: Viewer) -> Group | None:
    """The group that a rule of the user's belongs in: where there is one already, else the one
    that the fewest others have, and the VPC's default group last."""
    for group in access.groups:
        if any(viewer.made(rule) for rule in group.inbound):
            return group
    order = sorted(access.groups, key=lambda g: (g.default, len(access.members.get(g.id, ()))))
    return next(iter(order), None)


def opening(
    access: Access,
    viewer: Viewer,
    sources: Sequence[str],
    first: int = SSH,
    last: int | None = None,
    group: str = "",
    *,
    named: bool = False,
) -> Opening:
    """Let the sources (CIDRs) in: the user's own addresses, or `named` ones. Rules for the same
    ports and for addresses that the user had before are replaced.

    Raises:
        UsageError: the machine has no group, or not the one named.
    """
    last = first if last is None else last
    chosen = access.group(group) if group else best_group(access, viewer)
    if chosen is None:
        raise UsageError(f"{access.instance.label} has no security group to put a rule into.")
    add: list[Rule] = []
    already: list[tuple[Group, Rule]] = []
    made = mark(viewer.who, viewer.today, named=named)
    for source in sources:
        letting = [
            (g, rule)
            for g, rule in access.rules()
            if not rule.outbound and rule.covers(first, last) and _within(source, rule)
        ]
        wide = all(rule.world for _, rule in letting)
        rule = Rule("tcp", first, last, source, made)
        if letting and (not wide or rule.world):
            already += letting
        else:
            add.append(rule)
    old = tuple(
        (g, rule)
        for g, rule in access.rules()
        if not rule.outbound
        and (rule.protocol, rule.first, rule.last) == ("tcp", first, last)
        and not named
        and viewer.outdated(rule)
    )
    made_ready = Opening(access, chosen, first, last, tuple(add), old, tuple(already))
    return replace(made_ready, cautions=tuple(_cautions(made_ready)))


def _within(source: str, rule: Rule) -> bool:
    inner, outer = network_of(source), network_of(rule.source)
    if inner is None or outer is None or inner.version != outer.version:
        return inner is None and source == rule.source
    return inner.network_address in outer and inner.prefixlen >= outer.prefixlen


def _cautions(plan: Opening) -> Iterable[str]:
    access, instance = plan.access, plan.access.instance
    if any(rule.world for rule in plan.add):
        yield (
            f"Anyone on the internet can try to log in to {instance.spoken}: {plan.what} is "
            "opened to the whole world."
        )
    if plan.add:
        yield from _shared(access, plan.group)
    open_to_all = [
        (group, rule)
        for group, rule in access.rules()
        if not rule.outbound and rule.world and rule.covers(plan.first, plan.last)
    ]
    for group, rule in open_to_all:
        yield (
            f"{plan.what} is open to the whole world by a rule of {group.label}: "
            f"{rule.what} from {rule.source}. Close it with: {close_command(instance, rule)}"
        )
    if instance.state is State.RUNNING and not instance.public_ip and not instance.ipv6:
        yield (
            f"{instance.label} has no public address: a rule for your public address lets nobody "
            "reach it. Give it an Elastic IP, or reach it through its VPC or a jump host."
        )
    if len(access.interfaces) > 1 and not any(
        plan.group.id == g for i in access.interfaces if i.public_ip for g, _ in i.groups
    ):
        have = [
            f"{i.id} ({i.private_ip})" for i in access.interfaces if plan.group.id in dict(i.groups)
        ]
        yield (
            f"It has {len(access.interfaces)} network interfaces; the group is on "
            f"{listed(have)} and not on one with a public address."
        )


def fitting(instance: Instance, addresses: Sequence[str]) -> tuple[str, ...]:
    """The user's addresses that can reach the machine, as networks of one.

    Raises:
        Refused: none can.
    """
    v4 = [cidr(a) for a in addresses if ":" not in a]
    v6 = [cidr(a) for a in addresses if ":" in a]
    found = (*(v4 if instance.public_ip or not instance.ipv6 else ()),
             *(v6 if instance.ipv6 else ()))  # fmt: skip
    if not found:
        here, there = ("IPv6", "IPv4") if v6 else ("IPv4", "IPv6")
        raise Refused(
            f"Your public address {addresses[0]} is {here}, and {instance.label} is reached by "
            f"{there} only.",
            hint="Give the address to open to: --from ADDRESS",
        )
    return tuple(found)


def close_command(instance: Instance, rule: Rule) -> str:
    """What takes the rule, and as few others as can be, away."""
    command = f"cloudtui hosts close {shlex.quote(instance.spoken)} --from {rule.source}"
    if rule.protocol != "tcp" or rule.first < 1:
        return command
    ports = str(rule.first) if rule.first == rule.last else f"{rule.first}-{rule.last}"
    return f"{command} --port {ports}"


def _shared(access: Access, group: Group) -> Iterable[str]:
    if others := access.others(group):
        default = "the VPC's default group and " if group.default else ""
        yield f"{group.label} is {default}also the group of {others}: the rule is for them too."


def closing(access: Access, rules: Sequence[tuple[Group, Rule]], viewer: Viewer) -> Closing:
    """Take these rules away."""
    gone = {(group.id, rule.key) for group, rule in rules}
    left = tuple(
        replace(
            group,
            inbound=tuple(r for r in group.inbound if (group.id, r.key) not in gone),
            outbound=tuple(r for r in group.outbound if (group.id, r.key) not in gone),
        )
        for group in access.groups
    )
    after = replace(access, groups=left)
    return Closing(access, tuple(rules), tuple(_losses(access, after, rules, viewer)))


def _losses(
    access: Access, after: Access, rules: Sequence[tuple[Group, Rule]], viewer: Viewer
) -> Iterable[str]:
    for group in dict.fromkeys(group for group, _ in rules):
        if others := access.others(group):
            yield f"{group.label} is also the group of {others}: it ends for them too."
    label = access.instance.label
    for address in viewer.addresses:
        if access.letting(address, SSH) and not after.letting(address, SSH):
            yield (
                f"SSH to {label} from your address {address} ends with it: what is connected may "
                "go on, a new connection is not let in."
            )
    if any(rule.outbound for _, rule in rules) and not any(g.outbound for g in after.groups):
        yield f"{label} can begin no connection any more: it reaches no package server."


def mine(
    access: Access, viewer: Viewer, ports: tuple[int, int] | None = None, source: str = ""
) -> tuple[tuple[Group, Rule], ...]:
    """The inbound rules that `close` means: with a source those of the source, else those that
    cloudtui made for this user; with ports only those of exactly these TCP ports."""
    return tuple(
        (group, rule)
        for group, rule in access.rules()
        if not rule.outbound
        and (_same(source, rule.source) if source else viewer.made(rule))
        and (ports is None or (rule.protocol, (rule.first, rule.last)) == ("tcp", ports))
    )


def _same(source: str, other: str) -> bool:
    network = network_of(source)
    return source == other or (network is not None and network == network_of(other))


@dataclass(frozen=True, slots=True)
class GroupChange:
    """What giving a machine other groups would do; nothing is done yet."""

    access: Access
    after: tuple[Group, ...]
    """The groups it has then."""
    added: tuple[Group, ...] = ()
    removed: tuple[Group, ...] = ()
    interface_id: str = ""
    """The network interface meant, when the machine has several."""
    cautions: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed)

    @property
    def sentence(self) -> str:
        """`Change the groups of bert-gpu (i-0f3c): add web (sg-2); take off nlp (sg-1)`."""
        parts = [
            f"{verb} {listed([group.label for group in groups])}"
            for verb, groups in (("add", self.added), ("take off", self.removed))
            if groups
        ]
        where = f", interface {self.interface_id}" if self.interface_id else ""
        return f"Change the groups of {self.access.instance.label}{where}: {'; '.join(parts)}"


def group_change(
    access: Access,
    known: Sequence[Group],
    wanted: Sequence[str],
    viewer: Viewer,
    interface_id: str = "",
) -> GroupChange:
    """The plan; `known` are the groups of the VPC, `wanted` ids or names of all that it shall have.

    Raises:
        UsageError: none, an unknown or an ambiguous one is wanted; no such interface.
        Refused: it has several interfaces and none is named.
    """
    instance = access.instance
    if not wanted:
        raise UsageError(
            f"{instance.label} needs at least one security group.",
            hint="The VPC's default group lets in its own members only.",
        )
    interface = _meant(access, interface_id)
    ids = [i for i, _ in interface.groups] if interface else [g.id for g in access.groups]
    after = tuple(dict.fromkeys(_named(word, known) for word in wanted))
    before = {group.id: group for group in (*known, *access.groups)}
    kept = {group.id for group in after}
    removed = tuple(before[i] for i in ids if i not in kept)
    added = tuple(group for group in after if group.id not in ids)
    elsewhere = [
        i for other in access.interfaces if interface and other.id != interface.id
        for i, _ in other.groups
    ]  # fmt: skip
    groups = (*after, *(before[i] for i in dict.fromkeys(elsewhere) if i not in kept))
    changed = replace(access, groups=groups)
    said = [
        f"SSH to {instance.label} from your address {address} ends with it: a new connection is "
        "not let in."
        for address in viewer.addresses
        if access.letting(address, SSH) and not changed.letting(address, SSH)
    ]
    said += [
        f"{group.label} opens SSH to the whole world."
        for group in added
        if any(rule.exposed for rule in group.inbound)
    ]
    if not any(group.outbound for group in groups):
        said.append(f"{instance.label} can begin no connection any more.")
    several = interface.id if interface else ""
    return GroupChange(access, after, added, removed, several, tuple(said))


def _meant(access: Access, wanted: str) -> Interface | None:
    own = access.interfaces
    have = listed([f"{i.id} ({i.private_ip}, {listed([n for _, n in i.groups])})" for i in own])
    if wanted:
        for interface in own:
            if interface.id == wanted:
                return interface
        raise UsageError(
            f"{access.instance.label} has no network interface {wanted}.",
            f"It has {have}." if have else "",
        )
    if len(own) > 1:
        raise Refused(
            f"{access.instance.label} has {len(own)} network interfaces, each with groups of its "
            "own.",
            f"They are {have}.",
            f"Name the one that is meant: cloudtui hosts groups {access.instance.spoken} "
            f"--interface {own[0].id}",
        )
    return None


def _named(wanted: str, known: Sequence[Group]) -> Group:
    found = [g for g in known if g.id == wanted] or [g for g in known if g.name == wanted]
    if len(found) == 1:
        return found[0]
    names = listed([group.label for group in (found or known)], most=12)
    what = f"{wanted!r} could be {len(found)} groups." if found else f"There is no {wanted!r}."
    raise UsageError(
        f"{what} A machine's groups are of its own VPC.",
        f"Groups there: {names}." if names else "",
        "Give the id of one of them." if found else "",
    )
