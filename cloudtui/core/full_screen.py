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
from cloudtui.core.tasks import cancel
from cloudtui.model.errors import UsageError
from cloudtui.model.session import Ending

RESTORE = (
    b"\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l"  # mouse reporting off
    b"\x1b[?2004l\x1b[?1004l\x1b[?1l\x1b>"  # paste brackets, focus, application keys off
    b"\x1b[<u\x1b[?25h\x1b[0 q\x1b[0m\r"  # kitty keys popped, cursor and colours as usual
)


LEFT = AttachmentEnd(Ending.DETACHED, "Left the full screen.")


class Remote(Protocol):
    """What is attached; `core.sessions.Attachment` is one."""

    def write(self, data: bytes) -> None: ...
    def resize(self, columns: int, rows: int) -> None: ...
    async def wait(self) -> AttachmentEnd: ...
    async def close(self) -> None: ...


Open = Callable[[int, int, OnData], Awaitable[Remote]]


async def take_over(open_remote: Open, leader: bytes = b"") -> AttachmentEnd:
    """Open the remote terminal at this one's size and pass bytes both ways until it ends.

    With a `leader`, that key followed by `d` or `f` ends it too, as detached.

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
    keys, left = Keys(leader), asyncio.Event()

    def typed() -> None:
        data = os.read(source, 65_536)
        if not data:
            loop.remove_reader(source)
            return
        remote.write(keys.passed(data))
        if keys.left:
            left.set()

    def resized() -> None:
        now = os.get_terminal_size(sink)
        remote.resize(now.columns, now.lines)

    tty.setraw(source, termios.TCSADRAIN)
    loop.add_reader(source, typed)
    loop.add_signal_handler(signal.SIGWINCH, resized)
    over, leaving = asyncio.create_task(remote.wait()), asyncio.create_task(left.wait())
    try:
        await asyncio.wait((over, leaving), return_when=asyncio.FIRST_COMPLETED)
        return over.result() if over.done() else LEFT
    finally:
        loop.remove_reader(source)
        loop.remove_signal_handler(signal.SIGWINCH)
        await cancel(leaving)
        if not over.done():
            await cancel(over)
        await remote.close()
        screen.restore()
        termios.tcsetattr(source, termios.TCSADRAIN, before)


class Keys:
    """What is typed, with the leader taken out of it."""

    def __init__(self, leader: bytes) -> None:
        self._leader = leader
        self._leading = False
        self.left = False
        """The leader and `d` or `f` were typed."""

    def passed(self, data: bytes) -> bytes:
        """The part that is for the program: the leader twice sends it once."""
        if not self._leader or self.left:
            return b"" if self.left else data
        out = b""
        for number in data:
            key = bytes([number])
            if self._leading:
                self._leading = False
                if key in (b"d", b"f"):
                    self.left = True
                    return out
                out += key if key == self._leader else self._leader + key
            elif key == self._leader:
                self._leading = True
            else:
                out += key
        return out


def leader_byte(key: str) -> bytes:
    """The byte that a leader such as `ctrl+]` is in a terminal; nothing when it has none."""
    name = {"right_square_bracket": "]", "backslash": "\\", "at": "@"}.get(
        key.removeprefix("ctrl+"), key.removeprefix("ctrl+")
    )
    held = key.startswith("ctrl+") and len(name) == 1
    return bytes([ord(name.upper()) & 0x1F]) if held else b""


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
