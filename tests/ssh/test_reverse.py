"""Ports of the host that lead here, over a real sshd."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from cloudtui.model.errors import Refused, Unreachable
from cloudtui.ssh.connect import Connection
from cloudtui.ssh.reverse import Reverse
from tests.ssh.conftest import Open
from tests.sshd import Sshd, free_port


@pytest.fixture
async def upper() -> AsyncIterator[int]:
    """The port of a server here that answers in capitals."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data.upper())
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def asked(port: int, words: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(words)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer


async def test_the_host_reaches_a_port_here(conn: Connection, upper: int) -> None:
    there = Reverse(free_port(), ("127.0.0.1", upper))
    await there.attach(conn)
    assert await asked(there.port, b"loss " * 40_000) == b"LOSS " * 40_000
    assert (there.bytes_in, there.bytes_out) == (200_000, 200_000)
    assert there.problem is None
    await there.close()
    with pytest.raises(ConnectionRefusedError):
        await asked(there.port, b"x")


async def test_nothing_listens_here(conn: Connection) -> None:
    there = Reverse(free_port(), ("127.0.0.1", free_port()))
    await there.attach(conn)
    assert await asked(there.port, b"") == b""
    assert isinstance(there.problem, Unreachable)
    await there.close()


async def test_a_port_that_is_taken_there(conn: Connection) -> None:
    port = free_port()
    six = socket.create_server(("::1", port), family=socket.AF_INET6)
    with socket.create_server(("127.0.0.1", port)), six:
        there = Reverse(port, ("127.0.0.1", 9))
        with pytest.raises(Refused, match=f"does not listen on its port {port}"):
            await there.attach(conn)
        await there.close()


async def test_a_port_that_is_taken_there_in_one_family_only(conn: Connection) -> None:
    """sshd takes it for the other one, which it does not tell."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        there = Reverse(taken.getsockname()[1], ("127.0.0.1", 9))
        with pytest.raises(Refused, match="does not listen on its port") as caught:
            await there.attach(conn)
        assert "of 127.0.0.1" in caught.value.detail
        await there.close()


async def test_after_a_cut_it_listens_again_and_the_server_here_sees_a_reset(
    sshd: Sshd, conn: Connection, open_connection: Open
) -> None:
    seen: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"ready")
        try:
            while await reader.read(100):
                pass
            ended = "clean"
        except ConnectionResetError:
            ended = "reset"
        if not seen.done():
            seen.set_result(ended)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        there = Reverse(free_port(), ("127.0.0.1", server.sockets[0].getsockname()[1]))
        await there.attach(conn)
        reader, writer = await asyncio.open_connection("127.0.0.1", there.port)
        assert await reader.readexactly(5) == b"ready"
        sshd.cut()
        assert await asyncio.wait_for(seen, 30) == "reset"
        writer.close()
        await there.attach(await open_connection())
        reader, writer = await asyncio.open_connection("127.0.0.1", there.port)
        assert await reader.readexactly(5) == b"ready"
        writer.close()
        await there.close()
