"""HTTP as it comes in: cut into any pieces, chunked, too long, or none at all."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtui.model.errors import CloudtuiError, NotFound, Refused, Timeout, Unreachable
from cloudtui.model.notebook import JupyterServer
from cloudtui.ssh.connection import Connection
from cloudtui.ssh.jupyter_rest import Answer, ask, read_answer
from tests.ssh.conftest import Open
from tests.sshd import Sshd, free_port

BODY = b'{"version": "2.21.1"}' * 3
CHUNKED = (
    b"HTTP/1.1 100 Continue\r\n\r\n"
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n"
    b"15;x=y\r\n" + BODY[:21] + b"\r\n2a\r\n" + BODY[21:] + b"\r\n0\r\nTrailer: x\r\n\r\n"
)
SIZED = b"HTTP/1.0 200\nContent-Length: 63\n\n" + BODY + b"more"
TO_THE_END = b"HTTP/1.1 404 Not Found\r\n\r\n" + BODY


class Pieces:
    """A stream that gives its bytes in these pieces."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    async def read(self) -> bytes:
        return next((piece for piece in self._pieces if piece), b"")

    async def write(self, data: bytes) -> None:
        raise AssertionError


def cut(data: bytes, places: list[int]) -> Iterator[bytes]:
    marks = sorted({0, len(data), *(p % len(data) for p in places)})
    return iter([data[a:b] for a, b in pairwise(marks)])


async def read(data: bytes, places: list[int] | None = None) -> Answer | None:
    return await read_answer(Pieces(cut(data, places or [])), "GET")


@pytest.mark.parametrize("data", [CHUNKED, SIZED, TO_THE_END])
@given(st.lists(st.integers(0, 300)))
def test_an_answer_in_any_pieces_is_the_same(data: bytes, places: list[int]) -> None:
    answer = asyncio.run(read(data, places))
    assert answer is not None
    assert answer.body == BODY


@given(st.integers(1, len(CHUNKED) - 1))
def test_an_answer_that_is_cut_short_is_none(length: int) -> None:
    assert asyncio.run(read(CHUNKED[:length])) is None


@given(st.binary(min_size=1, max_size=60))
def test_bytes_that_are_no_http_are_no_answer(data: bytes) -> None:
    assert asyncio.run(read(data)) is None or data.startswith(b"HTTP/1.")


def test_heads_of_no_end_and_lengths_of_no_sense() -> None:
    for data in (
        b"HTTP/1.1 200 OK\r\n" + b"x" * 100_000,
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 2_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
    ):
        assert asyncio.run(read(data)) is None


async def answering(data: bytes, *, hang: bool = False) -> tuple[asyncio.Server, JupyterServer]:
    """A server on the host that answers everything with these bytes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(data)
        if hang:
            await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    return server, JupyterServer(server.sockets[0].getsockname()[1], "s3cret")


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (b"SSH-2.0-x\r\n", Unreachable, "does not speak HTTP"),
        (b"HTTP/1.1 404 No\r\n\r\n", NotFound, "has no api/kernels"),
        (b"HTTP/1.1 403 No\r\n\r\n", CloudtuiError, "does not take its token"),
        (b'HTTP/1.1 500 No\r\n\r\n{"message": "disk full"}', CloudtuiError, "disk full"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1", Unreachable, "does not speak HTTP"),
    ],
)
async def test_what_a_server_can_say_wrong(
    conn: Connection, data: bytes, kind: type[CloudtuiError], words: str
) -> None:
    listening, server = await answering(data)
    async with listening:
        with pytest.raises(kind) as caught:
            await ask(conn, server, "GET", "api/kernels")
    assert words in str(caught.value)
    assert "s3cret" not in str(caught.value)


async def test_one_that_hangs_one_that_is_gone_and_a_host_that_forbids_it(
    sshd: Sshd, open_connection: Open
) -> None:
    conn = await open_connection()
    listening, server = await answering(b"HTTP/1.1 200 OK\r\n", hang=True)
    async with listening:
        with pytest.raises(Timeout, match=r"within 0\.3 s"):
            await ask(conn, server, "GET", "api", timeout=0.3)
    with pytest.raises(Unreachable, match="nothing listens there"):
        await ask(conn, JupyterServer(free_port()), "GET", "api")
    with pytest.raises(CloudtuiError, match="not JSON"):
        Answer(200, (), b"<html>").json()
    sshd.config = ["AllowTcpForwarding no"]
    sshd.restart()
    with pytest.raises(Refused, match="forbids port forwarding"):
        await ask(await open_connection(), server, "GET", "api")
