"""Local ports forwarded to hosts: each kept by a task that opens it again after a cut."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cloudtui.core.connections import Connections
from cloudtui.core.events import (
    Events,
    Note,
    Noted,
    Severity,
    TunnelPhase,
    TunnelsChanged,
    TunnelState,
)
from cloudtui.core.tasks import cancel, keep
from cloudtui.model.errors import CloudtuiError, PortTaken, Unreachable
from cloudtui.model.instance import Instance

if TYPE_CHECKING:
    from cloudtui.ssh.connection import Connection
    from cloudtui.ssh.forward import Forward

PORTS_TRIED = 20
RETRY_FIRST, RETRY_MOST = 0.5, 30.0
"""Seconds between attempts to open a cut tunnel again."""

Sleep = Callable[[float], Awaitable[None]]


@dataclass(slots=True)
class _Kept:
    state: TunnelState
    instance: Instance
    forward: Forward
    keeper: asyncio.Task[None] | None = field(default=None)
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Tunnels:
    """Keeps the open tunnels by local port; every change is emitted as TunnelsChanged."""

    def __init__(
        self, connections: Connections, events: Events, *, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._connections = connections
        self._events = events
        self._sleep = sleep
        self._kept: dict[int, _Kept] = {}
        self._opening: dict[tuple[str, int], asyncio.Lock] = {}

    @property
    def states(self) -> tuple[TunnelState, ...]:
        """The tunnels with their byte counts as of now, by local port."""
        return tuple(_counted(kept) for _, kept in sorted(self._kept.items()))

    async def open(
        self,
        instance: Instance,
        remote_port: int,
        *,
        wanted_port: int,
        label: str,
        remote_host: str = "localhost",
    ) -> TunnelState:
        """Forward `wanted_port` or the next free port; a tunnel that is open already is returned.

        Raises:
            Refused, Unreachable, CredentialsProblem: no connection to the host.
            PortTaken: none of the next ports is free.
        """
        there = (instance.id, remote_port)
        async with self._opening.setdefault(there, asyncio.Lock()):
            for kept in list(self._kept.values()):
                state = kept.state
                if (state.instance_id, state.remote_port) == there:
                    if state.phase is not TunnelPhase.FAILED:
                        return state
                    await self.close_one(state.local_port)
            forward = await self._bind(instance, remote_host, remote_port, wanted_port)
            return self._keep_open(instance, label, remote_port, forward)

    def _keep_open(
        self, instance: Instance, label: str, remote_port: int, forward: Forward
    ) -> TunnelState:
        state = TunnelState(
            instance.id, label, forward.local_port, remote_port, TunnelPhase.UP, datetime.now(UTC)
        )
        kept = _Kept(state, instance, forward)
        self._kept[state.local_port] = kept
        kept.keeper = keep(self._keep(kept), f"tunnel {state.local_port}")
        self._changed()
        return state

    async def wait(self, local_port: int) -> None:
        """Returns when that tunnel was closed; raises what ended it for good."""
        kept = self._kept.get(local_port)
        if kept is None:
            return
        await kept.ended.wait()
        if kept.state.error:
            raise kept.state.error

    async def close_one(self, local_port: int) -> None:
        kept = self._kept.pop(local_port, None)
        if kept:
            await cancel(kept.keeper)
            await kept.forward.close()
            kept.ended.set()
            self._changed()

    async def close(self) -> None:
        for port in list(self._kept):
            await self.close_one(port)

    async def _bind(self, instance: Instance, host: str, port_there: int, wanted: int) -> Forward:
        connection = await self._connections.get(instance)
        last = min(wanted + PORTS_TRIED, 65_536)
        for port in range(wanted, last):
            if port in self._kept:
                continue
            try:
                return await connection.forward(host, port_there, port)
            except PortTaken:
                continue
        raise PortTaken(
            f"Local ports {wanted} to {last - 1} are all taken.",
            hint="Choose another one with --local-port, or see what listens there: ss -ltnp",
        )

    async def _keep(self, kept: _Kept) -> None:
        """Wait for the cut, then connect again until it holds or can never work."""
        while True:
            assert kept.forward.connection
            await _lost(kept.forward.connection)
            self._move(kept, TunnelPhase.RECONNECTING)
            self._note(
                f"Tunnel localhost:{kept.state.local_port} lost its connection to "
                f"{kept.instance.spoken}; connecting again.",
                Severity.WARNING,
            )
            try:
                kept.forward.move_to(await self._again(kept))
            except CloudtuiError as error:
                self._move(kept, TunnelPhase.FAILED, error)
                self._note(
                    f"Tunnel localhost:{kept.state.local_port} is closed. {error.title}",
                    Severity.ERROR,
                    f"{error.detail} {error.hint}".strip(),
                )
                await kept.forward.close()
                kept.ended.set()
                return
            self._move(kept, TunnelPhase.UP)
            self._note(f"Tunnel localhost:{kept.state.local_port} is back.")

    async def _again(self, kept: _Kept) -> Connection:
        delay = RETRY_FIRST
        while True:
            try:
                return await self._connections.get(kept.instance)
            except Unreachable as error:
                self._move(kept, TunnelPhase.RECONNECTING, error)
            await self._sleep(delay * random.uniform(0.8, 1.2))
            delay = min(delay * 2, RETRY_MOST)

    def _move(self, kept: _Kept, phase: TunnelPhase, error: CloudtuiError | None = None) -> None:
        since = kept.state.since if phase is kept.state.phase else datetime.now(UTC)
        kept.state = replace(kept.state, phase=phase, since=since, error=error)
        self._changed()

    def _note(self, text: str, severity: Severity = Severity.INFORMATION, detail: str = "") -> None:
        self._events.emit(Noted(Note(text, severity, detail)))

    def _changed(self) -> None:
        self._events.emit(TunnelsChanged(self.states))


def _counted(kept: _Kept) -> TunnelState:
    return replace(kept.state, bytes_in=kept.forward.bytes_in, bytes_out=kept.forward.bytes_out)


async def _lost(connection: Connection) -> None:
    gone = asyncio.Event()
    unsubscribe = connection.on_lost(lambda _: gone.set())
    try:
        await gone.wait()
    finally:
        unsubscribe()
