"""A keeper of tunnels as a process of its own, ended with the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from cloudtui.core.events import Event, Events, Noted
from cloudtui.core.kept_tunnels import KeptTunnels, stop
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance, State
from cloudtui.model.tunnel import Direction, TunnelPhase, TunnelSpec, TunnelState
from tests.lab import Lab, Person
from tests.sshd import free_port


@dataclass
class Front:
    """One console's side: what it heard, and its person."""

    person: Person = field(default_factory=Person)
    heard: list[Event] = field(default_factory=list)
    events: Events = field(default_factory=Events)

    def __post_init__(self) -> None:
        self.events.listen(self.heard.append)
        self.tunnels = KeptTunnels(self.events, self.person)

    @property
    def said(self) -> list[str]:
        return [e.note.text for e in self.heard if isinstance(e, Noted)]

    async def open(self, lab: Lab, port: int, *, search: bool = False) -> TunnelState:
        spec = TunnelSpec(Direction.LOCAL, free_port(), "127.0.0.1", port)
        return await self.tunnels.open(machine(lab), spec, search=search)

    async def until(self, phase: TunnelPhase) -> TunnelState:
        async with asyncio.timeout(30):
            while [t.phase for t in self.tunnels.states] != [phase]:
                await asyncio.sleep(0.01)
        return self.tunnels.states[0]


def machine(lab: Lab) -> Instance:
    return Instance(lab.gpu, "us-east-1", State.RUNNING, name="bert-gpu", public_ip=lab.sshd.host)


@pytest.fixture
async def upper() -> AsyncIterator[int]:
    """The port of a server that answers in capitals."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data.upper())
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def asked(port: int, words: bytes) -> bytes:
    async with asyncio.timeout(30):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(words)
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        return answer


@pytest.fixture
async def front(lab: Lab) -> AsyncIterator[Front]:
    made = Front()
    yield made
    await made.tunnels.close()
    try:
        await stop()
    except CloudtuiError:
        return  # it has ended by itself meanwhile
