"""Whether an SSH server greets, without logging in: how a reboot is seen from outside."""

from __future__ import annotations

import asyncio
import contextlib

SECONDS = 5.0
"""How long a greeting is waited for."""
PROBE_SECONDS = 10.0
"""Between two greetings asked for while the server is up: newer sshd's punish who asks often."""
_LINES = 20
"""Lines that a server may send before its greeting (RFC 4253, 4.2)."""


class Greeting:
    """One server, watched from while it is up until it was down and greets again."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self._held: asyncio.StreamWriter | None = None
        self._end: asyncio.Task[bytes] | None = None
        self._down = False
        self._next = 0.0

    async def begin(self) -> bool:
        """Whether it greets now; a connection is held from here on, whose end tells the next."""
        opened = await self._open()
        if opened:
            reader, self._held = opened
            self._end = asyncio.create_task(_to_the_end(reader))
            self._next = asyncio.get_running_loop().time() + PROBE_SECONDS
        return opened is not None

    async def look(self) -> bool | None:
        """None while it has not been seen down, then whether it greets."""
        if not self._down and self._end and not self._end.done():
            now = asyncio.get_running_loop().time()
            if now < self._next:
                return None
            # A machine that is cut off closes nothing: ask for another greeting now and then.
            self._next = now + PROBE_SECONDS
            if await self._greets():
                return None
        self._down = True
        return await self._greets()

    async def close(self) -> None:
        if self._end:
            self._end.cancel()
            await asyncio.wait([self._end])
        if self._held:
            await _closed(self._held)

    async def _greets(self) -> bool:
        opened = await self._open()
        if opened:
            await _closed(opened[1])
        return opened is not None

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        writer = None
        try:
            async with asyncio.timeout(SECONDS):
                reader, writer = await asyncio.open_connection(self.host, self.port)
                for _ in range(_LINES):
                    line = await reader.readline()
                    if line.startswith(b"SSH-"):
                        return reader, writer
                    if not line:
                        break
        except (OSError, ValueError):  # TimeoutError is an OSError; a line without an end
            pass
        if writer:
            await _closed(writer)
        return None


async def _to_the_end(reader: asyncio.StreamReader) -> bytes:
    with contextlib.suppress(OSError):
        while await reader.read(4096):
            pass
    return b""


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
