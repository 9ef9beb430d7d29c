"""Security groups and their rules in plain words."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from cloudtui.model.errors import UsageError

ALL_PROTOCOLS = "-1"
SSH = 22
EVERYWHERE = ("0.0.0.0/0", "::/0")

_NUMBERS = {"1": "icmp", "6": "tcp", "17": "udp", "58": "icmpv6"}
_SERVICES = {
    ("tcp", 22): "SSH",
    ("tcp", 53): "DNS",
    ("udp", 53): "DNS",
    ("tcp", 80): "HTTP",
    ("udp", 123): "NTP",
    ("tcp", 443): "HTTPS",
    ("tcp", 2049): "NFS",
    ("tcp", 3306): "MySQL",
    ("tcp", 3389): "RDP",
    ("tcp", 5432): "PostgreSQL",
    ("tcp", 6006): "TensorBoard",
    ("tcp", 6379): "Redis",
    ("tcp", 8787): "RStudio",
    ("tcp", 8888): "Jupyter",
    ("icmp", 8): "ping",
    ("icmpv6", 128): "ping",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a security group, with one source (or one destination, when it is outbound)."""

    protocol: str
    """`tcp`, `udp`, `icmp`, `icmpv6`, another protocol's number, or `-1` for everything."""
    first: int
    last: int
    """The ports, both included; for ICMP its type and code; -1 for none, or for all of them."""
    source: str
    """A CIDR, the id of a group or of a prefix list."""
    description: str = ""
    outbound: bool = False

    @property
    def words(self) -> str:
        """`tcp 22`, `tcp 8000-8100`, `all traffic`, `icmp type 8`."""
        protocol = self.protocol
        if protocol == ALL_PROTOCOLS:
            return "all traffic"
        if protocol.isdigit():
            return f"protocol {protocol}"
        if protocol.startswith("icmp"):
            kind = f" type {self.first}" if self.first >= 0 else ""
            return (
                f"{protocol}{kind} code {self.last}" if kind and self.last > 0 else protocol + kind
            )
        if self.first < 0 or (self.first, self.last) == (0, 65535):
            return f"{protocol} all ports"
        ports = str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
        return f"{protocol} {ports}"

    @property
    def service(self) -> str:
        """What usually listens there, `SSH`; empty for a range or a port of no fame."""
        icmp = self.protocol.startswith("icmp")
        if not icmp and self.first != self.last:
            return ""
        return _SERVICES.get((self.protocol, self.first), "")

    @property
    def what(self) -> str:
        """`SSH (tcp 22)`, `tcp 8000-8100`, `all traffic`."""
        return f"{self.service} ({self.words})" if self.service else self.words

    @property
    def world(self) -> bool:
        """Whether it is for every IPv4 or every IPv6 address."""
        network = network_of(self.source)
        return network is not None and network.prefixlen == 0

    @property
    def exposed(self) -> bool:
        """Whether it opens SSH to the whole world."""
        return not self.outbound and self.world and self.covers(SSH)

    @property
    def key(self) -> tuple[object, ...]:
        """What tells it from the group's other rules; EC2 takes no second rule of one key."""
        return (self.outbound, self.protocol, self.first, self.last, self.source)

    def covers(self, first: int, last: int | None = None) -> bool:
        """Whether TCP to the port, or to every port up to `last`, is in it."""
        if self.protocol == ALL_PROTOCOLS:
            return True
        if self.protocol != "tcp":
            return False
        return self.first < 0 or self.first <= first <= (last or first) <= self.last

    def allows(self, address: str) -> bool:
        """Whether the address is in its source; never for a group or a prefix list, whose
        members it does not tell."""
        network = network_of(self.source)
        if network is None or not address:
            return False
        found = ipaddress.ip_address(address)
        return found.version == network.version and found in network

    def origin(self, names: Mapping[str, str], *, short: bool = False) -> str:
        """Where from or to, in words; `names` has groups by id. In `short` without the id of a
        group that has a name."""
        if self.source.startswith("sg-"):
            name = names.get(self.source, "")
            full = f"{name} ({self.source})" if name and not short else name or self.source
            return f"members of {full}"
        if self.source.startswith("pl-"):
            return f"prefix list {self.source}"
        return f"anywhere ({self.source})" if self.world else self.source

    def sentence(self, known: Viewer, names: Mapping[str, str]) -> str:
        """`SSH (tcp 22) from 203.0.113.7/32 — me, laptop, added 3 days ago`."""
        way = "to" if self.outbound else "from"
        whose = known.whose(self)
        return f"{self.what} {way} {self.origin(names)}{f' — {whose}' if whose else ''}"


def rule_of(
    protocol: str,
    first: int | None,
    last: int | None,
    source: str,
    description: str = "",
    *,
    outbound: bool = False,
) -> Rule:
    """A rule from EC2's words: protocols by name, no ports as -1."""
    name = _NUMBERS.get(protocol, protocol.lower())
    return Rule(
        name,
        -1 if first is None else first,
        -1 if last is None else last,
        source,
        description,
        outbound,
    )


def network_of(source: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(source, strict=False)
    except ValueError:
        return None


# ------------------------------------------------------------------ who made a rule

_MARK = re.compile(r"cloudtui: (?P<who>\S+@\S+) (?P<day>\d{4}-\d\d-\d\d)(?P<named> named)?\Z")
_UNFIT = re.compile(r"[^a-zA-Z0-9._-]+")
"""Not allowed in a rule's description, or a separator here."""
_WHO = 100


@dataclass(frozen=True, slots=True)
class Mark:
    """Who let cloudtui make a rule, and when."""

    who: str
    """`USER@HOST`."""
    day: date
    named: bool = False
    """For a source that was named; else for the address that the maker had."""


def who(user: str, host: str) -> str:
    """`USER@HOST`, without the host's domain, in letters that EC2 takes in a description."""
    names = (user, host.partition(".")[0])
    parts = (_UNFIT.sub("-", name).strip("-")[:_WHO] or "unknown" for name in names)
    return "@".join(parts)


def mark(maker: str, day: date, *, named: bool = False) -> str:
    """The description of a rule that cloudtui makes for `maker`, whose address it is unless the
    source was `named`."""
    return f"cloudtui: {maker} {day:%Y-%m-%d}{' named' if named else ''}"


def read_mark(description: str) -> Mark | None:
    """Whose rule it is, or None when cloudtui did not make it."""
    found = _MARK.match(description)
    if not found:
        return None
    try:
        return Mark(found["who"], date.fromisoformat(found["day"]), bool(found["named"]))
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks at rules: the user, at an address, on a day."""

    who: str
    today: date
    addresses: tuple[str, ...] = ()
    """The user's public addresses, IPv4 first; empty when they are not known."""

    def made(self, rule: Rule) -> bool:
        """Whether cloudtui made the rule for this user on this computer."""
        found = read_mark(rule.description)
        return found is not None and found.who == self.who

    def at(self, rule: Rule) -> bool:
        """Whether the rule is for one of the user's addresses alone."""
        network = network_of(rule.source)
        return (
            network is not None
            and network.num_addresses == 1
            and any(rule.allows(address) for address in self.addresses)
        )

    def outdated(self, rule: Rule) -> bool:
        """Whether it is the user's own rule for an address that is another's now."""
        network, found = network_of(rule.source), read_mark(rule.description)
        if network is None or found is None or found.named or found.who != self.who:
            return False
        mine = [a for a in self.addresses if ipaddress.ip_address(a).version == network.version]
        return bool(mine) and not any(rule.allows(a) for a in mine)

    def whose(self, rule: Rule) -> str:
        """`me, laptop, added 3 days ago`, `your address`, or the rule's own description."""
        found = read_mark(rule.description)
        if found is None:
            yours = "your address" if self.at(rule) else ""
            return ", ".join(part for part in (yours, rule.description) if part)
        maker = found.who
        if maker == self.who:
            maker = f"me, {maker.partition('@')[2]}"
        old = ", an old address" if self.outdated(rule) else ""
        return f"{maker}, added {days_ago(found.day, self.today)}{old}"


def days_ago(day: date, today: date) -> str:
    """`today`, `yesterday`, `3 days ago`."""
    count = (today - day).days
    if count <= 0:
        return "today"
    return "yesterday" if count == 1 else f"{count} days ago"


# ------------------------------------------------------------------ groups and who has them


@dataclass(frozen=True, slots=True)
class Group:
    """A security group and its rules."""

    id: str
    name: str = ""
    inbound: tuple[Rule, ...] = ()
    outbound: tuple[Rule, ...] = ()
    vpc_id: str = ""
    description: str = ""

    @property
    def label(self) -> str:
        return f"{self.name} ({self.id})" if self.name else self.id

    @property
    def default(self) -> bool:
        """Whether it is the VPC's own, that every machine launched without a group has."""
        return self.name == "default"


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface (ENI) and what it belongs to."""

    id: str
    instance_id: str = ""
    index: int = 0
    """Its place on the instance; 0 is the primary one."""
    groups: tuple[tuple[str, str], ...] = ()
    """Pairs of group id and group name."""
    private_ip: str = ""
    public_ip: str = ""
    ipv6: str = ""
    kind: str = "interface"
    """EC2's interface type: `interface`, `natGateway`, `network_load_balancer`, ..."""
    description: str = ""

    @property
    def holder(self) -> str:
        """What it belongs to, when that is no instance: `NAT gateway nat-0f3c`."""
        if self.description.startswith("Interface for NAT Gateway "):
            return f"NAT gateway {self.description.rpartition(' ')[2]}"
        if self.description.startswith("ELB "):
            parts = self.description.removeprefix("ELB ").split("/")
            return f"load balancer {parts[1] if len(parts) > 1 else parts[0]}"
        known = {
            "natGateway": "a NAT gateway",
            "nat_gateway": "a NAT gateway",
            "network_load_balancer": "a network load balancer",
            "load_balancer": "a load balancer",
            "gateway_load_balancer": "a gateway load balancer",
            "lambda": "a Lambda function",
            "vpc_endpoint": "a VPC endpoint",
            "transit_gateway": "a transit gateway",
        }.get(self.kind, "")
        about = known or self.description
        return f"{about} (interface {self.id})" if about else f"network interface {self.id}"


def exposed(groups: Iterable[Group]) -> tuple[Rule, ...]:
    """The rules that open SSH to the whole world."""
    return tuple(rule for group in groups for rule in group.inbound if rule.exposed)


def ports(text: str) -> tuple[int, int]:
    """`22` or `8000-8100` as first and last port.

    Raises:
        UsageError: it is neither.
    """
    found = re.fullmatch(r"\s*(\d{1,5})\s*(?:-\s*(\d{1,5})\s*)?", text)
    if found:
        first, last = int(found[1]), int(found[2] or found[1])
        if 1 <= first <= last <= 65535:
            return first, last
    raise UsageError(
        f"{text!r} is no port.", hint="Give a port from 1 to 65535, or a range: 8000-8100"
    )


def cidr(text: str) -> str:
    """An address or network as EC2 writes it: `203.0.113.7` is `203.0.113.7/32`.

    Raises:
        UsageError: it is neither.
    """
    try:
        return str(ipaddress.ip_network(text.strip(), strict=False))
    except ValueError as error:
        raise UsageError(
            f"{text!r} is no address and no network.",
            f"{error}.",
            "Give one like 203.0.113.7, 203.0.113.0/24 or 2001:db8::/64",
        ) from error


def address_in(body: str) -> str:
    """The one address that a check-ip answer holds.

    Raises:
        ValueError: it holds something else, or an address that nobody connects from.
    """
    address = ipaddress.ip_address(body.strip())
    if address.is_unspecified or address.is_multicast or address.is_link_local:
        raise ValueError(f"{address} is no address to connect from")
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(address)
