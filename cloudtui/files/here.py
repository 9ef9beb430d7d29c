"""The files of this computer, through the program that shows those of a host: in a thread of its
own, so that a slow disk holds nothing up."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading

from cloudtui.host.files.frames import Input, Output
from cloudtui.host.files.serve import serve
from cloudtui.model.frames import PipeEnds

HIGH_WATER = 8 << 20
"""Bytes that wait for the disk before the pipe counts as full."""
LOW_WATER = 2 << 20
AHEAD = 4 << 20
"""Bytes that were read and wait to be taken."""


class _Keys(Input):
    """What was written to the pipe."""

    def __init__(self, pipe: ThreadPipe) -> None:
        super().__init__()
        self._pipe = pipe
        self._next: bytes | None = None
        self.waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def ready(self, seconds: float) -> bool:
        if self._next is None:
            with contextlib.suppress(queue.Empty):
                self._next = self.waiting.get(seconds > 0, seconds or None)
        return self._next is not None

    def read(self) -> bytes:
        found, self._next = self._next, None
        if found is None:
            found = self.waiting.get()
        self._pipe.taken(len(found))
        return found


class _Words(Output):
    """What the program says."""

    def __init__(self, pipe: ThreadPipe) -> None:
        super().__init__()
        self._pipe = pipe

    def write(self, data: bytearray) -> None:
        self._pipe.say(bytes(data))


class ThreadPipe:
    """A `model.frames.Pipe` to a thread."""

    def __init__(self, ends: PipeEnds) -> None:
        self._ends = ends
        self._loop = asyncio.get_running_loop()
        self._keys = _Keys(self)
        self._go = threading.Condition()
        self._unwritten = self._unheard = 0
        self._full = self._paused = self._closed = False
        threading.Thread(target=self._run, name="files", daemon=True).start()

    def _run(self) -> None:
        with contextlib.suppress(SystemExit):
            serve(self._keys, _Words(self))

    # In the thread

    def taken(self, size: int) -> None:
        with self._go:
            self._unwritten -= size
            eased = self._full and self._unwritten < LOW_WATER
        if eased:
            self._call(self._eased)

    def say(self, data: bytes) -> None:
        with self._go:
            while (self._paused or self._unheard > AHEAD) and not self._closed:
                self._go.wait()
            if self._closed:
                raise SystemExit
            self._unheard += len(data)
        self._call(self._heard, data)

    def _call(self, *what: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens
            self._loop.call_soon_threadsafe(*what)  # type: ignore[arg-type]

    # On the loop

    def _heard(self, data: bytes) -> None:
        with self._go:
            self._unheard -= len(data)
            self._go.notify()
        if not self._closed:
            self._ends.came(data)

    def _eased(self) -> None:
        if self._full and not self._closed:
            self._full = False
            self._ends.room()

    @property
    def full(self) -> bool:
        return self._full

    def write(self, data: bytes) -> None:
        if data and not self._closed:
            with self._go:
                self._unwritten += len(data)
                self._full = self._full or self._unwritten > HIGH_WATER
            self._keys.waiting.put(data)

    def pause(self) -> None:
        with self._go:
            self._paused = True

    def resume(self) -> None:
        with self._go:
            self._paused = False
            self._go.notify()

    async def close(self) -> None:
        with self._go:
            self._closed = True
            self._go.notify()
        self._keys.waiting.put(b"")


def start(ends: PipeEnds) -> ThreadPipe:
    """Start the program here."""
    return ThreadPipe(ends)
