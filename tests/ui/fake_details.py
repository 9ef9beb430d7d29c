"""Details and prices of the pretend fleet: the shipped table, and volumes and groups in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from cloudtui.core.events import DetailsChanged, Events, PricesChanged
from cloudtui.core.tags import TagFailure
from cloudtui.files.price_table import shipped
from cloudtui.model.details import (
    Checks,
    ConsoleOutput,
    Image,
    MachineDetails,
    Protection,
    UserData,
    Volume,
)
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance, State
from cloudtui.model.price import Bill, Price, pays, sum_up, why_unknown
from cloudtui.model.security_group import Group, Rule
from cloudtui.model.tags import TagChange, changed

ANSWER = MachineDetails(
    volumes=(
        Volume("vol-0f3c9a7b1d2e4f5a6", 200, "gp3", True, "/dev/sda1", True, 3000, 125, "in-use"),
        Volume("vol-0aa91c2d3e4f5a6b7", 500, "gp3", False, "/dev/sdf", False, 6000, 250, "in-use"),
    ),
    groups=(
        Group(
            "sg-0123456789abcdef0",
            "nlp-ssh",
            (
                Rule("tcp", 22, 22, "203.0.113.0/24", "office"),
                Rule("tcp", 8888, 8888, "sg-0123456789abcdef0"),
            ),
        ),
    ),
    checks=Checks("ok", "ok", "ok"),
    image=Image(
        "ami-0c7217cdde317cfec",
        "Deep Learning OSS Nvidia Driver AMI GPU PyTorch 2.7 (Ubuntu 22.04) 20250901",
        "",
        "ubuntu",
    ),
    protection=Protection(False, False),
)


class FakePrices:
    """Prices from the shipped table; `spot` is what Spot machines cost."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._table = shipped()
        self.spot: float | None = None
        self.started = 0
        self.problems: tuple[CloudtuiError, ...] = ()
        self.surveyed = 0
        self.hold = asyncio.Event()
        self.hold.set()
        self.extra = Bill()

    def start(self) -> None:
        self.started += 1

    def price(self, instance: Instance) -> Price | None:
        if why_unknown(instance) or instance.region != self._table.region:
            return None
        hourly = self.spot if instance.spot else self._table.hourly.get(instance.type)
        return Price(hourly, self._table.as_of) if hourly is not None else None

    def why_unknown(self, instance: Instance) -> str:
        return why_unknown(instance) or f"no table has {instance.type} in {instance.region}"

    def bill(self, instances: tuple[Instance, ...], *, rest: bool = True) -> Bill:
        total = sum_up(self.price(i) for i in instances if pays(i))
        more = self.extra if rest else Bill()
        return replace(
            total,
            storage=more.storage,
            storage_gib=more.storage_gib,
            storage_unknown=more.storage_unknown,
            in_use=more.in_use,
            idle=more.idle,
            addresses=more.addresses,
            idle_unknown=more.idle_unknown,
        )

    async def survey(self) -> None:
        self.surveyed += 1
        await self.hold.wait()
        self._events.emit(PricesChanged())


class FakeDetails:
    """Every machine has `answer`; a `hold` that is not set keeps callers waiting."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self.answer = ANSWER
        self.asked: list[str] = []
        self.cancelled: list[str] = []
        self.hold = asyncio.Event()
        self.hold.set()
        self.console: ConsoleOutput | CloudtuiError = ConsoleOutput(
            ("[    0.000000] Linux version 6.8.0-1012-aws", "cloud-init: done"),
            datetime.now(UTC),
            True,
        )
        self.data: UserData | CloudtuiError = UserData("#!/bin/bash\necho hello", 22)
        self._known: dict[str, MachineDetails] = {}

    def known(self, instance: Instance) -> MachineDetails:
        return self._known.get(instance.id, MachineDetails())

    async def load(self, instance: Instance, *, fresh: bool = False) -> MachineDetails:
        if instance.state is State.TERMINATED:
            return self.known(instance)
        self.asked.append(instance.id)
        try:
            await self.hold.wait()
        except asyncio.CancelledError:
            self.cancelled.append(instance.id)
            raise
        self._known[instance.id] = replace(self.answer, asked=datetime.now(UTC))
        self._events.emit(DetailsChanged(instance.id))
        return self._known[instance.id]

    async def console_output(self, instance: Instance) -> ConsoleOutput:
        if isinstance(self.console, CloudtuiError):
            raise self.console
        return self.console

    async def user_data(self, instance: Instance) -> UserData:
        if isinstance(self.data, CloudtuiError):
            raise self.data
        return self.data


class FakeTags:
    """Changes the fake inventory's rows; `failures` is what EC2 refuses."""

    def __init__(self, inventory: Any) -> None:
        self._inventory = inventory
        self.changes: list[tuple[tuple[str, ...], TagChange]] = []
        self.refusal: CloudtuiError | None = None
        self.failures: tuple[TagFailure, ...] = ()
        self.gone: CloudtuiError | None = None

    async def confirmed(self, machines: Sequence[Instance]) -> tuple[Instance, ...]:
        if self.gone:
            raise self.gone
        return tuple(machines)

    async def change(
        self, machines: Sequence[Instance], change: TagChange
    ) -> tuple[TagFailure, ...]:
        if self.refusal:
            raise self.refusal
        self.changes.append((tuple(m.id for m in machines), change))
        ids = {m.id for m in machines}
        rows = []
        for row in self._inventory.state.instances:
            if row.id in ids:
                tags = changed(row.tags, change)
                row = replace(row, tags=tags, name=tags.get("Name", ""))
            rows.append(row)
        self._inventory.show(instances=tuple(rows))
        return self.failures
