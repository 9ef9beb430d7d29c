"""The machines: listed place by place, refreshed by itself, old rows kept on failure."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cloudtui.core.amazons import Amazons, MakeAmazon, profiles_in_use
from cloudtui.core.asking import ask_regions, head_start, identify
from cloudtui.core.events import Events, InventoryChanged, InventoryState, Note, Noted, Severity
from cloudtui.core.images import Images
from cloudtui.core.kept_rows import KeptRows
from cloudtui.core.tasks import cancel, keep
from cloudtui.core.telling import Telling
from cloudtui.core.watched import ALL, Account, Rows, Watched, merged, state_of, updated
from cloudtui.model.errors import CloudtuiError, CredentialsProblem, NotFound
from cloudtui.model.instance import Instance, State, resolve
from cloudtui.model.place import Place

if TYPE_CHECKING:
    from cloudtui.aws.clients import Amazon

PLACES_AT_ONCE = 16
REGIONS_SECONDS = 3600.0
"""How long the list of enabled regions holds."""
GONE = "List again: Ctrl-r, or cloudtui ls"


class Inventory:
    """Keeps `state`; every change is emitted as InventoryChanged, changes in quick succession as
    one."""

    def __init__(
        self,
        make_amazon: MakeAmazon,
        events: Events,
        *,
        profiles: Sequence[str] = (),
        regions: Sequence[str] = (),
        refresh_seconds: float = 30.0,
    ) -> None:
        self._amazons = Amazons(make_amazon)
        self._events = events
        self._regions = tuple(regions)
        self._amazons.named, self._amazons.regions = tuple(profiles), self._fixed
        self._interval = refresh_seconds
        self._accounts: dict[str, Account] = {}
        self._watched: dict[Place, Watched] = {}
        self._images = Images(self.amazon_for)
        self._gate = asyncio.Semaphore(PLACES_AT_ONCE)
        self._kept = KeptRows(self._say)
        self._round: set[Account | Place] | None = None
        """Whom the round under way still waits for; None between rounds."""
        self._round_due = 0.0
        self._updated: datetime | None = None
        self._wake = asyncio.Event()
        self._asked = False
        self._keeper: asyncio.Task[None] | None = None
        self._recall: asyncio.Task[None] | None = None
        self._remembers = False
        self._saving: set[asyncio.Task[None]] = set()
        self._telling = Telling(self._emit)
        self.followed: set[str] = set()
        """The machines that cloudtui itself changed in this run, by id."""
        self.state = InventoryState(profiles=profiles_in_use(profiles))
        self._view_profiles(self.state.profiles)

    def recall(self) -> None:
        """Begin to show the rows of an earlier run, if there are any, and to import what asking
        AWS needs; asks AWS nothing."""
        if self._recall is None:
            self._amazons.warm()
            self._recall = keep(self._recalled(tuple(self._accounts.values())), "recall")

    def start(self) -> None:
        """List now, then again every `refresh_seconds`, sooner where something is changing."""
        if self._keeper is None:
            self.recall()
            self._keeper = keep(self._keep(), "inventory")

    def refresh(self) -> None:
        """List again as soon as possible (needs `start`)."""
        self._asked = True
        self._wake.set()

    def wanted(self) -> None:
        """Somebody waits for a machine that does not run: the next listing is soon enough."""

    def follow(self, ids: Iterable[str]) -> None:
        """List these again soon, and then often, until they stop changing (needs `start`)."""
        now = asyncio.get_running_loop().time()
        wanted = set(ids)
        self.followed |= wanted
        for watched in self._watched.values():
            for instance in watched.rows:
                if instance.id in wanted:
                    watched.follow(instance, now)
        self._wake.set()

    @contextmanager
    def in_hand(self, ids: Collection[str]) -> Iterator[None]:
        """Inside, whoever calls `look` follows these: no look of its own is due for them."""
        taken = [w for w in self._watched.values() if any(i.id in ids for i in w.rows)]
        for watched in taken:
            watched.in_hand.update(ids)
        try:
            yield
        finally:
            for watched in taken:
                watched.in_hand.subtract(ids)
            if self._keeper:
                self.follow(ids)

    async def look(self, place: Place, ids: Iterable[str]) -> dict[str, Instance]:
        """These machines as EC2 has them now, by id; the rows show it too.

        Raises:
            CloudtuiError: AWS was not reached or refused.
        """
        from cloudtui.aws import lifecycle

        found = await lifecycle.look(await self.amazon(place.profile), place.region, ids)
        watched = self._watched.get(place)
        if watched:
            known = set(watched.rows)
            watched.rows = updated(watched.rows, tuple(i for i in found.values() if i not in known))
            self._telling.soon()
        return found

    def show_regions(self, regions: Sequence[str]) -> None:
        """Show these regions from now on; `all` is every enabled one, none the profile's own."""
        self._regions = tuple(regions)
        self._amazons.regions = self._fixed
        for account in self._accounts.values():
            if account.error:
                self._amazons.forget(account.profile)
            self._aim(account)
        self.refresh()
        self._telling.soon()

    def show_profiles(self, profiles: Sequence[str]) -> None:
        """Show the machines that these profiles see from now on; none is the default profile."""
        self._amazons.named = tuple(profiles)
        before = set(self._accounts)
        self._view_profiles(profiles_in_use(profiles))
        new = tuple(a for name, a in self._accounts.items() if name not in before)
        if self._recall is not None:
            keep(self._recalled(new), "recall")
        self.refresh()
        self._telling.soon()

    @property
    def wanted_regions(self) -> tuple[str, ...]:
        """The regions asked for, as given; none is each profile's own, `all` may be among them."""
        return self._regions

    def known_regions(self) -> tuple[str, ...]:
        """Every enabled region of the accounts in view, as far as AWS has told."""
        found = (r for account in self._accounts.values() for r in account.regions)
        return tuple(dict.fromkeys((*found, *(p.region for p in self._watched))))

    async def enabled_regions(self) -> tuple[str, ...]:
        """Every enabled region of the first profile in view, asked now when not known.

        Raises:
            CloudtuiError: AWS does not tell.
        """
        account = self._accounts[self.state.profiles[0]]
        if account.regions_asked is None:
            await ask_regions(account, await self.amazon(account.profile))
            if account.regions_error:
                raise account.regions_error
        return account.regions

    async def close(self) -> None:
        await cancel(self._keeper)
        await cancel(self._recall)
        for task in self._tasks():
            await cancel(task)
        self._telling.stop()
        if self._keeper or self._remembers:
            await asyncio.gather(*self._saving, *(self._save(a) for a in self._accounts.values()))
        await self._amazons.close()

    async def amazon(self, profile: str | None = None) -> Amazon:
        """The AWS room of a profile; without a name, of the first profile in view."""
        return await self._amazons.get(self.state.profiles[0] if profile is None else profile)

    async def amazon_for(self, instance: Instance) -> Amazon:
        """The AWS room of the profile that sees the instance."""
        return await self.amazon(instance.profile)

    async def confirmed(self, instance: Instance) -> Instance:
        """The row as AWS has it; a row that is dimmed is waited for until its region is listed.

        Raises:
            NotFound: it is gone.
            CloudtuiError: its region cannot be listed.
        """
        watched = self._watched.get(Place(instance.profile, instance.region))
        if watched is None:
            return self.by_id(instance.id) or instance
        if watched.old:
            await _ended(self._look(watched))
            self._telling.now()
            if watched.error:
                raise watched.error
        found = next((i for i in watched.rows if i.id == instance.id), None)
        if found is None:
            raise NotFound(f"{instance.label} is gone.", "AWS does not list it any more.", GONE)
        return found

    async def load(self) -> InventoryState:
        """List once and return the state; failures are in its `errors`."""
        self._begin_round(every=True)
        while self._round:
            done, _ = await asyncio.wait(self._tasks(), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        self._telling.now()
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

    async def recalled(self, name: str) -> Instance | None:
        """The running instance that `name` means by the rows of an earlier run; None when these
        do not tell. AWS is asked nothing."""
        if self.state.updated is None and self._recall is None:
            self._remembers = True
            await self._recalled(tuple(self._accounts.values()))
        try:
            found = resolve(name, self.state.instances)
        except CloudtuiError:
            return None
        return found if found.state is State.RUNNING else None

    def retag(self, instance_id: str, tags: Mapping[str, str]) -> None:
        """Show these tags at once; the next listing has EC2's own word."""
        for watched in self._watched.values():
            for instance in watched.rows:
                if instance.id == instance_id:
                    named = replace(instance, tags=dict(tags), name=tags.get("Name", ""))
                    watched.rows = updated(watched.rows, (named,))
        self._telling.now()

    def by_id(self, instance_id: str) -> Instance | None:
        return next((i for i in self.state.instances if i.id == instance_id), None)

    async def image(self, instance: Instance) -> tuple[str, str]:
        """Name and description of its image; empty when EC2 does not say."""
        return await self._images.of(instance)

    # Before AWS is asked

    async def _recalled(self, accounts: Iterable[Account]) -> None:
        for account in accounts:
            await self._kept.recall(account, named=account.profile in self._amazons.named)
            if account.profile in self._accounts and not account.places:
                self._aim(account)
        self._telling.now()

    # When

    async def _keep(self) -> None:
        if self._recall:
            await _ended(self._recall)
        loop = asyncio.get_running_loop()
        while True:
            self._wake.clear()
            now = loop.time()
            if self._asked or self._round_due <= now:
                self._begin_round(every=self._asked)
            for watched in self._watched.values():
                if watched.due is not None and watched.due <= now:
                    self._look(watched)
            dues = [w.due for w in self._watched.values() if w.due is not None and not w.task]
            try:
                async with asyncio.timeout_at(min((self._round_due, *dues))):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def _begin_round(self, *, every: bool) -> None:
        """Look at every place once more; without `every`, not where AWS asked to slow down."""
        self._asked = False
        self._round_due = asyncio.get_running_loop().time() + self._interval
        self._round = set(self._accounts.values()) if self._round is None else self._round
        for account in self._accounts.values():
            self._round.add(account)
            if account.task:
                account.again = account.again or every
            else:
                account.task = keep(self._ask(account, every), f"account {account.profile}")
        self._telling.soon()

    def _answered(self, who: Account | Place) -> None:
        self._wake.set()
        if self._round is not None:
            self._round.discard(who)
            if not self._round:
                self._end_round()
        self._telling.soon()

    def _end_round(self) -> None:
        self._round = None
        if any(not watched.old for watched in self._watched.values()):
            self._updated = datetime.now(UTC)
        if self._keeper:
            for account in self._accounts.values():
                task = keep(self._save(account), "snapshot")
                self._saving.add(task)
                task.add_done_callback(self._saving.discard)

    async def _save(self, account: Account) -> None:
        mine = [w for w in self._watched.values() if w.place.profile == account.profile]
        await self._kept.keep(account, mine)

    # Asking AWS

    async def _ask(self, account: Account, every: bool) -> None:
        """Find out where to look, and begin to look there, the home region first."""
        try:
            amazon = await self.amazon(account.profile)
            if not account.home or account.error:
                account.home = await asyncio.to_thread(lambda: amazon.home_region)
            account.error = None
            self._aim(account)
            self._look_at(account, every)
            looked = account.places
            async with asyncio.TaskGroup() as group:
                group.create_task(self._identify(account, amazon))
                now = asyncio.get_running_loop().time()
                asked = account.regions_asked
                if self._all and (every or asked is None or now - asked > REGIONS_SECONDS):
                    await ask_regions(account, amazon)
                    await head_start(self._watched.get(Place(account.profile, account.home)))
                    self._aim(account)
                    self._look_at(account, every, looked)
        except CloudtuiError as error:
            account.error = error
            if isinstance(error, CredentialsProblem):
                account.identity = None
        finally:
            account.task = None
        if account.again:
            account.again = False
            account.task = keep(self._ask(account, True), f"account {account.profile}")
        else:
            self._answered(account)

    async def _identify(self, account: Account, amazon: Amazon) -> None:
        if account.identity:
            return
        if warning := await identify(account, amazon, self._of(account)):
            self._events.emit(Noted(Note(warning, Severity.WARNING)))
        self._telling.soon()

    def _aim(self, account: Account) -> None:
        """Watch the places of the account that are wanted, and no others."""
        regions = self._fixed
        if self._all:
            regions = (*regions, account.home, *account.regions)
        elif not regions:
            regions = (account.home,)
        places = tuple(Place(account.profile, r) for r in dict.fromkeys(filter(None, regions)))
        if places == account.places:
            return
        for gone in set(account.places) - set(places):
            watched = self._watched.pop(gone)
            if watched.task:
                watched.task.cancel()
            if self._round is not None:
                self._round.discard(gone)
        account.places = places
        snapshot = account.snapshot
        for place in places:
            if place not in self._watched:
                watched = self._watched[place] = Watched(place)
                if snapshot and place.region in snapshot.listed:
                    watched.rows = snapshot.rows[place.region]
                    watched.listed = snapshot.listed[place.region]
        self._telling.soon()

    def _look_at(self, account: Account, every: bool, but: Collection[Place] = ()) -> None:
        now = asyncio.get_running_loop().time()
        for watched in (w for w in self._of(account) if w.place not in but):
            waits = watched.slowed and watched.due is not None and watched.due > now
            if every or not waits:
                self._look(watched)
                if self._round is not None:
                    self._round.add(watched.place)

    def _look(self, watched: Watched) -> asyncio.Task[None]:
        """The look at a place that is under way, begun now if none is."""
        if watched.task is None:
            watched.task = keep(self._list(watched), f"list {watched.place.region}")
        return watched.task

    async def _list(self, watched: Watched) -> None:
        place, rows = watched.place, Rows()
        clock = asyncio.get_running_loop().time
        try:
            async with self._gate:
                amazon = await self.amazon(place.profile)
                from cloudtui.aws import ec2

                async for page in ec2.list_instances(amazon, place.region):
                    rows += merged(watched.rows, page)
                    if not watched.confirmed:
                        watched.rows = updated(watched.rows, rows)
                        # The very first rows are what is waited for.
                        tell = self._telling.soon if self.state.instances else self._telling.now
                        tell()
            watched.answered(merged(watched.rows, rows), datetime.now(UTC), clock())
        except CloudtuiError as error:
            watched.failed(error, clock(), self._interval)
            if isinstance(error, CredentialsProblem) and place.profile in self._accounts:
                self._accounts[place.profile].identity = None
        finally:
            watched.task = None
            self._answered(place)

    # What is told

    @property
    def _all(self) -> bool:
        return ALL in self._regions

    @property
    def _fixed(self) -> tuple[str, ...]:
        return tuple(region for region in self._regions if region != ALL)

    def _tasks(self) -> list[asyncio.Task[None]]:
        found = [account.task for account in self._accounts.values()]
        found += [watched.task for watched in self._watched.values()]
        return [task for task in found if task]

    def _of(self, account: Account) -> list[Watched]:
        return [self._watched[place] for place in account.places]

    def _view_profiles(self, profiles: tuple[str, ...]) -> None:
        for name in self._accounts.keys() - set(profiles):
            gone = self._accounts.pop(name)
            if gone.task:
                gone.task.cancel()
            for place in gone.places:
                watched = self._watched.pop(place)
                if watched.task:
                    watched.task.cancel()
        self._accounts = {n: self._accounts.get(n) or Account(n) for n in profiles}
        if self._round is not None:
            self._round &= {*self._accounts.values(), *self._watched}

    def _emit(self) -> bool:
        """Whether anything was new since the last time."""
        accounts = [(account, self._of(account)) for account in self._accounts.values()]
        state = state_of(
            self.state,
            accounts,
            loading=self._round is not None,
            listed=self._updated,
            now=asyncio.get_running_loop().time(),
        )
        if state == self.state:
            return False
        self.state = state
        self._events.emit(InventoryChanged(state))
        return True

    def _say(self, error: CloudtuiError) -> None:
        detail = "\n".join(part for part in (error.detail, error.hint) if part)
        self._events.emit(Noted(Note(error.title, Severity.WARNING, detail)))


async def _ended(task: asyncio.Task[None]) -> None:
    """Wait for a task that others wait for too."""
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()
