"""The machines: listed region by region, refreshed by itself, old rows kept on failure."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cloudtui.core.events import Events, InventoryChanged, InventoryState
from cloudtui.core.tasks import cancel, keep
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.finding import Identity
from cloudtui.model.instance import Instance, resolve

if TYPE_CHECKING:
    from cloudtui.aws.clients import Amazon

REGIONS_AT_ONCE = 8
CHANGING_SECONDS = 2.0
"""Refresh interval while an instance is starting or stopping."""


class Inventory:
    """Keeps `state`; every change is emitted as InventoryChanged."""

    def __init__(
        self,
        make_amazon: Callable[[], Amazon],
        events: Events,
        *,
        profile: str,
        regions: Sequence[str],
        refresh_seconds: float,
    ) -> None:
        self._make_amazon = make_amazon
        self._amazon: Amazon | None = None
        self._amazon_lock = asyncio.Lock()
        self._events = events
        self._wanted = tuple(regions)
        self._interval = refresh_seconds
        self._rows: dict[str, tuple[Instance, ...]] = {}
        self._images: dict[str, tuple[str, str]] = {}
        self._lock = asyncio.Lock()
        self._wake = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self.state = InventoryState(profile=profile)

    def start(self) -> None:
        """List now, then again every `refresh_seconds`, sooner while something is changing."""
        if self._keeper is None:
            self._keeper = keep(self._keep(), "inventory")

    def refresh(self) -> None:
        """List again as soon as possible (needs `start`)."""
        self._wake.set()

    async def close(self) -> None:
        await cancel(self._keeper)
        if self._amazon:
            await self._amazon.__aexit__(None, None, None)

    async def amazon(self) -> Amazon:
        """The AWS room, imported off the loop and opened at first use."""
        async with self._amazon_lock:
            if self._amazon is None:
                amazon = await asyncio.to_thread(self._make_amazon)
                self._amazon = await amazon.__aenter__()
            return self._amazon

    async def load(self) -> InventoryState:
        """List once and return the state; failures are in its `errors`."""
        async with self._lock:
            self._set(replace(self.state, loading=True))
            try:
                regions = await self._regions()
            except CloudtuiError as error:
                self._set(replace(self.state, loading=False, errors=(("", error),)))
                return self.state
            self._rows = {r: rows for r, rows in self._rows.items() if r in regions}
            self._set(replace(self.state, regions=regions))
            gate = asyncio.Semaphore(REGIONS_AT_ONCE)
            failures, identity = await asyncio.gather(
                asyncio.gather(*(self._list(region, gate) for region in regions)), self._caller()
            )
            errors = tuple((r, e) for r, e in zip(regions, failures, strict=True) if e)
            updated = self.state.updated if errors else datetime.now(UTC)
            self._set(
                replace(
                    self.state,
                    loading=False,
                    errors=errors,
                    identity=identity or self.state.identity,
                    updated=updated,
                )
            )
            return self.state

    async def find(self, name: str) -> Instance:
        """The instance that `name` means, listing first when nothing was listed yet.

        Raises:
            NotFound, Ambiguous: by the rules of `model.instance.resolve`.
            CloudtuiError: the listing failed and the name is not among the rows known.
        """
        if self.state.updated is None:
            await self.load()
        try:
            return resolve(name, self.state.instances)
        except CloudtuiError:
            if self.state.errors:
                raise self.state.errors[0][1] from None
            raise

    def by_id(self, instance_id: str) -> Instance | None:
        return next((i for i in self.state.instances if i.id == instance_id), None)

    async def image(self, instance: Instance) -> tuple[str, str]:
        """Name and description of its image; empty when EC2 does not say (deregistered, denied)."""
        if not instance.image_id:
            return ("", "")
        if instance.image_id not in self._images:
            from cloudtui.aws import ec2

            try:
                amazon = await self.amazon()
                found = await ec2.image_names(amazon, instance.region, [instance.image_id])
            except CloudtuiError:
                return ("", "")
            self._images[instance.image_id] = found.get(instance.image_id, ("", ""))
        return self._images[instance.image_id]

    async def _keep(self) -> None:
        while True:
            self._wake.clear()
            await self.load()
            wait = min(CHANGING_SECONDS, self._interval) if self.state.changing else self._interval
            try:
                async with asyncio.timeout(wait):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _regions(self) -> tuple[str, ...]:
        amazon = await self.amazon()
        if "all" in self._wanted:
            from cloudtui.aws import ec2

            home = amazon.home_region
            rest = await ec2.enabled_regions(amazon)
            return (home, *(r for r in rest if r != home))
        return tuple(dict.fromkeys(self._wanted)) or (amazon.home_region,)

    async def _list(self, region: str, gate: asyncio.Semaphore) -> CloudtuiError | None:
        from cloudtui.aws import ec2

        rows: tuple[Instance, ...] = ()
        first = region not in self._rows
        async with gate:
            try:
                async for page in ec2.list_instances(await self.amazon(), region):
                    rows += page
                    if first:
                        self._show(region, rows)
            except CloudtuiError as error:
                return error
        self._show(region, rows)
        return None

    async def _caller(self) -> Identity | None:
        if self.state.identity:
            return self.state.identity
        from cloudtui.aws import identity

        try:
            return await identity.caller(await self.amazon())
        except CloudtuiError:
            return None

    def _show(self, region: str, rows: tuple[Instance, ...]) -> None:
        self._rows[region] = rows
        rows = tuple(i for r in self._rows.values() for i in r)
        self._set(replace(self.state, instances=rows))

    def _set(self, state: InventoryState) -> None:
        if state != self.state:
            self.state = state
            self._events.emit(InventoryChanged(state))
