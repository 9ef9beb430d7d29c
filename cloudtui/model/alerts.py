"""What of a run is worth telling somebody who does not look: a broken loss, a stall, its end."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from cloudtui.model.instance import Instance, State
from cloudtui.model.job import Job, JobState
from cloudtui.model.job_filter import name_in_list
from cloudtui.model.training import parts
from cloudtui.model.words import duration

SAME_MOMENT = 5.0
"""Seconds by which the moment of one event may differ between two looks at a host's clock."""


class AlertKind(StrEnum):
    """What happened, in the words of the settings, the environment and the JSON."""

    NAN = "nan"
    STALL = "stall"
    DONE = "done"
    FAILED = "failed"
    NOT_STARTED = "not started"
    KILLED = "killed"
    LOST = "lost"
    ENDED = "ended"
    """A session that was begun by hand and trained something has gone."""

    @property
    def bad(self) -> bool:
        return self not in (AlertKind.DONE, AlertKind.ENDED)

    @property
    def end(self) -> bool:
        return self not in (AlertKind.NAN, AlertKind.STALL)


_ENDS = {
    JobState.DONE: AlertKind.DONE,
    JobState.FAILED: AlertKind.FAILED,
    JobState.NOT_STARTED: AlertKind.NOT_STARTED,
    JobState.KILLED: AlertKind.KILLED,
    JobState.LOST: AlertKind.LOST,
}


@dataclass(frozen=True, slots=True)
class Alert:
    """One event of one run, told once."""

    kind: AlertKind
    instance_id: str
    host: str
    run: str
    """The run's id on its host."""
    moment: float
    """When it happened by the host's clock, in seconds since 1970: tells it from the next of its
    kind, whatever becomes of this computer's clock."""
    title: str
    detail: str = ""
    """What the training was at, in words; never a line of the log, the command or its
    environment, which may hold secrets."""
    exit_status: int | None = None
    loss: float | None = None
    step: int | None = None
    when: datetime | None = None
    """The same by this computer's clock."""

    @property
    def bad(self) -> bool:
        """Something to be looked at; also an end that is well but for its loss."""
        return self.kind.bad or (self.loss is not None and not math.isfinite(self.loss))

    def same(self, other: Alert) -> bool:
        """Whether both are about one event."""
        mine = (self.kind, self.instance_id, self.run)
        return mine == (other.kind, other.instance_id, other.run) and (
            abs(self.moment - other.moment) <= SAME_MOMENT
        )

    def words(self) -> dict[str, object]:
        """As JSON tells it, to a command or an address of the user's."""
        return {
            "kind": self.kind.value,
            "title": self.title,
            "detail": self.detail,
            "host": self.host,
            "instance": self.instance_id,
            "run": self.run,
            "exit": self.exit_status,
            "loss": self.loss if self.loss is not None and math.isfinite(self.loss) else None,
            "step": self.step,
            "when": self.when.isoformat(timespec="seconds") if self.when else None,
        }


def alerts(
    before: Mapping[str, Job] | None, now: Iterable[Job], host: str, since: datetime
) -> list[Alert]:
    """What happened between two listings of a host's runs, the older one by `name_in_list`.

    `before` is None at the first look: of runs that ended then, only those are told that ended
    after `since`. What a later look tells again, such as a loss that stays broken, is the caller's
    to leave out, by `Alert.same`.
    """
    found: list[Alert] = []
    there = set[str]()
    for job in now:
        name = name_in_list(job)
        there.add(name)
        known = before.get(name) if before is not None else None
        if job.state in _ENDS:
            was_active = known is not None and not known.state.over
            if was_active or (known is None and job.ended is not None and job.ended >= since):
                found.append(_made(_ENDS[job.state], job, host, job.ended or job.started))
            continue
        if job.training.broken:
            found.append(_made(AlertKind.NAN, job, host, job.started or job.queued))
        if job.state is JobState.STALLED:
            found.append(_made(AlertKind.STALL, job, host, job.last_output or job.started))
    for job in (before or {}).values():
        trained = job.by_hand and job.training.loss is not None
        if trained and name_in_list(job) not in there and not job.state.over:
            found.append(_made(AlertKind.ENDED, job, host, job.started))
    return found


def with_machine(job: Job, instance: Instance) -> Alert:
    """A run that was active when its machine went, or that had it shut down."""
    asked = any(step.stops for step in job.then)
    kind = AlertKind.ENDED if asked else AlertKind.LOST
    gone = instance.state in (State.SHUTTING_DOWN, State.TERMINATED)
    state = "is terminated" if gone else "has stopped"
    told = f"{job.id} on {instance.spoken}: its machine {state}{', as asked' if asked else ''}."
    return replace(_made(kind, job, instance.spoken, job.started or job.queued), title=told)


def _made(kind: AlertKind, job: Job, host: str, moment: datetime | None) -> Alert:
    known = parts(job.training)
    loss = ""
    if kind.end and job.training.broken:
        loss = f", with a loss of {job.training.loss}"
    return Alert(
        kind,
        job.instance_id,
        host,
        job.id,
        _there(moment, job),
        f"{job.id} on {host} {_what(kind, job)}{loss}.",
        "   ".join(known[:3]),
        job.exit_status,
        job.training.loss,
        job.training.step,
        moment,
    )


def _there(moment: datetime | None, job: Job) -> float:
    """The moment by the host's clock; what lies between two of its times is the same here."""
    if moment is None:
        return float(job.asked)
    if not job.asked or job.queued is None:
        return moment.timestamp()
    return job.asked + (moment - job.queued).total_seconds()


def _what(kind: AlertKind, job: Job) -> str:
    after = ""
    if job.started and job.ended:
        after = f" after {duration((job.ended - job.started).total_seconds())}"
    match kind:
        case AlertKind.NAN:
            step = f" at step {job.training.step:,}" if job.training.step is not None else ""
            return f"has a loss of {job.training.loss}{step}"
        case AlertKind.STALL:
            if job.last_output is None:
                return "prints nothing"
            quiet = (datetime.now(UTC) - job.last_output).total_seconds()
            return f"has printed nothing for {duration(quiet)}"
        case AlertKind.DONE:
            return f"is done{after}"
        case AlertKind.FAILED:
            why = f" ({job.why})" if job.why else ""
            return f"failed with exit code {job.exit_status}{why}{after}"
        case AlertKind.NOT_STARTED:
            return f"was not started: {job.why}"
        case AlertKind.KILLED:
            why = f" ({job.why})" if job.why else ""
            return f"was killed by {job.signal or 'a signal'}{why}{after}"
        case AlertKind.LOST:
            return f"is lost: {job.why or 'its processes are gone'}"
    return "has ended"
