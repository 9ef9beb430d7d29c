"""Bytes of the remote on their way to the engine: never long at a time, never too many waiting."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import perf_counter

CHUNK = 64 * 1024
"""Bytes given to the engine at once."""
SLICE = 0.004
"""Seconds of feeding before the event loop gets its turn."""
HIGH = 1 << 20
"""Bytes waiting before the remote is asked to pause."""
LOW = 1 << 18
"""Bytes waiting below which it goes on."""
SMALL = 4096
"""Bytes fed at once without waiting for a turn: the echo of a key."""


class Feeder:
    """Calls `feed` with what `take` was given, in order, and `after` when a turn is through."""

    def __init__(
        self,
        feed: Callable[[bytes], None],
        after: Callable[[], None],
        pause: Callable[[], None],
        resume: Callable[[], None],
    ) -> None:
        self._feed = feed
        self._after = after
        self._pause = pause
        self._resume = resume
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._paused = False
        self._turn: asyncio.Handle | None = None

    @property
    def waiting(self) -> int:
        """Bytes not yet fed."""
        return self._size

    def take(self, data: bytes) -> None:
        if not data:
            return
        if self._turn is None and len(data) <= SMALL:
            self._feed(data)
            self._after()
            return
        self._waiting.extend(data[at : at + CHUNK] for at in range(0, len(data), CHUNK))
        self._size += len(data)
        if self._turn is None:
            self._turn = asyncio.get_running_loop().call_soon(self._run)
        if self._size > HIGH and not self._paused:
            self._paused = True
            self._pause()

    def finish(self) -> None:
        """Feed all that waits, for the last screen of a program that has ended."""
        self.stop()
        while self._waiting:
            self._feed(self._waiting.popleft())
        self._size = 0
        self._after()

    def stop(self) -> None:
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None

    def _run(self) -> None:
        self._turn = None
        until = perf_counter() + SLICE
        waiting = self._waiting
        while waiting:
            data = waiting.popleft()
            self._size -= len(data)
            self._feed(data)
            if perf_counter() > until:
                break
        if waiting:
            self._turn = asyncio.get_running_loop().call_soon(self._run)
        if self._paused and self._size < LOW:
            self._paused = False
            self._resume()
        self._after()
