"""What is asked about one machine only when somebody looks at it: each part for itself, in
parallel, and kept for a short while."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from cloudtui.core.events import DetailsChanged, Events
from cloudtui.core.inventory import Inventory
from cloudtui.model.details import ConsoleOutput, Image, MachineDetails, UserData
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance, State
from cloudtui.model.remote import login_user

if TYPE_CHECKING:
    from cloudtui.aws.clients import Amazon

FRESH = timedelta(seconds=60)
MOST_KEPT = 200


class Details:
    """Every part that comes in is emitted as DetailsChanged."""

    def __init__(self, inventory: Inventory, events: Events) -> None:
        self._inventory = inventory
        self._events = events
        self._known: dict[str, tuple[object, MachineDetails]] = {}

    def known(self, instance: Instance) -> MachineDetails:
        """What is known now, without asking; parts that were not asked are None."""
        key, details = self._known.get(instance.id, (None, MachineDetails()))
        if key == _key(instance) or key is None:
            return details
        # Its state or its groups have changed: what depends on them is not true any more.
        return replace(details, checks=None, groups=None, volumes=None, asked=None)

    async def load(self, instance: Instance, *, fresh: bool = False) -> MachineDetails:
        """Ask for every part that is not known or older than a minute; with `fresh` for all.

        Cancelling stops what is under way. A failure stays in its part.
        """
        details = self.known(instance)
        now = datetime.now(UTC)
        if not fresh and details.asked and now - details.asked < FRESH:
            return details
        if instance.state is State.TERMINATED:
            return details
        self._put(instance, replace(details, asked=None))
        await asyncio.gather(
            *(self._part(instance, name, ask) for name, ask in self._parts().items())
        )
        self._put(instance, replace(self.known(instance), asked=datetime.now(UTC)))
        return self.known(instance)

    async def again(self, instance: Instance, name: str) -> None:
        """Ask for one part anew, where it was asked before; a failure stays in it."""
        if getattr(self.known(instance), name) is not None:
            await self._part(instance, name, self._parts()[name])

    async def console_output(self, instance: Instance) -> ConsoleOutput:
        """The serial console's last 64 KiB.

        Raises:
            CloudtuiError: AWS was not reached or refused.
        """
        from cloudtui.aws import details

        return await details.console_output(await self._inventory.amazon_for(instance), instance)

    async def user_data(self, instance: Instance) -> UserData:
        """What the machine is told at its first start; never kept, for it may hold secrets.

        Raises:
            CloudtuiError: AWS was not reached or refused.
        """
        from cloudtui.aws import details

        return await details.user_data(await self._inventory.amazon_for(instance), instance)

    def _parts(self) -> dict[str, Callable[[Amazon, Instance], Awaitable[Any]]]:
        from cloudtui.aws import details

        return {
            "volumes": details.volumes,
            "groups": details.groups,
            "checks": details.checks,
            "protection": details.protection,
            "image": self._image,
        }

    async def _image(self, _amazon: Amazon, instance: Instance) -> Image:
        name, description = await self._inventory.image(instance)
        user = "" if instance.platform == "windows" else login_user(name, description)
        return Image(instance.image_id, name, description, user if name else "")

    async def _part(
        self, instance: Instance, name: str, ask: Callable[[Amazon, Instance], Awaitable[Any]]
    ) -> None:
        answer: Any
        try:
            answer = await ask(await self._inventory.amazon_for(instance), instance)
        except CloudtuiError as error:
            answer = error
        self._put(instance, replace(self.known(instance), **{name: answer}))
        self._events.emit(DetailsChanged(instance.id))

    def _put(self, instance: Instance, details: MachineDetails) -> None:
        self._known.pop(instance.id, None)
        self._known[instance.id] = (_key(instance), details)
        if len(self._known) > MOST_KEPT:
            del self._known[next(iter(self._known))]


def _key(instance: Instance) -> object:
    return (instance.state, instance.security_groups, instance.volume_ids, instance.image_id)
