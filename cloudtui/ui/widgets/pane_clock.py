"""When a pane paints: at once after quiet, once a frame in a flood, not in the middle of a hold."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter

FRAME = 1 / 60
"""Seconds between two paints of a flood."""
HOLD = 0.15
"""Longest time, in seconds, a program may hold painting."""


class PaintClock:
    """Calls `paint` after `schedule`; `held` says whether the program asks to wait."""

    def __init__(self, paint: Callable[[], None], held: Callable[[], bool]) -> None:
        self._paint = paint
        self._held = held
        self._turn: asyncio.Handle | None = None
        self._painted = 0.0
        self._held_since = 0.0

    def schedule(self) -> None:
        if self._turn is None:
            loop = asyncio.get_running_loop()
            wait = self._painted + FRAME - perf_counter()
            if wait > 0:
                self._turn = loop.call_later(wait, self._run)
            else:
                self._turn = loop.call_soon(self._run)

    def stop(self) -> None:
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None

    def _run(self) -> None:
        self._turn = None
        now = perf_counter()
        if self._held():
            self._held_since = self._held_since or now
            if now - self._held_since < HOLD:
                self._turn = asyncio.get_running_loop().call_later(FRAME / 2, self._run)
                return
        self._held_since = 0.0
        self._painted = now
        self._paint()
