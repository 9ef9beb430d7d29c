"""Bulk data through packets handled here and not by asyncssh: whole, in order, and never forged."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import asyncssh
import pytest

from cloudtui.model.errors import ConnectionCut
from cloudtui.model.remote import Route
from cloudtui.ssh import quick
from cloudtui.ssh.connection import Connection
from tests.ssh.conftest import Open
from tests.sshd import Sshd

SENT = random.Random(7).randbytes(6 << 20)


async def echoed(conn: Connection, data: bytes) -> bytes:
    """What comes back through a forwarded port from a server that sends back what it gets."""

    served = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            try:
                while piece := await reader.read(1 << 16):
                    writer.write(piece)
                    await writer.drain()
            finally:
                writer.close()
                await writer.wait_closed()
        served.set()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        forward = await conn.forward("127.0.0.1", server.sockets[0].getsockname()[1])
        reader, writer = await asyncio.open_connection("127.0.0.1", forward.local_port)
        try:
            async with asyncio.timeout(30):
                reading = asyncio.ensure_future(reader.read())
                writer.write(data)
                await writer.drain()
                writer.write_eof()
                return await reading
        finally:
            writer.close()
            await forward.close()
            async with asyncio.timeout(30):
                await served.wait()


Change = Callable[[bytes, int], list[bytes]]


@asynccontextmanager
async def relayed(
    sshd: Sshd, change: Change, gate: asyncio.Event | None = None
) -> AsyncIterator[Route]:
    """A route whose bytes from the host go through `change(data, sent so far)`; `gate` is waited
    for after each piece."""

    pumps: list[asyncio.Task[None]] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, back: bool) -> None:
        sent = 0
        with contextlib.suppress(OSError):
            try:
                while data := await reader.read(1 << 16):
                    for piece in change(data, sent) if back else [data]:
                        writer.write(piece)
                        await writer.drain()
                        await (gate.wait() if gate and back else asyncio.sleep(0))
                    sent += len(data)
            finally:
                writer.close()
                await writer.wait_closed()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_there, to_there = await asyncio.open_connection(sshd.host, sshd.port)
        pumps.append(asyncio.create_task(pump(reader, to_there, False)))
        pumps.append(asyncio.create_task(pump(from_there, writer, True)))

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        known = sshd.folder / "known_by_relay"
        known.write_text(sshd.known_hosts().read_text().replace(str(sshd.port), str(port)))
        yield sshd.route(port=port, known_hosts=(known,))
        for each in pumps:
            each.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)


def test_where_it_fits(conn: Connection) -> None:
    assert isinstance(conn.ssh, quick.Quick)


@pytest.mark.parametrize("rekey", ["", "host", "here"])
async def test_all_comes_back(
    sshd: Sshd, open_connection: Open, monkeypatch: pytest.MonkeyPatch, rekey: str
) -> None:
    """Also while both sides agree on new keys again and again."""
    agreed: list[bytes] = []

    def count(conn: quick.Quick, k: bytes, h: bytes) -> None:
        agreed.append(h)
        asyncssh.SSHClientConnection.send_newkeys(conn, k, h)

    monkeypatch.setattr(quick.Quick, "send_newkeys", count, raising=False)
    if rekey == "host":
        sshd.config = ["RekeyLimit 1M"]
        sshd.restart()
    conn = await open_connection()
    if rekey == "here":
        conn.ssh._rekey_bytes = 1 << 20
    assert await echoed(conn, SENT) == SENT
    assert (await conn.run("echo still here")).stdout == "still here\n"
    assert isinstance(conn.ssh, quick.Quick)
    assert len(agreed) > 3 if rekey else not agreed


@pytest.mark.parametrize("other", ["cipher", "release"])
async def test_any_other_is_left_to_asyncssh(
    sshd: Sshd, open_connection: Open, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    if other == "cipher":
        sshd.config = ["Ciphers chacha20-poly1305@openssh.com"]
        sshd.restart()
    else:
        monkeypatch.setattr(quick, "KNOWN", ("1.",))
    conn = await open_connection()
    assert not isinstance(conn.ssh, quick.Quick)
    assert await echoed(conn, SENT) == SENT


async def test_through_a_jump_host(sshd: Sshd, open_connection: Open) -> None:
    conn = await open_connection(jumps=(sshd.route(),))
    assert await echoed(conn, SENT) == SENT


async def test_packets_in_any_pieces(sshd: Sshd, open_connection: Open) -> None:
    dice = random.Random(3)

    def shred(data: bytes, _: int) -> list[bytes]:
        pieces: list[bytes] = []
        while data:
            size = dice.choice((1, 2, 3, 4, 5, 15, 16, 17, 1000, 40_000))
            pieces.append(data[:size])
            data = data[size:]
        return pieces

    async with relayed(sshd, shred) as route:
        conn = await open_connection(port=route.port, known_hosts=route.known_hosts)
        assert await echoed(conn, SENT[: 1 << 20]) == SENT[: 1 << 20]


async def test_taken_over_in_the_middle_of_a_packet(
    sshd: Sshd, open_connection: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, split = asyncio.Event(), False
    gate.set()
    halfway = asyncio.Event()

    def halve(data: bytes, _: int) -> list[bytes]:
        if not split:
            return [data]
        gate.clear()
        halfway.set()
        return [data[:20], data[20:]]

    monkeypatch.setattr(quick, "KNOWN", ("1.",))
    async with relayed(sshd, halve, gate) as route:
        conn = await open_connection(port=route.port, known_hosts=route.known_hosts)
        assert (await conn.run("echo before")).stdout == "before\n"
        split = True
        running = asyncio.ensure_future(conn.run("echo after"))
        await halfway.wait()
        split = False
        while conn.ssh._recv_handler != conn.ssh._recv_packet:
            await asyncio.sleep(0)
        monkeypatch.undo()
        assert quick.quicken(conn.ssh)
        gate.set()
        async with asyncio.timeout(30):
            assert (await running).stdout == "after\n"


async def test_a_forged_byte_ends_the_connection(sshd: Sshd, open_connection: Open) -> None:
    def forge(data: bytes, sent: int) -> list[bytes]:
        at = (1 << 20) - sent
        if 0 <= at < len(data):
            data = data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]
        return [data]

    async with relayed(sshd, forge) as route:
        conn = await open_connection(port=route.port, known_hosts=route.known_hosts)
        lost = asyncio.Event()
        conn.on_lost(lambda _: lost.set())
        with pytest.raises(ConnectionError):
            await echoed(conn, SENT)
        async with asyncio.timeout(30):
            await lost.wait()
    assert isinstance(conn.lost, ConnectionCut)
    assert "MAC" in conn.lost.detail


async def test_a_slow_client_slows_the_host(conn: Connection) -> None:
    """What a client does not take stays on the host, but for the window."""
    sent = 0

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        while sent < 64 << 20:
            writer.write(SENT[: 1 << 16])
            sent += 1 << 16
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        forward = await conn.forward("127.0.0.1", server.sockets[0].getsockname()[1])
        reader, writer = await asyncio.open_connection("127.0.0.1", forward.local_port, limit=1024)
        before = -1
        while not sent or before != sent:  # it comes to a halt
            before = sent
            await asyncio.sleep(0.3)
        assert sent < 40 << 20
        assert forward.bytes_in < 20 << 20
        digest, wanted = hashlib.sha256(), hashlib.sha256()
        async with asyncio.timeout(30):
            while data := await reader.read(1 << 20):
                digest.update(data)
        for _ in range(sent >> 16):
            wanted.update(SENT[: 1 << 16])
        assert (sent, digest.digest()) == (64 << 20, wanted.digest())
        writer.close()
        await forward.close()
