"""Elastic IP addresses: who has them, what they cost, and plans that move them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from cloudtui.model.errors import Ambiguous, NotFound, Refused, UsageError
from cloudtui.model.instance import Instance, State
from cloudtui.model.price import HOURS_A_MONTH, Price, Source, dollars
from cloudtui.model.security_group import Interface

PUBLIC_IPV4 = Price(0.005, date(2024, 2, 1), Source.TABLE)
"""What AWS takes an hour for a public IPv4 address, in use or not, outside of China."""
QUOTA = 5
"""Elastic IPs of a region, unless the account's quota was raised."""


@dataclass(frozen=True, slots=True)
class Address:
    """An Elastic IP of the account."""

    ip: str
    region: str
    allocation_id: str = ""
    profile: str = ""
    """The AWS profile that sees it; empty for the default one."""
    tags: Mapping[str, str] = field(default_factory=dict, hash=False)
    association_id: str = ""
    instance_id: str = ""
    interface_id: str = ""
    private_ip: str = ""
    pool: str = "amazon"
    """Whose address it is: `amazon`, or the id of a pool that the account brought along."""
    managed: str = ""
    """The AWS service that manages it: `nlb`, `rds`, ...; empty for the user's own."""
    holder: str = ""
    """What has it, when that is no instance: `NAT gateway nat-0f3c`."""

    @property
    def name(self) -> str:
        return self.tags.get("Name", "")

    @property
    def idle(self) -> bool:
        return not self.association_id

    @property
    def label(self) -> str:
        """`old-notebook (54.1.2.3)`, or the address alone."""
        return f"{self.name} ({self.ip})" if self.name else self.ip

    @property
    def own_pool(self) -> bool:
        """Whether the account brought the address to AWS, which then takes nothing for it."""
        return self.pool not in ("", "amazon")


def hourly(address: Address, known: Price | None = None) -> Price | None:
    """Dollars an hour; `known` is AWS's price page for the region. None when nobody knows."""
    if address.own_pool:
        return Price(0.0, PUBLIC_IPV4.as_of, PUBLIC_IPV4.source)
    if known is not None:
        return known
    return None if address.region.startswith(("cn-", "us-iso", "eu-iso")) else PUBLIC_IPV4


def cost_words(price: Price | None) -> str:
    """`$0.005/h, $3.65 a month`."""
    if price is None:
        return "price unknown"
    if not price.hourly:
        return "free"
    return f"${dollars(price.hourly)[:5]}/h, ${monthly(price)} a month"


def monthly(price: Price) -> str:
    """Dollars of a month of 730 hours: `3.65`."""
    return dollars(price.hourly * HOURS_A_MONTH)


def resolve(name: str, addresses: Iterable[Address]) -> Address:
    """The one that `name` means: the address itself, its allocation id, its Name tag, or the
    unique beginning of one of them.

    Raises:
        NotFound, Ambiguous
    """
    everything = list(addresses)
    found = [a for a in everything if name in (a.ip, a.allocation_id)]
    found = found or [a for a in everything if name and name == a.name]
    if not found and name:
        found = [
            a
            for a in everything
            if any(t.startswith(name) for t in (a.ip, a.allocation_id, a.name))
        ]
    if len(found) == 1:
        return found[0]
    if found:
        lines = [f"{a.ip}  {a.name or '-'}  {a.allocation_id}  {a.region}" for a in found]
        raise Ambiguous(f"{name} could be {len(found)} Elastic IPs.", lines, "Give the address.")
    known = ", ".join(a.label for a in everything[:8])
    raise NotFound(
        f"No Elastic IP is called {name!r}.",
        f"Known here: {known}." if known else "",
        "List them with: cloudtui ip ls. Another region: --region REGION or --region all.",
    )


@dataclass(frozen=True, slots=True)
class Association:
    """What giving an Elastic IP to a machine would do; nothing is done yet."""

    address: Address
    instance: Instance
    interface: Interface | None = None
    """The network interface meant; None for the machine's only one."""
    taken_from: str = ""
    """Who has the address now; empty when nobody has."""
    taken_from_id: str = ""
    """That machine's id."""
    replaces: Address | None = None
    """The machine's other Elastic IP, which comes off."""
    cautions: tuple[str, ...] = ()
    """What is lost, one sentence each."""

    @property
    def sentence(self) -> str:
        where = f" (interface {self.interface.id})" if self.interface else ""
        return f"Associate {self.address.label} with {self.instance.label}{where}"


@dataclass(frozen=True, slots=True)
class Removal:
    """What taking an Elastic IP off, or giving it back to AWS, would do."""

    address: Address
    holder: str = ""
    """Who has it now."""
    cautions: tuple[str, ...] = ()


def holder_of(address: Address, instances: Mapping[str, Instance]) -> str:
    """Who has the address, in words; empty for nobody."""
    if address.instance_id:
        found = instances.get(address.instance_id)
        return found.label if found else address.instance_id
    if address.idle:
        return ""
    return address.holder or f"network interface {address.interface_id}"


def _not_ours(address: Address, doing: str) -> None:
    if address.managed:
        raise Refused(
            f"Cannot {doing} {address.label}: the AWS service {address.managed} manages it.",
            hint="Change it where the service is set up: its own page in the web console.",
        )


def association(
    address: Address,
    instance: Instance,
    instances: Mapping[str, Instance],
    interfaces: Sequence[Interface] = (),
    others: Sequence[Address] = (),
    interface_id: str = "",
) -> Association:
    """The plan; `interfaces` are the machine's, `others` the region's Elastic IPs.

    Raises:
        Refused: the machine or the address does not allow it, in a sentence.
        UsageError: the interface is not the machine's.
    """
    doing = f"Cannot associate {address.label} with {instance.label}"
    _not_ours(address, "associate")
    if address.region != instance.region:
        raise Refused(
            f"{doing}: the address is in {address.region} and the machine in {instance.region}.",
            "An Elastic IP cannot leave its region.",
            f"Allocate one there: cloudtui ip allocate --region {instance.region}",
        )
    if instance.state not in (State.RUNNING, State.STOPPED, State.STOPPING):
        hint = "Try again when it runs." if instance.state is State.PENDING else ""
        raise Refused(f"{doing}: the machine is {instance.state.value}.", hint=hint)
    if not address.idle and not address.instance_id:
        raise Refused(
            f"{doing}: {holder_of(address, instances)} has it.",
            "An address of a NAT gateway, a load balancer or another interface is not taken "
            "away here.",
            "Allocate another one: cloudtui ip allocate",
        )
    chosen = _interface(instance, interfaces, interface_id)
    if address.instance_id == instance.id and (chosen is None or chosen.id == address.interface_id):
        raise Refused(f"{instance.label} has {address.label} already.")
    taken = holder_of(address, instances) if address.instance_id != instance.id else ""
    private = chosen.private_ip if chosen else instance.private_ip
    replaced = next(
        (
            a
            for a in others
            if a.instance_id == instance.id
            and a.allocation_id != address.allocation_id
            and (not a.private_ip or a.private_ip == private)
        ),
        None,
    )
    plan = Association(
        address, instance, chosen, taken, address.instance_id if taken else "", replaced
    )
    return _with_cautions(plan, interfaces)


def _interface(
    instance: Instance, interfaces: Sequence[Interface], wanted: str
) -> Interface | None:
    if wanted:
        for interface in interfaces:
            if interface.id == wanted:
                return interface
        have = ", ".join(f"{i.id} ({i.private_ip})" for i in interfaces)
        raise UsageError(
            f"{instance.label} has no network interface {wanted}.",
            f"It has {have}." if have else "",
        )
    # With several, EC2 wants to be told which; the primary one is what others call the machine.
    return interfaces[0] if len(interfaces) > 1 else None


def _with_cautions(plan: Association, interfaces: Sequence[Interface]) -> Association:
    said = []
    instance, address = plan.instance, plan.address
    if plan.taken_from:
        said.append(
            f"{plan.taken_from} has it now and loses it: connections to it at {address.ip} break."
        )
    present = plan.interface.public_ip if plan.interface else instance.public_ip
    if plan.replaces:
        said.append(
            f"{plan.replaces.label} comes off {instance.spoken}. It stays yours and costs "
            f"{cost_words(hourly(plan.replaces))} until it is released."
        )
    elif present and present != address.ip:
        said.append(
            f"{instance.spoken} loses its present public address {present} for good. AWS gives "
            "that to somebody else."
        )
    if present and present != address.ip:
        said.append("Connections to it break: open panes and tunnels connect again.")
    if plan.interface and len(interfaces) > 1:
        said.append(
            f"It has {len(interfaces)} network interfaces: the address goes to "
            f"{plan.interface.id} ({plan.interface.private_ip}, device {plan.interface.index})."
        )
    if instance.state is not State.RUNNING:
        said.append(
            f"{instance.spoken} is {instance.state.value}: the address costs "
            f"{cost_words(hourly(address))} all the same."
        )
    return Association(
        address,
        instance,
        plan.interface,
        plan.taken_from,
        plan.taken_from_id,
        plan.replaces,
        tuple(said),
    )


def disassociation(address: Address, instances: Mapping[str, Instance]) -> Removal:
    """Take it off whoever has it; it stays the account's.

    Raises:
        Refused: nobody has it, or a service of AWS does.
    """
    _not_ours(address, "disassociate")
    if address.idle:
        raise Refused(f"Nothing has {address.label}: there is nothing to disassociate.")
    holder = holder_of(address, instances)
    if not address.instance_id:
        raise Refused(
            f"Cannot disassociate {address.label}: {holder} has it.",
            "What an AWS service set up is changed where it was set up.",
            "Look for it in the web console, VPC, NAT gateways, or EC2, Load balancers.",
        )
    machine = instances.get(address.instance_id)
    said = [
        f"{holder} loses {address.ip}: connections to it break. AWS gives it another public "
        "address only if it was launched with one and has a single network interface."
    ]
    if machine is not None and machine.state is not State.RUNNING:
        said = [f"{holder} loses {address.ip} and has another address, if any, after its start."]
    said.append(f"The address stays yours and costs {cost_words(hourly(address))} while idle.")
    return Removal(address, holder, tuple(said))


def release(address: Address, instances: Mapping[str, Instance]) -> Removal:
    """Give it back to AWS.

    Raises:
        Refused: something has it, or a service of AWS manages it.
    """
    _not_ours(address, "release")
    if not address.idle:
        raise Refused(
            f"Cannot release {address.label}: {holder_of(address, instances)} has it.",
            "In a default VPC, AWS would take it away from there without a question.",
            f"Take it off first: cloudtui ip disassociate {address.ip}",
        )
    return Removal(
        address,
        cautions=(
            f"{address.ip} goes back to AWS, which gives it to somebody else. DNS entries and "
            "configs that name it lead there then.",
        ),
    )
