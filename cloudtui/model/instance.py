"""An EC2 instance and the pure rules about it: who a name means, what can be done."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from cloudtui.model.errors import Ambiguous, NotFound


class State(StrEnum):
    """EC2's instance states, in EC2's words."""

    PENDING = "pending"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    SHUTTING_DOWN = "shutting-down"
    TERMINATED = "terminated"

    @property
    def glyph(self) -> str:
        """One cell that tells the state without colour."""
        return GLYPHS[self]

    @property
    def changing(self) -> bool:
        """True while EC2 is on its way to another state."""
        return self in (State.PENDING, State.STOPPING, State.SHUTTING_DOWN)


GLYPHS = {
    State.PENDING: "◐",
    State.RUNNING: "●",
    State.STOPPING: "◑",
    State.STOPPED: "○",
    State.SHUTTING_DOWN: "◑",
    State.TERMINATED: "×",
}


@dataclass(frozen=True, slots=True)
class Instance:
    """One row of the machines table; field names follow EC2's."""

    id: str
    region: str
    state: State
    name: str = ""
    type: str = ""
    zone: str = ""
    public_ip: str = ""
    public_dns: str = ""
    private_ip: str = ""
    ipv6: str = ""
    key_name: str = ""
    image_id: str = ""
    platform: str = ""
    """EC2's Platform: empty for Linux, `windows` for Windows."""
    lifecycle: str = ""
    """`spot`, `scheduled` or empty for on-demand."""
    launched: datetime | None = None
    vpc_id: str = ""
    subnet_id: str = ""
    iam_profile: str = ""
    security_groups: tuple[tuple[str, str], ...] = ()
    """Pairs of group id and group name."""
    volume_ids: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict, hash=False)
    state_reason: str = ""
    profile: str = ""
    """The AWS profile that sees it; empty for the default one."""
    root_device: str = ""
    """`ebs` or `instance-store`."""
    hibernation: bool = False
    """Whether it was launched so that it can hibernate."""
    spot_request_id: str = ""
    architecture: str = ""
    """`x86_64`, `arm64`, ..."""
    tenancy: str = ""
    """`default`, `dedicated` or `host`."""
    platform_details: str = ""
    """What is paid for: `Linux/UNIX`, `Red Hat Enterprise Linux`, `Windows`, ...; empty when
    EC2 did not say."""

    @property
    def label(self) -> str:
        """Name and id, as destructive or error sentences give them."""
        return f"{self.name} ({self.id})" if self.name else self.id

    @property
    def spoken(self) -> str:
        """The Name tag, or the id of a nameless machine."""
        return self.name or self.id

    @property
    def address(self) -> str:
        """Where SSH would go without an ssh config entry: public IPv4, IPv6, then private IPv4.

        A machine that is not up has its private address still, but nothing answers there.
        """
        up = self.state in (State.RUNNING, State.PENDING)
        return self.public_ip or self.ipv6 or (self.private_ip if up else "")

    @property
    def spot(self) -> bool:
        return self.lifecycle == "spot"


def why_not_connect(instance: Instance) -> str:
    """The reason SSH to it cannot work, or an empty string."""
    match instance.state:
        case State.RUNNING:
            return "" if instance.address else f"{instance.label} has no address."
        case State.PENDING:
            return f"{instance.label} is still starting."
        case State.STOPPED:
            return f"{instance.label} is stopped."
        case State.STOPPING | State.SHUTTING_DOWN:
            return f"{instance.label} is {instance.state.value}."
        case State.TERMINATED:
            return f"{instance.label} is terminated."


def next_step(instance: Instance) -> str:
    """What to do about a machine that cannot be connected to, or an empty string."""
    if instance.state is State.STOPPED:
        return f"Start it first: cloudtui start {shlex.quote(instance.spoken)}"
    if instance.state.changing:
        return "Try again when it is done; the list follows it."
    return ""


CANDIDATES = 20
"""How many of those that a name may mean are listed."""


def resolve(name: str, instances: Iterable[Instance]) -> Instance:
    """The one instance that `name` means: exact id, exact Name, then unique prefix of either.

    Terminated instances count only when named by id.

    Raises:
        NotFound: nothing answers to the name.
        Ambiguous: several do; the candidates are listed.
    """
    everything = list(instances)
    for instance in everything:
        if instance.id == name:
            return instance
    alive = [i for i in everything if i.state is not State.TERMINATED]
    found = [i for i in alive if i.name == name]
    if not found and name:
        found = [i for i in alive if i.name.startswith(name) or i.id.startswith(name)]
    if len(found) == 1:
        return found[0]
    if found:
        lines = [
            f"{i.id}  {i.name or '-'}  {i.state.value}  {i.zone or i.region}"
            for i in found[:CANDIDATES]
        ]
        if len(found) > CANDIDATES:
            lines.append(f"… and {len(found) - CANDIDATES} more")
        raise Ambiguous(
            f"{name} could be {len(found)} instances.", lines, "Give the id of one of them."
        )
    known = sorted({i.spoken for i in alive})
    hint = f"Known here: {', '.join(known[:8])}{' …' if len(known) > 8 else ''}." if known else ""
    raise NotFound(
        f"No instance is called {name!r} and no id begins with it.",
        hint,
        "List them with: cloudtui ls. Another region: --region REGION or --region all.",
    )
