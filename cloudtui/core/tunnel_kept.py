"""One tunnel that is kept: what is wanted, what carries it, and how it stands."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from cloudtui.model.errors import READ_ONLY, CloudtuiError, Refused
from cloudtui.model.instance import Instance, State
from cloudtui.model.tunnel import Direction, TunnelSpec, TunnelState

if TYPE_CHECKING:
    from cloudtui.ssh.connection import Connection

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


async def lost(connection: Connection) -> None:
    """Returns when it is."""
    gone = asyncio.Event()
    unsubscribe: Callable[[], None] = connection.on_lost(lambda _: gone.set())
    try:
        await gone.wait()
    finally:
        unsubscribe()
