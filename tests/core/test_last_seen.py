"""What was last seen of runs, as hosts tell of them and as it is forgotten."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

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


def room_of(events: Events, state: State = State.RUNNING) -> LastSeen:
    gpu = replace(GPU, state=state)
    listed = InventoryState((gpu,), updated=NOW)
    inventory: Any = SimpleNamespace(state=listed, by_id={gpu.id: gpu}.get)
    return LastSeen(inventory, events)


def says(events: Events, *jobs: Job, after: float = 0.0) -> None:
    seen = NOW + timedelta(seconds=after)
    events.emit(JobsChanged(JobsState(GPU.id, jobs, updated=seen)))


async def test_of_two_consoles_the_newest_look_stays_whichever_is_left_last() -> None:
    old_events, new_events = Events(), Events()
    old, new = room_of(old_events), room_of(new_events)
    says(old_events, replace(RUN, state=JobState.RUNNING))
    says(new_events, RUN, after=9)
    await new.close()
    await old.close()
    kept = last_seen.load(GPU.id)
    assert kept is not None
    assert kept.runs[0].state is JobState.DONE
    later = room_of(Events())
    await later.load()
    seen = later.before(replace(GPU, state=State.RUNNING))
    assert seen is not None
    assert [job.id for job in seen.jobs] == ["bert"]
    assert later.hosts == (), "a machine that runs is asked"
    await later.close()


@pytest.mark.parametrize("what", ["", "{", "[]", "\x00" * 9])
async def test_a_broken_file_is_none_and_is_written_anew(what: str) -> None:
    last_seen.folder().mkdir(parents=True)
    (last_seen.folder() / "i-1.json").write_text(what)
    events = Events()
    room = room_of(events, State.STOPPED)
    await room.load()
    assert not room.hosts
    says(events, replace(RUN, state=JobState.RUNNING))
    await room.close()
    (away,) = room.hosts
    assert away.jobs[0].state is JobState.UNKNOWN
    assert last_seen.load(GPU.id) is not None


async def test_where_nothing_can_be_written_what_was_seen_is_told_all_the_same() -> None:
    bugs: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: bugs.append(context))
    # A file in the way refuses also who may write everywhere.
    last_seen.folder().parent.mkdir(parents=True, exist_ok=True)
    last_seen.folder().write_text("")
    events = Events()
    room = room_of(events, State.STOPPED)
    await room.load()
    says(events, RUN)
    says(events, RUN, replace(RUN, id="next"), after=1)
    await room.load()
    (away,) = room.hosts
    assert [job.id for job in away.jobs] == ["bert", "next"]
    await room.close()
    assert not bugs
