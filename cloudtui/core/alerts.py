"""Watches the runs of connected hosts for what is worth telling, and tells each thing once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cloudtui.core.alert_hooks import AlertHook
from cloudtui.core.events import (
    Alerted,
    Event,
    Events,
    InventoryChanged,
    JobsChanged,
    Note,
    Noted,
    Severity,
)
from cloudtui.core.inventory import Inventory
from cloudtui.core.tasks import cancel, keep
from cloudtui.files import alerts_told
from cloudtui.model.alerts import Alert, alerts, with_machine
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import State
from cloudtui.model.job import Job
from cloudtui.model.job_filter import name_in_list
from cloudtui.model.then import StepState

if TYPE_CHECKING:
    from cloudtui.core.jobs import Jobs

WATCH_SECONDS = 10.0
"""Between two looks at the runs of hosts with an open connection."""
REMEMBERED = 300
"""Alerts kept in memory, so that the file is not asked about the same one at each look."""
GONE = (State.STOPPING, State.STOPPED, State.SHUTTING_DOWN, State.TERMINATED)


class Alerts:
    """Every alert is an `Alerted` event, a note, and whatever the user's own hook makes of it."""

    def __init__(
        self,
        inventory: Inventory,
        jobs: Callable[[], Jobs | None],
        events: Events,
        hook: str = "",
    ) -> None:
        """`jobs` gives None while no connection was ever opened."""
        self._inventory = inventory
        self._jobs = jobs
        self._events = events
        self._hook = AlertHook(hook, self._hook_failed)
        self._since = datetime.now(UTC)
        self._before: dict[str, dict[str, Job]] = {}
        self._stopping: set[tuple[str, str, int]] = set()
        """Runs that were seen before they shut their machine down."""
        self._told: list[Alert] = []
        self._expected: set[tuple[str, str]] = set()
        self._turn = asyncio.Lock()
        self._telling: set[asyncio.Task[None]] = set()
        self._keeper: asyncio.Task[None] | None = None
        self._again: asyncio.Task[None] | None = None
        self._end_listening: Callable[[], None] | None = None

    def start(self) -> None:
        """Watch from now on; runs that ended before are not told."""
        if self._keeper is None:
            self._end_listening = self._events.listen(self._hear)
            self._keeper = keep(self._keep(), "alerts")
            self._again = keep(self._reach_again(), "lost hosts of runs")

    def expect(self, instance_id: str, run: str) -> None:
        """The user ends this run now: its end is no news."""
        self._expected.add((instance_id, run))

    def unexpect(self, instance_id: str, run: str) -> None:
        """It was not ended after all."""
        self._expected.discard((instance_id, run))

    async def settled(self) -> None:
        """Return when all that was heard so far is told."""
        while self._telling:
            await asyncio.wait(self._telling)
        await self._hook.settled()

    async def close(self) -> None:
        if self._end_listening:
            self._end_listening()
        await cancel(self._keeper)
        await cancel(self._again)
        for task in list(self._telling):
            await cancel(task)
        await self._hook.close()

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            jobs = self._jobs()
            if jobs is not None:
                await jobs.refresh(ask=False)

    async def _reach_again(self) -> None:
        """Apart from the looks at the others, which a host that does not answer would hold up."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            jobs = self._jobs()
            if jobs is not None:
                await jobs.reach_again()

    def _hear(self, event: Event) -> None:
        if isinstance(event, JobsChanged):
            state = event.state
            if state.loading or state.error or state.updated is None:
                return
            instance = self._inventory.by_id(state.instance_id)
            host = instance.spoken if instance else state.instance_id
            self._stopping.update(
                _key(job)
                for job in state.jobs
                if any(step.stops and not step.state.over for step in job.then)
            )
            found = alerts(self._before.get(state.instance_id), state.jobs, host, self._since)
            self._before[state.instance_id] = {name_in_list(job): job for job in state.jobs}
            self._soon(found)
        elif isinstance(event, InventoryChanged) and self._before:
            for instance in event.state.instances:
                if instance.state in GONE and (known := self._before.pop(instance.id, None)):
                    self._soon(
                        [
                            with_machine(job, instance)
                            for job in known.values()
                            if not job.by_hand and (not job.state.over or self._shut_down(job))
                        ]
                    )

    def _shut_down(self, job: Job) -> bool:
        refused = (StepState.FAILED, StepState.SKIPPED)
        return _key(job) in self._stopping and any(
            step.stops and step.state not in refused for step in job.then
        )

    def _soon(self, found: list[Alert]) -> None:
        new = [alert for alert in found if not any(alert.same(told) for told in self._told)]
        if not new:
            return
        self._told = [*self._told, *new][-REMEMBERED:]
        task = keep(self._tell(new), "telling alerts")
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _tell(self, found: list[Alert]) -> None:
        async with self._turn:
            since = self._since.timestamp()
            new, told = await asyncio.to_thread(alerts_told.claim, found, since)
            for alert in (*told, *new):
                who = (alert.instance_id, alert.run)
                if alert.kind.end and who in self._expected:
                    self._expected.discard(who)
                    continue
                severity = Severity.WARNING if alert.bad else Severity.INFORMATION
                self._events.emit(Noted(Note(alert.title, severity, alert.detail)))
                if alert in new:  # what another console told, that one did the rest for
                    self._events.emit(Alerted(alert))
                    self._hook.take(alert)

    def _hook_failed(self, error: CloudtuiError) -> None:
        detail = "\n".join(part for part in (error.detail, error.hint) if part)
        self._events.emit(Noted(Note(error.title, Severity.ERROR, detail)))


def _key(job: Job) -> tuple[str, str, int]:
    return (job.instance_id, job.id, job.asked)
