"""Reboots, which EC2 does not show: seen by SSH going away and coming back."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from cloudtui.core.connections import Connections
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance, why_not_connect

if TYPE_CHECKING:
    from cloudtui.ssh.greeting import Greeting


class Reboots:
    """Machines whose SSH greets now, by id; those behind a jump host are left out."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._watched: dict[str, Greeting] = {}

    async def begin(self, machines: Iterable[Instance]) -> Collection[str]:
        """Watch those that can be watched; returns their ids."""
        await asyncio.gather(*(self._begin(instance) for instance in machines))
        return self._watched.keys()

    async def look(self, ids: Iterable[str]) -> dict[str, bool | None]:
        """Of each one watched: None while it was not down yet, then whether SSH greets."""
        wanted = [instance_id for instance_id in ids if instance_id in self._watched]
        seen = await asyncio.gather(*(self._watched[i].look() for i in wanted))
        return dict(zip(wanted, seen, strict=True))

    async def close(self) -> None:
        await asyncio.gather(*(greeting.close() for greeting in self._watched.values()))

    async def _begin(self, instance: Instance) -> None:
        from cloudtui.ssh.greeting import Greeting

        if why_not_connect(instance):
            return
        try:
            route = await self._connections.route(instance)
        except CloudtuiError:
            return
        if route.jumps or route.proxy_command:
            return
        greeting = Greeting(route.host, route.port)
        if await greeting.begin():
            self._watched[instance.id] = greeting
