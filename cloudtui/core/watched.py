"""A region under watch, and an account: what is known, how true that is, when to look again."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from cloudtui.core.events import InventoryState
from cloudtui.files.snapshots import Snapshot
from cloudtui.model.errors import CloudtuiError, CredentialsProblem, Throttled
from cloudtui.model.finding import Identity
from cloudtui.model.instance import Instance, State
from cloudtui.model.place import Place

CHANGING_SECONDS = 2.0
"""Between two looks at a region in which an instance is starting or stopping."""
CHANGING_LONG = 60.0
LONG_CHANGING_SECONDS = 5.0
"""The same once that has gone on for more than `CHANGING_LONG` seconds."""
FOLLOWED_SECONDS = 20.0
"""How long a followed instance is waited for to begin to change: EC2 may answer with what was."""
SLOW_SECONDS = 10.0
SLOWEST_SECONDS = 320.0
"""Waits after AWS asked to slow down: the first, doubled each time, up to the second."""

ALL = "all"
"""What stands for every enabled region."""

Rows = tuple[Instance, ...]


@dataclass(slots=True, eq=False)
class Watched:
    """One region as one profile sees it."""

    place: Place
    rows: Rows = ()
    listed: datetime | None = None
    """When the rows were listed; None before."""
    confirmed: bool = False
    """Listed in this run; until then the rows are those of an earlier one."""
    error: CloudtuiError | None = None
    """Why the last look failed."""
    slowed: int = 0
    """How often in a row AWS asked to slow down."""
    due: float | None = None
    """The loop's time of a look of its own; None leaves it to the next round."""
    task: asyncio.Task[None] | None = None
    """The look under way: there is never a second one."""
    changing_since: float | None = None
    followed: dict[str, tuple[float, State]] = field(default_factory=dict)
    """Until when an instance is followed at least, and its state when that began."""
    in_hand: Counter[str] = field(default_factory=Counter)
    """How many others look at an instance often: this one need not."""

    @property
    def old(self) -> bool:
        return not self.confirmed or self.error is not None

    def follow(self, instance: Instance, now: float) -> None:
        """Look now, and often, until the instance has changed and rests again."""
        self.followed[instance.id] = (now + FOLLOWED_SECONDS, instance.state)
        self.due = now

    def answered(self, rows: Rows, listed: datetime, now: float) -> bool:
        """The region was listed; whether its rows differ from those known."""
        differ = rows != self.rows
        if differ:
            self.rows = rows
        self.listed, self.confirmed, self.error, self.slowed = listed, True, None, 0
        self._plan(now)
        return differ

    def failed(self, error: CloudtuiError, now: float, interval: float) -> None:
        """The region was not listed: its rows stay."""
        self.error = error
        self.slowed = self.slowed + 1 if isinstance(error, Throttled) else 0
        if self.slowed:
            self.due = now + slow_wait(self.slowed, interval)
        else:
            self._plan(now)

    def _plan(self, now: float) -> None:
        states = {i.id: i.state for i in self.rows}
        self.followed = {
            i: (until, before)
            for i, (until, before) in self.followed.items()
            if i in states and (states[i].changing or (states[i] is before and now < until))
        }
        for i in self.followed.keys() & +self.in_hand:
            del self.followed[i]
        changing = any(s.changing and not self.in_hand[i] for i, s in states.items())
        if not self.followed and not changing:
            self.changing_since = self.due = None
            return
        if self.changing_since is None:
            self.changing_since = now
        long = now - self.changing_since >= CHANGING_LONG
        self.due = now + (LONG_CHANGING_SECONDS if long else CHANGING_SECONDS)


@dataclass(slots=True, eq=False)
class Account:
    """What one profile leads to."""

    profile: str
    key: str = ""
    """Of its snapshot; empty when it has none."""
    home: str = ""
    regions: tuple[str, ...] = ()
    """Every enabled region, as far as known."""
    regions_asked: float | None = None
    """The loop's time when AWS last told the regions."""
    regions_error: CloudtuiError | None = None
    places: tuple[Place, ...] = ()
    """Those in view, the home region first."""
    error: CloudtuiError | None = None
    """Why nothing of it can be asked."""
    identity: Identity | None = None
    snapshot: Snapshot | None = None
    saved: dict[str, Rows] | None = None
    """What the snapshot's file holds now."""
    saved_at: float = 0.0
    task: asyncio.Task[None] | None = None
    again: bool = False
    """Asked for while `task` was under way: what is wanted may be different by now."""


def slow_wait(times: int, interval: float) -> float:
    """Seconds until the next look after AWS asked to slow down `times` times in a row."""
    return max(interval, min(SLOWEST_SECONDS, SLOW_SECONDS * 2.0 ** min(times - 1, 16)))


def merged(known: Rows, rows: Rows) -> Rows:
    """`rows`, with each that is as before replaced by the very object known; `known` itself when
    nothing differs. So whoever shows them sees by identity what changed."""
    by_id = {i.id: i for i in known}
    found = tuple(i if by_id.get(i.id) != i else by_id[i.id] for i in rows)
    same = len(found) == len(known) and all(a is b for a, b in zip(found, known, strict=True))
    return known if same else found


def updated(known: Rows, rows: Rows) -> Rows:
    """The rows known with some of them as they are now, and new ones behind them."""
    fresh = {i.id: i for i in rows}
    kept = tuple(fresh.pop(i.id, i) for i in known)
    return (*kept, *fresh.values())


def each_once(rows: Iterable[Rows], *, overlap: bool) -> Rows:
    """The rows of several places as one; with `overlap` an instance that several profiles see is
    there once, under the first."""
    if not overlap:
        return tuple(i for some in rows for i in some)
    found: dict[str, Instance] = {}
    for some in rows:
        for instance in some:
            found.setdefault(instance.id, instance)
    return tuple(found.values())


def state_of(
    before: InventoryState,
    accounts: Sequence[tuple[Account, Sequence[Watched]]],
    *,
    loading: bool,
    listed: datetime | None,
    now: float,
) -> InventoryState:
    """What is told of the accounts and their places; `now` is the loop's time.

    The instances are the same object as before when no row differs.
    """
    watched = [w for _, mine in accounts for w in mine]
    rows = each_once((w.rows for w in watched), overlap=len(accounts) > 1)
    old = before.instances
    same = len(rows) == len(old) and all(a is b for a, b in zip(rows, old, strict=True))
    unconfirmed = [w for w in watched if not w.confirmed and w.listed]
    slowed = [w for w in watched if w.slowed]
    return replace(
        before,
        instances=old if same else rows,
        profiles=tuple(account.profile for account, _ in accounts),
        regions=tuple(dict.fromkeys(w.place.region for w in watched)),
        loading=loading,
        updated=listed,
        errors=tuple(error for account, mine in accounts for error in _errors(account, mine)),
        identities={a.profile: a.identity for a, _ in accounts if a.identity},
        snapshot=min((w.listed for w in unconfirmed if w.listed), default=None),
        unconfirmed=frozenset(w.place for w in unconfirmed),
        listed={w.place: w.listed for w in watched if w.listed},
        slowed=tuple(w.place for w in slowed),
        next_look=_moment(min((w.due for w in slowed if w.due is not None), default=None), now),
    )


def _errors(account: Account, mine: Sequence[Watched]) -> Iterator[tuple[Place, CloudtuiError]]:
    if account.error:
        yield Place(account.profile), account.error
        return
    # Credentials that no region takes are one failure, not one for each region.
    first = mine[0].error if mine else None
    if isinstance(first, CredentialsProblem) and all(w.old for w in mine):
        yield Place(account.profile), first
        return
    if account.regions_error:
        yield Place(account.profile, ALL), account.regions_error
    for watched in mine:
        if watched.error:
            yield watched.place, watched.error


def _moment(due: float | None, now: float) -> datetime | None:
    """A time of the loop as a time of day, to the second, so that it stays the same."""
    if due is None:
        return None
    return (datetime.now(UTC) + timedelta(seconds=due - now + 0.5)).replace(microsecond=0)
