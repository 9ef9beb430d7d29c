"""Forwarded ports, against real listeners on the host's side."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import os
import signal
import socket
import struct
from collections.abc import AsyncIterator

import pytest

from cloudtui.model.errors import ConnectionCut, PortTaken, Refused, Unreachable
from cloudtui.ssh.connect import Connection
from cloudtui.ssh.forward import Forward
from cloudtui.ssh.reverse import Reverse
from tests.ssh.conftest import Open
from tests.sshd import Sshd, free_port

BLOCK = hashlib.sha256(b"block").digest() * 2048
BLOCKS = 128
"""64 KiB each: 8 MiB together."""


@pytest.fixture
async def echo() -> AsyncIterator[int]:
    """The port of a server that sends back what it gets, `D` + eof gets 8 MiB."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(BLOCK * BLOCKS if data == b"D" else data)
                await writer.drain()
        except ConnectionError:
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


@pytest.fixture
async def forward(conn: Connection, echo: int) -> AsyncIterator[Forward]:
    forward = await conn.forward("127.0.0.1", echo)
    yield forward
    await forward.close()


async def closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    try:
        await writer.wait_closed()
    except ConnectionError:
        return


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_echo_and_half_close(forward: Forward, address: str) -> None:
    reader, writer = await asyncio.open_connection(address, forward.local_port)
    writer.write(b"hello")
    assert await reader.readexactly(5) == b"hello"
    assert forward.open_connections == 1
    writer.write(b"the end")
    writer.write_eof()
    assert await reader.read() == b"the end"
    await closed(writer)
    assert (forward.bytes_in, forward.bytes_out) == (12, 12)
    assert forward.problem is None


async def test_what_is_sent_at_once_is_kept(forward: Forward) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", forward.local_port)
    writer.write(b"early " * 1000)
    writer.write_eof()
    assert await reader.read() == b"early " * 1000
    await closed(writer)


async def test_eight_mebibytes_arrive_whole(forward: Forward) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", forward.local_port)
    writer.write(b"D")
    writer.write_eof()
    data = await reader.read()
    assert hashlib.sha256(data).digest() == hashlib.sha256(BLOCK * BLOCKS).digest()
    assert forward.bytes_in == len(BLOCK) * BLOCKS
    await closed(writer)


async def test_the_host_may_end_first(conn: Connection) -> None:
    heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"bye")
        writer.write_eof()
        heard.set_result(await reader.read())
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        forward = await conn.forward("127.0.0.1", server.sockets[0].getsockname()[1])
        reader, writer = await asyncio.open_connection("127.0.0.1", forward.local_port)
        async with asyncio.timeout(30):
            assert await reader.read() == b"bye"
            writer.write(b"one more thing")
            writer.write_eof()
            assert await heard == b"one more thing"
        await closed(writer)
        await forward.close()


async def test_a_slow_reader_loses_nothing(forward: Forward) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", forward.local_port, limit=4096)
    writer.write(b"D")
    writer.write_eof()
    digest = hashlib.sha256()
    while data := await reader.read(1 << 18):
        digest.update(data)
        await asyncio.sleep(0)
    assert digest.digest() == hashlib.sha256(BLOCK * BLOCKS).digest()
    await closed(writer)


async def test_a_cut_resets_the_download(sshd: Sshd, forward: Forward) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", forward.local_port, limit=4096)
    writer.write(b"D")
    await reader.readexactly(1000)
    sshd.cut()
    with pytest.raises(ConnectionResetError):
        await reader.read()
    await closed(writer)


async def cut(sshd: Sshd, conn: Connection) -> None:
    lost = asyncio.Event()
    conn.on_lost(lambda _: lost.set())
    sshd.cut()
    await asyncio.wait_for(lost.wait(), 30)


async def test_a_client_that_waited_in_vain_is_reset_with_a_reason(
    sshd: Sshd, conn: Connection, forward: Forward
) -> None:
    forward.hold = 0.05
    await cut(sshd, conn)
    reader, writer = await asyncio.open_connection("127.0.0.1", forward.local_port)
    with pytest.raises(ConnectionResetError):
        await reader.read()
    await closed(writer)
    assert isinstance(forward.problem, ConnectionCut)


async def test_connections_made_while_it_is_cut_wait_and_are_served(
    sshd: Sshd, conn: Connection, forward: Forward, open_connection: Open
) -> None:
    await cut(sshd, conn)
    reader, writer = await asyncio.open_connection("127.0.0.1", forward.local_port)
    writer.write(b"patience")
    writer.write_eof()
    while not forward.open_connections:
        await asyncio.sleep(0)
    forward.move_to(await open_connection())
    assert await reader.read() == b"patience"
    await closed(writer)
    assert forward.problem is None


async def test_a_cut_while_a_channel_opens_is_not_seen(
    sshd: Sshd, conn: Connection, forward: Forward, open_connection: Open
) -> None:
    later = await open_connection()
    gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    conn.on_lost(lambda _: gone.set_result(None))
    mine = set(sshd.session_processes())
    signal_all(list(mine), signal.SIGSTOP)
    reader, writer = await asyncio.open_connection("127.0.0.1", forward.local_port)
    writer.write(b"twice?")
    writer.write_eof()
    while not forward.open_connections:
        await asyncio.sleep(0)
    conn.ssh.abort()
    await gone
    signal_all(list(mine), signal.SIGCONT)
    forward.move_to(later)
    assert await reader.read() == b"twice?"
    await closed(writer)


async def test_a_port_without_any_connection_yet(conn: Connection, echo: int) -> None:
    forward = Forward(("127.0.0.1", echo))
    await forward.listen(0)
    reader, writer = await asyncio.open_connection("127.0.0.1", forward.local_port)
    writer.write(b"first")
    writer.write_eof()
    forward.move_to(conn)
    assert await reader.read() == b"first"
    await closed(writer)
    await forward.close()


async def test_a_browser_is_told_why(conn: Connection, forward: Forward) -> None:
    nobody = await conn.forward("127.0.0.1", free_port())
    waiting = Forward(("127.0.0.1", 1), hold=0.01)
    waiting.waits_for = Unreachable("bert-gpu is stopped.", hint="Start it: u")
    await waiting.listen(0)
    for tried, words in ((nobody, b"does not answer"), (waiting, b"bert-gpu is stopped.")):
        reader, writer = await asyncio.open_connection("127.0.0.1", tried.local_port)
        writer.write(b"GET /api HTTP/1.1\r\nHost: localhost\r\n\r\n")
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 502 ")
        assert f"Content-Length: {len(body)}".encode() in head
        assert words in body
        await closed(writer)
        await tried.close()


async def test_a_host_that_speaks_and_leaves_at_once(conn: Connection) -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 go away\r\n")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        forward = await conn.forward("127.0.0.1", server.sockets[0].getsockname()[1])
        for _ in range(20):
            reader, writer = await asyncio.open_connection("127.0.0.1", forward.local_port)
            assert await asyncio.wait_for(reader.read(), 30) == b"220 go away\r\n"
            await closed(writer)
        await forward.close()


async def test_a_client_that_died_unseen_harms_no_other(conn: Connection, echo: int) -> None:
    """Its reset is not read while the host takes nothing, and the host ends then."""
    end, done, gone = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await end.wait()
        writer.write_eof()
        await done.wait()
        await closed(writer)
        gone.set()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, limit=1024) as server:
        stuck = await conn.forward("127.0.0.1", server.sockets[0].getsockname()[1])
        forward = await conn.forward("127.0.0.1", echo)
        _, writer = await asyncio.open_connection("127.0.0.1", stuck.local_port)
        before = -1
        while before != stuck.bytes_out or not before:  # until nothing is taken any more
            before = stuck.bytes_out
            writer.write(bytes(4 << 20))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(writer.drain(), 0.2)
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()
        await asyncio.sleep(0)
        end.set()
        for _ in range(3):
            reader, other = await asyncio.open_connection("127.0.0.1", forward.local_port)
            other.write(b"well")
            assert await asyncio.wait_for(reader.readexactly(4), 30) == b"well"
            await closed(other)
        assert conn.lost is None
        await stuck.close()
        await forward.close()
        done.set()
        await gone.wait()


async def asked(port: int, target: int, *, extra: bytes = b"") -> tuple[bytes, bytes]:
    """What a SOCKS5 proxy answers, and all that follows."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"\x05\x01\x00")
    assert await reader.readexactly(2) == b"\x05\x00"
    name = b"localhost"
    writer.write(b"\x05\x01\x00\x03" + bytes([len(name)]) + name + target.to_bytes(2) + extra)
    reply = await reader.readexactly(10)
    if extra:
        writer.write_eof()
    rest = await reader.read()
    await closed(writer)
    return reply[:2], rest


async def test_a_socks_proxy(conn: Connection, echo: int) -> None:
    proxy = Forward(None, conn)
    await proxy.listen(0)
    assert await asked(proxy.local_port, echo, extra=b"through") == (b"\x05\x00", b"through")
    assert await asked(proxy.local_port, free_port()) == (b"\x05\x05", b"")
    assert isinstance(proxy.problem, Unreachable)
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.local_port)
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    assert await reader.read() == b""
    await closed(writer)
    assert isinstance(proxy.problem, Refused)
    await proxy.close()


async def test_a_host_that_speaks_first_through_a_proxy(conn: Connection, sshd: Sshd) -> None:
    proxy = Forward(None, conn)
    await proxy.listen(0)
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.local_port)
    writer.write(b"\x05\x01\x00\x05\x01\x00\x01\x7f\x00\x00\x01" + sshd.port.to_bytes(2))
    assert await reader.readexactly(12) == b"\x05\x00\x05\x00\x00\x01" + bytes(6)
    assert (await reader.readline()).startswith(b"SSH-2.0-OpenSSH")
    await closed(writer)
    await proxy.close()


async def test_an_address_of_its_own(conn: Connection, echo: int) -> None:
    forward = Forward(("127.0.0.1", echo), conn, bind="127.0.0.5")
    await forward.listen(0)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", forward.local_port)
    _, writer = await asyncio.open_connection("127.0.0.5", forward.local_port)
    await closed(writer)
    await forward.close()
    with pytest.raises(Refused, match="has no address"):
        await Forward(("127.0.0.1", echo), conn, bind="192.0.2.77").listen(0)


async def test_the_port_moves_to_a_new_connection(
    sshd: Sshd, conn: Connection, forward: Forward, open_connection: Open
) -> None:
    sshd.cut()
    forward.move_to(await open_connection())
    reader, writer = await asyncio.open_connection("127.0.0.1", forward.local_port)
    writer.write(b"again")
    assert await reader.readexactly(5) == b"again"
    await closed(writer)


async def test_nothing_listens_on_the_host(conn: Connection) -> None:
    port = free_port()
    forward = await conn.forward("127.0.0.1", port)
    reader, writer = await asyncio.open_connection("127.0.0.1", forward.local_port)
    with pytest.raises(ConnectionResetError):
        await reader.read()
    await closed(writer)
    assert isinstance(forward.problem, Unreachable)
    assert f"Port {port}" in forward.problem.title
    assert "refused" in forward.problem.detail
    await forward.close()


async def test_a_server_that_forbids_it_is_told_of_as_such(
    sshd: Sshd, open_connection: Open, echo: int
) -> None:
    sshd.config = ["AllowTcpForwarding no"]
    sshd.restart()
    conn = await open_connection()
    forward = await conn.forward("127.0.0.1", echo)
    reader, writer = await asyncio.open_connection("127.0.0.1", forward.local_port)
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    assert b"forbids port forwarding" in await reader.read()
    assert isinstance(forward.problem, Refused)
    there = Reverse(free_port(), ("127.0.0.1", echo))
    with pytest.raises(Refused, match="does not listen") as caught:
        await there.attach(conn)
    assert "AllowTcpForwarding" in caught.value.hint
    await closed(writer)
    await forward.close()


async def test_a_port_for_root_alone(conn: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(asyncio.get_running_loop(), "create_server", refuse)
    with pytest.raises(Refused, match="Port 80 on this computer is for root alone") as caught:
        await conn.forward("127.0.0.1", 8888, 80)
    assert "8080:80" in caught.value.hint


async def test_a_taken_port(conn: Connection, forward: Forward) -> None:
    with pytest.raises(PortTaken, match=f"Port {forward.local_port} "):
        await conn.forward("127.0.0.1", 80, forward.local_port)


async def test_a_port_taken_in_one_family_only(conn: Connection) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as six:
        port = six.getsockname()[1]
        with pytest.raises(PortTaken):
            await conn.forward("127.0.0.1", 80, port)
    forward = await conn.forward("127.0.0.1", 80, port)
    assert forward.local_port == port
    await forward.close()


async def test_closing_gives_the_port_back_and_resets(
    conn: Connection, forward: Forward, echo: int
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", forward.local_port)
    writer.write(b"x")
    await reader.readexactly(1)
    await forward.close()
    with pytest.raises(ConnectionResetError):
        await reader.read()
    await closed(writer)
    again = await conn.forward("127.0.0.1", echo, forward.local_port)
    await again.close()


async def test_closing_does_not_wait_for_a_host_that_is_silent(
    sshd: Sshd, conn: Connection
) -> None:
    forward = await conn.forward("127.0.0.1", sshd.port)
    frozen = sshd.session_processes()
    signal_all(frozen, signal.SIGSTOP)
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", forward.local_port)
        while not forward.open_connections:
            await asyncio.sleep(0)
        async with asyncio.timeout(30):
            await forward.close()
        writer.close()
    finally:
        signal_all(frozen, signal.SIGCONT)


def signal_all(pids: list[int], number: int) -> None:
    """A login's own helper process may have ended since it was seen."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
