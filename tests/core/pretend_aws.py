"""Regions under a test's hand, in place of the AWS room: held back, refused, changed."""

from __future__ import annotations

import asyncio
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Self, cast

import pytest

from cloudtui.aws import ec2, identity, lifecycle
from cloudtui.core.events import Event, Events, InventoryChanged, InventoryState, Note, Noted
from cloudtui.core.inventory import Inventory
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.finding import Identity
from cloudtui.model.instance import Instance, State

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from cloudtui.aws.clients import Amazon

ACCOUNT = "123456789012"


def row(name: str, state: str = "running") -> Instance:
    """An instance of any region; its id is made of its name."""
    return Instance(f"i-{name}", "", State(state), name=name, tags={"Name": name})


class Cloud:
    """Every account and region: `rows[profile, region]` are pages of rows."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], list[list[Instance]]] = defaultdict(lambda: [[]])
        self.failures: dict[tuple[str, str], CloudtuiError] = {}
        self.regions: dict[str, tuple[str, ...]] = defaultdict(lambda: ("us-east-1",))
        self.homes: dict[str, str] = defaultdict(lambda: "us-east-1")
        self.accounts: dict[str, str] = defaultdict(lambda: ACCOUNT)
        self.holds: dict[tuple[str, str], asyncio.Event] = {}
        self.asked: list[str] = []
        """Regions of the listings begun, in order."""
        self.page_asked = asyncio.Event()
        self.most_at_once: Counter[str] = Counter()
        self.now: Counter[str] = Counter()
        self.opened: list[tuple[str, tuple[str, ...]]] = []

    def machines(self, region: str, *names: str, profile: str = "", state: str = "running") -> None:
        """The region holds these machines, on one page."""
        self.rows[profile, region] = [[row(name, state) for name in names]]

    def hold(self, region: str, profile: str = "") -> asyncio.Event:
        """The region answers when the returned event is set."""
        self.holds[profile, region] = asyncio.Event()
        return self.holds[profile, region]

    def amazon(self, profile: str, regions: Sequence[str]) -> Amazon:
        self.opened.append((profile, tuple(regions)))
        return cast("Amazon", _Account(self, profile, regions))

    def put_on(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Answer in place of AWS."""
        monkeypatch.setattr(ec2, "list_instances", self._list)
        monkeypatch.setattr(lifecycle, "look", self._look)
        monkeypatch.setattr(ec2, "enabled_regions", self._regions)
        monkeypatch.setattr(identity, "caller", self._caller)

    async def _list(self, amazon: Amazon, region: str) -> AsyncIterator[tuple[Instance, ...]]:
        profile = amazon.profile
        self.asked.append(region)
        self.page_asked.set()
        self.now[region] += 1
        self.most_at_once[region] = max(self.most_at_once[region], self.now[region])
        try:
            await asyncio.sleep(0)
            if hold := self.holds.get((profile, region)):
                await hold.wait()
            if error := self.failures.get((profile, region)):
                raise error
            for page in self.rows[profile, region]:
                yield tuple(replace(i, region=region, profile=profile) for i in page)
                await asyncio.sleep(0)
        finally:
            self.now[region] -= 1

    async def _look(self, amazon: Amazon, region: str, ids: Iterable[str]) -> dict[str, Instance]:
        wanted, profile = set(ids), amazon.profile
        rows = (i for page in self.rows[profile, region] for i in page if i.id in wanted)
        return {i.id: replace(i, region=region, profile=profile) for i in rows}

    async def _regions(self, amazon: Amazon) -> tuple[str, ...]:
        await asyncio.sleep(0)
        if error := self.failures.get((amazon.profile, "all")):
            raise error
        return tuple(sorted(self.regions[amazon.profile]))

    async def _caller(self, amazon: Amazon) -> Identity:
        await asyncio.sleep(0)
        account = self.accounts[amazon.profile]
        return Identity(account, f"arn:aws:iam::{account}:user/nlp-lab")


class _Account:
    def __init__(self, cloud: Cloud, profile: str, regions: Sequence[str]) -> None:
        self.cloud, self.regions = cloud, tuple(regions)
        self.profile = profile or os.environ.get("AWS_PROFILE", "")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def close(self) -> None:
        pass

    @property
    def home_region(self) -> str:
        if error := self.cloud.failures.get((self.profile, "")):
            raise error
        return next(iter(self.regions), "") or self.cloud.homes[self.profile]


class Watching:
    """An inventory, and all it told."""

    def __init__(self, inventory: Inventory, events: Events) -> None:
        self.inventory = inventory
        self.states: list[InventoryState] = []
        self.notes: list[Note] = []
        self._news = asyncio.Event()
        events.listen(self._hear)

    def _hear(self, event: Event) -> None:
        if isinstance(event, InventoryChanged):
            self.states.append(event.state)
            self._news.set()
        elif isinstance(event, Noted):
            self.notes.append(event.note)

    @property
    def state(self) -> InventoryState:
        return self.inventory.state

    @property
    def names(self) -> list[str]:
        return [i.name for i in self.state.instances]

    @property
    def dimmed(self) -> list[str]:
        return [i.name for i in self.state.instances if self.state.dimmed(i)]

    async def settled(self) -> InventoryState:
        """Wait until a round has ended."""
        while self.state.loading or not (self.state.updated or self.state.errors):
            self._news.clear()
            await self._news.wait()
        return self.state

    async def shows(self, *names: str) -> None:
        """Wait until these, in this order, are the rows."""
        while self.names != list(names):
            self._news.clear()
            await self._news.wait()


@asynccontextmanager
async def watching(
    cloud: Cloud, *regions: str, profiles: Sequence[str] = (), refresh_seconds: float = 600
) -> AsyncIterator[Watching]:
    """An inventory of the cloud, not started."""
    events = Events()
    inventory = Inventory(
        cloud.amazon,
        events,
        profiles=profiles,
        regions=regions,
        refresh_seconds=refresh_seconds,
    )
    seen = Watching(inventory, events)
    try:
        yield seen
    finally:
        await inventory.close()
