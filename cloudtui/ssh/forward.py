"""A local port that leads to a port of the host, or as a SOCKS proxy anywhere that the host
reaches, over whichever SSH connection there is.

Larger window than asyncssh's own forwarding, so that a long path stays full, and a cut shows as
an error: the local client gets a reset, never the end of a file that is only half there.
While there is no SSH connection the port stays open, and local connections wait for the next.
"""

from __future__ import annotations

import asyncio
import errno
from typing import TYPE_CHECKING

from cloudtui.model.errors import PortTaken, Refused
from cloudtui.ssh.pipe import Pipe
from cloudtui.ssh.way import Way

if TYPE_CHECKING:
    from cloudtui.ssh.connection import Connection

WINDOW = 2 << 20
"""Bytes the host may send ahead on one connection of a short path: more only fill its memory."""
LONG_WINDOW = 8 << 20
"""The same on a long path, so that it stays full."""
PATH_RATE = 100 << 20
"""Bytes a second that one connection is to reach."""
ALL_WINDOWS = 12 << 20
"""Many connections share these."""
LEAST_WINDOW = 256 << 10
HOLD_SECONDS = 15.0
"""How long a local connection waits for an SSH connection."""
_NO_SUCH_ADDRESS = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


class Forward(Way):
    """A listener on 127.0.0.1 and ::1, or on `bind`; each local connection becomes a channel to
    `remote`, or to where its client asks for in SOCKS when `remote` is None."""

    def __init__(
        self,
        remote: tuple[str, int] | None,
        connection: Connection | None = None,
        *,
        bind: str = "",
        hold: float = HOLD_SECONDS,
    ) -> None:
        super().__init__(hold)
        self.remote = remote
        self.bind = bind
        self.machine = ""
        """What the host is called in sentences; its address when empty."""
        self.local_port = 0
        self.connection = connection
        self._moved = asyncio.Event()
        self._servers: list[asyncio.Server] = []
        self._pipes: set[Pipe] = set()
        self._closing = False

    @property
    def open_connections(self) -> int:
        return len(self._pipes)

    async def listen(self, port: int) -> None:
        """Take the local port; 0 for any that is free in both families."""
        if self.bind:
            server = await self._server(self.bind, port)
            if server is None:
                raise Refused(
                    f"This computer has no address {self.bind}.",
                    hint="Leave the address out to listen on loopback.",
                )
            self.local_port = server.sockets[0].getsockname()[1]
            self._servers = [server]
            return
        for attempt in range(10):
            server = await self._server("127.0.0.1", port)
            assert server is not None
            self.local_port = server.sockets[0].getsockname()[1]
            self._servers = [server]
            try:
                second = await self._server("::1", self.local_port)
            except PortTaken:
                server.close()
                await server.wait_closed()
                if port or attempt == 9:
                    raise
                continue
            if second:
                self._servers.append(second)
            return

    async def _server(self, address: str, port: int) -> asyncio.Server | None:
        """A listener, or None when this computer has no such address."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.create_server(lambda: Pipe(self), address, port)
        except OSError as error:
            if address != "127.0.0.1" and _code(error) in _NO_SUCH_ADDRESS:
                return None
            if _code(error) == errno.EADDRINUSE:
                raise PortTaken(
                    f"Port {port} on this computer is taken.",
                    error.strerror or "",
                    "Choose another port, or 0 for any.",
                ) from error
            if _code(error) in (errno.EACCES, errno.EPERM):
                raise Refused(
                    f"Port {port} on this computer is for root alone.",
                    error.strerror or "",
                    f"Choose a port from 1024 on, for example {port + 8000}:{port}.",
                ) from error
            raise Refused(
                f"Port {port} on this computer cannot be used.", str(error), "Choose another port."
            ) from error

    def move_to(self, connection: Connection) -> None:
        """Keep the local port, send new local connections over another SSH connection, those
        that wait first."""
        self.connection = connection
        self.waits_for = None
        self._moved.set()
        self._moved = asyncio.Event()

    async def attach(self, connection: Connection) -> None:
        """As `move_to`; what the host listens on by itself has to be asked for."""
        self.move_to(connection)

    async def path(self) -> Connection:
        """The SSH connection, waited for while there is none."""
        while self.connection is None or self.connection.closed:
            self.on_wanted()
            self.waiting += 1
            try:
                await self._moved.wait()
            finally:
                self.waiting -= 1
        return self.connection

    def window(self, seconds: float) -> int:
        """Bytes the host may send ahead on a new connection, after a round trip of `seconds`."""
        share = max(LEAST_WINDOW, ALL_WINDOWS // max(1, len(self._pipes)))
        return min(share, LONG_WINDOW, WINDOW + int(PATH_RATE * seconds))

    def add(self, pipe: Pipe) -> None:
        self._pipes.add(pipe)

    def remove(self, pipe: Pipe) -> None:
        self._pipes.discard(pipe)

    async def close(self) -> None:
        """Give the port back; open local connections are reset."""
        self._closing = True
        for server in self._servers:
            server.close()
        tasks = [pipe.task for pipe in self._pipes if pipe.task]
        for pipe in list(self._pipes):
            pipe.reset()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for server in self._servers:
            await server.wait_closed()
        self._servers = []


def _code(error: OSError) -> int | None:
    return error.errno
