"""The SSH server of one pretend host: who gets in, which forwards go where, where files begin."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, cast

import asyncssh
from asyncssh.channel import SSHChannel
from asyncssh.forward import SSHForwarder

from cloudtui.demo import ports
from cloudtui.demo.session import Session

if TYPE_CHECKING:
    from cloudtui.demo.host import Host

LOGIN = "ubuntu"


class Server(asyncssh.SSHServer):
    """One connection: the login user with the instance's key pair, nobody else."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._host.connections.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._connection:
            self._host.connections.discard(self._connection)

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == LOGIN and self._host.lets_in(key)

    def session_requested(self) -> Session:
        return Session(self._host)

    def connection_requested(  # type: ignore[override]
        self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
    ) -> object:
        return self._forward(dest_host, dest_port)

    def server_requested(self, listen_host: str, listen_port: int) -> bool:
        """A port of the host is one of this computer's loopback, and of nothing else."""
        return listen_host in ("localhost", "127.0.0.1", "::1")

    async def _forward(self, dest_host: str, dest_port: int) -> SSHForwarder:
        """Reach a service of this very host, as a machine of its own would."""
        name = "127.0.0.1" if dest_host in (self._host.address, self._host.name) else dest_host
        target = ports.reachable(self._host.mark, name, dest_port)
        if not target:
            raise asyncssh.ChannelOpenError(
                asyncssh.OPEN_CONNECT_FAILED, f"Connection to {dest_host} refused"
            )
        try:
            _, service = await asyncio.get_running_loop().create_connection(
                SSHForwarder, target, dest_port
            )
        except OSError as error:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, str(error)) from error
        return Forward(service)


class Forward(SSHForwarder):
    """The channel's side of a forward; ends once both sides have said their last.

    asyncssh ends it when the client is first to finish, and leaves it open for good when the
    service is.
    """

    def eof_received(self) -> bool:
        more = super().eof_received()
        if not more:
            self.close()
        return more


class Files(asyncssh.SFTPServer):
    """SFTP that begins in the host's home, as sshd's does."""

    def __init__(self, channel: SSHChannel[bytes], home: os.PathLike[str]) -> None:
        super().__init__(cast("asyncssh.SSHServerChannel[bytes]", channel))
        self._home = os.fsencode(home)

    def map_path(self, path: bytes) -> bytes:
        return path if path.startswith(b"/") else self._home + b"/" + path
