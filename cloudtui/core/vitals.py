"""What machines are doing, watched for as long as somebody looks, over cuts of the connection."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from cloudtui.core.events import Events, VitalsChanged, VitalsState
from cloudtui.core.tasks import cancel, keep
from cloudtui.model.errors import CloudtuiError, NotFound
from cloudtui.model.instance import Instance
from cloudtui.model.vitals import EVERY, KEPT, Sample
from cloudtui.model.vitals_reader import Reader

if TYPE_CHECKING:
    from cloudtui.core.connections import Connections

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 15.0
"""Seconds before the next try after the stream ended."""
LATE, SILENT = 7.0, 15.0
"""Seconds without a sample after which that is told, and the stream is begun anew."""


class Watch:
    """Somebody who looks; `close` when nobody does any more."""

    def __init__(self, end: Callable[[], None]) -> None:
        self._end: Callable[[], None] | None = end

    def close(self) -> None:
        end, self._end = self._end, None
        if end:
            end()


class Vitals:
    """The last state per instance, which outlives the watching; every sample is emitted."""

    def __init__(
        self,
        connections: Connections,
        events: Events,
        *,
        clock: Callable[[], float] = time.time,
        every: float = EVERY,
        first_pause: float = FIRST_PAUSE,
    ) -> None:
        self._connections = connections
        self._events = events
        self._clock = clock
        self._every = every
        self._first_pause = first_pause
        self._states: dict[str, VitalsState] = {}
        self._watching: dict[str, int] = {}
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def state(self, instance_id: str) -> VitalsState:
        """What is known; without samples before the first."""
        return self._states.get(instance_id) or VitalsState(instance_id)

    def watch(self, instance: Instance, *, ask: bool = True) -> Watch:
        """Have samples of it until the watch is closed. All who watch one machine share one
        channel. Without `ask` a connection that would put a question is a failure."""
        key = instance.id
        self._watching[key] = self._watching.get(key, 0) + 1
        if key not in self._keepers:
            self._keepers[key] = keep(self._keep(instance, ask), f"vitals of {key}")
        return Watch(lambda: self._unwatch(key))

    async def close(self) -> None:
        self._watching.clear()
        for task in [*self._keepers.values(), *self._ending]:
            await cancel(task)

    def _unwatch(self, key: str) -> None:
        left = self._watching.get(key, 0) - 1
        if left > 0:
            self._watching[key] = left
            return
        self._watching.pop(key, None)
        if keeper := self._keepers.pop(key, None):
            keeper.cancel()
            self._ending.add(keeper)
            keeper.add_done_callback(self._ending.discard)

    async def _keep(self, instance: Instance, ask: bool) -> None:
        pause = self._first_pause
        try:
            while True:
                begun = len(self.state(instance.id).samples)
                try:
                    await self._stream(instance, ask)
                except CloudtuiError as error:
                    self._set(replace(self.state(instance.id), live=False, error=error))
                if len(self.state(instance.id).samples) > begun:
                    pause = self._first_pause
                ask = False
                await self._connections.pause(pause)
                pause = min(LONGEST_PAUSE, pause * 2)
        finally:
            self._set(replace(self.state(instance.id), live=False))

    async def _stream(self, instance: Instance, ask: bool) -> None:
        """Samples until the stream ends.

        Raises:
            CloudtuiError: always, with the reason of the end.
        """
        from cloudtui.ssh.vitals import vitals

        reader = Reader()
        loop = asyncio.get_running_loop()
        heard = loop.time()

        def take(data: bytes) -> None:
            nonlocal heard
            for sample in reader.feed(data, self._clock()):
                heard = loop.time()
                self._add(instance.id, sample)

        connection = await self._connections.get(instance, ask=ask)
        command = await vitals(connection, take, self._every)
        ended = asyncio.ensure_future(command.wait())
        try:
            while not ended.done():
                limit = LATE if self.state(instance.id).live else SILENT
                await asyncio.wait([ended], timeout=max(0.1, heard + limit - loop.time()))
                if ended.done() or loop.time() - heard < limit:
                    continue
                late = CloudtuiError(
                    f"{instance.label} has told nothing for {limit:.0f} s.",
                    hint="It may be overloaded, or the connection is stuck.",
                )
                if limit == SILENT:
                    raise late
                self._set(replace(self.state(instance.id), live=False, error=late))
            ended.result()
            raise NotFound(
                f"{instance.label} cannot tell what it is doing.",
                reader.problem or "The program that reads /proc there ended at once.",
                "A machine needs Linux's /proc and awk for that.",
            )
        finally:
            ended.cancel()
            await asyncio.wait([ended])
            if not ended.cancelled():
                ended.exception()
            await command.close()

    def _add(self, key: str, sample: Sample) -> None:
        known = self.state(key).samples
        first = sample.when - KEPT
        if known and known[-1].when > sample.when:
            known = ()  # the clock was set back
        if known:  # processes are told of the last sample only
            known = (*known[:-1], replace(known[-1], processes=()))
        kept = tuple(each for each in known if each.when >= first)
        self._set(VitalsState(key, (*kept, sample), live=True))

    def _set(self, state: VitalsState) -> None:
        if state == self.state(state.instance_id):
            return
        self._states[state.instance_id] = state
        self._events.emit(VitalsChanged(state))
