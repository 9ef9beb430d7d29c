"""The entries of the ssh config kept in step with the machines: added, edited, healed, removed."""

from __future__ import annotations

import asyncio
import getpass
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cloudtui.core.connections import Connections
from cloudtui.core.events import (
    Events,
    HostsChanged,
    HostsState,
    InventoryState,
)
from cloudtui.core.host_healing import Healing
from cloudtui.core.inventory import Inventory
from cloudtui.core.ssh_entries import SshEntries
from cloudtui.files import host_homes, identity_files, ssh_config
from cloudtui.files.paths import ssh_dir
from cloudtui.files.settings import Settings
from cloudtui.model.errors import READ_ONLY, Refused, UsageError
from cloudtui.model.host_drift import (
    ENDED,
    Home,
    HostRow,
    Kind,
    World,
    address_for,
    alias_for,
    alias_problem,
    row_of,
    survey,
    wanted_values,
)
from cloudtui.model.host_entry import ConfigChange, HostEntry
from cloudtui.model.instance import Instance
from cloudtui.model.place import Place
from cloudtui.model.remote import Route


@dataclass(frozen=True, slots=True)
class Planned:
    """A change of one entry, to be looked at and saved."""

    alias: str
    change: ConfigChange
    instance: Instance | None = None
    before: HostEntry | None = None
    """The entry as it is; None for a new one."""

    @property
    def in_place(self) -> bool:
        """Whether it edits what the user wrote: shown and asked about before it is saved."""
        return self.before is not None and not self.before.ours


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry of an instance as it would be written, before it is planned."""

    alias: str
    values: Mapping[str, str | None]
    instance: Instance
    before: HostEntry | None = None


class Hosts:
    """`state` is as of the last `look`; the console's `healing` looks whenever machines change."""

    def __init__(
        self,
        settings: Settings,
        inventory: Inventory,
        connections: Connections,
        events: Events,
        *,
        read_only: bool = False,
    ) -> None:
        self._settings = settings
        self._inventory = inventory
        self._connections = connections
        self._events = events
        self._read_only = read_only
        self.entries = SshEntries(settings.ssh_config or ssh_dir() / "config")
        self.state = HostsState()
        self.healing = Healing(self, inventory, events, settings.heal_hosts, read_only=read_only)

    async def close(self) -> None:
        await self.healing.close()

    async def load(self) -> HostsState:
        """List the machines once and look at the entries."""
        if self._inventory.state.updated is None:
            await self._inventory.load()
        return await self.look()

    async def look(self) -> HostsState:
        """The entries as they are now, each beside its instance."""
        entries = await self.entries.entries()
        state = self._inventory.state
        rows = await asyncio.to_thread(self.survey, entries, state)
        state_now = HostsState(rows, looked=True)
        if state_now != self.state:
            self.state = state_now
            self._events.emit(HostsChanged(state_now))
        return state_now

    # Plans

    async def draft(
        self,
        instance: Instance,
        *,
        alias: str = "",
        user: str = "",
        key: Path | None = None,
        port: int = 0,
        jump: str = "",
        private: bool = False,
    ) -> Draft:
        """The entry of an instance: a new one, or the one it has brought up to date.

        Of an entry that is there only what is missing or wrong changes, and what is named here.

        Raises:
            Refused: no address, or the alias is another living instance's.
            UsageError: the alias cannot be written in an ssh config.
        """
        rows = (await self.look()).rows
        alias = alias or alias_for(instance, rows)
        if problem := alias_problem(alias):
            raise UsageError(problem, hint="Name another with --alias.")
        row = next((r for r in rows if r.entry.alias == alias), None)
        if row:
            _may_be(row, instance)
        has = row.entry if row else None
        address = _address(instance, row, private, jump)
        route = await self._connections.route(instance, address=address)
        found = key or await self._connections.key_file(instance)
        values = wanted_values(
            instance,
            address,
            user=user or route.user,
            key=identity_files.as_written(found) if found else "",
            port=port or route.port,
            jump=jump or ",".join(hop.alias for hop in route.jumps),
        )
        if has:
            given = {"User": user, "IdentityFile": key, "Port": port, "ProxyJump": jump}
            values = await self._missing(has, values, {k for k, v in given.items() if v})
        return Draft(alias, values, instance, has)

    async def plan(self, draft: Draft) -> Planned:
        """What the draft changes in the ssh config.

        Raises:
            Refused: read-only mode, the alias is another living instance's, or the config cannot
                be read.
            UsageError: the alias or a value cannot be written in an ssh config.
        """
        self._may_change()
        alias, instance = draft.alias, draft.instance
        if problem := alias_problem(alias):
            raise UsageError(problem)
        row = next((r for r in (await self.look()).rows if r.entry.alias == alias), None)
        if row:
            _may_be(row, instance)
        values = draft.values if row else {n: v for n, v in draft.values.items() if v}
        change = await self.entries.put(alias, values)
        return Planned(alias, change, instance, row.entry if row else None)

    async def _missing(
        self, has: HostEntry, values: Mapping[str, str | None], given: set[str]
    ) -> dict[str, str | None]:
        """Of the wanted values those that are named, follow the instance, or nobody has set."""
        if "IdentityFile" in given:
            given |= {"IdentitiesOnly"}
        always = {"HostName", "HostKeyAlias", *given}
        kept = {name: value for name, value in values.items() if name in always}
        if has.ours:
            return kept | {n: v for n, v in values.items() if v and not has.get(n)}
        plain = await self._as_ssh_does(has.alias)
        if plain.user == getpass.getuser() and not has.get("User"):
            kept["User"] = values["User"]
        if not plain.identity_files and (file := values.get("IdentityFile")):
            kept["IdentityFile"] = file
        return kept

    async def _as_ssh_does(self, alias: str) -> Route:
        """Where `ssh ALIAS` goes without what EC2 knows."""
        from cloudtui.ssh.resolve import resolve

        return await resolve(alias, Route(alias, alias), self._settings.ssh_config)

    async def plan_edit(self, alias: str, values: Mapping[str, str | None]) -> Planned:
        """New values for an entry; None takes the keyword away.

        Raises:
            NotFound: there is no such entry.
            UsageError, Refused: as `plan`.
        """
        self._may_change()
        row = row_of(alias, (await self.look()).rows)
        return Planned(alias, await self.entries.put(alias, values), row.instance, row.entry)

    async def plan_heal(self, row: HostRow) -> Planned:
        """The entry at the address that its instance has now, and known by its id from then on."""
        self._may_change()
        alias = row.entry.alias
        change = await self.entries.put(alias, _healed(row))
        return Planned(alias, change, row.instance, row.entry)

    async def plan_remove(self, alias: str) -> Planned:
        """The config without the entry.

        Raises:
            NotFound: there is no such entry.
            Refused: read-only mode, or the config cannot be read.
        """
        self._may_change()
        row = row_of(alias, (await self.look()).rows)
        return Planned(alias, await self.entries.remove(alias), row.instance, row.entry)

    async def plan_undo(self) -> Planned:
        """The config as it was before the last change that was saved.

        Raises:
            NotFound: nothing was saved, or all was taken back.
            Refused: read-only mode, or the file changed since.
        """
        self._may_change()
        change = await self.entries.undo()
        before = next((r for r in self.state.rows if r.entry.alias == change.alias), None)
        return Planned(change.alias, change, None, before.entry if before else None)

    async def plan_sync(self, row: HostRow) -> Planned | None:
        """What brings the row in step: its address, or its removal; None when nothing can."""
        if row.address:
            return await self.plan_heal(row)
        return await self.plan_remove(row.entry.alias) if row.has(Kind.GONE) else None

    async def check(self, planned: Planned) -> None:
        """Raises what `save` would refuse now; ssh is asked, and nothing is written."""
        if not planned.change.empty:
            await self.entries.check(planned.change)

    # Doing

    async def save(self, planned: Planned) -> None:
        """Write what was planned; host keys known under the old address follow.

        Raises:
            Refused: read-only mode, and as `SshEntries.save`; nothing is written.
        """
        self._may_change()
        if not planned.change.empty:
            await self.entries.save(planned.change)
        await self.look()
        await self._carried(planned.alias, planned.instance, planned.before)

    async def heal(self, rows: Sequence[HostRow]) -> None:
        """As `plan_heal` and `save` of each, in one save that one undo takes back.

        Raises:
            CloudtuiError: as `save`; none of them was written.
        """
        self._may_change()
        change = await self.entries.put_all({row.entry.alias: _healed(row) for row in rows})
        await self.entries.save(change)
        await self.look()
        for row in rows:
            await self._carried(row.entry.alias, row.instance, row.entry)

    async def _carried(
        self, alias: str, instance: Instance | None, before: HostEntry | None
    ) -> None:
        row = next((r for r in self.state.rows if r.entry.alias == alias), None)
        if row and instance and row.entry.instance_id == instance.id:
            old = before.get("HostName") if before else ""
            await self._carry_key(row.entry, instance, old)

    async def _carry_key(self, entry: HostEntry, instance: Instance, old: str) -> None:
        """Host keys known by an address, old or new, are known by the instance's id from now on."""
        await asyncio.to_thread(importlib.import_module, "cloudtui.ssh.carried_keys")
        from cloudtui.ssh.carried_keys import carry

        route = await self._connections.route(instance, alias=entry.alias)
        await carry(route, dict.fromkeys(filter(None, (old, entry.get("HostName")))))

    async def meet(self, instance: Instance) -> None:
        """Connect, so that the host key is asked about and on record, and the login is tried.

        Raises:
            CloudtuiError: as `Connections.get`.
        """
        await self._connections.get(instance)

    # What is known

    def survey(self, entries: Sequence[HostEntry], state: InventoryState) -> tuple[HostRow, ...]:
        """Each entry beside its instance; reads files, so for a thread."""
        values = (v for e in entries for name, v in e.values if name.lower() == "identityfile")
        world = World(
            instances=[i for i in state.instances if not state.dimmed(i)],
            listed=_listed(state),
            homes=self._homes(entries, state),
            missing_keys=identity_files.missing(values),
            shadowed=ssh_config.shadows(ssh_config.read_entries(self.entries.config_file)),
        )
        return survey(entries, world)

    def _homes(self, entries: Sequence[HostEntry], state: InventoryState) -> dict[str, Home]:
        """Where the instances of the entries were seen last; what is seen now is kept."""
        known = host_homes.read()
        ids = {entry.instance_id for entry in entries} - {""}
        now = {
            i.id: (who.account, i.region)
            for i in state.instances
            if i.id in ids and not state.dimmed(i) and (who := state.identities.get(i.profile))
        }
        kept = {key: home for key, home in (known | now).items() if key in ids}
        if kept != known and not self._read_only:
            host_homes.remember(kept)
        return kept

    def _may_change(self) -> None:
        if self._read_only:
            raise Refused(READ_ONLY, hint="Leave out --read-only to change the ssh config.")


def _healed(row: HostRow) -> dict[str, str | None]:
    """The entry's values at the address that its instance has now, known by its id."""
    values: dict[str, str | None] = {"HostName": row.address}
    if row.instance and not row.entry.get("HostKeyAlias"):
        values["HostKeyAlias"] = row.instance.id
    return values


def _may_be(row: HostRow, instance: Instance) -> None:
    """Raises Refused when the entry is that of another living instance."""
    other, alias = row.instance, row.entry.alias
    if other and other.id != instance.id and other.state not in ENDED:
        raise Refused(
            f"The entry {alias} is that of {other.label}.",
            row.entry.where,
            f"Give {instance.label} another name, or remove the entry first: "
            f"cloudtui hosts rm {alias}",
        )


def _address(instance: Instance, row: HostRow | None, private: bool, jump: str) -> str:
    """An entry of the instance goes on with the kind of address it has, unless told."""
    has = row.entry if row and row.instance and row.instance.id == instance.id else None
    if has and row and not private:
        if row.address:
            return row.address
        if has.get("HostName") and not row.has(Kind.NO_ADDRESS):
            return has.get("HostName")
    jumps = jump or (has.get("ProxyJump") if has else "")
    return address_for(instance, private=private, jump="" if jumps == "none" else jumps)


def _listed(state: InventoryState) -> frozenset[Home]:
    """The accounts and regions whose rows are complete and of this run."""
    old = state.unconfirmed | {place for place, _ in state.errors}
    return frozenset(
        (who.account, place.region)
        for place in state.listed
        if not old & {place, Place(place.profile)} and (who := state.identities.get(place.profile))
    )
