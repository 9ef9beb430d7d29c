"""The entries of the ssh config kept in step with the machines: added, edited, healed, removed."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cloudtui.core.connections import Connections
from cloudtui.core.events import (
    Event,
    Events,
    HostsChanged,
    HostsState,
    InventoryChanged,
    InventoryState,
    Note,
    Noted,
    Severity,
)
from cloudtui.core.inventory import Inventory
from cloudtui.core.sessions import READ_ONLY
from cloudtui.core.ssh_entries import SshEntries
from cloudtui.core.tasks import cancel, keep
from cloudtui.files import host_homes, identity_files, ssh_config
from cloudtui.files.paths import ssh_dir
from cloudtui.files.settings import Settings
from cloudtui.model.errors import CloudtuiError, Refused, UsageError
from cloudtui.model.host_drift import (
    ENDED,
    Home,
    HostRow,
    Kind,
    World,
    address_for,
    alias_for,
    alias_problem,
    heals_by_itself,
    row_of,
    survey,
    wanted_values,
)
from cloudtui.model.host_entry import ChangedOnDisk, ConfigChange, HostEntry
from cloudtui.model.instance import Instance
from cloudtui.model.place import Place
from cloudtui.model.remote import Route

GAP = 0.3
"""At least so many seconds lie between two looks at the ssh config because machines changed."""


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


class Hosts:
    """Keeps `state` as long as `start` was called; the command line asks for it with `look`."""

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
        self._made_here: set[str] = set()
        self._told: set[tuple[str, str]] = set()
        self._seen: object = None
        self._wake = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Follow the machines from now on: heal what may be healed, tell of the rest."""
        if self._keeper is None:
            self._end = self._events.listen(self._hear)
            self._keeper = keep(self._keep(), "hosts")

    async def close(self) -> None:
        if self._keeper:
            self._end()
            await cancel(self._keeper)

    async def load(self) -> HostsState:
        """List the machines once and look at the entries."""
        if self._inventory.state.updated is None:
            await self._inventory.load()
        return await self.look()

    async def look(self) -> HostsState:
        """The entries as they are now, each beside its instance."""
        entries = await self.entries.entries()
        state = self._inventory.state
        rows = await asyncio.to_thread(self._survey, entries, state)
        state_now = HostsState(rows, looked=True)
        if state_now != self.state:
            self.state = state_now
            self._events.emit(HostsChanged(state_now))
        return state_now

    # Plans

    async def plan_add(
        self,
        instance: Instance,
        *,
        alias: str = "",
        user: str = "",
        key: Path | None = None,
        port: int = 0,
        jump: str = "",
        private: bool = False,
    ) -> Planned:
        """The entry of an instance: a new one, or the one it has brought up to date.

        Of an entry that is there only what is missing or wrong changes, and what is named here.

        Raises:
            Refused: read-only mode, no address, the alias is another living instance's, or the
                config cannot be read.
            UsageError: the alias or a value cannot be written in an ssh config.
        """
        self._may_change()
        rows = (await self.look()).rows
        alias = alias or alias_for(instance, rows)
        if problem := alias_problem(alias):
            raise UsageError(problem, hint="Name another with --alias.")
        row = next((r for r in rows if r.entry.alias == alias), None)
        other = row.instance if row else None
        if other and other.id != instance.id and other.state not in ENDED:
            raise Refused(
                f"The entry {alias} is that of {other.label}.",
                row.entry.where if row else "",
                f"Give {instance.label} another name, or remove the entry first: "
                f"cloudtui hosts rm {alias}",
            )
        has = row.entry if row else None
        address = self._address(instance, row, private, jump)
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
        return Planned(alias, await self.entries.put(alias, values), instance, has)

    def _address(self, instance: Instance, row: HostRow | None, private: bool, jump: str) -> str:
        """An entry of the instance goes on with the kind of address it has, unless told."""
        has = row.entry if row and row.instance and row.instance.id == instance.id else None
        if has and row and not private:
            if row.address:
                return row.address
            if has.get("HostName") and not row.has(Kind.NO_ADDRESS):
                return has.get("HostName")
        jumps = jump or (has.get("ProxyJump") if has else "")
        return address_for(instance, private=private, jump="" if jumps == "none" else jumps)

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
            UsageError, Refused: as `plan_add`.
        """
        self._may_change()
        row = row_of(alias, (await self.look()).rows)
        return Planned(alias, await self.entries.put(alias, values), row.instance, row.entry)

    async def plan_heal(self, row: HostRow) -> Planned:
        """The entry at the address that its instance has now, and known by its id from then on."""
        self._may_change()
        values: dict[str, str | None] = {"HostName": row.address}
        if row.instance and not row.entry.get("HostKeyAlias"):
            values["HostKeyAlias"] = row.instance.id
        alias = row.entry.alias
        return Planned(alias, await self.entries.put(alias, values), row.instance, row.entry)

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

    # Doing

    async def save(self, planned: Planned) -> None:
        """Write what was planned; host keys known under the old address follow.

        Raises:
            Refused: read-only mode, and as `SshEntries.save`; nothing is written.
        """
        self._may_change()
        if not planned.change.empty:
            await self.entries.save(planned.change)
        rows = (await self.look()).rows
        row = next((r for r in rows if r.entry.alias == planned.alias), None)
        instance = planned.instance
        if row and instance and row.entry.instance_id == instance.id:
            old = planned.before.get("HostName") if planned.before else ""
            await self._carry_key(row.entry, instance, old)

    async def _carry_key(self, entry: HostEntry, instance: Instance, old: str) -> None:
        """Host keys known by an address, old or new, are known by the instance's id from now on."""
        from cloudtui.ssh import hostkeys

        route = await self._connections.route(instance, alias=entry.alias, address=old)
        addresses = dict.fromkeys(filter(None, (old, entry.get("HostName"))))

        def learn() -> None:
            for address in addresses:
                if hostkeys.learn_by_address(route, address):
                    return

        await asyncio.to_thread(learn)

    async def meet(self, instance: Instance) -> None:
        """Connect, so that the host key is asked about and on record, and the login is tried.

        Raises:
            CloudtuiError: as `Connections.get`.
        """
        await self._connections.get(instance)

    async def heal(self, fresh: Iterable[Instance] = ()) -> None:
        """Bring entries in step after a change that cloudtui itself made to these machines."""
        fresh = tuple(fresh)
        self._made_here.update(instance.id for instance in fresh)
        known = {instance.id: instance for instance in fresh}
        entries = await self.entries.entries()
        state = self._inventory.state
        instances = tuple(known.pop(i.id, i) for i in state.instances)
        state = replace(state, instances=(*instances, *known.values()))
        rows = await asyncio.to_thread(self._survey, entries, state)
        await self._heal([r for r in rows if r.instance and r.instance.id in self._made_here])

    # Following the machines

    def _hear(self, event: Event) -> None:
        if isinstance(event, InventoryChanged):
            self._wake.set()

    async def _keep(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            state = self._inventory.state
            seen = _facts(state)
            if seen != self._seen:
                self._seen = seen
                rows = (await self.look()).rows
                await self._heal(rows)
                self._tell_gone(rows)
            await asyncio.sleep(GAP)

    async def _heal(self, rows: Sequence[HostRow]) -> None:
        setting = self._settings.heal_hosts
        for row in rows:
            if not row.address or row.instance is None:
                continue
            made_here = row.instance.id in self._made_here | self._inventory.followed
            if not self._read_only and heals_by_itself(row, setting, made_here=made_here):
                await self._heal_row(row)
            elif setting != "never":
                self._say_once(
                    row,
                    f"{row.instance.label} is at {row.address} now; the ssh entry "
                    f"{row.entry.alias} says {row.entry.get('HostName') or 'nothing'}.",
                    f"{row.entry.where}. Correct it: 5, then y; or "
                    f"cloudtui hosts sync {row.entry.alias}",
                )

    async def _heal_row(self, row: HostRow) -> None:
        if (row.entry.alias, row.address) in self._told:
            return
        was = row.entry.get("HostName") or "nothing"
        try:
            try:
                await self.save(await self.plan_heal(row))
            except ChangedOnDisk:  # by somebody else in this moment
                await self.save(await self.plan_heal(row))
        except CloudtuiError as error:
            detail = "\n".join(part for part in (error.title, error.detail, error.hint) if part)
            self._say_once(
                row, f"The ssh entry {row.entry.alias} still has the address {was}.", detail
            )
        else:
            text = f"The ssh entry {row.entry.alias} has the address {row.address} now, not {was}."
            self._events.emit(Noted(Note(text, detail=str(row.entry.file))))

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

    # What is known

    def _survey(self, entries: Sequence[HostEntry], state: InventoryState) -> tuple[HostRow, ...]:
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


def _listed(state: InventoryState) -> frozenset[Home]:
    """The accounts and regions whose rows are complete and of this run."""
    old = state.unconfirmed | {place for place, _ in state.errors}
    return frozenset(
        (who.account, place.region)
        for place in state.listed
        if not old & {place, Place(place.profile)} and (who := state.identities.get(place.profile))
    )


def _facts(state: InventoryState) -> object:
    """What entries depend on; equal while nothing of it changed."""
    machines = tuple(
        (i.id, i.name, i.state, i.public_ip, i.ipv6, i.private_ip)
        for i in state.instances
        if not state.dimmed(i)
    )
    return machines, _listed(state)
