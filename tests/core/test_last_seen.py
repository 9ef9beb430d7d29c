"""What was last seen of runs, as hosts tell of them and as it is forgotten."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from cloudtui.core.events import Events, InventoryState, JobsChanged, JobsState
from cloudtui.core.last_seen import LastSeen
from cloudtui.files import last_seen
from cloudtui.model.instance import Instance, State
from cloudtui.model.job import Holder, Job, JobState

NOW = datetime.now(UTC)
GPU = Instance("i-1", "us-east-1", State.STOPPED, "bert-gpu")
RUN = Job("bert", "i-1", ("x",), "", Holder.NONE, "", JobState.DONE)


async def test_what_was_forgotten_is_not_written_at_the_end() -> None:
    """Also when its host told of it after it was seen to stop."""
    events = Events()
    inventory: Any = SimpleNamespace(
        state=InventoryState((GPU,), updated=NOW), by_id={GPU.id: GPU}.get
    )
    room = LastSeen(inventory, events)
    for job in (RUN, replace(RUN, last_line="more")):
        events.emit(JobsChanged(JobsState(GPU.id, (job,), updated=NOW)))
    await room.forget(GPU, {RUN.id})
    await room.close()
    assert last_seen.load(GPU.id) is None
