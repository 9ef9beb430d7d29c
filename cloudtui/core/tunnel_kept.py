"""One tunnel that is kept: what is wanted, what carries it, and how it stands."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from cloudtui.model.errors import READ_ONLY, CloudtuiError, Refused, Unreachable
from cloudtui.model.instance import Instance, State
from cloudtui.model.listening import LISTENING, listening_ports
from cloudtui.model.tunnel import Direction, TunnelSpec, TunnelState

if TYPE_CHECKING:
    from cloudtui.ssh.connection import Connection

LOOK_SECONDS = 3.0
"""How long a host is waited for that is asked what listens there."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")
FRESH_SECONDS = 120.0
"""For so long after the machine's state or address changed, attempts come every second."""


class Way(Protocol):
    """What carries a tunnel's bytes: `ssh.forward.Forward` or `ssh.reverse.Reverse`."""

    bytes_in: int
    bytes_out: int
    problem: CloudtuiError | None
    waits_for: CloudtuiError | None
    hold: float
    on_problem: Callable[[], None]
    on_wanted: Callable[[], None]
    waiting: int

    @property
    def open_connections(self) -> int: ...

    def tell(self, problem: CloudtuiError | None) -> None: ...

    async def attach(self, connection: Connection) -> None: ...

    async def close(self) -> None: ...


def may_open(spec: TunnelSpec, *, read_only: bool) -> None:
    """Raises Refused for what opens a port on the machine in read-only mode."""
    if read_only and spec.direction is Direction.REMOTE:
        raise Refused(
            READ_ONLY,
            f"-R {spec} opens a port on the machine; -L and -D change nothing there.",
            "Leave out --read-only to open it.",
        )


@dataclass(slots=True)
class Kept:
    """One tunnel, as it is wanted and as it is."""

    state: TunnelState
    instance: Instance
    way: Way
    connection: Connection | None = None
    keeper: asyncio.Task[None] | None = None
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    moved: asyncio.Event = field(default_factory=asyncio.Event)
    """The machine has another state or address than at the last attempt."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    delay: float = 0.0
    """The next pause, in seconds; 0 for the first of all."""
    seen: tuple[State, str] | None = None
    """State and address of the machine at the last attempt."""
    changed: float = 0.0
    """When these changed last, by time.monotonic."""
    tried: float = 0.0
    """When the last attempt ended, by time.monotonic."""

    @property
    def fresh(self) -> bool:
        return self.changed > 0 and time.monotonic() - self.changed < FRESH_SECONDS


def counted(kept: Kept) -> TunnelState:
    """Its state with the counts as of now."""
    way = kept.way
    return replace(
        kept.state,
        bytes_in=way.bytes_in,
        bytes_out=way.bytes_out,
        connections=way.open_connections,
        problem=way.problem,
    )


async def look(kepts: Iterable[Kept]) -> None:
    """Measure each tunnel's round trip, and ask its host whether anything listens where it leads:
    nothing there is its `problem` until something does. A host that does not tell is left out."""
    groups: dict[Connection, list[Kept]] = {}
    for kept in kepts:
        if kept.connection:
            groups.setdefault(kept.connection, []).append(kept)
    await asyncio.gather(*(_look(connection, group) for connection, group in groups.items()))


async def _look(connection: Connection, group: Sequence[Kept]) -> None:
    with contextlib.suppress(CloudtuiError, TimeoutError):
        async with asyncio.timeout(LOOK_SECONDS):
            seconds = await connection.latency()
            for kept in group:
                kept.state = replace(kept.state, latency=seconds)
            ports = listening_ports((await connection.run(LISTENING)).stdout)
            for kept in group if ports else ():
                _tell_listening(kept, ports)


def _tell_listening(kept: Kept, ports: Collection[int]) -> None:
    state, way = kept.state, kept.way
    if state.direction is not Direction.LOCAL or state.host not in LOOPBACK:
        return
    nothing = Unreachable(
        f"Nothing listens on port {state.remote_port} of {state.machine or state.label} yet.",
        hint="The tunnel waits for it.",
    )
    if state.remote_port not in ports:
        way.tell(way.problem or nothing)
    elif way.problem and way.problem.title == nothing.title:
        way.tell(None)


async def lost(connection: Connection) -> None:
    """Returns when it is."""
    gone = asyncio.Event()
    unsubscribe: Callable[[], None] = connection.on_lost(lambda _: gone.set())
    try:
        await gone.wait()
    finally:
        unsubscribe()
