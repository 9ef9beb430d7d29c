"""A local port that leads to a port of the host, or as a SOCKS proxy anywhere that the host
reaches, over whichever SSH connection there is.

Larger window than asyncssh's own forwarding (8 MiB, so a long path stays full), and a cut shows
as an error: the local client gets a reset, never the end of a file that is only half there.
While there is no SSH connection the port stays open, and local connections wait for the next.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import struct
from typing import TYPE_CHECKING

import asyncssh

from cloudtui.model.errors import CloudtuiError, PortTaken, Refused, Unreachable
from cloudtui.model.socks import Greeting, NotSocks
from cloudtui.ssh.way import Way

if TYPE_CHECKING:
    from cloudtui.ssh.connection import Connection

WINDOW = 8 << 20
"""Bytes the host may send ahead on one connection."""
HIGH_WATER = 64 << 10
"""Bytes kept for a slow local client before the host is slowed down."""
OPEN_SECONDS = 20.0
HOLD_SECONDS = 15.0
"""How long a local connection waits for an SSH connection."""
SPEAK_SECONDS = 0.25
"""How long a local client that cannot be served may take to show that it speaks HTTP."""
_HTTP = (b"GET ", b"HEAD ", b"POST ", b"PUT ", b"PATCH ", b"DELETE ", b"OPTIONS ")
_ITSELF = ("localhost", "127.0.0.1", "::1")
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
        self._pipes: set[_Local] = set()
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
            return await loop.create_server(lambda: _Local(self), address, port)
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
            await self._moved.wait()
        return self.connection

    def add(self, pipe: _Local) -> None:
        self._pipes.add(pipe)

    def remove(self, pipe: _Local) -> None:
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


class _Remote(asyncssh.SSHTCPSession[bytes]):
    """The host's side of one pipe."""

    def __init__(self, local: _Local) -> None:
        self._local = local

    def connection_made(self, chan: asyncssh.SSHTCPChannel[bytes]) -> None:
        self._local.channel = chan

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        self._local.from_host(data)

    def eof_received(self) -> bool:
        self._local.host_ended()
        return True

    def pause_writing(self) -> None:
        self._local.pause_local()

    def resume_writing(self) -> None:
        self._local.resume_local()

    def connection_lost(self, exc: Exception | None) -> None:
        self._local.host_gone(exc)


class _Local(asyncio.Protocol):
    """The local side of one pipe."""

    def __init__(self, forward: Forward) -> None:
        self._forward = forward
        self._transport: asyncio.Transport | None = None
        self._early: list[bytes] = []
        self._ended = False
        self._opened = self._host_ended = False
        self._spoke = asyncio.Event()
        self._greeting: Greeting | None = None
        self._answered: list[bytes] = []
        """What a host said before its client in SOCKS was told that the way is open."""
        self.channel: asyncssh.SSHTCPChannel[bytes] | None = None
        self.connection: Connection | None = None
        """The SSH connection it runs over, once it is open."""
        self.task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._forward.add(self)
        transport.set_write_buffer_limits(high=HIGH_WATER)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._forward.remote:
            self._begin(self._forward.remote)
        else:
            self._greeting = Greeting()

    def _begin(self, target: tuple[str, int]) -> None:
        self.task = asyncio.get_running_loop().create_task(self._open(target))

    def _greet(self, data: bytes) -> None:
        assert self._greeting
        assert self._transport
        try:
            self._transport.write(self._greeting.feed(data))
        except NotSocks as error:
            self._forward.tell(
                Refused(
                    f"A program spoke to the SOCKS proxy localhost:{self._forward.local_port} in "
                    "another language.",
                    hint="Name it as a SOCKS5 proxy in that program's settings.",
                )
            )
            self._transport.write(error.reply)
            self._transport.close()
            return
        if self._greeting.target:
            self.pause_local()
            if self._greeting.rest:
                self._early.append(self._greeting.rest)
            self._begin(self._greeting.target)

    async def _open(self, target: tuple[str, int]) -> None:
        error = await self._connect(*target)
        self._forward.tell(error)
        if error:
            await self._refuse(error)
            return
        self._opened = True
        if not self._transport or self._transport.is_closing():
            if self.channel:
                self.channel.close()
            return
        if self._greeting:
            self._transport.write(self._greeting.granted())
            for data in self._answered:
                self._transport.write(data)
            if self._host_ended:
                self._transport.write_eof()
        if self.channel:
            early, self._early = self._early, []
            if early or self._greeting:
                self._transport.resume_reading()  # first: a write may pause it again
            for data in early:
                self.channel.write(data)
            if self._ended:
                self.channel.write_eof()
        else:
            self.host_gone(None)

    async def _connect(self, host: str, port: int) -> CloudtuiError | None:
        """Open the channel, on the next SSH connection when one is cut on the way: nothing has
        been sent yet. What went wrong, or None."""
        forward = self._forward
        deadline = asyncio.get_running_loop().time() + forward.hold
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    connection = await forward.path()
            except TimeoutError:
                gone = forward.connection.lost if forward.connection else None
                return (
                    forward.waits_for or gone or Unreachable("The host has not been reached yet.")
                )
            try:
                async with asyncio.timeout(OPEN_SECONDS):
                    await connection.ssh.create_connection(
                        lambda: _Remote(self), host, port, window=WINDOW
                    )
            except (CloudtuiError, asyncssh.Error, OSError, TimeoutError) as error:
                if connection.closed:
                    continue
                reason = f"{(str(error) or 'No answer').rstrip('.')}."
                name = forward.machine or connection.route.host
                where = name if host in _ITSELF else f"{host}, seen from {name},"
                return Unreachable(
                    f"Port {port} on {where} does not answer.",
                    reason,
                    "Look whether the program there runs and listens on that port.",
                )
            self.connection = connection
            return None

    async def _refuse(self, error: CloudtuiError) -> None:
        """Tell a client that speaks HTTP or SOCKS what is wrong, reset any other."""
        if self._greeting and self._transport:
            self._transport.write(self._greeting.refused())
            self._transport.close()
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SPEAK_SECONDS):
                await self._spoke.wait()
        if self._transport and b"".join(self._early).startswith(_HTTP):
            text = "\n".join(part for part in (error.title, error.detail, error.hint) if part)
            body = f"cloudtui: {text}\n".encode()
            head = (
                "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain; charset=utf-8\r\n"
                f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\n"
                "Retry-After: 2\r\nConnection: close\r\n\r\n"
            )
            self._transport.write(head.encode() + body)
            self._transport.close()
        else:
            self.reset()

    def data_received(self, data: bytes) -> None:
        self._forward.bytes_out += len(data)
        if self._greeting and not self._greeting.target:
            self._greet(data)
        elif not self._opened:
            self._early.append(data)
            self._spoke.set()
            self.pause_local()
        elif self.channel:
            with contextlib.suppress(OSError):
                self.channel.write(data)

    def eof_received(self) -> bool:
        self._ended = True
        if self._opened and self.channel:
            with contextlib.suppress(OSError):
                self.channel.write_eof()
        return True

    def pause_writing(self) -> None:
        if self.channel:
            self.channel.pause_reading()

    def resume_writing(self) -> None:
        if self.channel:
            self.channel.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._forward.remove(self)
        if self.channel:
            self.channel.close()

    def from_host(self, data: bytes) -> None:
        self._forward.bytes_in += len(data)
        if self._greeting and not self._opened:
            self._answered.append(data)
        elif self._transport:
            self._transport.write(data)

    def host_ended(self) -> None:
        self._host_ended = True
        if self._greeting and not self._opened:
            return
        if self._transport and not self._transport.is_closing():
            self._transport.write_eof()

    def host_gone(self, exc: Exception | None) -> None:
        self.channel = None
        if not self._opened:
            return  # `_open` looks at it as soon as it knows
        if exc or self.connection is None or self.connection.closed:
            self.reset()
        elif self._transport:
            self._transport.close()

    def pause_local(self) -> None:
        if self._transport:
            self._transport.pause_reading()

    def resume_local(self) -> None:
        if self._transport:
            self._transport.resume_reading()

    def reset(self) -> None:
        """End the local connection with RST: the client must see an error."""
        if self._transport:
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()
