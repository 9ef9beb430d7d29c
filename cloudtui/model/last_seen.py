"""Runs as they were last seen, of machines that do not run now."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cloudtui.model.instance import Instance, State, next_step
from cloudtui.model.job import Job, JobState
from cloudtui.model.words import plural, stamp

ENDED = (State.SHUTTING_DOWN, State.TERMINATED)


@dataclass(frozen=True, slots=True)
class SeenRuns:
    """The runs of one machine at the last look, the newest first; none that was begun by hand."""

    instance_id: str
    name: str
    region: str
    profile: str
    account: str
    """The AWS account that it is in; empty when that was not known."""
    seen: datetime
    runs: tuple[Job, ...]
    gone: datetime | None = None
    """When it was first known to be terminated."""


@dataclass(frozen=True, slots=True)
class AwayRuns:
    """A machine that does not run now, or was not asked yet, and what was last seen of its
    runs."""

    instance: Instance
    """TERMINATED also for one that EC2 lists no more."""
    seen: datetime
    jobs: tuple[Job, ...]
    """As they count now: `unknown` or lost those that went on then."""

    @property
    def terminated(self) -> bool:
        return self.instance.state in ENDED

    @property
    def words(self) -> str:
        """`bert-gpu is stopped: its run as last seen at 2026-11-21 23:41.`"""
        what = "run" if len(self.jobs) == 1 else f"{plural(len(self.jobs), 'run')}"
        where = f"{self.instance.spoken} is {self.instance.state}"
        return f"{where}: its {what} as last seen at {stamp(self.seen)}."

    @property
    def next(self) -> str:
        """What to type next; empty when it only has to be waited for."""
        if self.terminated:
            return "Their logs went with it, unless they were on a disk that was kept."
        if self.instance.state is State.STOPPED:
            name = shlex.quote(self.instance.spoken)
            return f"Their logs can be read when it runs: cloudtui start {name}"
        return next_step(self.instance)

    def about(self, job: Job) -> str:
        """What was last seen of one run, in a sentence."""
        at = f"{job.id} was last seen at {stamp(self.seen)}"
        if job.state is JobState.UNKNOWN:
            return f"{at}: {job.why.removesuffix(WHEN_SEEN)}{due(job, self.seen)}."
        return f"{at}: {job.words}."


WHEN_SEEN = " when last seen"


def left(job: Job, machine: State) -> Job:
    """The run as it counts once its machine is in that state."""
    if job.state.over:
        return job
    if machine in ENDED:
        training = replace(job.training, eta=None)
        why = "its machine was terminated"
        return replace(job, state=JobState.LOST, why=why, training=training)
    return replace(job, state=JobState.UNKNOWN, why=f"{job.state}{WHEN_SEEN}")


def due(job: Job, seen: datetime) -> str:
    """`, to end at about 2026-11-22 01:36`, by what it said when it was seen."""
    left = job.training.eta
    if not left or not job.training.whole or left > timedelta(days=3650).total_seconds():
        return ""
    return f", to end at about {stamp(seen + timedelta(seconds=left))}"
