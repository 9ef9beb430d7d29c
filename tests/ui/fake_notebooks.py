"""Jupyter servers of the pretend fleet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from cloudtui.core.events import Events, InventoryState, NotebooksChanged, NotebooksState
from cloudtui.core.notebooks import HostNotebooks
from cloudtui.model.errors import CloudtuiError, CredentialsProblem
from cloudtui.model.instance import Instance, State
from cloudtui.model.kernel import Kernel, NotebookServer
from cloudtui.model.notebook import JupyterServer

NOW = datetime.now(UTC)

TRAINING = Kernel(
    "3f2a9c1b-7d44-4b0e-9a55-0c1f2e3d4a5b",
    "python3",
    "busy",
    NOW - timedelta(seconds=3),
    1,
    "train.ipynb",
    "s-1",
    4_830_000_000,
)
LOOKING = Kernel(
    "91be77f0-02aa-4c3d-8e1f-5566778899aa",
    "python3",
    "idle",
    NOW - timedelta(hours=5, minutes=12),
    0,
    "sub/eda.ipynb",
    "s-2",
    612_000_000,
)
SERVER = NotebookServer(
    JupyterServer(8888, "s3cret-token", root_dir="/home/ubuntu", pid=42),
    "",
    (TRAINING, LOOKING),
    ("1",),
    "2.21.1",
    88_000_000,
)
LOCKED = NotebookServer(
    JupyterServer(8890, root_dir="/srv/shared", password=True),
    "",
    error=CredentialsProblem("Jupyter on 54.174.93.5 port 8890 wants its password."),
)

Servers = tuple[NotebookServer, ...]


class FakeNotebooks:
    """Hosts in `connected` are asked by themselves, all of them with `ask`; `answers` is what they
    say, by name."""

    def __init__(self, events: Events, state: Callable[[], InventoryState]) -> None:
        self._events, self._inventory = events, state
        self._states: dict[str, NotebooksState] = {}
        self.answers: dict[str, Servers | CloudtuiError] = {}
        self.connected: set[str] = set()
        self.refusal: CloudtuiError | None = None
        self.hold = asyncio.Event()
        self.hold.set()
        self.done: list[tuple[str, ...]] = []
        """What was done: verb, machine, port, kernel's notebook or terminal."""
        self.asked = 0
        self.stopped = False

    def state(self, instance_id: str) -> NotebooksState:
        return self._states.get(instance_id) or NotebooksState(instance_id)

    @property
    def hosts(self) -> tuple[HostNotebooks, ...]:
        running = [i for i in self._inventory().instances if i.state is State.RUNNING]
        return tuple(
            HostNotebooks(i, self.state(i.id), i.name in self.connected)
            for i in sorted(running, key=lambda i: i.name)
        )

    async def refresh(self, *, ask: bool = False) -> None:
        self.asked += ask
        try:
            for host in self.hosts:
                if ask or host.connected:
                    await self.list(host.instance)
        except asyncio.CancelledError:
            self.stopped = True
            raise

    async def reach_again(self) -> None:
        """Nobody is reached."""

    async def list(self, instance: Instance) -> NotebooksState:
        old = self._set(replace(self.state(instance.id), loading=True))
        await self.hold.wait()
        answer = self.answers.get(instance.name, ())
        if isinstance(answer, CloudtuiError):
            return self._set(replace(old, loading=False, error=answer))
        servers = tuple(replace(server, instance_id=instance.id) for server in answer)
        return self._set(NotebooksState(instance.id, servers, updated=datetime.now(UTC)))

    def _set(self, state: NotebooksState) -> NotebooksState:
        self._states[state.instance_id] = state
        self._events.emit(NotebooksChanged(state))
        return state

    async def log_in(self, instance: Instance, server: JupyterServer) -> None:
        self._do("log in", instance, str(server.port))

    async def interrupt(self, instance: Instance, server: NotebookServer, kernel: Kernel) -> None:
        self._do("interrupt", instance, str(server.server.port), kernel.path)

    async def restart(self, instance: Instance, server: NotebookServer, kernel: Kernel) -> None:
        self._do("restart", instance, str(server.server.port), kernel.path)

    async def shutdown(self, instance: Instance, server: NotebookServer, kernel: Kernel) -> None:
        self._do("shut down", instance, str(server.server.port), kernel.path)

    async def shutdown_terminal(
        self, instance: Instance, server: NotebookServer, name: str
    ) -> None:
        self._do("shut down terminal", instance, str(server.server.port), name)

    async def shutdown_server(self, instance: Instance, server: NotebookServer) -> None:
        self._do("shut down server", instance, str(server.server.port))

    def _do(self, verb: str, instance: Instance, *more: str) -> None:
        if self.refusal:
            raise self.refusal
        self.done.append((verb, instance.name, *more))
