"""Copies between this computer and the machines: several at once, in the background."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from cloudtui.core.copying import Copying, CopyOrder, Spot
from cloudtui.core.events import CopiesChanged, Event, Events
from cloudtui.core.file_system import FileSystem
from cloudtui.core.tasks import cancel, keep
from cloudtui.core.telling import Telling
from cloudtui.model.copy import CopyPhase, CopyPlan, CopyState
from cloudtui.model.errors import READ_ONLY, CloudtuiError, NotFound, Refused, UsageError
from cloudtui.model.instance import Instance

if TYPE_CHECKING:
    from cloudtui.core.connections import Connections

__all__ = ["Copies", "CopyOrder", "Spot"]

AT_ONCE = 3
"""Copies that run side by side; the others wait."""
ENDED_KEPT = 50
HERE = "this computer"


class Copies:
    """Every copy of this run, the newest last."""

    def __init__(
        self, connections: Connections, events: Events, *, read_only: bool = False
    ) -> None:
        self._connections = connections
        self._events = events
        self._read_only = read_only
        self._copies: dict[str, Copying] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._telling = Telling(self._tell)
        self._number = 0

    @property
    def states(self) -> tuple[CopyState, ...]:
        return tuple(copy.state for copy in self._copies.values())

    @property
    def running(self) -> tuple[CopyState, ...]:
        return tuple(state for state in self.states if not state.ended)

    def why_not(self, order: CopyOrder) -> str:
        """Why it may not be done; empty when it may."""
        return READ_ONLY if self._read_only and order.uploads else ""

    def start(self, order: CopyOrder) -> str:
        """Begin a copy, or put it in the queue; its key.

        Raises:
            Refused: something on a host would change, and nothing may.
            UsageError: both sides are this computer.
        """
        self._refuse(order)
        for old in [s.key for s in self.states if s.ended][:-ENDED_KEPT]:
            del self._copies[old], self._tasks[old]
        self._number += 1
        key = str(self._number)
        copy = Copying(key, order, self.file_system, self._telling.soon)
        self._copies[key] = copy
        self._tasks[key] = keep(self._run(copy), f"copy {key}")
        self._telling.soon()
        return key

    async def plan(self, order: CopyOrder) -> list[tuple[Instance | None, CopyPlan]]:
        """What it would do, by the machine that it comes from.

        Raises:
            CloudtuiError: it cannot be done.
        """
        self._refuse(order)
        return await Copying("", order, self.file_system, lambda: None).plan()

    async def wait(self, key: str) -> CopyState:
        """The end of a copy."""
        await asyncio.wait([self._tasks[key]])
        return self._copies[key].state

    def state(self, key: str) -> CopyState:
        return self._copies[key].state

    async def cancel(self, key: str) -> None:
        """End it where it is; the part file stays, so that the same copy goes on from there.

        Raises:
            NotFound: there is no such copy.
        """
        if key not in self._tasks:
            raise NotFound(f"There is no copy {key}.")
        await cancel(self._tasks[key])

    def forget_ended(self) -> None:
        """Those that have ended are listed no more."""
        for key in [s.key for s in self.states if s.ended]:
            del self._copies[key], self._tasks[key]
        self._telling.soon()

    async def file_system(self, instance: Instance | None) -> FileSystem:
        """The files of a machine, or of this computer for None; whoever asks for it closes it.

        Raises:
            CloudtuiError: no connection, or neither Python nor SFTP there.
        """
        if instance is None:
            from cloudtui.files import here

            files = FileSystem(HERE)
            files.pipe = here.start(files)
            return files
        from cloudtui.ssh import copy, sftp_copy

        connection = await self._connections.get(instance)
        files = FileSystem(instance.spoken)
        files.pipe = await copy.start(connection, files)
        try:
            async with asyncio.timeout(copy.START_SECONDS):
                await files.ask("hello", home=True)
        except (copy.NotRun, TimeoutError) as error:
            await files.close()
            files = FileSystem(instance.spoken)
            files.pipe = await sftp_copy.start(connection, files, error)
        except BaseException:
            await files.close()
            raise
        return files

    async def close(self) -> None:
        self._telling.stop()
        for task in list(self._tasks.values()):
            with contextlib.suppress(CloudtuiError):
                await cancel(task)

    def _refuse(self, order: CopyOrder) -> None:
        if reason := self.why_not(order):
            raise Refused(reason)
        if not order.target.instance and not any(s.instance for s in order.sources):
            raise UsageError(
                "Neither side is a machine.",
                hint="Write NAME:path for the one that is. Here alone: cp -r",
            )

    async def _run(self, copy: Copying) -> None:
        try:
            async with self._turns:
                await copy.run()
        except asyncio.CancelledError:
            self._end(copy, CopyPhase.CANCELLED, None)
            raise
        except CloudtuiError as error:
            self._end(copy, CopyPhase.FAILED, error)
        except OSError as error:
            why = CloudtuiError(f"{copy.state.words}: {error.strerror or error}.")
            self._end(copy, CopyPhase.FAILED, why)
        self._telling.soon()

    def _end(self, copy: Copying, phase: CopyPhase, error: CloudtuiError | None) -> None:
        copy.state = replace(copy.state, phase=phase, error=error, rate=0.0, left=None)
        self._telling.soon()

    def _tell(self) -> bool:
        self._events.emit(CopiesChanged(self.states))
        return True

    def listen(self, heard: Callable[[tuple[CopyState, ...]], None]) -> Callable[[], None]:
        """Be told of every change of a copy; the returned function ends that."""

        def on_event(event: Event) -> None:
            if isinstance(event, CopiesChanged):
                heard(event.copies)

        return self._events.listen(on_event)
