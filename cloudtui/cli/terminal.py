"""The real terminal handed to a remote one, and given back clean."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import termios
import tty
from collections.abc import Awaitable, Callable
from typing import Protocol

from cloudtui.core.attachment import AttachmentEnd, OnData
from cloudtui.model.errors import UsageError

RESTORE = (
    b"\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l"  # mouse reporting off
    b"\x1b[?2004l\x1b[?1004l\x1b[?1l\x1b>"  # paste brackets, focus, application keys off
    b"\x1b[<u\x1b[?25h\x1b[0 q\x1b[0m\r"  # kitty keys popped, cursor and colours as usual
)


class Remote(Protocol):
    """What is attached; `core.sessions.Attachment` is one."""

    def write(self, data: bytes) -> None: ...
    def resize(self, columns: int, rows: int) -> None: ...
    async def wait(self) -> AttachmentEnd: ...
    async def close(self) -> None: ...


Open = Callable[[int, int, OnData], Awaitable[Remote]]


async def take_over(open_remote: Open) -> AttachmentEnd:
    """Open the remote terminal at this one's size and pass bytes both ways until it ends.

    Raises:
        UsageError: stdin or stdout is not a terminal.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "This needs a terminal, and stdin or stdout is not one.",
            hint="To run one command without a terminal: cloudtui ssh NAME -- COMMAND",
        )
    source, sink = sys.stdin.fileno(), sys.stdout.fileno()
    size = os.get_terminal_size(sink)
    screen = _Screen(sink)
    remote = await open_remote(size.columns, size.lines, screen.write)
    loop = asyncio.get_running_loop()
    before = termios.tcgetattr(source)

    def typed() -> None:
        data = os.read(source, 65_536)
        if data:
            remote.write(data)
        else:
            loop.remove_reader(source)

    def resized() -> None:
        now = os.get_terminal_size(sink)
        remote.resize(now.columns, now.lines)

    tty.setraw(source, termios.TCSADRAIN)
    loop.add_reader(source, typed)
    loop.add_signal_handler(signal.SIGWINCH, resized)
    try:
        return await remote.wait()
    finally:
        loop.remove_reader(source)
        loop.remove_signal_handler(signal.SIGWINCH)
        await remote.close()
        screen.restore()
        termios.tcsetattr(source, termios.TCSADRAIN, before)


class _Screen:
    """The local screen, and whether the remote program left it on the alternate one."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._alternate = False
        self._last = b""

    def write(self, data: bytes) -> None:
        seen = self._last + data
        entered, left = seen.rfind(b"\x1b[?1049h"), seen.rfind(b"\x1b[?1049l")
        if entered != left:
            self._alternate = entered > left
        self._last = data[-7:]
        self._put(data)

    def restore(self) -> None:
        self._put((b"\x1b[?1049l" if self._alternate else b"") + RESTORE)

    def _put(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]
