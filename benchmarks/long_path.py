"""A long path on this computer: `python -m benchmarks.long_path PORT MILLISECONDS` prints the port
that leads to PORT with such a round trip, in a process of its own; MEGABITS a second may follow."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator

AHEAD = 16 << 20
"""Bytes that are on the way at once."""


async def _carried(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float, rate: float
) -> None:
    loop = asyncio.get_running_loop()
    way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(AHEAD >> 16)

    async def arrive() -> None:
        while True:
            due, data = await way.get()
            if (wait := due - loop.time()) > 0:
                await asyncio.sleep(wait)
            if not data:
                break
            writer.write(data)
            await writer.drain()
        writer.close()

    arriving = asyncio.create_task(arrive())
    with contextlib.suppress(ConnectionError):
        free = loop.time()
        while data := await reader.read(1 << 16):
            now = loop.time()
            free = max(free, now) + (len(data) / rate if rate else 0)
            await way.put((free + delay, data))
            if free - now > 0.002:
                await asyncio.sleep(free - now)
    await way.put((loop.time() + delay, b""))
    with contextlib.suppress(ConnectionError):
        await arriving


async def _serve(port: int, seconds: float, rate: float) -> None:
    """`rate` is in bytes a second each way; 0 for as fast as it goes."""

    async def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        half = seconds / 2
        await asyncio.gather(
            _carried(reader, back, half, rate), _carried(there, writer, half, rate)
        )

    async with await asyncio.start_server(met, "127.0.0.1", 0) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


@contextlib.contextmanager
def long_path(port: int, milliseconds: int, megabits: int = 0) -> Iterator[int]:
    """The port that leads to `port` with so long a round trip, `megabits` a second at most."""
    words = map(str, (port, milliseconds, megabits))
    command = [sys.executable, "-m", "benchmarks.long_path", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        try:
            yield int(child.stdout.readline())
        finally:
            child.kill()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        port, milliseconds, megabits = (*map(int, sys.argv[1:]), 0)[:3]
        asyncio.run(_serve(port, milliseconds / 1000, megabits * 125_000))
