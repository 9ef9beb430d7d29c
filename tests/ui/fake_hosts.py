"""The real entries of a real ssh config, beside machines that nothing is behind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from cloudtui.core.events import Events
from cloudtui.core.hosts import Hosts
from cloudtui.files.settings import Settings
from cloudtui.model.instance import Instance
from cloudtui.model.remote import Route

if TYPE_CHECKING:
    from cloudtui.core.connections import Connections
    from cloudtui.core.inventory import Inventory


class Ways:
    """Where connections would go; `met` are the machines that were connected to."""

    def __init__(self) -> None:
        self.met: list[str] = []

    async def route(self, instance: Instance, *, alias: str = "", address: str = "") -> Route:
        known = Path.home() / ".ssh/known_hosts"
        host = address or instance.address
        return Route(alias or host, host, user="ubuntu", known_hosts=(known,), machine=instance.id)

    async def key_file(self, instance: Instance) -> Path | None:
        return None

    async def get(self, instance: Instance) -> None:
        self.met.append(instance.name)


def hosts_over(
    settings: Settings, inventory: object, ways: Ways, events: Events, *, read_only: bool = False
) -> Hosts:
    """Core's own, for ~/.ssh/config."""
    return Hosts(
        settings,
        cast("Inventory", inventory),
        cast("Connections", ways),
        events,
        read_only=read_only,
    )
