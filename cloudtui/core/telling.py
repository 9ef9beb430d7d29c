"""Changes that come in quick succession, told as one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

SHOWN_SECONDS = 0.1
"""At most one change is told in so long: 38 regions are painted a few times, not 38."""
SHOWN_SECONDS_MOST = 1.0
"""The same while whoever is told cannot keep up."""


class Telling:
    """Calls `tell` soon after `soon`, once for all that comes until then.

    `tell` says whether there was anything to tell: only then a pause follows.
    """

    def __init__(self, tell: Callable[[], bool]) -> None:
        self._tell = tell
        self._due: asyncio.TimerHandle | None = None
        self._told = 0.0
        self._gap = SHOWN_SECONDS

    def soon(self) -> None:
        if self._due is None:
            loop = asyncio.get_running_loop()
            when = max(loop.time(), self._told + self._gap)
            self._due = loop.call_at(when, self.now)

    def now(self) -> None:
        loop = asyncio.get_running_loop()
        if self._due:
            # Late means that the loop was busy, most likely with showing the change before.
            late = loop.time() - self._due.when()
            self._gap = min(SHOWN_SECONDS_MOST, max(SHOWN_SECONDS, 4 * late))
            self.stop()
        if self._tell():
            self._told = loop.time()

    def stop(self) -> None:
        """Tell nothing more of what has come so far."""
        if self._due:
            self._due.cancel()
            self._due = None
