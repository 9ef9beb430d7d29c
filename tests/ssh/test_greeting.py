"""A reboot as SSH shows it, on a server that a test stops and starts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from cloudtui.ssh import greeting as greeting_module
from cloudtui.ssh.greeting import Greeting
from tests.sshd import Sshd


class Server:
    """Greets on one port, or says something else."""

    def __init__(self) -> None:
        self.says = b"welcome to the lab\r\nSSH-2.0-OpenSSH_9.6\r\n"
        self.port = 0
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server
        self._server.close()
        for writer in self._writers:
            writer.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        writer.write(self.says)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    await made.start()
    yield made
    await made.stop()


async def test_up_then_down_then_up(server: Server) -> None:
    greeting = Greeting("127.0.0.1", server.port)
    assert await greeting.begin()
    assert await greeting.look() is None
    await server.stop()
    while (seen := await greeting.look()) is None:
        await asyncio.sleep(0)
    assert seen is False
    await server.start()
    assert await greeting.look() is True
    await greeting.close()


async def test_a_reboot_between_two_looks_is_seen(server: Server) -> None:
    greeting = Greeting("127.0.0.1", server.port)
    assert await greeting.begin()
    await server.stop()
    await server.start()
    while (seen := await greeting.look()) is None:
        await asyncio.sleep(0)
    assert seen is True
    await greeting.close()


async def test_a_machine_that_is_cut_off_closes_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(greeting_module, "PROBE_SECONDS", 0.0)
    greeting = Greeting("127.0.0.1", server.port)
    assert await greeting.begin()
    assert await greeting.look() is None
    server.says = b""
    monkeypatch.setattr(greeting_module, "SECONDS", 0.05)
    assert await greeting.look() is False
    await greeting.close()


@pytest.mark.parametrize("says", [b"HTTP/1.1 400 Bad Request\r\n" * 30, b"x" * 70_000])
async def test_what_is_no_ssh_server_does_not_greet(server: Server, says: bytes) -> None:
    server.says = says
    greeting = Greeting("127.0.0.1", server.port)
    assert not await greeting.begin()
    await greeting.close()


async def test_a_real_sshd_greets(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(greeting_module, "PROBE_SECONDS", 0.2)
    greeting = Greeting(sshd.host, sshd.port)
    assert await greeting.begin()
    sshd.stop()
    while (seen := await greeting.look()) is None:
        await asyncio.sleep(0.01)
    assert seen is False
    await greeting.close()
