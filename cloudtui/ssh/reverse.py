"""A port of the host that leads to a port as this computer sees it: `ssh -R`."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import asyncssh

from cloudtui.model.errors import ConnectionCut, Refused, Unreachable
from cloudtui.ssh.way import Way

if TYPE_CHECKING:
    from cloudtui.ssh.connection import Connection

BLOCK = 64 << 10
LOOPBACK = "127.0.0.1"
OPEN_SECONDS = 20.0
UNPRIVILEGED = 1024

_Wanted = Callable[[asyncssh.SSHReader[bytes], asyncssh.SSHWriter[bytes]], Awaitable[None]]


class Reverse(Way):
    """While there is an SSH connection the host listens; a cut ends what runs over it."""

    def __init__(self, port: int, target: tuple[str, int], *, bind: str = "") -> None:
        super().__init__()
        self.port = port
        """The port of the host."""
        self.target = target
        self.bind = bind
        """The host's address to listen on; empty is its loopback."""
        self.connection: Connection | None = None
        self._listener: asyncssh.SSHListener | None = None
        self._open: set[asyncio.Task[None]] = set()

    @property
    def open_connections(self) -> int:
        return len(self._open)

    async def attach(self, connection: Connection) -> None:
        """Let the host listen over this connection.

        Raises:
            Refused: the server forbids it, or the host's port is taken.
            ConnectionCut: the connection was lost meanwhile.
        """
        if not self.bind and await _answers(connection, self.port):
            # sshd would listen on ::1 alone, and most programs there ask 127.0.0.1.
            raise Refused(
                f"{connection.route.spoken} does not listen on its port {self.port}.",
                f"Another program there has the port {self.port} of 127.0.0.1.",
                f"Choose another, for example -R {self.port % 65_535 + 1}:{self.target[1]}.",
            )
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                self._listener = await connection.ssh.start_server(
                    self._handler, self.bind or "localhost", self.port, encoding=None
                )
        except TimeoutError as error:
            raise Unreachable(f"{connection.route.spoken} gave no answer in 20 s.") from error
        except (asyncssh.ChannelListenError, asyncssh.Error, OSError) as error:
            if connection.closed:
                raise connection.cut() from error
            hint = (
                "Another program there may have the port, or its sshd_config forbids it "
                "(AllowTcpForwarding, PermitListen)."
            )
            if self.port < UNPRIVILEGED and connection.route.user != "root":
                hint = (
                    f"Ports below {UNPRIVILEGED} are for root there: choose another, for example "
                    f"-R {self.port + 8000}:{self.target[1]}."
                )
            raise Refused(
                f"{connection.route.spoken} does not listen on its port {self.port}.",
                str(error),
                hint,
            ) from error
        self.connection, self.waits_for = connection, None

    async def close(self) -> None:
        """Give the host's port back; open connections are reset."""
        if self._listener and self.connection and not self.connection.closed:
            self._listener.close()
            with contextlib.suppress(TimeoutError, asyncssh.Error, OSError):
                async with asyncio.timeout(2):
                    await self._listener.wait_closed()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def _handler(self, _host: str, _port: int) -> _Wanted:
        return self._serve

    async def _serve(
        self, reader: asyncssh.SSHReader[bytes], writer: asyncssh.SSHWriter[bytes]
    ) -> None:
        task = asyncio.current_task()
        assert task
        self._open.add(task)
        try:
            await self._piped(reader, writer)
        finally:
            self._open.discard(task)
            writer.close()

    async def _piped(
        self, reader: asyncssh.SSHReader[bytes], writer: asyncssh.SSHWriter[bytes]
    ) -> None:
        host, port = self.target
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                from_here, to_here = await asyncio.open_connection(host, port)
        except (OSError, TimeoutError) as error:
            self.tell(
                Unreachable(
                    f"Nothing answers on {host} port {port} here.",
                    str(error),
                    "Start the program that the host is to reach.",
                )
            )
            return
        self.tell(None)
        sock = to_here.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        clean = False
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._inward(reader, to_here))
                group.create_task(self._outward(from_here, writer))
            clean = True
        except* (asyncssh.Error, OSError, ConnectionCut):
            pass
        finally:
            if not clean:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                to_here.transport.abort()
            to_here.close()

    async def _inward(
        self, reader: asyncssh.SSHReader[bytes], to_here: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(BLOCK):
            self.bytes_in += len(data)
            to_here.write(data)
            await to_here.drain()
        if self.connection is None or self.connection.closed:
            raise ConnectionCut("cut")
        to_here.write_eof()

    async def _outward(
        self, from_here: asyncio.StreamReader, writer: asyncssh.SSHWriter[bytes]
    ) -> None:
        while data := await from_here.read(BLOCK):
            self.bytes_out += len(data)
            writer.write(data)
            await writer.drain()
        writer.write_eof()


async def _answers(connection: Connection, port: int) -> bool:
    """Whether a program of the host is there already, where its server lets that be asked."""
    try:
        return await connection.probe_port(LOOPBACK, port)
    except Refused:
        return False
