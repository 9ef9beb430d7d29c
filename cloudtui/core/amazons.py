"""The AWS room of each profile, opened at first use."""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from cloudtui.core.tasks import keep

if TYPE_CHECKING:
    from cloudtui.aws.clients import Amazon

MakeAmazon = Callable[[str, Sequence[str]], "Amazon"]
"""From the profile as the user named it (empty for the default) and the regions named."""


class Amazons:
    """`named` are the profiles, and `regions` the regions, that the user named."""

    def __init__(self, make: MakeAmazon) -> None:
        self._make = make
        self._open: dict[str, Amazon] = {}
        self._lock = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()
        self._importing: asyncio.Task[None] | None = None
        self.named: tuple[str, ...] = ()
        self.regions: tuple[str, ...] = ()

    def warm(self) -> None:
        """Begin to import what `get` needs, in a thread."""
        if self._importing is None:
            self._importing = keep(asyncio.to_thread(_import), "import of aws")

    async def get(self, profile: str) -> Amazon:
        """Imported off the loop."""
        async with self._lock:
            if profile not in self._open:
                # The default profile is left to botocore: keys in the environment go before it.
                explicit = profile if profile in self.named else ""
                made = await asyncio.to_thread(self._imported, explicit, self.regions)
                self._open[profile] = await made.__aenter__()
            return self._open[profile]

    def forget(self, profile: str) -> None:
        """Open it anew when it is needed next, with what is named then."""
        if amazon := self._open.pop(profile, None):
            task = keep(amazon.close(), "close")
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        if self._importing:
            await asyncio.wait([self._importing])
        await asyncio.gather(*self._closing)
        for amazon in self._open.values():
            await amazon.__aexit__(None, None, None)

    def _imported(self, profile: str, regions: tuple[str, ...]) -> Amazon:
        _import()
        return self._make(profile, regions)


PROFILE = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
REGION = ("AWS_REGION", "AWS_DEFAULT_REGION")


def wanted(asked: Sequence[str], names: Sequence[str], settled: Sequence[str]) -> tuple[str, ...]:
    """What was asked for, or what the settings say where none of these variables says it."""
    if asked or any(os.environ.get(name) for name in names):
        return tuple(asked)
    return tuple(settled)


def profiles_in_use(asked: Sequence[str]) -> tuple[str, ...]:
    """The profiles asked for, else the one that the environment names; empty is the default."""
    named = os.environ.get("AWS_PROFILE") or os.environ.get("AWS_DEFAULT_PROFILE") or ""
    return tuple(dict.fromkeys(name or named for name in asked)) or (named,)


def _import() -> None:
    for module in ("clients", "ec2", "identity"):
        importlib.import_module(f"cloudtui.aws.{module}")
