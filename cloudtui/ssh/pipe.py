"""One local connection of a forwarded port, joined to a channel of the SSH connection.

Both sides may be slow, end one way only, or be cut: nothing is kept beyond the window, and what
is cut ends in a reset.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from typing import TYPE_CHECKING

import asyncssh
from asyncssh.constants import OPEN_ADMINISTRATIVELY_PROHIBITED

from cloudtui.model.errors import CloudtuiError, Refused, Unreachable
from cloudtui.model.socks import Greeting, NotSocks
from cloudtui.ssh.quick import Bulk, Quick
from cloudtui.ssh.way import forbidden

if TYPE_CHECKING:
    from cloudtui.ssh.connection import Connection
    from cloudtui.ssh.forward import Forward

HIGH_WATER = 64 << 10
"""Bytes kept for a slow local client before the host is slowed down."""
OPEN_SECONDS = 20.0
SPEAK_SECONDS = 0.25
"""How long a local client that cannot be served may take to show that it speaks HTTP."""
GATHERS = hasattr(os, "writev")
_HTTP = (b"GET ", b"HEAD ", b"POST ", b"PUT ", b"PATCH ", b"DELETE ", b"OPTIONS ")
_ITSELF = ("localhost", "127.0.0.1", "::1")


class _Remote(Bulk):
    """The host's side."""

    def __init__(self, local: Pipe) -> None:
        self._local = local

    def connection_made(self, chan: asyncssh.SSHTCPChannel[bytes]) -> None:
        self._local.channel = chan

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        self._local.from_host([memoryview(data)])

    def pieces_received(self, pieces: list[memoryview]) -> None:
        self._local.from_host(pieces)

    def eof_received(self) -> bool:
        self._local.host_ended()
        return True

    def pause_writing(self) -> None:
        self._local.pause_local()

    def resume_writing(self) -> None:
        self._local.resume_local()

    def connection_lost(self, exc: Exception | None) -> None:
        self._local.host_gone(exc)


class Pipe(asyncio.Protocol):
    """The local side."""

    def __init__(self, forward: Forward) -> None:
        self._forward = forward
        self._transport: asyncio.Transport | None = None
        self._socket = -1
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
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = sock.fileno()
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
                self._end_local()
        if self.channel:
            early, self._early = self._early, []
            if early or self._greeting:
                self._transport.resume_reading()  # first: a write may pause it again
            with contextlib.suppress(OSError):  # the host has closed it meanwhile
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
            start = asyncio.get_running_loop().time()
            try:
                async with asyncio.timeout(OPEN_SECONDS):
                    ssh = connection.ssh
                    window = forward.window(0 if isinstance(ssh, Quick) else 1)
                    await ssh.create_connection(lambda: _Remote(self), host, port, window=window)
            except (CloudtuiError, asyncssh.Error, OSError, TimeoutError) as error:
                if connection.closed:
                    continue
                if (
                    isinstance(error, asyncssh.ChannelOpenError)
                    and error.code == OPEN_ADMINISTRATIVELY_PROHIBITED
                ):
                    return forbidden(connection.route)
                reason = f"{(str(error) or 'No answer').rstrip('.')}."
                name = forward.machine or connection.route.spoken
                where = name if host in _ITSELF else f"{host}, seen from {name},"
                return Unreachable(
                    f"Port {port} on {where} does not answer.",
                    reason,
                    "Look whether the program there runs and listens on that port.",
                )
            self.connection = connection
            if self.channel and isinstance(ssh, Quick):
                took = asyncio.get_running_loop().time() - start
                ssh.widen(self.channel, forward.window(took))
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

    def from_host(self, pieces: list[memoryview]) -> None:
        self._forward.bytes_in += sum(map(len, pieces))
        if self._greeting and not self._opened:
            self._answered.extend(bytes(piece) for piece in pieces)
        elif self._transport:
            self._write(self._transport, pieces)

    def _write(self, transport: asyncio.Transport, pieces: list[memoryview]) -> None:
        """All at once where the system takes them; the transport keeps the rest."""
        sent = 0
        if GATHERS and not transport.get_write_buffer_size() and not transport.is_closing():
            with contextlib.suppress(OSError):  # the transport meets it too, and deals with it
                sent = os.writev(self._socket, pieces)
        for piece in pieces:
            if sent < len(piece):
                transport.write(piece[sent:])
            sent = max(0, sent - len(piece))

    def host_ended(self) -> None:
        self._host_ended = True
        if self._greeting and not self._opened:
            return
        self._end_local()

    def _end_local(self) -> None:
        if self._transport and not self._transport.is_closing():
            with contextlib.suppress(OSError):  # the client is gone, and is told of as lost next
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
