"""Changing the tags of machines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from cloudtui.core.inventory import Inventory
from cloudtui.model.errors import READ_ONLY, CloudtuiError, Refused, UsageError
from cloudtui.model.instance import Instance
from cloudtui.model.place import Place
from cloudtui.model.tags import (
    MOST,
    TagChange,
    changed,
    key_problem,
    too_many,
    value_problem,
)

RESOURCES = 200
"""Instances that are tagged with one request."""


@dataclass(frozen=True, slots=True)
class TagFailure:
    """A tag that could not be changed on some machines."""

    key: str
    instances: tuple[Instance, ...]
    error: CloudtuiError


class Tags:
    """Sets and removes tags, and shows them in the list at once."""

    def __init__(self, inventory: Inventory, *, read_only: bool = False) -> None:
        self._inventory = inventory
        self._read_only = read_only

    async def confirmed(self, machines: Sequence[Instance]) -> tuple[Instance, ...]:
        """The machines with the tags that they have now; rows of an earlier run are waited for.

        Raises:
            NotFound: one is gone.
            CloudtuiError: its region cannot be listed.
        """
        return tuple([await self._inventory.confirmed(machine) for machine in machines])

    async def change(
        self, machines: Sequence[Instance], change: TagChange
    ) -> tuple[TagFailure, ...]:
        """Make the change on every machine; what EC2 refused is returned tag by tag.

        Raises:
            Refused: read-only mode.
            UsageError: EC2 would not take a key, a value, or so many tags.
        """
        if self._read_only:
            raise Refused(READ_ONLY, hint="Leave out --read-only to change tags.")
        problems = [key_problem(key) for key in (*change.put, *change.removed)]
        problems += [value_problem(value) for value in change.put.values()]
        if problem := next(filter(None, problems), ""):
            raise UsageError(f"The tags were not changed. {problem}")
        if full := too_many(machines, change):
            raise UsageError(
                f"{full[0].label} would have more than {MOST} tags, which EC2 does not take.",
                hint="Remove some of its tags first.",
            )
        places: defaultdict[Place, list[Instance]] = defaultdict(list)
        for machine in machines:
            places[Place(machine.profile, machine.region)].append(machine)
        failures: list[TagFailure] = []
        for place, here in places.items():
            failures += await self._change_place(place, here, change)
        refused = {(i.id, f.key) for f in failures for i in f.instances}
        for machine in machines:
            done = TagChange(
                {k: v for k, v in change.put.items() if (machine.id, k) not in refused},
                frozenset(k for k in change.removed if (machine.id, k) not in refused),
            )
            self._inventory.retag(machine.id, changed(machine.tags, done))
        self._inventory.refresh()
        return tuple(failures)

    async def _change_place(
        self, place: Place, machines: Sequence[Instance], change: TagChange
    ) -> list[TagFailure]:
        from cloudtui.aws import tags

        amazon = await self._inventory.amazon(place.profile)

        async def put(ids: list[str], keys: Sequence[str]) -> None:
            await tags.put(amazon, place.region, ids, {key: change.put[key] for key in keys})

        async def remove(ids: list[str], keys: Sequence[str]) -> None:
            await tags.remove(amazon, place.region, ids, keys)

        failures: list[TagFailure] = []
        # Removing first: a machine that is full has room for the new ones then.
        for ask, keys in ((remove, sorted(change.removed)), (put, list(change.put))):
            for start in range(0, len(machines) if keys else 0, RESOURCES):
                failures += await _each(ask, machines[start : start + RESOURCES], keys)
        return failures


async def _each(
    ask: Callable[[list[str], Sequence[str]], Awaitable[None]],
    machines: Sequence[Instance],
    keys: Sequence[str],
) -> list[TagFailure]:
    """All at once; when that is refused, each tag for itself, to know which it is."""
    ids = [machine.id for machine in machines]
    try:
        await ask(ids, keys)
    except CloudtuiError as error:
        if len(keys) == 1:
            return [TagFailure(keys[0], tuple(machines), error)]
    else:
        return []
    failures = []
    for key in keys:
        failures += await _each(ask, machines, [key])
    return failures
