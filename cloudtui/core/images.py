"""Name and description of the images that machines were made from, each asked once.

They never change, so they are kept in the cache folder for the next run.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from cloudtui.files.cache import FileCache
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance

if TYPE_CHECKING:
    from cloudtui.aws.clients import Amazon

UNKNOWN = ("", "")
FILE = "images.json"
KEPT = 1000
"""The most images that are kept; the oldest go."""


class Images:
    """Asks the AWS room that `amazon_for` gives; what failed is asked again the next time."""

    def __init__(self, amazon_for: Callable[[Instance], Awaitable[Amazon]]) -> None:
        self._amazon_for = amazon_for
        self._known: dict[str, tuple[str, str]] = {}
        self._read = False
        self._cache = FileCache(lambda _sentence, _detail: None)

    async def of(self, instance: Instance) -> tuple[str, str]:
        """Name and description; empty when EC2 does not say (deregistered, denied)."""
        wanted = instance.image_id
        if not wanted:
            return UNKNOWN
        if wanted not in self._known and not self._read:
            self._read = True
            kept = _parsed(await asyncio.to_thread(self._cache.read, FILE))
            self._known = {**kept, **self._known}
        if wanted not in self._known:
            try:
                amazon = await self._amazon_for(instance)
                from cloudtui.aws import ec2

                found = await ec2.image_names(amazon, instance.region, [wanted])
            except CloudtuiError:
                return UNKNOWN
            self._known[wanted] = found.get(wanted, UNKNOWN)  # a deregistered one never comes back
            await asyncio.to_thread(self._keep)
        return self._known[wanted]

    def _keep(self) -> None:
        newest = dict(list(self._known.items())[-KEPT:])
        self._cache.write(FILE, json.dumps(newest).encode())


def _parsed(data: bytes | None) -> dict[str, tuple[str, str]]:
    """What a file holds; nothing when it is broken."""
    try:
        found = json.loads(data or b"{}")
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        image: (names[0], names[1])
        for image, names in found.items()
        if isinstance(names, list) and len(names) == 2 and all(isinstance(n, str) for n in names)
    }
