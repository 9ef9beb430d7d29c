"""Name and description of the images that machines were made from, each asked once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance

if TYPE_CHECKING:
    from cloudtui.aws.clients import Amazon

UNKNOWN = ("", "")


class Images:
    """Asks the AWS room that `amazon_for` gives; what failed is asked again the next time."""

    def __init__(self, amazon_for: Callable[[Instance], Awaitable[Amazon]]) -> None:
        self._amazon_for = amazon_for
        self._known: dict[str, tuple[str, str]] = {}

    async def of(self, instance: Instance) -> tuple[str, str]:
        """Name and description; empty when EC2 does not say (deregistered, denied)."""
        wanted = instance.image_id
        if not wanted:
            return UNKNOWN
        if wanted not in self._known:
            try:
                amazon = await self._amazon_for(instance)
                from cloudtui.aws import ec2

                found = await ec2.image_names(amazon, instance.region, [wanted])
            except CloudtuiError:
                return UNKNOWN
            self._known[wanted] = found.get(wanted, UNKNOWN)
        return self._known[wanted]
