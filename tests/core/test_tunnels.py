"""The keeper of a tunnel, against connections that are cut on command."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import pytest

from cloudtui.core.connections import Connections
from cloudtui.core.events import Event, Events, TunnelPhase, TunnelsChanged
from cloudtui.core.tunnels import PORTS_TRIED, Tunnels
from cloudtui.model.errors import CloudtuiError, PortTaken, Refused, Unreachable
from cloudtui.model.instance import Instance, State

GPU = Instance("i-1", "us-east-1", State.RUNNING, name="bert-gpu", public_ip="192.0.2.1")


@dataclass
class FakeForward:
    local_port: int
    connection: FakeConnection
    bytes_in: int = 0
    bytes_out: int = 0
    closed: bool = False
    connections: list[FakeConnection] = field(default_factory=list)

    def move_to(self, connection: FakeConnection) -> None:
        self.connection = connection
        self.connections.append(connection)

    async def close(self) -> None:
        self.closed = True


class FakeConnection:
    def __init__(self, taken: set[int]) -> None:
        self.taken = taken
        self.callbacks: list[Callable[[CloudtuiError], None]] = []
        self.forwards: list[FakeForward] = []

    async def forward(self, host: str, remote_port: int, local_port: int) -> FakeForward:
        if local_port in self.taken:
            raise PortTaken(f"{local_port} is taken.")
        forward = FakeForward(local_port, self)
        self.forwards.append(forward)
        return forward

    def on_lost(self, callback: Callable[[CloudtuiError], None]) -> Callable[[], None]:
        self.callbacks.append(callback)
        return lambda: self.callbacks.remove(callback)

    def cut(self) -> None:
        for callback in tuple(self.callbacks):
            callback(Unreachable("cut"))


class FakeConnections:
    """Gives the answers of `script` in turn, a connection or a failure to raise; then hangs."""

    def __init__(self, *script: FakeConnection | CloudtuiError) -> None:
        self.script = list(script)

    async def get(self, instance: Instance) -> FakeConnection:
        if not self.script:
            await asyncio.Event().wait()
        answer = self.script.pop(0)
        if isinstance(answer, CloudtuiError):
            raise answer
        return answer


class Room:
    def __init__(self, *script: FakeConnection | CloudtuiError) -> None:
        self.events: list[Event] = []
        self.slept: list[float] = []
        events = Events()
        events.listen(self.events.append)
        self.connections = FakeConnections(*script)
        self.tunnels = Tunnels(cast(Connections, self.connections), events, sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)

    async def open(self, port: int = 8888) -> int:
        state = await self.tunnels.open(GPU, 8888, wanted_port=port, label="Jupyter")
        await asyncio.sleep(0)
        return state.local_port

    async def until(self, phase: TunnelPhase) -> None:
        async with asyncio.timeout(5):
            while [t.phase for t in self.tunnels.states] != [phase]:
                await asyncio.sleep(0)

    @property
    def phases(self) -> list[TunnelPhase]:
        changes = (e.tunnels for e in self.events if isinstance(e, TunnelsChanged))
        return [tunnels[0].phase for tunnels in changes if tunnels]


async def test_a_taken_port_gives_the_next_free_one() -> None:
    room = Room(FakeConnection({8888, 8889}))
    assert await room.open() == 8890
    await room.tunnels.close()


async def test_no_free_port_says_which_were_tried() -> None:
    room = Room(FakeConnection(set(range(8888, 8888 + PORTS_TRIED))))
    with pytest.raises(PortTaken, match="8888 to 8907"):
        await room.open()


async def test_the_same_remote_port_is_the_same_tunnel() -> None:
    connection = FakeConnection(set())
    room = Room(connection)
    assert await room.open() == await room.open(9999) == 8888
    assert len(connection.forwards) == 1
    await room.tunnels.close()


async def test_a_cut_keeps_the_local_port_and_moves_it_to_the_next_connection() -> None:
    first, second = FakeConnection(set()), FakeConnection(set())
    room = Room(first, Unreachable("no"), Unreachable("no"), second)
    await room.open()
    first.cut()
    await room.until(TunnelPhase.RECONNECTING)
    await room.until(TunnelPhase.UP)
    (forward,) = first.forwards
    assert not forward.closed
    assert forward.connections == [second]
    assert len(room.slept) == 2
    assert room.slept[0] < room.slept[1]
    second.cut()
    await room.until(TunnelPhase.RECONNECTING)
    await room.tunnels.close()
    assert forward.closed


async def test_what_can_never_work_ends_it_and_says_so() -> None:
    first = FakeConnection(set())
    room = Room(first, Refused("bert-gpu is stopped."))
    port = await room.open()
    first.cut()
    with pytest.raises(Refused, match="stopped"):
        await room.tunnels.wait(port)
    assert room.phases[-1] is TunnelPhase.FAILED
    assert first.forwards[0].closed


async def test_one_that_failed_is_opened_anew_on_its_port() -> None:
    first, second = FakeConnection(set()), FakeConnection(set())
    room = Room(first, Refused("bert-gpu is stopped."), second)
    port = await room.open()
    first.cut()
    await room.until(TunnelPhase.FAILED)
    assert await room.open() == port
    assert [t.phase for t in room.tunnels.states] == [TunnelPhase.UP]
    assert len(second.forwards) == 1
    await room.tunnels.close()


async def test_closing_ends_whoever_waits() -> None:
    room = Room(FakeConnection(set()))
    port = await room.open()
    waiting = asyncio.create_task(room.tunnels.wait(port))
    await asyncio.sleep(0)
    await room.tunnels.close()
    await waiting
    assert room.tunnels.states == ()
