"""The machines that run, in the order of lists, and asking many of them at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from cloudtui.core.inventory import Inventory
from cloudtui.model.instance import Instance, State

AT_ONCE = 16
"""Hosts asked at the same time."""


def running_hosts(inventory: Inventory) -> list[Instance]:
    """By name, those without one last."""
    running = [i for i in inventory.state.instances if i.state is State.RUNNING]
    return sorted(running, key=lambda i: (not i.name, i.name.casefold(), i.id))


async def ask_each(
    instances: Iterable[Instance], ask: Callable[[Instance], Awaitable[object]]
) -> None:
    """`ask` of each instance, a few at a time. Cancelling stops those under way."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(instance: Instance) -> None:
        async with room:
            await ask(instance)

    async with asyncio.TaskGroup() as group:
        for instance in instances:
            group.create_task(one(instance))
