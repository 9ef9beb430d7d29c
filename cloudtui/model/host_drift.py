"""Which entry of the ssh config belongs to which instance, how far it is from it, and what an
entry for an instance says. Pure rules; who reads, asks and writes is `core.hosts`."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from cloudtui.model.errors import NotFound, Refused
from cloudtui.model.host_entry import HostEntry, why_not_alias
from cloudtui.model.instance import Instance, State, next_step

Home = tuple[str, str]
"""Account and region of an instance."""


class Kind(StrEnum):
    """What can be wrong with an entry, the worst first."""

    GONE = "instance gone"
    ADDRESS = "address changed"
    NO_ADDRESS = "no public address"
    SHADOWED = "shadowed"
    KEY = "key missing"
    UNSEEN = "not listed"


@dataclass(frozen=True, slots=True)
class Drift:
    """One thing in which an entry is not as it should be."""

    kind: Kind
    words: str
    """What is so, and what to do, in one or two sentences."""


@dataclass(frozen=True, slots=True)
class HostRow:
    """An entry beside the instance it belongs to."""

    entry: HostEntry
    instance: Instance | None = None
    drifts: tuple[Drift, ...] = ()
    """The worst first; none when all is well."""
    address: str = ""
    """What HostName should say; empty when it is right or not known."""

    @property
    def mark(self) -> str:
        """`address changed`, and how many more; empty when all is well."""
        if not self.drifts:
            return ""
        more = f" +{len(self.drifts) - 1}" if len(self.drifts) > 1 else ""
        return f"{self.drifts[0].kind.value}{more}"

    def has(self, kind: Kind) -> bool:
        return any(drift.kind is kind for drift in self.drifts)

    @property
    def curable(self) -> bool:
        """Whether a new address, or the entry's removal, brings it in step."""
        return bool(self.address) or self.has(Kind.GONE)

    @property
    def machine(self) -> str:
        """The name of the instance, or the id that the entry has; empty for another host."""
        return self.instance.spoken if self.instance else self.entry.instance_id


@dataclass(frozen=True)
class World:
    """What is known beside the entries."""

    instances: Sequence[Instance] = ()
    """Only rows that EC2 confirmed in this run."""
    listed: Collection[Home] = ()
    """What those rows are complete for."""
    homes: Mapping[str, Home] = field(default_factory=dict)
    """Where an instance was when it was seen last, by id."""
    missing_keys: Collection[str] = ()
    """Values of IdentityFile that name no file."""
    shadowed: Mapping[str, str] = field(default_factory=dict)
    """`FILE line N` of the line that decides HostName before the entry does, by alias."""

    @cached_property
    def by_id(self) -> Mapping[str, Instance]:
        return {instance.id: instance for instance in self.instances}

    @cached_property
    def by_name(self) -> Mapping[str, Sequence[Instance]]:
        """Those that are not terminated, by Name tag and by id."""
        found: dict[str, list[Instance]] = {}
        for instance in self.instances:
            if instance.state not in ENDED:
                for name in {instance.name, instance.id} - {""}:
                    found.setdefault(name, []).append(instance)
        return found

    @cached_property
    def by_address(self) -> Mapping[str, Instance]:
        """Public addresses are one instance's; private ones may be of many networks, and count
        only when one instance listed has them."""
        public = {a: i for i in self.instances for a in (i.public_ip, i.public_dns, i.ipv6) if a}
        private: dict[str, list[Instance]] = {}
        for instance in self.instances:
            if instance.private_ip and instance.state not in ENDED:
                private.setdefault(instance.private_ip, []).append(instance)
        return {a: found[0] for a, found in private.items() if len(found) == 1} | public


ENDED = (State.TERMINATED, State.SHUTTING_DOWN)

_AWS_NAME = re.compile(r"(ec2|ip)-[0-9a-f-]+\.[a-z0-9.-]*(amazonaws\.com(\.cn)?|internal)", re.I)


def is_address(host_name: str) -> bool:
    """An IP address, or one of the names that AWS makes of an address."""
    try:
        ipaddress.ip_address(host_name)
    except ValueError:
        return _AWS_NAME.fullmatch(host_name) is not None
    return True


def survey(entries: Iterable[HostEntry], world: World) -> tuple[HostRow, ...]:
    """Each entry beside its instance, with what is wrong."""
    return tuple(_row(entry, world) for entry in entries)


def owner(entry: HostEntry, world: World) -> Instance | None:
    """The instance an entry belongs to: by its HostKeyAlias, else by name, else by address.

    A name counts only while one instance has it, and when the entry says nothing but an address
    for it: `HostName bert.example.com` is somebody else's.
    """
    if entry.instance_id:
        return world.by_id.get(entry.instance_id)
    host_name = entry.get("HostName")
    if at := world.by_address.get(host_name):
        return at
    named = world.by_name.get(entry.alias, ())
    return named[0] if len(named) == 1 and (not host_name or is_address(host_name)) else None


def _row(entry: HostEntry, world: World) -> HostRow:
    instance = owner(entry, world)
    drifts: list[Drift] = []
    address = ""
    if entry.instance_id and (instance is None or instance.state in ENDED):
        drifts += _gone(entry, instance, world)
    elif instance:
        address = wanted_address(entry, instance)
        if address:
            was = entry.get("HostName") or "nothing"
            words = f"{instance.label} is at {address} now; HostName is {was}."
            drifts.append(Drift(Kind.ADDRESS, words))
        elif _lost_its_address(entry, instance):
            words = f"{instance.label} has no public address now. {WITHOUT_ADDRESS}"
            drifts.append(Drift(Kind.NO_ADDRESS, words))
    if line := world.shadowed.get(entry.alias):
        words = f"{line} comes first and decides HostName; what this entry says has no effect."
        drifts.append(Drift(Kind.SHADOWED, words))
    drifts += [
        Drift(Kind.KEY, f"There is no key file {value}. Name another with IdentityFile.")
        for name, value in entry.values
        if name.lower() == "identityfile" and value in world.missing_keys
    ]
    return HostRow(entry, instance, tuple(drifts), address)


def _gone(entry: HostEntry, instance: Instance | None, world: World) -> list[Drift]:
    cure = "Remove the entry when nothing else needs it."
    if instance:
        return [Drift(Kind.GONE, f"{instance.label} is {instance.state.value}. {cure}")]
    home = world.homes.get(entry.instance_id)
    if home and home in world.listed:
        words = f"{entry.instance_id} is not in {home[1]} any more: it was terminated. {cure}"
        return [Drift(Kind.GONE, words)]
    words = f"{entry.instance_id} is not in the regions and accounts that are listed now."
    return [Drift(Kind.UNSEEN, words)]


def _proxied(entry: HostEntry) -> bool:
    jump, command = entry.get("ProxyJump"), entry.get("ProxyCommand")
    return any(word and word.lower() != "none" for word in (jump, command))


def wanted_address(entry: HostEntry, instance: Instance) -> str:
    """What HostName should say instead of what it says; empty when it is right or not known.

    An entry goes on with the kind of address it has. A private address of the user's own choice
    behind a jump host stays, for it may be another network card of the instance.
    """
    has = entry.get("HostName")
    own = (instance.public_ip, instance.public_dns, instance.ipv6, instance.private_ip)
    if has and (has in own or not is_address(has)):
        return ""
    if _proxied(entry):
        if not entry.instance_id or (not has and entry.get("ProxyCommand")):
            return ""
        return _first(instance.public_ip, instance.private_ip)
    if ":" in has:
        return _first(instance.ipv6, instance.public_ip)
    if _AWS_NAME.fullmatch(has):
        return _first(instance.public_dns, instance.public_ip, instance.ipv6)
    return _first(instance.public_ip, instance.ipv6)


def _first(*addresses: str) -> str:
    return next(filter(None, addresses), "")


def _lost_its_address(entry: HostEntry, instance: Instance) -> bool:
    has = entry.get("HostName")
    return (
        instance.state is State.RUNNING
        and is_address(has)
        and has not in (instance.public_ip, instance.public_dns, instance.ipv6, instance.private_ip)
        and not _proxied(entry)
    )


# What an entry says

WITHOUT_ADDRESS = (
    "Give it an Elastic IP, name a jump host that reaches it (--jump HOST), or take its private "
    "address from inside its network (--private)."
)


def address_for(instance: Instance, *, private: bool = False, jump: str = "") -> str:
    """The HostName of a new entry for the instance.

    Raises:
        Refused: it has none now; the hint says what to do.
    """
    if instance.state in ENDED:
        raise Refused(f"{instance.label} is {instance.state.value}, so it needs no entry.")
    public = _first(instance.public_ip, instance.ipv6)
    address = instance.private_ip if private or (jump and not public) else public
    if address:
        return address
    if instance.state is State.RUNNING and not private:
        raise Refused(f"{instance.label} has no public address.", hint=WITHOUT_ADDRESS)
    if instance.state is State.RUNNING:
        raise Refused(f"{instance.label} has no private address.")
    raise Refused(
        f"{instance.label} is {instance.state.value}, and has no address until it runs.",
        hint=next_step(instance),
    )


def wanted_values(
    instance: Instance,
    address: str,
    *,
    user: str,
    key: str = "",
    port: int = 22,
    jump: str = "",
) -> dict[str, str | None]:
    """What the entry of an instance says; None stands for a keyword it must not have.

    `key` is as IdentityFile takes it. Without one IdentityFile is left as it is.
    """
    values: dict[str, str | None] = {"HostName": address, "User": user}
    if key:
        values |= {"IdentityFile": key, "IdentitiesOnly": "yes"}
    values["Port"] = str(port) if port != 22 else None
    if jump:
        values["ProxyJump"] = jump
    return values | {"HostKeyAlias": instance.id}


def legal_alias(name: str) -> str:
    """The name as one that ssh, scp and rsync all take; empty when nothing of it is left."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9._]+", "-", plain).strip("-.")


def alias_for(instance: Instance, rows: Iterable[HostRow]) -> str:
    """The alias under which the instance is added: that of the entry it has, else its Name tag.

    Where that name is another living instance's, the end of the id is added.
    """
    rows = tuple(rows)
    mine = [r.entry for r in rows if r.instance and r.instance.id == instance.id]
    mine.sort(key=lambda e: (not e.instance_id, e.alias != legal_alias(instance.name)))
    if mine:
        return mine[0].alias
    alias = legal_alias(instance.name) or instance.id
    other = next((r.instance for r in rows if r.entry.alias == alias), None)
    taken = other is not None and other.state not in ENDED
    return f"{alias}-{instance.id[-4:]}" if taken else alias


def alias_problem(alias: str) -> str:
    """Why an entry of an instance cannot have this alias; empty when it can."""
    if why := why_not_alias(alias):
        return why
    if wrong := next((c for c in ":@/," if c in alias), ""):
        return f"{alias!r} has {wrong} in it, which scp and rsync take for something else."
    return ""


# When an entry is healed

HEAL_HOSTS = ("ours", "always", "ask", "never")
"""Values of the setting: entries in cloudtui.conf at once and the user's own after a question;
all at once; all after a question; none."""


def heals_by_itself(row: HostRow, setting: str, *, made_here: bool = False) -> bool:
    """Whether a changed address is written without a question.

    `made_here`: cloudtui itself made the change, so entries known by their instance's id follow
    whatever the setting is, unless it is `never`.
    """
    if not row.address or setting == "never":
        return False
    if setting == "always" or (made_here and row.entry.instance_id):
        return True
    return setting == "ours" and row.entry.ours


def row_of(alias: str, rows: Iterable[HostRow]) -> HostRow:
    """The row of an alias.

    Raises:
        NotFound: there is none.
    """
    known = tuple(rows)
    for row in known:
        if row.entry.alias == alias:
            return row
    names = sorted(r.entry.alias for r in known)
    more = " …" if len(names) > 8 else ""
    raise NotFound(
        f"The ssh config has no entry {alias!r}.",
        f"It has: {', '.join(names[:8])}{more}." if names else "It has none.",
        "List them with: cloudtui hosts ls",
    )
