"""Keeps what was last seen of the runs of each machine, for when it does not run any more."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from time import monotonic

from cloudtui.core.events import Event, Events, InventoryChanged, InventoryState, JobsChanged
from cloudtui.core.inventory import Inventory
from cloudtui.core.tasks import aside, keep
from cloudtui.files import last_seen
from cloudtui.model.instance import Instance, State
from cloudtui.model.last_seen import ENDED, AwayRuns, SeenRuns, left
from cloudtui.model.place import Place

WRITE_SECONDS = 30.0
"""Between two writes of what only went on."""
GONE = timedelta(days=7)
"""So long the runs of a terminated machine are told of."""
UNHEARD = timedelta(days=90)
"""So long those of a machine are kept that is in no place that was listed since."""


class LastSeen:
    """Listens to what hosts say. It is written when a run begins or ends, now and then between,
    and at the end; several consoles keep the newest look of theirs all."""

    def __init__(self, inventory: Inventory, events: Events) -> None:
        self._inventory = inventory
        self._kept: dict[str, SeenRuns] = {}
        self._stamps: last_seen.Stamps = {}
        self._unwritten: set[str] = set()
        self._written: dict[str, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._end = events.listen(self._hear)

    async def close(self) -> None:
        self._end()
        for id in tuple(self._unwritten):
            self._write(id)
        await self._all_written()

    async def _all_written(self) -> None:
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def load(self) -> None:
        """Read what is new on this computer's disk, and drop what is old."""
        stamps = await aside(last_seen.stamps)
        for id, stamp in stamps.items():
            if self._stamps.get(id) == stamp:
                continue
            found = await aside(partial(last_seen.load, id))
            here = self._kept.get(id)
            if found and (here is None or found.seen >= here.seen):
                self._kept[id] = found
        for id in self._stamps.keys() - stamps.keys() - self._unwritten:
            self._kept.pop(id, None)
        self._stamps = stamps
        await self._drop_old()

    @property
    def hosts(self) -> tuple[AwayRuns, ...]:
        """Every machine that does not run now and of which runs are known, by name; one whose
        state is not certain is left out. `load` comes first."""
        if not self._kept:
            return ()
        state = self._inventory.state
        listed = {i.id: i for i in state.instances if i.id in self._kept}
        found = []
        for kept in self._kept.values():
            instance = _machine(kept, listed.get(kept.instance_id), state)
            if instance and instance.state is not State.RUNNING:
                jobs = tuple(left(job, instance.state) for job in kept.runs)
                found.append(AwayRuns(instance, kept.seen, jobs))
        return tuple(
            sorted(
                (away for away in found if away.jobs),
                key=lambda a: (not a.instance.name, a.instance.name.casefold(), a.instance.id),
            )
        )

    def before(self, instance: Instance) -> AwayRuns | None:
        """What was last seen of a machine that runs and was not asked yet; None for nothing.
        `load` comes first."""
        kept = self._kept.get(instance.id)
        if kept is None or _machine(kept, instance, self._inventory.state) is None:
            return None
        jobs = tuple(left(job, instance.state) for job in kept.runs)
        return AwayRuns(instance, kept.seen, jobs) if jobs else None

    async def of(self, instance: Instance) -> AwayRuns | None:
        """What was last seen of one machine; None while it runs, or when nothing was."""
        await self.load()
        return next((away for away in self.hosts if away.instance.id == instance.id), None)

    async def find(self, text: str) -> AwayRuns | None:
        """The machine of that name or id, when there is only one."""
        await self.load()
        named = [a for a in self.hosts if text in (a.instance.name, a.instance.id)]
        return named[0] if len(named) == 1 else None

    async def forget(self, instance: Instance, ids: Collection[str]) -> None:
        """Keep these runs of a machine no more.

        Raises:
            OSError: the disk here cannot be written.
        """

        def without(before: SeenRuns | None) -> SeenRuns | None:
            if before is None:
                return None
            return replace(before, runs=tuple(run for run in before.runs if run.id not in ids))

        await self._all_written()
        await aside(lambda: last_seen.change(instance.id, without))
        self._unwritten.discard(instance.id)
        after = without(self._kept.pop(instance.id, None))
        if after and after.runs:
            self._kept[instance.id] = after

    def _hear(self, event: Event) -> None:
        if isinstance(event, InventoryChanged):
            for id in tuple(self._unwritten):
                instance = self._inventory.by_id(id)
                if instance is None or instance.state is not State.RUNNING:
                    self._write(id)
        if not isinstance(event, JobsChanged):
            return
        state = event.state
        if state.error or state.loading or state.updated is None:
            return
        instance = self._inventory.by_id(state.instance_id)
        if instance is None:
            return
        identity = self._inventory.state.identities.get(instance.profile)
        before = self._kept.get(instance.id)
        runs = tuple(job for job in state.jobs if not job.by_hand)
        if not runs and before is None:
            return
        self._kept[instance.id] = SeenRuns(
            instance.id,
            instance.name,
            instance.region,
            instance.profile,
            identity.account if identity else before.account if before else "",
            state.updated,
            runs,
        )
        self._unwritten.add(instance.id)
        same = before is not None and _marks(before) == _marks(self._kept[instance.id])
        if same and monotonic() - self._written.get(instance.id, 0.0) < WRITE_SECONDS:
            return
        self._write(instance.id)

    def _write(self, id: str) -> None:
        self._unwritten.discard(id)
        self._written[id] = monotonic()
        task = keep(self._save(self._kept[id]), f"last seen of {id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _save(self, seen: SeenRuns) -> None:
        def newest(before: SeenRuns | None) -> SeenRuns:
            return before if before and before.seen > seen.seen else seen

        try:
            await aside(lambda: last_seen.change(seen.instance_id, newest))
        except OSError:
            return  # the memory of what goes on tells so; here it stays known till the end

    async def _drop_old(self) -> None:
        now, state = datetime.now(UTC), self._inventory.state
        listed = {i.id: i for i in state.instances if i.id in self._kept}
        for id, kept in tuple(self._kept.items()):
            instance = _machine(kept, listed.get(id), state)
            ended = instance is not None and instance.state in ENDED
            since = kept.gone if ended else None
            if ended and since is None:
                after = replace(kept, gone=now)
            elif (since and now - since > GONE) or (not instance and now - kept.seen > UNHEARD):
                after = replace(kept, runs=())
            else:
                continue
            self._kept[id] = after
            if not after.runs:
                self._kept.pop(id)
                self._unwritten.discard(id)
            try:
                await aside(partial(last_seen.change, id, partial(_same_or, kept.seen, after)))
            except OSError:
                continue  # another time


def _same_or(seen: datetime, after: SeenRuns, before: SeenRuns | None) -> SeenRuns | None:
    """What another program saw later stays."""
    return before if before is None or before.seen > seen else after


def _marks(seen: SeenRuns) -> list[tuple[object, ...]]:
    return [(run.id, run.asked, run.state.over) for run in seen.runs]


def _machine(kept: SeenRuns, there: Instance | None, state: InventoryState) -> Instance | None:
    """The machine as it is now; None when that is not certain."""
    if there is not None:
        return None if state.dimmed(there) else there
    place = Place(kept.profile, kept.region)
    failed = any(bad in (place, Place(kept.profile)) for bad, _ in state.errors)
    if place not in state.listed or failed or place in state.unconfirmed:
        return None
    identity = state.identities.get(kept.profile)
    if kept.account and identity and identity.account != kept.account:
        return None
    return Instance(
        kept.instance_id, kept.region, State.TERMINATED, kept.name, profile=kept.profile
    )
