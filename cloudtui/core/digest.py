"""What ended since the last visit; nothing is told twice, and nothing is missed.

A run counts as told when `told` was called with it, or when its end came up while somebody was
there to see it, in a console. What is remembered is kept by machine and run, on this computer.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cloudtui.core.connections import Connections
from cloudtui.core.events import Event, Events, JobsChanged, Note, Noted, Severity
from cloudtui.core.inventory import Inventory
from cloudtui.core.prices import Prices
from cloudtui.core.running_hosts import ask_each
from cloudtui.core.tasks import aside, keep
from cloudtui.files import visits
from cloudtui.files.visits import Visits
from cloudtui.model.digest import (
    Away,
    Digest,
    Ended,
    HostVisit,
    cost_of,
    known,
    looked,
    marked,
    untold,
)
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance, State
from cloudtui.model.job import Job
from cloudtui.model.job_listing import last_lines
from cloudtui.model.place import Place

if TYPE_CHECKING:
    from cloudtui.core.jobs import Jobs

LINES = 5
"""Of a log's end."""
GONE = (State.STOPPING, State.STOPPED, State.SHUTTING_DOWN, State.TERMINATED)


class Recollection:
    """Remembers which runs go on, as they are listed; so that a machine that is stopped at the
    next visit is known to have had some."""

    def __init__(self, inventory: Inventory, events: Events) -> None:
        self._inventory = inventory
        self._events = events
        self._known: dict[str, tuple[object, ...]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._failed = False
        self._end = events.listen(self._hear)

    async def close(self) -> None:
        self._end()
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _hear(self, event: Event) -> None:
        if not isinstance(event, JobsChanged):
            return
        state = event.state
        if state.error or state.loading or state.updated is None:
            return
        runs = tuple((job.id, job.queued, job.state.over) for job in state.jobs if not job.by_hand)
        if self._known.get(state.instance_id) == runs:
            return
        self._known[state.instance_id] = runs
        task = keep(self._keep(state.instance_id, state.jobs), f"remember {state.instance_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _keep(self, instance_id: str, jobs: tuple[Job, ...]) -> None:
        instance = next((i for i in self._inventory.state.instances if i.id == instance_id), None)
        if instance is None:
            return

        def changed(before: Visits) -> Visits:
            visit = _visit(before, instance)
            return replace(before, hosts={**before.hosts, instance.id: looked(visit, jobs)})

        try:
            await aside(lambda: visits.change(changed))
        except OSError as error:
            if not self._failed:
                self._failed = True
                text = f"Which runs go on cannot be remembered here: {error.strerror}."
                self._events.emit(Noted(Note(text, Severity.WARNING)))


class Digests:
    """Looks at what ended; `told` when it was shown."""

    def __init__(
        self,
        inventory: Inventory,
        connections: Connections,
        jobs: Jobs,
        prices: Prices,
        events: Events,
    ) -> None:
        self._inventory = inventory
        self._connections = connections
        self._jobs = jobs
        self._prices = prices
        self._attended: dict[str, dict[str, Job]] = {}
        self._active: set[str] = set()
        """Keys of runs that were seen before their end."""
        self._watching = False
        self._end = events.listen(self._hear)

    async def look(self, *, everywhere: bool, ask: bool) -> Digest:
        """What is to be told now; the inventory must have been loaded.

        With `everywhere` all running machines are asked, otherwise those that are remembered to
        have runs. Without `ask` a connection that would put a question to the user is left for
        later; what ended there is told another time.
        """
        memory = await aside(visits.load)
        instances = {i.id: i for i in self._inventory.state.instances}
        wanted = [
            i
            for i in instances.values()
            if i.state is State.RUNNING and (everywhere or i.id in memory.hosts)
        ]
        silent: list[tuple[Instance, CloudtuiError]] = []
        ended: list[Ended] = []
        running: list[tuple[Instance, Job]] = []

        async def one(instance: Instance) -> None:
            state = await self._jobs.list(instance, ask=ask)
            if state.error:
                silent.append((instance, state.error))
                return
            visit = _visit(memory, instance)
            over = untold(state.jobs, visit)
            ended.extend(await self._told_of(instance, over, ask=ask))
            running.extend(
                (instance, job) for job in state.jobs if not job.by_hand and not job.state.over
            )

        await ask_each(wanted, one)
        ended.sort(key=lambda e: e.job.ended or datetime.min.replace(tzinfo=UTC), reverse=True)
        return Digest(
            memory.last,
            tuple(ended),
            tuple(self._away(memory, instances)),
            tuple(running),
            tuple(silent),
        )

    async def told(self, digest: Digest) -> None:
        """It was shown: none of it is told again.

        Raises:
            OSError: that cannot be remembered.
        """
        by_host: dict[str, tuple[Instance, list[Job]]] = {}
        for each in digest.ended:
            by_host.setdefault(each.instance.id, (each.instance, []))[1].append(each.job)

        def changed(before: Visits) -> Visits:
            hosts = dict(before.hosts)
            for id, (instance, jobs) in by_host.items():
                hosts[id] = marked(_visit(before, instance), map(known, jobs))
            for away in digest.away:
                if away.state is State.TERMINATED:
                    hosts.pop(away.instance_id, None)
                elif away.instance_id in hosts:
                    visit = marked(hosts[away.instance_id], away.over)
                    hosts[away.instance_id] = replace(visit, away=away.state.value)
            return Visits(datetime.now(UTC), hosts)

        await aside(lambda: visits.change(changed))

    def watch(self) -> None:
        """Somebody is there from now on: what ends meanwhile is no news at the next visit."""
        self._watching = True

    async def close(self) -> None:
        """With `watch`, remember what ended in the meantime as told."""
        self._end()
        if not self._watching:
            return
        attended = {
            id: (instance, list(jobs.values()))
            for id, jobs in self._attended.items()
            if (instance := self._instance(id)) and jobs
        }

        def changed(before: Visits) -> Visits:
            hosts = dict(before.hosts)
            for id, (instance, jobs) in attended.items():
                hosts[id] = marked(_visit(before, instance), map(known, jobs))
            return Visits(datetime.now(UTC), hosts)

        try:
            await aside(lambda: visits.change(changed))
        except OSError:
            return  # it is told once more then

    def _hear(self, event: Event) -> None:
        """Runs that were seen active and then over."""
        if not isinstance(event, JobsChanged) or not self._watching or event.state.error:
            return
        seen = self._attended.setdefault(event.state.instance_id, {})
        for job in event.state.jobs:
            was_active = job.key in self._active
            if job.state.over and was_active:
                seen[job.key] = job
            elif not job.state.over and not job.by_hand:
                self._active.add(job.key)

    def _instance(self, id: str) -> Instance | None:
        return next((i for i in self._inventory.state.instances if i.id == id), None)

    async def _told_of(
        self, instance: Instance, jobs: tuple[Job, ...], *, ask: bool
    ) -> list[Ended]:
        from cloudtui.ssh import then

        if not jobs:
            return []
        logs: dict[str, str] = {}
        try:
            connection = await self._connections.get(instance, ask=ask)
            logs = await then.last_lines(connection, [job.id for job in jobs], LINES)
        except CloudtuiError:
            pass  # the last line of each came with the listing
        price = self._prices.price(instance)
        now = datetime.now(UTC)
        return [
            Ended(
                instance,
                job,
                last_lines(logs.get(job.id, job.last_line), LINES),
                cost_of(job, price.hourly if price else None, now),
            )
            for job in jobs
        ]

    def _away(self, memory: Visits, instances: dict[str, Instance]) -> list[Away]:
        found = []
        for id, visit in memory.hosts.items():
            if not visit.active and not visit.over:
                continue
            instance = instances.get(id)
            if instance is None:
                place = Place(visit.profile, visit.region)
                state = self._inventory.state
                listed = state.listed.get(place)
                failed = any(bad in (place, Place(visit.profile)) for bad, _ in state.errors)
                if listed is None or failed or place in state.unconfirmed:
                    continue
                name = visit.name or id
                found.append(Away(id, name, State.TERMINATED, visit.active, visit.over))
            elif instance.state in GONE and not self._inventory.state.dimmed(instance):
                gone = instance.state in (State.SHUTTING_DOWN, State.TERMINATED)
                now = State.TERMINATED if gone else State.STOPPED
                active = visit.active if visit.away != now.value else ()
                by_itself = "InstanceInitiatedShutdown" in instance.state_reason
                if active or visit.over:
                    found.append(Away(id, instance.spoken, now, active, visit.over, by_itself))
        return found


def _visit(memory: Visits, instance: Instance) -> HostVisit:
    visit = memory.hosts.get(instance.id, HostVisit())
    return replace(visit, name=instance.name, region=instance.region, profile=instance.profile)
