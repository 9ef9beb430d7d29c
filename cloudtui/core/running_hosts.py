"""The machines that run, in the order of lists, and asking many of them at once."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from cloudtui.core.inventory import Inventory
from cloudtui.model.errors import CloudtuiError, Unreachable
from cloudtui.model.instance import Instance, State

AT_ONCE = 16
"""Hosts asked at the same time."""


class Told(Protocol):
    """What a host answered when it was asked last."""

    @property
    def loading(self) -> bool: ...

    @property
    def error(self) -> CloudtuiError | None: ...

    @property
    def updated(self) -> datetime | None: ...


S = TypeVar("S", bound=Told, covariant=True)


@dataclass(frozen=True, slots=True)
class RunningHost(Generic[S]):
    """A running machine and what it answered."""

    instance: Instance
    state: S
    connected: bool
    """A connection to it is open now."""

    @property
    def lost(self) -> bool:
        """It answered before, its connection is gone, and nothing but that is known against it."""
        error = self.state.error
        answered = self.state.updated is not None and not self.connected
        return answered and (error is None or isinstance(error, Unreachable))


class RunningHosts(ABC):
    """Many hosts at once, each answering for itself: what they say, and when they are asked.

    Without being told to only those are asked that have an open connection, or had one: connecting
    may put questions to the user (an unknown host key, a passphrase).
    """

    @property
    @abstractmethod
    def hosts(self) -> tuple[RunningHost[Told], ...]:
        """Every running machine, by name."""

    @abstractmethod
    async def list(self, instance: Instance, *, ask: bool = True) -> object:
        """Ask one; without `ask` nothing of the user."""

    async def refresh(self, *, ask: bool = False) -> None:
        """Ask every host that has an open connection; with `ask` connect to the others too.

        A failure is in that host's state and stops no other. Cancelling stops those under way.
        """
        await self._list_each((h for h in self.hosts if ask or h.connected), ask=ask)

    async def reach_again(self) -> None:
        """Connect once more to each host that answered before and was lost since, where nothing
        has to be asked for that, and ask it: what is told of it is old."""
        await self._list_each((h for h in self.hosts if h.lost), ask=False)

    async def _list_each(self, hosts: Iterable[RunningHost[Told]], *, ask: bool) -> None:
        idle = [h.instance for h in hosts if not h.state.loading]
        await ask_each(idle, lambda instance: self.list(instance, ask=ask))


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
