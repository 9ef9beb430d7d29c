"""Recorders of the pretend fleet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from cloudtui.core.events import Events, RecordingsChanged, RecordingsState
from cloudtui.model.errors import CloudtuiError, NotFound
from cloudtui.model.instance import Instance
from cloudtui.model.recording import HostRecorder, Recording

Tell = Callable[[dict[str, Any]], None]


class FakeRecordings:
    """Of each instance the recorder in `recorders`; `logs` is what there is of a kernel."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self.recorders: dict[str, HostRecorder] = {}
        self.logs: dict[str, list[dict[str, Any]]] = {}
        self.followers: dict[str, Tell] = {}
        self.cut: Callable[[CloudtuiError | None], None] | None = None
        self.done: list[tuple[str, ...]] = []
        self.refusal: CloudtuiError | None = None

    def state(self, instance_id: str) -> RecordingsState:
        return RecordingsState(
            instance_id, self.recorders.get(instance_id), updated=datetime.now(UTC)
        )

    def wanted(self, instance_id: str) -> bool:
        return False

    async def list(self, instance: Instance, *, ask: bool = True) -> RecordingsState:
        self.recorders.setdefault(instance.id, HostRecorder())
        return self.state(instance.id)

    async def refresh(self, instances: Iterable[Instance]) -> None:
        for instance in instances:
            await self.list(instance)

    async def start(self, instance: Instance) -> HostRecorder:
        return self._switch(instance, running=True)

    async def stop(self, instance: Instance) -> HostRecorder:
        return self._switch(instance, running=False)

    def _switch(self, instance: Instance, *, running: bool) -> HostRecorder:
        if self.refusal:
            raise self.refusal
        self.done.append(("start" if running else "stop", instance.spoken))
        before = self.recorders.get(instance.id, HostRecorder())
        self.recorders[instance.id] = replace(before, running=running)
        self._events.emit(RecordingsChanged(self.state(instance.id)))
        return self.recorders[instance.id]

    async def run(self, instance: Instance, notebook: str) -> tuple[Recording, int]:
        self.done.append(("run", instance.spoken, notebook))
        return Recording(notebook, "train.ipynb"), 3

    async def log(
        self,
        instance: Instance,
        kernel_id: str,
        on_record: Tell,
        *,
        offset: int = 0,
        tail: int = 0,
        follow: bool = False,
        on_cut: Callable[[CloudtuiError | None], None] | None = None,
    ) -> None:
        if kernel_id not in self.logs:
            raise NotFound("Nothing was recorded of that kernel.")
        self.followers[kernel_id], self.cut = on_record, on_cut
        for record in self.logs[kernel_id]:
            on_record(record)
        if follow:
            await asyncio.Event().wait()

    async def close(self) -> None:
        pass
