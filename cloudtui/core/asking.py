"""What AWS is asked about an account itself: who is asking, and which regions it can use."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from cloudtui.core.watched import Account, Watched
from cloudtui.model.errors import CloudtuiError

if TYPE_CHECKING:
    from cloudtui.aws.clients import Amazon

ROOT = (
    "These are the keys of the root user of account {}: they can do everything, and no policy "
    "stops them. Make an IAM user, or use IAM Identity Center."
)


HEAD_START_SECONDS, PAINT_SECONDS = 0.3, 0.05
"""How long other regions wait for the home region's answer at most, and for its paint."""


async def head_start(home: Watched | None) -> None:
    """Let the home region's rows be painted before clients of many regions are made."""
    if home and home.task and not home.confirmed:
        await asyncio.wait([home.task], timeout=HEAD_START_SECONDS)
        await asyncio.sleep(PAINT_SECONDS)


async def ask_regions(account: Account, amazon: Amazon) -> None:
    """Fill in the account's enabled regions, or why they are not known."""
    from cloudtui.aws import ec2

    try:
        regions = await ec2.enabled_regions(amazon)
    except CloudtuiError as error:
        account.regions_error = error
        return
    account.regions, account.regions_error = regions, None
    account.regions_asked = asyncio.get_running_loop().time()


async def identify(account: Account, amazon: Amazon, watched: Iterable[Watched]) -> str:
    """Fill in who is asking; the rows of an earlier run go when they are another account's.

    The sentence returned is a warning, or empty.
    """
    from cloudtui.aws import identity

    try:
        found = account.identity = await identity.caller(amazon)
    except CloudtuiError:
        return ""
    old = account.snapshot
    if old and old.account and old.account != found.account:
        account.snapshot = account.saved = None
        for place in watched:
            if not place.confirmed:
                place.rows = ()
    return ROOT.format(found.account) if found.root else ""
