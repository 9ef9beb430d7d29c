"""The machines that tunnels lead to, without the whole inventory: told by a front, or looked up
one by one when none is open."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

from cloudtui.core.amazons import Amazons, MakeAmazon
from cloudtui.core.events import Events, InventoryChanged, InventoryState
from cloudtui.core.images import Images
from cloudtui.core.tasks import cancel, keep
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance, State

if TYPE_CHECKING:
    from cloudtui.aws.clients import Amazon

LOOK_SECONDS = 2.0
"""AWS is asked about a machine at most so often: while one does not run that did or will."""
WAIT_SECONDS = 15.0
"""A machine that has not run for a while is looked up so often while somebody waits for it."""
RECENT_SECONDS = 300.0
"""For so long after a change machines are looked up as often as may be."""


class Machines(Protocol):
    """What connections and tunnels have to know of machines."""

    def by_id(self, instance_id: str) -> Instance | None: ...

    def refresh(self) -> None: ...

    def wanted(self) -> None: ...

    async def image(self, instance: Instance) -> tuple[str, str]: ...

    async def amazon_for(self, instance: Instance) -> Amazon: ...


class KnownMachines:
    """Stands in for `core.inventory.Inventory` where only single machines matter."""

    def __init__(self, make_amazon: MakeAmazon, events: Events) -> None:
        self._amazons = Amazons(make_amazon)
        self._events = events
        self._known: dict[str, Instance] = {}
        self._images = Images(self.amazon_for)
        self._wanted: Callable[[], Iterable[str]] = tuple
        self._looked = -LOOK_SECONDS
        self._changed = -RECENT_SECONDS
        self._asked = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self.problem: CloudtuiError | None = None
        """Why AWS did not tell at the last look."""

    def start(self, wanted: Callable[[], Iterable[str]]) -> None:
        """Look up the machines that `wanted` gives, by id, when `refresh` is called and while
        one of them does not run."""
        self._wanted = wanted
        if self._keeper is None:
            self._keeper = keep(self._keep(), "machines")

    def told(self, instances: Iterable[Instance]) -> None:
        """A front has listed them."""
        self._take({i.id: i for i in instances})

    def by_id(self, instance_id: str) -> Instance | None:
        return self._known.get(instance_id)

    def refresh(self) -> None:
        """Look again soon."""
        self._asked.set()

    def wanted(self) -> None:
        """Somebody waits for a machine that does not run."""
        self._asked.set()

    async def amazon_for(self, instance: Instance) -> Amazon:
        return await self._amazons.get(instance.profile)

    async def image(self, instance: Instance) -> tuple[str, str]:
        """Name and description of its image; empty when EC2 does not say."""
        return await self._images.of(instance)

    async def close(self) -> None:
        await cancel(self._keeper)
        await self._amazons.close()

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            wanted = [self._known[i] for i in self._wanted() if i in self._known]
            waiting = any(i.state is not State.RUNNING for i in wanted)
            recent = loop.time() - self._changed < RECENT_SECONDS
            pause = LOOK_SECONDS if recent else WAIT_SECONDS
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause if waiting else None):
                    await self._asked.wait()
            self._asked.clear()
            await asyncio.sleep(max(0.0, self._looked + LOOK_SECONDS - loop.time()))
            self._looked = loop.time()
            await self._look()

    async def _look(self) -> None:
        places: dict[tuple[str, str], list[Instance]] = {}
        for instance_id in self._wanted():
            if instance := self._known.get(instance_id):
                places.setdefault((instance.profile, instance.region), []).append(instance)
        if places:
            await self._look_at(places)

    async def _look_at(self, places: dict[tuple[str, str], list[Instance]]) -> None:
        from cloudtui.aws import lifecycle

        for (_, region), some in places.items():
            try:
                amazon = await self.amazon_for(some[0])
                found = await lifecycle.look(amazon, region, [i.id for i in some])
            except CloudtuiError as error:
                self.problem = error
                continue
            self.problem = None
            self._take(found)

    def _take(self, found: dict[str, Instance]) -> None:
        if any(self._known.get(key) != new for key, new in found.items()):
            self._changed = asyncio.get_running_loop().time()
            self._known |= found
            self._events.emit(InventoryChanged(InventoryState(tuple(self._known.values()))))
