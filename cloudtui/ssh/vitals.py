"""What the host is doing, as a stream of bytes on one channel."""

from __future__ import annotations

from collections.abc import Callable

from cloudtui.model.vitals import EVERY
from cloudtui.ssh.connection import Connection, RemoteCommand
from cloudtui.ssh.host_program import text


async def vitals(
    conn: Connection, on_data: Callable[[bytes], None], every: float = EVERY
) -> RemoteCommand:
    """Let the host print a sample every so many seconds until the command is closed.

    Nothing is written to its disk, and nothing of it is left when the channel is closed.

    Raises:
        Refused: the server opens no more sessions.
        ConnectionCut, Timeout: see `Connection`.
    """
    command = await conn.program(f"sh -s {every:g}", on_data, lambda _: None)
    # Braces: the shell reads all of it before it begins, and then waits for the end of its input.
    command.write(b"{\n" + text("vitals.sh").encode() + b"\n}\n")
    return command
