"""The machines: listed place by place, refreshed by itself, old rows kept on failure."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cloudtui.core.events import Events, InventoryChanged, InventoryState
from cloudtui.core.tasks import cancel, keep
from cloudtui.model.errors import CloudtuiError, NotFound
from cloudtui.model.finding import Identity
from cloudtui.model.instance import Instance, resolve
from cloudtui.model.place import Place

if TYPE_CHECKING:
    from cloudtui.aws.clients import Amazon

PLACES_AT_ONCE = 8
CHANGING_SECONDS = 2.0
"""Refresh interval while an instance is starting or stopping."""


class Inventory:
    """Keeps `state`; every change is emitted as InventoryChanged."""

    def __init__(
        self,
        make_amazon: Callable[[str, Sequence[str]], Amazon],
        events: Events,
        *,
        profiles: Sequence[str] = (),
        regions: Sequence[str] = (),
        refresh_seconds: float = 30.0,
    ) -> None:
        self._make_amazon = make_amazon
        self._amazons: dict[str, Amazon] = {}
        self._amazon_lock = asyncio.Lock()
        self._events = events
        self._wanted = tuple(regions)
        self._explicit = tuple(profiles)
        self._interval = refresh_seconds
        self._rows: dict[Place, tuple[Instance, ...]] = {}
        self._images: dict[str, tuple[str, str]] = {}
        self._lock = asyncio.Lock()
        self._wake = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._followed: set[str] = set()
        self.state = InventoryState(profiles=profiles_in_use(profiles))

    def start(self) -> None:
        """List now, then again every `refresh_seconds`, sooner while something is changing."""
        if self._keeper is None:
            self._keeper = keep(self._keep(), "inventory")

    def refresh(self) -> None:
        """List again as soon as possible (needs `start`)."""
        self._wake.set()

    def follow(self, ids: Iterable[str]) -> None:
        """List these again soon, and then often, until they stop changing."""
        self._followed.update(ids)
        self._wake.set()

    def show_regions(self, regions: Sequence[str]) -> None:
        """Show these regions from now on; `all` is every enabled one, none the profile's own."""
        self._wanted = tuple(regions)
        self._wake.set()

    def show_profiles(self, profiles: Sequence[str]) -> None:
        """Show the machines that these profiles see from now on; none is the default profile."""
        self._explicit = tuple(profiles)
        self.state = replace(self.state, profiles=profiles_in_use(profiles))
        self._wake.set()

    async def close(self) -> None:
        await cancel(self._keeper)
        for amazon in self._amazons.values():
            await amazon.__aexit__(None, None, None)

    async def amazon(self, profile: str | None = None) -> Amazon:
        """The AWS room of a profile, imported off the loop and opened at first use; without a
        name, of the first profile in view."""
        name = self.state.profiles[0] if profile is None else profile
        async with self._amazon_lock:
            if name not in self._amazons:
                # The default profile is left to botocore: keys in the environment go before it.
                explicit = name if name in self._explicit else ""
                regions = [region for region in self._wanted if region != "all"]
                amazon = await asyncio.to_thread(self._make_amazon, explicit, regions)
                self._amazons[name] = await amazon.__aenter__()
            return self._amazons[name]

    async def amazon_for(self, instance: Instance) -> Amazon:
        """The AWS room of the profile that sees the instance."""
        return await self.amazon(instance.profile)

    async def confirmed(self, instance: Instance) -> Instance:
        """The row as AWS has it; a row of an earlier run is waited for until it is listed.

        Raises:
            NotFound: it is gone.
            CloudtuiError: its place cannot be listed.
        """
        if not self.state.dimmed(instance):
            return self.by_id(instance.id) or instance
        await self.load()
        for place, error in self.state.errors:
            if place.profile == instance.profile and place.region in ("", instance.region):
                raise error
        found = self.by_id(instance.id)
        if found is None:
            raise NotFound(f"{instance.label} is gone.", hint="List again: Ctrl-r, cloudtui ls")
        return found

    async def load(self) -> InventoryState:
        """List once and return the state; failures are in its `errors`."""
        async with self._lock:
            self._set(replace(self.state, loading=True))
            places: list[Place] = []
            errors: list[tuple[Place, CloudtuiError]] = []
            for profile in self.state.profiles:
                try:
                    places += [Place(profile, r) for r in await self._regions(profile)]
                except CloudtuiError as error:
                    errors.append((Place(profile), error))
            failed = {place.profile for place, _ in errors}
            kept = {*places, *(place for place in self._rows if place.profile in failed)}
            self._rows = {place: rows for place, rows in self._rows.items() if place in kept}
            regions = tuple(dict.fromkeys(place.region for place in places))
            self._set(replace(self.state, regions=regions or self.state.regions))
            gate = asyncio.Semaphore(PLACES_AT_ONCE)
            failures, identities = await asyncio.gather(
                asyncio.gather(*(self._list(place, gate) for place in places)),
                asyncio.gather(*(self._caller(p) for p in self.state.profiles if p not in failed)),
            )
            errors += [(p, e) for p, e in zip(places, failures, strict=True) if e]
            updated = self.state.updated if errors else datetime.now(UTC)
            self._set(
                replace(
                    self.state,
                    loading=False,
                    errors=tuple(errors),
                    identities={**self.state.identities, **{p: i for p, i in identities if i}},
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
                amazon = await self.amazon_for(instance)
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

    async def _regions(self, profile: str) -> tuple[str, ...]:
        amazon = await self.amazon(profile)
        if "all" in self._wanted:
            from cloudtui.aws import ec2

            home = amazon.home_region
            rest = await ec2.enabled_regions(amazon)
            return (home, *(r for r in rest if r != home))
        return tuple(dict.fromkeys(self._wanted)) or (amazon.home_region,)

    async def _list(self, place: Place, gate: asyncio.Semaphore) -> CloudtuiError | None:
        from cloudtui.aws import ec2

        rows: tuple[Instance, ...] = ()
        first = place not in self._rows
        async with gate:
            try:
                amazon = await self.amazon(place.profile)
                async for page in ec2.list_instances(amazon, place.region):
                    rows += page
                    if first:
                        self._show(place, rows)
            except CloudtuiError as error:
                return error
        self._show(place, rows)
        return None

    async def _caller(self, profile: str) -> tuple[str, Identity | None]:
        if known := self.state.identities.get(profile):
            return profile, known
        from cloudtui.aws import identity

        try:
            return profile, await identity.caller(await self.amazon(profile))
        except CloudtuiError:
            return profile, None

    def _show(self, place: Place, rows: tuple[Instance, ...]) -> None:
        self._rows[place] = rows
        shown = {i.id: i for rows in reversed(self._rows.values()) for i in reversed(rows)}
        self._set(replace(self.state, instances=tuple(reversed(shown.values()))))

    def _set(self, state: InventoryState) -> None:
        if state != self.state:
            self.state = state
            self._events.emit(InventoryChanged(state))


def profiles_in_use(asked: Sequence[str]) -> tuple[str, ...]:
    """The profiles asked for, else the one that the environment names; empty is the default."""
    named = os.environ.get("AWS_PROFILE") or os.environ.get("AWS_DEFAULT_PROFILE") or ""
    return tuple(dict.fromkeys(name or named for name in asked)) or (named,)
