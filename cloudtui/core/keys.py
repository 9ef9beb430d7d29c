"""EC2's key pairs in every place in view, each with its private key here and its machines."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from typing import Any

from cloudtui.core.events import InventoryState
from cloudtui.core.inventory import Inventory
from cloudtui.core.key_files import KeyFiles, trouble
from cloudtui.core.known_machines import Machines
from cloudtui.files import keys as disk
from cloudtui.files.paths import expanded
from cloudtui.files.settings import Settings
from cloudtui.model.errors import READ_ONLY, Ambiguous, CloudtuiError, NotFound, Refused, UsageError
from cloudtui.model.instance import Instance
from cloudtui.model.key_pair import (
    AgentKey,
    KeyPair,
    KeyRow,
    KeyType,
    LocalKey,
    file_name,
    match,
    name_problem,
    users,
)
from cloudtui.model.place import Place

PLACES_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class KeyListing:
    """Everything that is known about keys now."""

    rows: tuple[KeyRow, ...] = ()
    files: tuple[LocalKey, ...] = ()
    """Every private key of this computer, those of `rows` too."""
    agent: tuple[AgentKey, ...] = ()
    errors: tuple[tuple[Place, CloudtuiError], ...] = ()
    """The places whose key pairs could not be listed."""
    agent_error: CloudtuiError | None = None

    @property
    def unmatched(self) -> tuple[LocalKey, ...]:
        """Private keys of this computer that belong to no key pair in view."""
        matched = {key.path for row in self.rows for key in row.files}
        return tuple(key for key in self.files if key.path not in matched)

    def with_machines(self, machines: Iterable[Instance]) -> KeyListing:
        """The same with the machines as they are now."""
        machines = tuple(machines)
        rows = tuple(replace(row, machines=users(row.pair, machines)) for row in self.rows)
        return replace(self, rows=rows)

    @property
    def trouble(self) -> tuple[LocalKey, ...]:
        """Files that ssh would not use as they are."""
        return trouble(self.files)


@dataclass(frozen=True, slots=True)
class Created:
    """A key pair that was made, and where its private key is."""

    pair: KeyPair
    path: Path


class Keys:
    """Lists, creates, imports and deletes key pairs; `files` are the private keys here."""

    def __init__(
        self, settings: Settings, inventory: Inventory, *, read_only: bool = False
    ) -> None:
        self._settings = settings
        self._inventory = inventory
        self._read_only = read_only
        self.files = KeyFiles(settings, read_only=read_only)

    async def list(self) -> KeyListing:
        """Ask every place in view, this disk and the agent; what failed is in `errors`."""
        gate, places = asyncio.Semaphore(PLACES_AT_ONCE), places_in_view(self._inventory.state)

        async def ask(place: Place) -> tuple[KeyPair, ...] | CloudtuiError:
            async with gate:
                try:
                    return await self._pairs(place)
                except CloudtuiError as error:
                    return error

        here = asyncio.create_task(self._here())
        answers = await asyncio.gather(*(ask(place) for place in places))
        found, agent = await here
        pairs = [p for answer in answers if isinstance(answer, tuple) for p in answer]
        errors = [
            (place, answer)
            for place, answer in zip(places, answers, strict=True)
            if isinstance(answer, CloudtuiError)
        ]
        held = agent if isinstance(agent, tuple) else ()
        return KeyListing(
            match(pairs, found, held, self._inventory.state.instances),
            found,
            held,
            tuple(errors),
            None if isinstance(agent, tuple) else agent,
        )

    async def _here(
        self,
    ) -> tuple[tuple[LocalKey, ...], tuple[AgentKey, ...] | CloudtuiError]:
        found = await self.files.list()
        try:
            return found, await self.files.agent()
        except CloudtuiError as error:
            return found, error

    async def _pairs(self, place: Place) -> tuple[KeyPair, ...]:
        from cloudtui.aws import key_pairs

        amazon = await self._inventory.amazon(place.profile)
        return await key_pairs.key_pairs(amazon, place.region)

    async def find(self, name: str) -> KeyRow:
        """The key pair of that name or id.

        Raises:
            NotFound, Ambiguous: no region in view has it, or several have.
            CloudtuiError: it is in none that could be listed.
        """
        listing = await self.list()
        found = [row for row in listing.rows if name in (row.pair.name, row.pair.id)]
        if len(found) == 1:
            return found[0]
        if found:
            lines = [f"{row.pair.id}  {row.pair.name}  {row.pair.region}" for row in found]
            raise Ambiguous(
                f"{name} could be {len(found)} key pairs.",
                lines,
                "Name its region: --region REGION, or give its id.",
            )
        if listing.errors:
            raise listing.errors[0][1]
        known = sorted({row.pair.name for row in listing.rows})
        hint = f"Known here: {', '.join(known[:8])}{' …' if len(known) > 8 else ''}."
        raise NotFound(
            f"No key pair is called {name!r}.",
            hint if known else "",
            "List them with: cloudtui keys ls. Another region: --region REGION.",
        )

    async def target(self) -> Place:
        """Where a new key pair goes: the first place in view.

        Raises:
            CloudtuiError: no region is known.
        """
        profile = self._inventory.state.profiles[0]
        wanted = [r for r in self._inventory.wanted_regions if r != "all"]
        if wanted:
            return Place(profile, wanted[0])
        amazon = await self._inventory.amazon(profile)
        return Place(profile, await asyncio.to_thread(lambda: amazon.home_region))

    async def create(
        self, name: str, place: Place, kind: KeyType = KeyType.ED25519, path: Path | None = None
    ) -> Created:
        """Let EC2 make a key pair, and save its private key as 0400: NAME.pem in the first key
        folder (~/.ssh), or `path`; a file that exists is never overwritten. Once EC2 was asked,
        it goes to its end.

        Raises:
            Refused: read-only mode, or the file exists.
            UsageError: no name that EC2 takes.
            CloudtuiError: EC2 refuses; or the private key could not be saved, and then the key
                pair was deleted again.
        """
        self._may_change()
        if problem := name_problem(name):
            raise UsageError(problem)
        target = self._target(name, path)
        if reason := await asyncio.to_thread(disk.why_not_new, target):
            raise Refused(
                f"The key pair {name} was not created: {reason}.",
                hint="Choose another name, or another file: --file PATH",
            )
        return await _to_its_end(self._create(name, place, kind, target))

    async def _create(self, name: str, place: Place, kind: KeyType, target: Path) -> Created:
        from cloudtui.aws import key_pairs

        amazon = await self._inventory.amazon(place.profile)
        made = await key_pairs.create(amazon, place.region, name, kind)
        material = made.material if made.material.endswith("\n") else f"{made.material}\n"
        try:
            await asyncio.to_thread(disk.save_new, target, material.encode())
        except OSError as error:
            reason = f"{target} cannot be written: {error.strerror or error}."
            try:
                await key_pairs.delete(amazon, place.region, name)
            except CloudtuiError as failure:
                raise CloudtuiError(
                    f"The private key of {name} could not be saved, and EC2 keeps a key pair that "
                    "nobody has the key of.",
                    f"{reason} {failure.title}",
                    f"Delete it: cloudtui keys delete {quote(name)} --region {place.region}",
                ) from error
            raise CloudtuiError(
                f"The private key of {name} could not be saved, so the key pair was deleted again.",
                reason,
                "Make room or choose another file: --file PATH",
            ) from error
        return Created(made.pair, target)

    async def put(self, name: str, place: Place, public_key: str) -> KeyPair:
        """Import a public key (`TYPE BASE64`) as a key pair.

        Raises:
            Refused: read-only mode, or the name is taken.
            UsageError: no name, or no type of key, that EC2 takes.
            CloudtuiError: EC2 refuses.
        """
        self._may_change()
        if problem := name_problem(name):
            raise UsageError(problem)
        kind = public_key.partition(" ")[0]
        if kind not in ("ssh-rsa", "ssh-ed25519"):
            raise UsageError(
                f"EC2 takes RSA and ed25519 keys, and this is a {kind or 'nothing'}.",
                hint=f"Make one: cloudtui keys create {quote(name)}",
            )
        from cloudtui.aws import key_pairs

        amazon = await self._inventory.amazon(place.profile)
        return await key_pairs.put(amazon, place.region, name, public_key)

    async def delete(self, pair: KeyPair) -> None:
        """Delete the key pair in EC2; private keys here and machines stay as they are.

        Raises:
            Refused: read-only mode.
            CloudtuiError: EC2 refuses.
        """
        self._may_change()
        from cloudtui.aws import key_pairs

        amazon = await self._inventory.amazon(pair.profile)
        await key_pairs.delete(amazon, pair.region, pair.name)

    def _target(self, name: str, path: Path | None) -> Path:
        if path:
            return expanded(str(path)).absolute()
        file = file_name(name)
        if not file:
            raise UsageError(
                f"{name!r} is no file name, so it is not clear where its private key goes.",
                hint="Name the file: --file PATH",
            )
        return disk.new_key_folder(self._settings.key_folders) / file

    def _may_change(self) -> None:
        if self._read_only:
            raise Refused(READ_ONLY, hint="Leave out --read-only to change keys.")


async def matching_file(settings: Settings, machines: Machines, instance: Instance) -> Path | None:
    """The private key of the instance's key pair, under whatever name, that ssh can use; None
    also when EC2 does not tell the pair."""
    from cloudtui.aws import key_pairs

    found = await KeyFiles(settings).list()
    usable = [key for key in found if key.format and not key.problem]
    if not usable:
        return None
    try:
        amazon = await machines.amazon_for(instance)
        pairs = await key_pairs.key_pairs(amazon, instance.region, instance.key_name)
    except CloudtuiError:
        return None
    return next((key.path for pair in pairs for key in usable if key.matches(pair)), None)


def places_in_view(state: InventoryState) -> tuple[Place, ...]:
    """Every region that machines are listed in, whether or not that worked."""
    found = [*state.listed, *(place for place, _ in state.errors), *state.unconfirmed]
    found += [Place(i.profile, i.region) for i in state.instances]
    return tuple(dict.fromkeys(place for place in found if place.region not in ("", "all")))


async def _to_its_end(work: Coroutine[Any, Any, Created]) -> Created:
    """Let it end though whoever waits is cancelled: a private key is told only once."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
