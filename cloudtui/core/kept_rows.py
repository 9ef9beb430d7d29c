"""Snapshots of the inventory: read before AWS is asked, written after it has answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from cloudtui.core.watched import Account, Watched
from cloudtui.files import aws_config, snapshots
from cloudtui.model.errors import CloudtuiError

RENEWED_SECONDS = 600.0
"""A file whose rows still hold is written again after so long, so that its age is right."""

Say = Callable[[CloudtuiError], None]


class KeptRows:
    """Reads and writes in threads; what fails is said once and stops nothing."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._said: set[str] = set()
        self._writing = asyncio.Lock()

    async def recall(self, account: Account, *, named: bool) -> None:
        """Fill in the account's key, home region and snapshot; `named` when the user named the
        profile, so that keys in the environment do not count."""
        found, snapshot, problem = await asyncio.to_thread(_read, account.profile, named)
        account.key = found.key
        account.home = account.home or found.region
        if snapshot is not None:
            account.snapshot = snapshot
            account.regions = account.regions or snapshot.regions
            account.saved = dict(snapshot.rows)
        if problem is not None:
            self._tell(problem)

    async def keep(self, account: Account, watched: Iterable[Watched]) -> None:
        """Write the rows of places that were listed, beside those of regions not in view."""
        watched = [place for place in watched if place.confirmed]
        if not account.key or not watched:
            return
        async with self._writing:
            old = account.snapshot or snapshots.Snapshot()
            rows, listed = dict(old.rows), dict(old.listed)
            for place in watched:
                if place.listed is not None:
                    rows[place.place.region] = place.rows
                    listed[place.place.region] = place.listed
            now = asyncio.get_running_loop().time()
            same = account.saved is not None and _same(account.saved, rows)
            if same and now - account.saved_at < RENEWED_SECONDS and account.saved_at:
                return
            number = account.identity.account if account.identity else old.account
            snapshot = snapshots.Snapshot(number, account.regions, rows, listed)
            account.saved, account.saved_at, account.snapshot = dict(rows), now, snapshot
            try:
                await asyncio.to_thread(snapshots.save, account.key, snapshot)
            except CloudtuiError as error:
                self._tell(error)

    def _tell(self, error: CloudtuiError) -> None:
        if error.title not in self._said:
            self._said.add(error.title)
            self._say(error)


def _read(
    profile: str, named: bool
) -> tuple[aws_config.Account, snapshots.Snapshot | None, CloudtuiError | None]:
    found = aws_config.account(profile, named=named)
    if not found.key:
        return found, None, None
    try:
        return found, snapshots.load(found.key, profile), None
    except CloudtuiError as error:
        return found, None, error


def _same(before: dict[str, snapshots.Rows], now: dict[str, snapshots.Rows]) -> bool:
    return before.keys() == now.keys() and all(before[r] is now[r] for r in now)
