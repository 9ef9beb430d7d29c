"""The keeping of tunnels: real local ports, and SSH connections that are cut on command."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import cast

import pytest

from cloudtui.core.connections import Connections
from cloudtui.core.events import Event, Events, InventoryChanged, InventoryState, Noted
from cloudtui.core.known_machines import Machines
from cloudtui.core.tunnels import FRESH_PATIENCE, PORTS_TRIED, Tunnels
from cloudtui.model.errors import CloudtuiError, PortTaken, Refused, Unreachable
from cloudtui.model.instance import Instance, State
from cloudtui.model.tunnel import Direction, TunnelPhase, TunnelSpec, TunnelState
from tests.sshd import free_port

GPU = Instance("i-1", "us-east-1", State.RUNNING, name="bert-gpu", public_ip="192.0.2.1")


class FakeConnection:
    """Up until `cut`; `silent` answers nothing."""

    def __init__(self, name: str = "", *, silent: bool = False) -> None:
        self.name = name
        self.silent = silent
        self.callbacks: list[Callable[[CloudtuiError], None]] = []
        self.lost: CloudtuiError | None = None

    @property
    def closed(self) -> bool:
        return self.lost is not None

    @property
    def ssh(self) -> object:
        raise Unreachable("Nothing is behind it.")

    def on_lost(self, callback: Callable[[CloudtuiError], None]) -> Callable[[], None]:
        if self.lost:
            callback(self.lost)
            return lambda: None
        self.callbacks.append(callback)
        return lambda: self.callbacks.remove(callback)

    async def latency(self) -> float:
        if self.silent:
            await asyncio.Event().wait()
        return 0.08

    def drop(self, why: str) -> None:
        self.cut(why)

    def cut(self, why: str = "cut") -> None:
        self.lost = Unreachable("The connection was lost.", why)
        for callback in tuple(self.callbacks):
            callback(self.lost)


class FakeConnections:
    """Gives the answers of `script` in turn, a connection or a failure to raise; then hangs."""

    def __init__(self) -> None:
        self.script: list[FakeConnection | CloudtuiError] = []
        self.asked: list[Instance] = []
        self.patience: list[float | None] = []

    async def get(self, instance: Instance, *, patience: float | None = None) -> FakeConnection:
        self.asked.append(instance)
        self.patience.append(patience)
        if not self.script:
            await asyncio.Event().wait()
        answer = self.script.pop(0)
        if isinstance(answer, CloudtuiError):
            raise answer
        return answer


class FakeInventory:
    def __init__(self) -> None:
        self.machine = GPU
        self.refreshed = asyncio.Event()

    def by_id(self, instance_id: str) -> Instance | None:
        return self.machine if instance_id == GPU.id else None

    def refresh(self) -> None:
        self.refreshed.set()


class Room:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self._events = Events()
        self._events.listen(self.events.append)
        self.inventory = FakeInventory()
        self.connections = FakeConnections()
        self.port = free_port()
        self.tunnels = Tunnels(
            cast(Machines, self.inventory),
            cast(Connections, self.connections),
            self._events,
            pauses=(0.001, 0.004),
        )

    def answers(self, *script: FakeConnection | CloudtuiError) -> None:
        self.connections.script += script

    def change(self, **changes: object) -> None:
        self.inventory.machine = replace(self.inventory.machine, **changes)  # type: ignore[arg-type]
        self._events.emit(InventoryChanged(InventoryState((self.inventory.machine,))))

    async def open(self, *, search: bool = True, port: int = 0) -> TunnelState:
        spec = TunnelSpec(Direction.LOCAL, port or self.port, "localhost", 8888)
        return await self.tunnels.open(GPU, spec, search=search)

    async def until(self, phase: TunnelPhase) -> TunnelState:
        async with asyncio.timeout(30):
            while [t.phase for t in self.tunnels.states] != [phase]:
                await asyncio.sleep(0)
        return self.tunnels.states[0]

    @property
    def said(self) -> list[str]:
        return [e.note.text for e in self.events if isinstance(e, Noted)]


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    made = Room()
    yield made
    await made.tunnels.close()


def taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def test_a_taken_port_gives_the_next_free_one(room: Room) -> None:
    with socket.create_server(("127.0.0.1", room.port)):
        room.answers(FakeConnection())
        state = await room.open()
    assert room.port < state.local_port < room.port + PORTS_TRIED
    assert state.label == "Jupyter on bert-gpu"
    assert state.where == f"localhost:{state.local_port} → bert-gpu:8888"


async def test_a_taken_port_that_was_asked_for_says_who_has_it(room: Room) -> None:
    with socket.create_server(("127.0.0.1", room.port)):
        room.answers(FakeConnection())
        with pytest.raises(PortTaken, match=f"Port {room.port} .* taken by ") as caught:
            await room.open(search=False)
    assert f"{room.port + 1}:8888" in caught.value.hint
    assert room.tunnels.states == ()


async def test_the_same_end_is_the_same_tunnel(room: Room) -> None:
    room.answers(FakeConnection())
    first = await room.open()
    assert (await room.open(port=room.port + 1)).key == first.key
    assert len(room.tunnels.states) == 1


async def test_a_cut_keeps_the_local_port(room: Room) -> None:
    first = FakeConnection()
    room.answers(first)
    opened = await room.open()
    first.cut()
    assert (await room.until(TunnelPhase.RECONNECTING)).cuts == 1
    assert taken(opened.local_port)
    assert room.said[-1].endswith("Its port stays open.")


async def test_attempts_go_on_until_one_works(room: Room) -> None:
    first, second = FakeConnection(), FakeConnection()
    room.answers(first, Unreachable("no"), Unreachable("still no"), second)
    await room.open()
    first.cut()
    back = await room.until(TunnelPhase.UP)
    while back.cuts == 0:
        await asyncio.sleep(0)
        back = await room.until(TunnelPhase.UP)
    assert (back.cuts, back.error) == (1, None)
    assert "is back" in room.said[-1]


async def test_a_stopped_machine_is_waited_for_and_met_at_its_new_address(room: Room) -> None:
    first = FakeConnection()
    room.answers(first)
    opened = await room.open()
    room.change(state=State.STOPPED, public_ip="")
    first.cut()
    waiting = await room.until(TunnelPhase.WAITING)
    assert waiting.error
    assert "stopped" in waiting.error.title
    assert taken(opened.local_port)
    room.answers(FakeConnection())
    room.change(state=State.RUNNING, public_ip="192.0.2.9")
    again = await room.until(TunnelPhase.UP)
    assert again.local_port == opened.local_port
    assert room.connections.asked[-1].public_ip == "192.0.2.9"
    assert room.connections.patience == [None, FRESH_PATIENCE]


async def test_an_attempt_at_an_old_address_is_given_up(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that was stopped answers there no more, and no less."""
    monkeypatch.setattr("cloudtui.core.tunnels.LOOK_AFTER", 0.01)
    first = FakeConnection()
    room.answers(first)
    await room.open()
    first.cut()
    async with asyncio.timeout(30):
        while len(room.connections.asked) < 2:  # and this one hangs
            await asyncio.sleep(0)
        await room.inventory.refreshed.wait()
    room.answers(FakeConnection())
    room.change(public_ip="192.0.2.9")
    await room.until(TunnelPhase.UP)
    assert room.connections.asked[-1].public_ip == "192.0.2.9"


async def test_a_waiting_client_brings_the_next_attempt_about(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloudtui.core.tunnels.WANTED_RETRY", 0.01)
    room.tunnels._first = 60.0
    first = FakeConnection()
    room.answers(first, Unreachable("no"), FakeConnection())
    state = await room.open()
    first.cut()
    async with asyncio.timeout(30):
        while not room.tunnels.states[0].retry_at:
            await asyncio.sleep(0)
        with socket.create_connection(("127.0.0.1", state.local_port)):
            await room.until(TunnelPhase.UP)


async def test_a_client_that_goes_on_waiting_keeps_the_pauses_short(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloudtui.core.tunnels.WANTED_RETRY", 0.01)
    room.tunnels._first = 60.0
    first = FakeConnection()
    room.answers(first, Unreachable("no"), Unreachable("no"), FakeConnection())
    state = await room.open()
    room.tunnels._kept[state.key].way.waiting = 1
    first.cut()
    await room.until(TunnelPhase.RECONNECTING)
    await room.until(TunnelPhase.UP)


async def test_a_terminated_machine_gives_the_port_back(room: Room) -> None:
    first = FakeConnection()
    room.answers(first)
    opened = await room.open()
    room.change(state=State.TERMINATED)
    first.cut()
    with pytest.raises(Refused, match="terminated"):
        await room.tunnels.wait(opened.key)
    assert room.tunnels.states[0].phase is TunnelPhase.FAILED
    assert not taken(opened.local_port)


async def test_what_is_refused_is_not_tried_again_until_asked(room: Room) -> None:
    first = FakeConnection()
    room.answers(first, Refused("The host key changed."), FakeConnection())
    opened = await room.open()
    first.cut()
    with pytest.raises(Refused, match="host key"):
        await room.tunnels.wait(opened.key)
    assert len(room.connections.asked) == 2
    reader, writer = await asyncio.open_connection("127.0.0.1", opened.local_port)
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    async with asyncio.timeout(30):
        assert b"The host key changed." in await reader.read()
    writer.close()
    await room.tunnels.retry(opened.key)
    await room.until(TunnelPhase.UP)


async def test_one_that_failed_is_opened_anew_on_its_port(room: Room) -> None:
    first = FakeConnection()
    room.answers(first, Refused("no"), FakeConnection())
    opened = await room.open()
    first.cut()
    await room.until(TunnelPhase.FAILED)
    assert (await room.open()).local_port == opened.local_port
    assert [t.phase for t in room.tunnels.states] == [TunnelPhase.UP]


async def test_one_that_is_restored_takes_its_port_first(room: Room) -> None:
    spec = TunnelSpec(Direction.LOCAL, room.port, "localhost", 6006)
    state = await room.tunnels.restore(GPU, spec)
    assert (state.phase, state.label) == (TunnelPhase.CONNECTING, "TensorBoard on bert-gpu")
    assert taken(room.port)


async def test_closing_ends_whoever_waits(room: Room) -> None:
    room.answers(FakeConnection())
    opened = await room.open()
    waiting = asyncio.create_task(room.tunnels.wait(opened.key))
    await asyncio.sleep(0)
    await room.tunnels.close_one(opened.key)
    await waiting
    assert room.tunnels.states == ()
    assert not taken(opened.local_port)


async def test_while_watched_round_trips_are_measured(room: Room) -> None:
    room.answers(FakeConnection())
    await room.open()
    with room.tunnels.watched():
        async with asyncio.timeout(30):
            while room.tunnels.states[0].latency is None:
                await asyncio.sleep(0.01)
    assert room.tunnels.states[0].latency == 0.08


async def test_a_line_that_went_dead_is_dropped(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloudtui.core.pulse.EVERY", 0.01)
    monkeypatch.setattr("cloudtui.core.pulse.STALLED_AFTER", 0.02)
    monkeypatch.setattr("cloudtui.core.pulse.DEAD_AFTER", 0.05)
    room.answers(FakeConnection(silent=True))
    await room.open()
    with room.tunnels.watched():
        await room.until(TunnelPhase.STALLED)
        state = await room.until(TunnelPhase.RECONNECTING)
    assert state.cuts == 1
