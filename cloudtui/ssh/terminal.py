"""Channels that run something on the host: a terminal, or a command without one."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
from collections.abc import Callable
from dataclasses import dataclass

import asyncssh

TAIL_BYTES = 4096
_ESCAPES = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC: titles, colours
    r"|\x1b[PX^_].*?\x1b\\"  # DCS, SOS, PM, APC
    r"|\x1b\[[0-?]*[ -/]*[@-~]"  # CSI
    r"|\x1b[ -/]*."
    r"|[\x00-\x08\x0e-\x1f]",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class TerminalEnd:
    """How a channel ended."""

    exit_status: int | None
    """128 + n for death by signal n; None when the connection was lost first."""
    lost: bool
    tail: str
    """The last line printed, without escape sequences."""


class Channel(asyncssh.SSHClientSession[bytes]):
    """What comes from one session channel: bytes to callbacks, the end to a future."""

    def __init__(
        self,
        on_data: Callable[[bytes], None],
        on_stderr: Callable[[bytes], None] | None = None,
    ) -> None:
        self._on_data = on_data
        self._on_stderr = on_stderr or on_data
        self._status: int | None = None
        self.signal = ""
        self.tail = b""
        self.channel: asyncssh.SSHClientChannel[bytes] | None = None
        self.ended: asyncio.Future[TerminalEnd] = asyncio.get_running_loop().create_future()
        self._room = asyncio.Event()
        self._room.set()

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self.channel = chan

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        self.tail = (self.tail + data[-TAIL_BYTES:])[-TAIL_BYTES:]
        if datatype == asyncssh.EXTENDED_DATA_STDERR:
            self._on_stderr(data)
        else:
            self._on_data(data)

    def eof_received(self) -> bool:
        return True

    def exit_status_received(self, status: int) -> None:
        self._status = status

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        self.signal = signal
        self._status = 128 + signal_number(signal)

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    async def drain(self) -> None:
        """Wait while the host is slow to take what was written."""
        await self._room.wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._room.set()
        if not self.ended.done():
            lost = self._status is None
            self.ended.set_result(TerminalEnd(self._status, lost, last_line(self.tail)))

    def write(self, data: bytes) -> None:
        """Nothing happens once the channel is closed."""
        if self.channel and not self.ended.done():
            with contextlib.suppress(BrokenPipeError):
                self.channel.write(data)

    async def close(self) -> None:
        """Close the channel and wait until it is gone; 2 s at most."""
        if self.channel and not self.ended.done():
            self.channel.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2):
                    await self.channel.wait_closed()


class Terminal:
    """A program on a pseudo-terminal of the host."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._paused = False

    def write(self, data: bytes) -> None:
        """Keys for the program; ignored after its end."""
        self._channel.write(data)

    def resize(self, columns: int, rows: int) -> None:
        """The size in cells; ignored after the end."""
        chan = self._channel.channel
        if chan and not self._channel.ended.done() and not chan.is_closing():
            chan.change_terminal_size(columns, rows)

    def pause(self) -> None:
        """Take no more output for now; the program blocks once the window is full."""
        chan = self._channel.channel
        if chan and not self._paused and not self._channel.ended.done():
            self._paused = True
            chan.pause_reading()

    def resume(self) -> None:
        """Take output again."""
        chan = self._channel.channel
        if chan and self._paused and not self._channel.ended.done():
            self._paused = False
            chan.resume_reading()

    @property
    def ended(self) -> bool:
        return self._channel.ended.done()

    async def wait(self) -> TerminalEnd:
        """The end of the program, or of the connection."""
        return await asyncio.shield(self._channel.ended)

    async def close(self) -> None:
        """Hang up: the program gets SIGHUP, which makes a tmux or screen client detach."""
        await self._channel.close()


def signal_number(name: str) -> int:
    """The number of a signal named as SSH does (`KILL`); 0 for an unknown one."""
    found = signal.Signals.__members__.get(f"SIG{name}")
    return found.value if found else 0


def last_line(data: bytes) -> str:
    """The last line with something on it, escape sequences taken out."""
    text = _ESCAPES.sub("", data.decode(errors="replace"))
    lines = [line.rstrip("\r").rpartition("\r")[2].strip() for line in text.split("\n")]
    return next((line for line in reversed(lines) if line), "")
