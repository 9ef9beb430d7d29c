"""Watches the machines and brings their entries of the ssh config in step, or offers it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from cloudtui.core.events import (
    Event,
    Events,
    InventoryChanged,
    InventoryState,
    Note,
    Noted,
    Severity,
)
from cloudtui.core.inventory import Inventory
from cloudtui.core.tasks import cancel, keep
from cloudtui.files.paths import short
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.host_drift import HostRow, Kind, heals_by_itself
from cloudtui.model.host_entry import ChangedOnDisk
from cloudtui.model.instance import Instance

if TYPE_CHECKING:
    from cloudtui.core.hosts import Hosts

GAP = 0.3
"""At least so many seconds lie between two looks at the ssh config because machines changed."""


class Healing:
    """Heals by the setting `heal_hosts`; each thing is told once."""

    def __init__(
        self, hosts: Hosts, inventory: Inventory, events: Events, setting: str, *, read_only: bool
    ) -> None:
        self._hosts = hosts
        self._inventory = inventory
        self._events = events
        self._setting = setting
        self._read_only = read_only
        self._made_here: set[str] = set()
        self._told: set[tuple[str, str]] = set()
        self._seen: object = None
        self._wake = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Follow the machines from now on."""
        if self._keeper is None:
            self._deaf = self._events.listen(self._hear)
            self._keeper = keep(self._keep(), "hosts")
            self._wake.set()

    async def close(self) -> None:
        keeper, self._keeper = self._keeper, None
        if keeper:
            self._deaf()
            await cancel(keeper)

    async def heal(self, fresh: Iterable[Instance]) -> None:
        """Bring entries in step now that cloudtui itself has changed these machines."""
        fresh = tuple(fresh)
        self._made_here.update(instance.id for instance in fresh)
        known = {instance.id: instance for instance in fresh}
        entries = await self._hosts.entries.entries()
        state = self._inventory.state
        instances = tuple(known.pop(i.id, i) for i in state.instances)
        state = replace(state, instances=(*instances, *known.values()))
        rows = await asyncio.to_thread(self._hosts.survey, entries, state)
        await self._heal([r for r in rows if r.instance and r.instance.id in self._made_here])

    def _hear(self, event: Event) -> None:
        if isinstance(event, InventoryChanged):
            self._wake.set()

    async def _keep(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            seen = _facts(self._inventory.state)
            if seen != self._seen:
                self._seen = seen
                rows = (await self._hosts.look()).rows
                await self._heal(rows)
                self._tell_gone(rows)
            await asyncio.sleep(GAP)

    async def _heal(self, rows: Sequence[HostRow]) -> None:
        if self._read_only or self._setting == "never":
            return
        ours: list[HostRow] = []
        for row in rows:
            if not row.address or row.instance is None:
                continue
            made_here = row.instance.id in self._made_here | self._inventory.followed
            if heals_by_itself(row, self._setting, made_here=made_here):
                ours.append(row)
            else:
                self._say_once(
                    row,
                    f"{row.instance.label} is at {row.address} now; the ssh entry "
                    f"{row.entry.alias} says {row.entry.get('HostName') or 'nothing'}.",
                    f"{short(row.entry.file)} line {row.entry.line}. Correct it: 5, then y; or "
                    f"cloudtui hosts sync {row.entry.alias}",
                )

        ours = [row for row in ours if (row.entry.alias, row.address) not in self._told]
        if ours:
            await self._heal_together(ours)

    async def _heal_together(self, rows: Sequence[HostRow]) -> None:
        """All in one save: five at most can be taken back. Where one of them cannot be saved, so
        can none with it; each is looked at alone then."""
        try:
            await self._save(rows)
        except CloudtuiError as error:
            if len(rows) == 1:
                self._say_once(
                    rows[0],
                    f"The ssh entry {rows[0].entry.alias} still has the address {_was(rows[0])}.",
                    "\n".join(part for part in (error.title, error.detail, error.hint) if part),
                )
                return
            good = [row for row in rows if await self._goes(row)]
            alone = [row for row in rows if row not in good or len(good) == len(rows)]
            for some in (good if alone != list(rows) else [], *([row] for row in alone)):
                if some:
                    await self._heal_together(some)
        else:
            for row in rows:
                text = f"The ssh entry {row.entry.alias} has the address {row.address} now, not "
                note = Note(f"{text}{_was(row)}.", detail=short(row.entry.file))
                self._events.emit(Noted(note))

    async def _save(self, rows: Sequence[HostRow]) -> None:
        try:
            await self._hosts.heal(rows)
        except ChangedOnDisk:  # by somebody else in this moment
            await self._hosts.heal(rows)

    async def _goes(self, row: HostRow) -> bool:
        try:
            await self._hosts.check(await self._hosts.plan_heal(row))
        except CloudtuiError:
            return False
        return True

    def _tell_gone(self, rows: Sequence[HostRow]) -> None:
        for row in rows:
            if row.has(Kind.GONE) and row.instance:
                self._say_once(
                    row,
                    f"{row.instance.label} is {row.instance.state.value}; its ssh entry "
                    f"{row.entry.alias} can be removed.",
                    f"5, then y; or cloudtui hosts sync {row.entry.alias}",
                )

    def _say_once(self, row: HostRow, text: str, detail: str) -> None:
        if (row.entry.alias, row.address) not in self._told:
            self._told.add((row.entry.alias, row.address))
            self._events.emit(Noted(Note(text, Severity.WARNING, detail)))


def _was(row: HostRow) -> str:
    return row.entry.get("HostName") or "nothing"


def _facts(state: InventoryState) -> object:
    """What entries depend on; equal while nothing of it changed."""
    machines = tuple(
        (i.id, i.name, i.state, i.public_ip, i.ipv6, i.private_ip)
        for i in state.instances
        if not state.dimmed(i)
    )
    return machines, state.listed.keys() - state.unconfirmed
