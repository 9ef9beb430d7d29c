"""The files of a host, through a program that runs there for as long as the channel is open."""

from __future__ import annotations

import asyncio
import contextlib
from weakref import WeakKeyDictionary

import asyncssh

from cloudtui.host import files
from cloudtui.model.errors import CloudtuiError, ConnectionCut, NotFound, Refused, Timeout
from cloudtui.model.frames import PipeEnds
from cloudtui.ssh.beginning import Beginning
from cloudtui.ssh.connection import OPEN_SECONDS, Connection

WINDOWS = (2 << 20, 16 << 20)
"""Bytes the host may send ahead, at least and at most: a long path stays full, and on a short one
no more than needed is on the way, which would slow it down."""
START_SECONDS = 60.0
"""What the program may take to start, on a machine that is busy."""
SHORT_SECONDS = 0.01
BYTES_PER_SECOND = 200 << 20
"""What a path can carry, for its window."""
HIGH_WATER = 2 << 20
"""Bytes that wait to be sent before the pipe counts as full; the server's own window is 2 MiB."""
PYTHONS = "python3 /usr/bin/python3 /usr/local/bin/python3 /opt/conda/bin/python3 python"
TAIL = 2000


_windows: WeakKeyDictionary[Connection, int] = WeakKeyDictionary()


class NotRun(NotFound):
    """The program does not run there: the host has no Python, or lets nobody run anything."""


class HostPipe(asyncssh.SSHClientSession[bytes]):
    """A `model.frames.Pipe` to a program on the host."""

    def __init__(self, connection: Connection, ends: PipeEnds) -> None:
        self._connection = connection
        self._ends = ends
        self._full = self._closing = self._paused = False
        self._words = b""
        self.said = Beginning(self._came)
        self._spoke = False
        """The program itself has."""
        self._status: int | None = None
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None
        self._gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self._channel = chan
        chan.set_write_buffer_limits(HIGH_WATER)

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        if datatype == asyncssh.EXTENDED_DATA_STDERR:
            self._words = (self._words + data)[-TAIL:]
        elif not self._closing:
            self.said.take(data)

    def _came(self, data: bytes) -> None:
        self._spoke = True
        self._ends.came(data)

    def exit_status_received(self, status: int) -> None:
        self._status = status

    def eof_received(self) -> bool:
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._gone.done():
            self._gone.set_result(None)
        if not self._closing:
            self._ends.ended(self._why())

    def _why(self) -> CloudtuiError:
        host = self._connection.route.spoken
        if self._status is None:
            return self._connection.lost or ConnectionCut(f"The connection to {host} was lost.")
        if self._status in (files.NO_PYTHON, 126, 127) and not self._spoke:
            return NotRun(
                f"{host} has no Python 3, which cloudtui reads and writes files with there."
            )
        told = (self.said.instead + self._words).decode(errors="replace").strip().splitlines()
        if not self._spoke:
            return NotRun(
                f"{host} does not run the program that reads and writes files: exit status "
                f"{self._status}.",
                told[-1] if told else "",
                "Its SSH server may run one command only (ForceCommand), or the user's shell none.",
            )
        return CloudtuiError(
            f"The program that reads and writes files on {host} has ended with exit status "
            f"{self._status}.",
            told[-1] if told else "",
        )

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self._ends.room()

    @property
    def full(self) -> bool:
        return self._full

    def write(self, data: bytes) -> None:
        if self._channel and not self._gone.done():
            with contextlib.suppress(OSError):
                self._channel.write(data)

    def pause(self) -> None:
        if self._channel and not self._paused and not self._gone.done():
            self._paused = True
            self._channel.pause_reading()

    def resume(self) -> None:
        if self._channel and self._paused and not self._gone.done():
            self._paused = False
            self._channel.resume_reading()

    async def close(self) -> None:
        self._closing = True
        if self._channel and not self._gone.done():
            self._channel.abort()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2):
                    await asyncio.shield(self._gone)


def command() -> str:
    """What the login shell is given, whichever it is: one line, no `!`, no backslash."""
    python = files.start().replace("'", '"')
    return (
        f"exec sh -c 'for p in {PYTHONS}; do command -v $p >/dev/null 2>&1 && "
        f'$p -c "" 2>/dev/null && exec $p -c "$0"; done; exit {files.NO_PYTHON}\' '
        f"'{python}'"
    )


async def start(connection: Connection, ends: PipeEnds) -> HostPipe:
    """Start the program on the host; `ends.ended` is told `NotRun` where it cannot.

    Raises:
        ConnectionCut: the connection is gone.
        Refused: the server opens no more sessions.
        Timeout: it opened none in time.
    """
    pipe = HostPipe(connection, ends)
    host = connection.route.spoken
    if connection not in _windows:
        trip = await connection.latency()
        if trip > SHORT_SECONDS:  # or one of the two sides was busy
            trip = min(trip, await connection.latency())
        carried = int(trip * BYTES_PER_SECOND)
        _windows[connection] = max(WINDOWS[0], min(carried, WINDOWS[1]))
    try:
        async with asyncio.timeout(OPEN_SECONDS):
            await connection.with_room(
                lambda ssh: ssh.create_session(
                    lambda: pipe,
                    f"{pipe.said.command}; {command()}",
                    encoding=None,
                    request_pty=False,
                    window=_windows[connection],
                )
            )
    except TimeoutError:
        raise Timeout(
            f"{host} opened no session within {OPEN_SECONDS:.0f} s.",
            hint="The machine may be overloaded; try again in a minute.",
        ) from None
    except asyncssh.ChannelOpenError as error:
        if connection.closed:
            raise connection.cut() from error
        raise Refused(
            f"{host} opens no more sessions on this connection.",
            str(error),
            "Its SSH server allows MaxSessions (10 by default) at once; leave a pane first.",
        ) from error
    except (asyncssh.Error, OSError) as error:
        raise connection.cut() from error
    pipe.write(files.program())
    return pipe
