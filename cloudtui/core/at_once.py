"""A machine reached before AWS has answered: where it was, with the host key that it had."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from collections.abc import Callable

from cloudtui.core.connections import Connections
from cloudtui.core.events import Event, InventoryChanged
from cloudtui.core.inventory import Inventory
from cloudtui.model.errors import Ambiguous, CloudtuiError
from cloudtui.model.instance import Instance, resolve

SECONDS = 2.0
"""Time a machine has to answer where it was last; then AWS is asked."""


async def at_once(inventory: Inventory, connections: Connections, name: str) -> Instance | None:
    """The machine, connected to, by the rows of an earlier run; None when AWS has to be asked.

    Nothing is asked for that: only a machine whose host key is on record is taken for it.
    """
    importing = asyncio.create_task(
        asyncio.to_thread(importlib.import_module, "cloudtui.ssh.connect")
    )
    instance = await inventory.recalled(name)
    await importing
    if instance is None:
        return None
    with contextlib.suppress(CloudtuiError, TimeoutError):
        async with asyncio.timeout(SECONDS):
            await connections.get(instance, ask=False)
        return instance
    return None


def doubts(name: str, taken: Instance, say: Callable[[str], None]) -> Callable[[Event], None]:
    """A listener that says once, when AWS has answered, that the name means another machine."""
    told = False

    def heard(event: Event) -> None:
        nonlocal told
        if told or not isinstance(event, InventoryChanged) or event.state.updated is None:
            return
        told = True
        try:
            found = resolve(name, event.state.instances)
        except Ambiguous as error:
            say(f"{error.title} This is {taken.id}.")
        except CloudtuiError:
            say(f"AWS lists no {name} any more. This is {taken.label}.")
        else:
            if found.id != taken.id:
                say(f"{name} is {found.label} now. This is {taken.label}.")

    return heard
