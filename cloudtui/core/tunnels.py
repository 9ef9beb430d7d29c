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
from cloudtui.core.tasks import cancel
from cloudtui.model.errors import CloudtuiError, PortTaken, Unreachable
from cloudtui.model.instance import Instance

if TYPE_CHECKING:
    from cloudtui.ssh.forward import Forward

PORTS_TRIED = 20
RETRY_FIRST, RETRY_MOST = 0.5, 30.0
"""Seconds between attempts to open a cut tunnel again."""

Sleep = Callable[[float], Awaitable[None]]


@dataclass(slots=True)
class _Kept:
    state: TunnelState
    instance: Instance
    remote_host: str
    forward: Forward | None
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
        """Forward `wanted_port`, or the next free port after it; the same one if it is open already.

        Raises:
            Refused, Unreachable, CredentialsProblem: no connection to the host.
            PortTaken: none of the next ports is free.
        """
        for kept in self._kept.values():
            state = kept.state
            if (state.instance_id, state.remote_port) == (instance.id, remote_port):
                return state
        forward = await self._bind(instance, remote_host, remote_port, wanted_port)
        state = TunnelState(
            instance.id, label, forward.local_port, remote_port, TunnelPhase.UP, datetime.now(UTC)
        )
        kept = _Kept(state, instance, remote_host, forward)
        self._kept[state.local_port] = kept
        kept.keeper = asyncio.create_task(self._keep(kept), name=f"tunnel {state.local_port}")
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
            if kept.forward:
                await kept.forward.close()
            kept.ended.set()
            self._changed()

    async def close(self) -> None:
        for port in list(self._kept):
            await self.close_one(port)

    async def _bind(
        self, instance: Instance, host: str, remote_port: int, wanted_port: int
    ) -> Forward:
        connection = await self._connections.get(instance)
        last = min(wanted_port + PORTS_TRIED, 65_536)
        for port in range(wanted_port, last):
            if port in self._kept:
                continue
            try:
                return await connection.forward(host, remote_port, port)
            except PortTaken:
                continue
        raise PortTaken(
            f"Local ports {wanted_port} to {last - 1} are all taken.",
            hint="Choose another one with --local-port, or end what listens there: ss -ltnp",
        )

    async def _keep(self, kept: _Kept) -> None:
        """Wait for the cut, then connect again until it holds or can never work."""
        while kept.forward:
            await kept.forward.wait_lost()
            kept.forward = None
            self._move(kept, TunnelPhase.RECONNECTING)
            self._note(
                f"Tunnel localhost:{kept.state.local_port} lost its connection to "
                f"{kept.instance.spoken}; connecting again.",
                Severity.WARNING,
            )
            delay = RETRY_FIRST
            while kept.forward is None:
                try:
                    connection = await self._connections.get(kept.instance)
                    kept.forward = await connection.forward(
                        kept.remote_host, kept.state.remote_port, kept.state.local_port
                    )
                except (Unreachable, PortTaken) as error:
                    self._move(kept, TunnelPhase.RECONNECTING, error)
                    await self._sleep(delay * random.uniform(0.8, 1.2))
                    delay = min(delay * 2, RETRY_MOST)
                except CloudtuiError as error:
                    self._move(kept, TunnelPhase.FAILED, error)
                    self._note(
                        f"Tunnel localhost:{kept.state.local_port} is closed. {error.title}",
                        Severity.ERROR,
                        f"{error.detail} {error.hint}".strip(),
                    )
                    kept.ended.set()
                    return
            self._move(kept, TunnelPhase.UP)
            self._note(f"Tunnel localhost:{kept.state.local_port} is back.")

    def _move(self, kept: _Kept, phase: TunnelPhase, error: CloudtuiError | None = None) -> None:
        since = kept.state.since if phase is kept.state.phase else datetime.now(UTC)
        kept.state = replace(kept.state, phase=phase, since=since, error=error)
        self._changed()

    def _note(self, text: str, severity: Severity = Severity.INFORMATION, detail: str = "") -> None:
        self._events.emit(Noted(Note(text, severity, detail)))

    def _changed(self) -> None:
        self._events.emit(TunnelsChanged(self.states))


def _counted(kept: _Kept) -> TunnelState:
    if kept.forward is None:
        return kept.state
    return replace(kept.state, bytes_in=kept.forward.bytes_in, bytes_out=kept.forward.bytes_out)
