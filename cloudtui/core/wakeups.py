"""Notices that this computer has been asleep, or is on another network than before."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from cloudtui.core.tasks import cancel, keep
from cloudtui.files.network import source_addresses

EVERY = 1.0
"""Seconds between two looks."""
ASLEEP = 5.0
"""A look that comes so many seconds late was slept through."""


class Wakeups:
    """Calls `woke` when the wall clock jumped, or when the address used for the world changed
    to another one (not while it is lost: there is nothing to try then)."""

    def __init__(
        self,
        woke: Callable[[], None],
        *,
        clock: Callable[[], float] = time.time,
        addresses: Callable[[], tuple[str, ...]] = source_addresses,
        every: float = EVERY,
    ) -> None:
        self._woke = woke
        self._clock = clock
        self._addresses = addresses
        self._every = every
        self._keeper: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self._keeper is None:
            self._keeper = keep(self._keep(), "wake-ups")

    async def close(self) -> None:
        await cancel(self._keeper)

    async def _keep(self) -> None:
        before, looked = self._addresses(), self._clock()
        while True:
            await asyncio.sleep(self._every)
            now, addresses = self._clock(), self._addresses()
            slept = now - looked > self._every + ASLEEP
            changed = addresses != before
            looked, before = now, addresses
            if (addresses and changed) or (slept and not changed):
                self._woke()
