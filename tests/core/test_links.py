"""Addresses printed on a host, against a real SSH server and a page behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest

from cloudtui.core.workbench import Workbench
from cloudtui.model.errors import NotFound, Refused
from cloudtui.model.instance import Instance
from tests.lab import Lab
from tests.sshd import free_port


@dataclass
class Page:
    """A server on a port of the host; `asked` are the request lines."""

    port: int
    asked: list[str]


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    made = Page(0, [])
    answering: set[asyncio.Task[None] | None] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answering.add(asyncio.current_task())
        line = await reader.readline()
        if line:
            made.asked.append(line.decode().strip())
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    async with server:
        yield made
    await asyncio.gather(*(task for task in answering if task))


@pytest.fixture
async def bench(lab: Lab) -> AsyncIterator[Workbench]:
    async with lab.bench() as made:
        yield made


async def gpu(bench: Workbench) -> Instance:
    return await bench.inventory.find("bert-gpu")


async def test_a_page_of_the_host_is_reached_and_its_token_kept(
    bench: Workbench, page: Page
) -> None:
    url = f"http://0.0.0.0:{page.port}/lab/tree?token=abc#top"
    reached = await bench.links.reach(await gpu(bench), url)
    tunnel = bench.tunnels.states[0]
    # The page itself has the port on this computer, which is the host, too.
    assert tunnel.remote_port == page.port != tunnel.local_port
    assert reached.url == f"http://localhost:{tunnel.local_port}/lab/tree?token=abc#top"
    async with httpx.AsyncClient() as client:
        assert (await client.get(reached.url)).text == "hello"
    assert page.asked == ["GET /lab/tree?token=abc HTTP/1.1"]
    assert reached.sentence == (
        f"Port {page.port} of bert-gpu is localhost:{tunnel.local_port} here "
        "until cloudtui is left."
    )


async def test_a_second_address_of_the_port_uses_the_tunnel_that_is_open(
    bench: Workbench, page: Page
) -> None:
    host = await gpu(bench)
    urls = [f"http://localhost:{page.port}/{n}" for n in range(4)]
    reached = await asyncio.gather(*(bench.links.reach(host, url) for url in urls))
    assert len(bench.tunnels.states) == 1
    port = bench.tunnels.states[0].local_port
    assert [r.url for r in reached] == [f"http://localhost:{port}/{n}" for n in range(4)]


async def test_a_port_where_nothing_listens_is_said_and_no_tunnel_opened(bench: Workbench) -> None:
    port = free_port()
    with pytest.raises(NotFound, match=f"Nothing listens on port {port} of bert-gpu"):
        await bench.links.reach(await gpu(bench), f"http://127.0.0.1:{port}/")
    assert bench.tunnels.states == ()


async def test_a_page_elsewhere_needs_no_connection(bench: Workbench) -> None:
    host = await gpu(bench)
    reached = await bench.links.reach(host, "https://example.org/a?b=c")
    assert reached == ("https://example.org/a?b=c", "")
    assert bench.connections.peek(host) is None


async def test_an_address_of_this_computer_is_left_as_it_is(bench: Workbench) -> None:
    reached = await bench.links.reach(None, "http://localhost:1/x")
    assert reached == ("http://localhost:1/x", "")


async def test_what_is_no_web_address_is_refused(bench: Workbench) -> None:
    with pytest.raises(Refused, match="Only web addresses"):
        await bench.links.reach(await gpu(bench), "file:///etc/passwd")
