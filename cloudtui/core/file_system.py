"""The files of one machine, this computer or a host: questions, and the two ends of a copy."""

from __future__ import annotations

import asyncio
import errno
import os
import time
from collections import deque
from collections.abc import Callable
from math import inf
from typing import Any

from cloudtui.model.errors import CloudtuiError, NotFound, Refused
from cloudtui.model.frames import FrameReader, Pipe, frame

FULL = (errno.ENOSPC, errno.EDQUOT)

TURN_SECONDS = 0.008
"""What is said is read so long, before others have their turn."""
BEHIND = 1 << 20

OnFrame = Callable[[bytes, int, Any], None]
OnData = Callable[[int, memoryview], None]


class FileSystem:
    """Asks the file program of one machine; what it says of files goes to `on_frame`, `on_data`.

    Every question raises the pipe's own error once that has ended.
    """

    def __init__(self, label: str) -> None:
        self.label = label
        """Whose files, in sentences: `this computer`, `bert-gpu`."""
        self.pipe: Pipe
        self.failed: Exception | None = None
        self.on_frame: OnFrame = lambda kind, number, value: None
        self.on_data: OnData = lambda number, data: None
        self.on_room: Callable[[], None] = lambda: None
        self.on_end: Callable[[Exception], None] = lambda error: None
        self._reader = FrameReader(self._frame, self._data)
        self._unread: deque[memoryview] = deque()
        self._behind = 0
        """Bytes of it."""
        self._turn_ends = 0.0
        self._paused = self._held = False
        self._number = 0
        self._asked: dict[int, tuple[asyncio.Future[Any], list[Any], bytearray]] = {}
        self._room = asyncio.Event()
        self._room.set()

    # What the pipe tells

    def came(self, data: bytes) -> None:
        if self.failed:
            return
        self._unread.append(memoryview(data))
        self._behind += len(data)
        if not self._turn_ends:
            self._begin_turn()
        self._take()

    def _begin_turn(self) -> None:
        self._turn_ends = time.monotonic() + TURN_SECONDS
        asyncio.get_running_loop().call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._turn_ends = 0.0
        if self._unread:
            self._begin_turn()
            self._take()

    def _take(self, until: float | None = None) -> None:
        """Read what came, as far as this turn of the loop goes: it may be thousands of frames."""
        until = until or self._turn_ends
        try:
            while self._unread and not self.failed:
                left = self._reader.feed(self._unread[0], until)
                self._behind -= len(self._unread[0]) - len(left)
                if left:
                    self._unread[0] = left
                    break
                self._unread.popleft()
        except ValueError as error:
            self._unread.clear()
            self.ended(CloudtuiError(f"{self.label} gave no answer that can be read.", str(error)))
        self._slow_down()

    def pause(self) -> None:
        """Hear no more of files for now."""
        self._paused = True
        self._slow_down()

    def resume(self) -> None:
        self._paused = False
        self._slow_down()

    def _slow_down(self) -> None:
        """What comes faster than it is read waits on its way, not in memory."""
        held = self._paused or self._behind > (0 if self._held else BEHIND)
        if held != self._held:
            self._held = held
            (self.pipe.pause if held else self.pipe.resume)()

    def room(self) -> None:
        self._room.set()
        self.on_room()

    def ended(self, error: Exception) -> None:
        self._take(inf)
        self.failed = error
        for future, _, _ in self._asked.values():
            if not future.done():
                future.set_exception(error)
        self._asked.clear()
        self._room.set()
        self.on_end(error)

    def _frame(self, kind: bytes, number: int, value: Any) -> None:
        if kind in b"BHEFO":
            self.on_frame(kind, number, value)
            return
        asked = self._asked.get(number)
        if asked is None:
            return
        future, found, _ = asked
        if kind == b"N":
            found.extend(value)
            return
        del self._asked[number]
        if future.done():
            return
        if kind == b"R":
            future.set_result(value)
        else:
            future.set_exception(OSError(value[0], value[1]))

    def _data(self, number: int, data: memoryview) -> None:
        asked = self._asked.get(number)
        if asked is not None and number >= QUESTIONS_FROM:
            asked[2].extend(data)
        else:
            self.on_data(number, data)

    # Questions

    async def ask(self, name: str, **words: Any) -> Any:
        """The answer.

        Raises:
            OSError: what the machine says against it.
            CloudtuiError: the program or the connection is gone.
        """
        answer, _, _ = await self.ask_all(name, **words)
        return answer

    async def ask_all(self, name: str, **words: Any) -> tuple[Any, list[Any], bytes]:
        """The answer, the rows that came before it, and bytes."""
        if self.failed:
            raise self.failed
        self._number += 1
        number = QUESTIONS_FROM + self._number
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        rows: list[Any] = []
        held = bytearray()
        self._asked[number] = (future, rows, held)
        self.pipe.write(frame(b"Q", number, [name, words]))
        try:
            return await future, rows, bytes(held)
        finally:
            self._asked.pop(number, None)

    async def drain(self) -> None:
        """Wait while the machine is slow to take what was written.

        Raises:
            CloudtuiError: it is gone.
        """
        while self.pipe.full and not self.failed:
            self._room.clear()
            await self._room.wait()
        if self.failed:
            raise self.failed

    async def close(self) -> None:
        self._unread.clear()
        await self.pipe.close()
        for future, _, _ in self._asked.values():
            future.cancel()


QUESTIONS_FROM = 1 << 30
"""Numbers of questions; those below are of files."""


def explained(error: OSError, what: str, where: str) -> CloudtuiError:
    """What the operating system said of a file, in words."""
    code, why = error.errno or 0, error.strerror or str(error)
    match code:
        case errno.ENOENT:
            return NotFound(f"There is no {what} on {where}.")
        case errno.EACCES | errno.EPERM:
            return Refused(
                f"{where} does not let you do that with {what}: {why}.",
                hint="See whose it is: ls -ld, and who you are there: id",
            )
        case errno.EROFS:
            return Refused(f"{what} on {where} is on a file system that is read-only.")
        case _ if code in FULL:
            return CloudtuiError(
                f"The disk of {where} is full.",
                what,
                "See what takes the room there: df -h; du -xh --max-depth=1 ~ | sort -h",
            )
        case errno.EEXIST:
            return Refused(f"{what} is on {where} already.")
        case errno.ENOTDIR:
            return CloudtuiError(f"{what} on {where}: {why}.")
        case 0:
            return CloudtuiError(f"{what} on {where}: {why}.")
    return CloudtuiError(f"{what} on {where}: {why}.", os.strerror(code))
