"""What ended since the last visit: runs of hosts that answer, and those that went with theirs."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance, State
from cloudtui.model.job import Job
from cloudtui.model.price import dollars
from cloudtui.model.then import StepState
from cloudtui.model.without_secrets import command_without_secrets, without_secrets
from cloudtui.model.words import duration, plural, stamp

SAME = 5.0
"""Seconds: two runs of one id that were asked for within them are the same."""


@dataclass(frozen=True, slots=True)
class Known:
    """A run as it is remembered here."""

    id: str
    queued: float
    """Seconds since 1970, by the host's clock; 0 when not known."""
    command: str = ""
    started: float = 0.0
    stops: bool = False
    """Its machine was to be shut down after it."""
    end: str = ""
    """How it ended, in words; empty for one that had not."""
    last_line: str = ""

    def is_it(self, other: Known) -> bool:
        return self.id == other.id and abs(self.queued - other.queued) <= SAME


@dataclass(frozen=True, slots=True)
class HostVisit:
    """What is remembered of one machine."""

    name: str = ""
    region: str = ""
    profile: str = ""
    active: tuple[Known, ...] = ()
    """Those that had not ended at the last look."""
    over: tuple[Known, ...] = ()
    """Those that were seen to be over, and were not told."""
    told: tuple[Known, ...] = ()
    """Those whose end was told."""
    away: str = ""
    """The state of the machine that was told about the active ones: `stopped`, `terminated`."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A run whose end was not told yet."""

    instance: Instance
    job: Job
    lines: tuple[str, ...] = ()
    """The last ones of its log."""
    cost: float | None = None
    """Dollars that its machine cost while it ran; None when the price is not known."""

    @property
    def words(self) -> str:
        """`bert on bert-gpu: done at 2026-11-21 03:12, after 6h 12m, $7.50`."""
        cost = f", ${dollars(self.cost)}" if self.cost is not None else ""
        return f"{self.job.id} on {self.instance.spoken}: {ending(self.job)}{cost}"


@dataclass(frozen=True, slots=True)
class Away:
    """Runs that were active when their machine went."""

    instance_id: str
    spoken: str
    state: State
    """TERMINATED also for one that EC2 lists no more."""
    runs: tuple[Known, ...]
    """Those that were active at the last look."""
    over: tuple[Known, ...] = ()
    """Those that had ended by then, and were not told."""
    by_itself: bool = False
    """EC2 says that the machine was shut down from inside."""

    @property
    def lines(self) -> tuple[str, ...]:
        """A sentence for each that had ended, and one for the active ones."""
        ended = [
            f"{run.id} on {self.spoken}, which is {self.state} now: {run.end}." for run in self.over
        ]
        return (*ended, *([self.words] if self.runs else []))

    @property
    def words(self) -> str:
        """What is known of the active ones, in a sentence; empty when there were none."""
        if not self.runs:
            return ""
        names = ", ".join(run.id for run in self.runs)
        verb = "was" if len(self.runs) == 1 else "were"
        if self.state is State.TERMINATED:
            return (
                f"{names} {verb} running on {self.spoken}, which is terminated: how it ended is "
                "gone with the machine."
            )
        asked = [run.id for run in self.runs if run.stops]
        if asked and self.by_itself:
            return (
                f"{names} {verb} running on {self.spoken}, which then shut itself down, as "
                f"{' and '.join(asked)} was to do. How it ended is known when the machine runs "
                "again."
            )
        return (
            f"{names} {verb} running on {self.spoken}, which is {self.state} now; its runs are "
            "known again when it starts."
        )


@dataclass(frozen=True, slots=True)
class Digest:
    """What a visitor is told."""

    since: datetime | None = None
    """The last visit; None for the first."""
    ended: tuple[Ended, ...] = ()
    """The newest first."""
    away: tuple[Away, ...] = ()
    running: tuple[tuple[Instance, Job], ...] = ()
    """Those that go on."""
    silent: tuple[tuple[Instance, CloudtuiError], ...] = field(default=(), compare=False)
    """Machines that could not be asked: what ended there is told another time."""

    @property
    def empty(self) -> bool:
        return not self.ended and not self.away

    @property
    def cost(self) -> float | None:
        """Dollars of the machines while one or more of the runs ran there; None when no price is
        known."""
        sums = [_host_cost(group) for group in _by_host(self.ended)]
        known = [cost for cost in sums if cost is not None]
        return sum(known) if known else None

    @property
    def words(self) -> str:
        """`3 runs ended since 2026-11-20 18:02, $9.10. 1 goes on.`."""
        since = f" since {stamp(self.since)}" if self.since else ""
        cost = f", ${dollars(self.cost)}" if self.cost is not None else ""
        count = len(self.ended) + sum(len(away.over) for away in self.away)
        told = f"{plural(count, 'run') if count else 'No run'} ended{since}{cost}."
        if self.running:
            told += f" {len(self.running)} go{'es' if len(self.running) == 1 else ''} on."
        return told


def _which(job: Job) -> Known:
    """What tells it from other runs, and nothing else."""
    return Known(job.id, job.asked or (job.queued.timestamp() if job.queued else 0.0))


def known(job: Job) -> Known:
    """The run as it is to be remembered."""
    return replace(
        _which(job),
        command=shlex.join(command_without_secrets(job.command))[:200],
        started=job.started.timestamp() if job.started else 0.0,
        stops=any(step.stops for step in job.then),
        end=ending(job) if job.state.over else "",
        last_line=without_secrets(job.last_line[:2000])[:200] if job.state.over else "",
    )


def ending(job: Job) -> str:
    """`done at 2026-11-21 03:12, after 6h 12m`."""
    at = f" at {stamp(job.ended)}" if job.ended else ""
    lasted = job.elapsed(datetime.now(UTC))
    after = f", after {duration(lasted.total_seconds())}" if lasted is not None else ""
    return f"{job.words}{at}{after}"


def untold(jobs: Iterable[Job], visit: HostVisit) -> tuple[Job, ...]:
    """Those that are over and whose end was not told."""
    return tuple(
        job
        for job in jobs
        if job.state.over and not job.by_hand and not any(map(_which(job).is_it, visit.told))
    )


def looked(visit: HostVisit, jobs: Sequence[Job], told: Iterable[Job] = ()) -> HostVisit:
    """The memory of a machine after a look at all its runs, with these newly told."""
    mine = [job for job in jobs if not job.by_hand]
    here = [known(job) for job in mine]
    before = [run for run in visit.told if any(run.is_it(one) for one in here)]
    new = [k for k in map(known, told) if not any(k.is_it(run) for run in before)]
    after = (*before, *new)
    return HostVisit(
        visit.name,
        visit.region,
        visit.profile,
        tuple(known(job) for job in mine if not job.state.over),
        tuple(k for k in here if k.end and not any(k.is_it(run) for run in after)),
        after,
        "",
    )


def marked(visit: HostVisit, runs: Iterable[Known]) -> HostVisit:
    """The memory with these told."""
    new = [run for run in runs if not any(run.is_it(told) for told in visit.told)]
    told = (*visit.told, *new)
    over = tuple(run for run in visit.over if not any(run.is_it(each) for each in told))
    return replace(visit, told=told, over=over)


def brought_up(
    digest: Digest,
    jobs: Callable[[str], Iterable[Job]],
    machine: Callable[[str], Instance | None],
) -> Digest:
    """The same news with what is known by now, by instance id: how the steps after each run went,
    and which of the others still go on."""

    def newest(instance: Instance, job: Job) -> Job:
        this = _which(job)
        same = (each for each in jobs(instance.id) if this.is_it(_which(each)))
        found = next(same, job)
        there = machine(instance.id) or instance
        if there.state in (State.STOPPED, State.TERMINATED):
            steps = (
                replace(step, state=StepState.DONE, result=f"the machine is {there.state}")
                if step.stops and not step.state.over
                else step
                for step in found.then
            )
            return replace(found, then=tuple(steps))
        return found

    active = ((instance, newest(instance, job)) for instance, job in digest.running)
    return replace(
        digest,
        ended=tuple(replace(each, job=newest(each.instance, each.job)) for each in digest.ended),
        running=tuple((instance, job) for instance, job in active if not job.state.over),
    )


def cost_of(job: Job, hourly: float | None, now: datetime) -> float | None:
    """Dollars of the machine while it ran."""
    lasted = job.elapsed(now)
    if hourly is None or lasted is None:
        return None
    return hourly * lasted.total_seconds() / 3600


def _by_host(ended: Iterable[Ended]) -> list[list[Ended]]:
    groups: dict[str, list[Ended]] = {}
    for each in ended:
        groups.setdefault(each.instance.id, []).append(each)
    return list(groups.values())


def _host_cost(group: Sequence[Ended]) -> float | None:
    """Runs side by side cost the machine's price once."""
    rates = [
        each.cost / lasted
        for each in group
        if each.cost is not None
        and (span := each.job.elapsed(datetime.now(UTC))) is not None
        and (lasted := span.total_seconds()) > 0
    ]
    if not rates:
        return None
    spans = sorted(
        (each.job.started, each.job.ended)
        for each in group
        if each.job.started is not None and each.job.ended is not None
    )
    total, until = timedelta(), datetime.min.replace(tzinfo=UTC)
    for start, end in spans:
        begin = max(start, until)
        if end > begin:
            total += end - begin
            until = end
    return max(rates) * total.total_seconds()
