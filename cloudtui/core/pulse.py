"""Round trips on the connections that somebody uses: a line that went dead is seen in seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from cloudtui.core.tasks import cancel, keep
from cloudtui.model.errors import CloudtuiError

if TYPE_CHECKING:
    from cloudtui.ssh.connection import Connection

EVERY = 1.0
"""Seconds between two questions."""
STALLED_AFTER = 2.0
"""Seconds without an answer after which a connection counts as stalled."""
DEAD_AFTER = 6.0
"""Seconds without an answer and without a byte after which it is dropped."""
AWAKE_DEAD_AFTER = 3.0
"""The same when this computer was asleep or has changed its network."""


class Pulse:
    """Asks each connection for a sign of life while `follow` names any; drops the dead."""

    def __init__(
        self,
        answered: Callable[[Connection, float], None],
        stalled: Callable[[Connection], None],
    ) -> None:
        self._answered = answered
        self._stalled = stalled
        self._which: Callable[[], dict[Connection, int]] = dict
        self._keeper: asyncio.Task[None] | None = None
        self._asking: dict[Connection, asyncio.Task[None]] = {}

    def follow(self, which: Callable[[], dict[Connection, int]]) -> None:
        """Measure the connections that `which` gives, each with the bytes received over it."""
        self._which = which
        if self._keeper is None:
            self._keeper = keep(self._keep(), "pulse")

    def check(self, connections: Iterable[Connection]) -> None:
        """Ask these now, and drop those that do not answer within `AWAKE_DEAD_AFTER`."""
        for connection in connections:
            asking = self._asking.pop(connection, None)
            if asking:
                asking.cancel()
            self._ask(connection, AWAKE_DEAD_AFTER)

    async def close(self) -> None:
        await cancel(self._keeper)
        for task in list(self._asking.values()):
            await cancel(task)

    async def _keep(self) -> None:
        while True:
            for connection in self._which():
                if connection not in self._asking:
                    self._ask(connection, DEAD_AFTER)
            await asyncio.sleep(EVERY)

    def _ask(self, connection: Connection, limit: float) -> None:
        task = keep(self._asked(connection, limit), "round trip")
        self._asking[connection] = task

        def forget(done: asyncio.Task[None]) -> None:
            if self._asking.get(connection) is done:
                del self._asking[connection]

        task.add_done_callback(forget)

    async def _asked(self, connection: Connection, limit: float) -> None:
        question = asyncio.ensure_future(connection.latency())
        try:
            waited = 0.0
            received = self._which().get(connection, 0)
            while not (await asyncio.wait([question], timeout=STALLED_AFTER / 2))[0]:
                waited += STALLED_AFTER / 2
                now = self._which().get(connection, 0)
                if now != received:  # bytes come in: the answer is behind them
                    received, waited = now, 0.0
                elif waited >= limit:
                    connection.drop(f"No sign of life for {limit:g} s.")
                    return
                elif waited >= STALLED_AFTER:
                    self._stalled(connection)
            try:
                self._answered(connection, question.result())
            except CloudtuiError:
                return  # it was lost meanwhile, and whoever uses it has been told
        finally:
            question.cancel()
            await asyncio.wait([question])
