"""Long runs on hosts: started, listed, followed, stopped; whatever happens to this computer they
go on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from cloudtui.core.connections import Connections
from cloudtui.core.events import Events, JobsChanged, JobsState
from cloudtui.core.inventory import Inventory
from cloudtui.model.errors import READ_ONLY, CloudtuiError, Refused
from cloudtui.model.instance import Instance, State
from cloudtui.model.job import Job, JobSpec, find_job

if TYPE_CHECKING:
    from cloudtui.core.then import Confirm

AT_ONCE = 16
"""Hosts asked at the same time."""


@dataclass(frozen=True, slots=True)
class HostJobs:
    """A running machine and what is known of its runs."""

    instance: Instance
    state: JobsState
    connected: bool
    """A connection to it is open now."""

    @property
    def jobs(self) -> tuple[Job, ...]:
        return self.state.jobs

    @property
    def words(self) -> str:
        """Why it has no rows of its own, or why they are old; empty when all is well."""
        if self.state.error:
            return self.state.error.title
        if self.state.updated is None:
            return "asking …" if self.state.loading else "not asked yet"
        return "" if self.jobs else "no run"


class Jobs:
    """Keeps the last state per instance; every change is emitted as JobsChanged."""

    def __init__(
        self, inventory: Inventory, connections: Connections, events: Events, *, read_only: bool
    ) -> None:
        self._inventory = inventory
        self._connections = connections
        self._events = events
        self._read_only = read_only
        self._states: dict[str, JobsState] = {}

    def state(self, instance_id: str) -> JobsState:
        """The last state known; `updated` is None before the first answer."""
        return self._states.get(instance_id) or JobsState(instance_id)

    @property
    def hosts(self) -> tuple[HostJobs, ...]:
        """Every running machine, by name."""
        running = [i for i in self._inventory.state.instances if i.state is State.RUNNING]
        running.sort(key=lambda i: (not i.name, i.name.casefold(), i.id))
        return tuple(
            HostJobs(i, self.state(i.id), self._connections.peek(i) is not None) for i in running
        )

    async def refresh(self, *, ask: bool = False) -> None:
        """Ask every host that has an open connection; with `ask` connect to the others too.

        A failure is in that host's state and stops no other. Cancelling stops those under way.
        """
        await self._list_all(h.instance for h in self.hosts if ask or h.connected)

    async def _list_all(self, instances: Iterable[Instance]) -> None:
        room = asyncio.Semaphore(AT_ONCE)

        async def one(instance: Instance) -> None:
            async with room:
                await self.list(instance)

        async with asyncio.TaskGroup() as group:
            for instance in instances:
                if not self.state(instance.id).loading:
                    group.create_task(one(instance))

    async def list(self, instance: Instance, *, ask: bool = True) -> JobsState:
        """Ask the host; a failure is in the state's `error`, with the old runs kept. Without
        `ask` a connection that would put a question is such a failure."""
        from cloudtui.ssh import jobs

        self._set(replace(self.state(instance.id), loading=True))
        try:
            connection = await self._connections.get(instance, ask=ask)
            over = {j.id: j for j in self.state(instance.id).jobs if j.finished}
            found = await jobs.listed(connection, instance.id, over)
        except CloudtuiError as error:
            self._set(replace(self.state(instance.id), loading=False, error=error))
        except asyncio.CancelledError:
            self._set(replace(self.state(instance.id), loading=False))
            raise
        else:
            self._set(JobsState(instance.id, found, updated=datetime.now(UTC)))
        return self.state(instance.id)

    async def find(self, instance: Instance, text: str) -> Job:
        """The run of that id, or the only one whose id begins so.

        Raises:
            NotFound: none, or several; its detail lists the candidates.
            CloudtuiError: the host could not be asked.
        """
        state = await self.list(instance)
        if state.error:
            raise state.error
        return find_job(text, state.jobs, instance.spoken)

    async def run(self, instance: Instance, spec: JobSpec, confirm: Confirm | None = None) -> Job:
        """Start a run; it goes on whatever happens to this computer. `confirm` is asked where the
        machine's shutdown after it would terminate the machine.

        Raises:
            Refused: read-only mode.
            UsageError, NotFound, CloudtuiError: see `ssh.jobs.start` and `core.then.record`.
        """
        self._may_change()
        from cloudtui.core.then import record
        from cloudtui.ssh import jobs

        connection = await self._connections.get(instance)
        find = partial(self.find, instance)
        more = await record(self._inventory, connection, instance, spec, find, confirm)
        id = await jobs.start(connection, spec, more)
        return await self.find(instance, id)

    def _may_change(self) -> None:
        if self._read_only:
            raise Refused(READ_ONLY, hint="Leave out --read-only to start or change runs.")

    def _set(self, state: JobsState) -> None:
        self._states[state.instance_id] = state
        self._events.emit(JobsChanged(state))
