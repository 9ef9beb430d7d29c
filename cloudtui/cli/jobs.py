"""jobs: the runs of instances, listed, stopped, started again and removed."""

from __future__ import annotations

import argparse
import shlex
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cloudtui.cli import output
from cloudtui.cli.away import forget, machine, tell_of
from cloudtui.cli.jobs_arguments import ACTS
from cloudtui.cli.prompts import agree
from cloudtui.core.jobs import check_removable
from cloudtui.core.workbench import Workbench
from cloudtui.files import steps_told
from cloudtui.model.errors import READ_ONLY, CloudtuiError, Refused, UsageError
from cloudtui.model.instance import Instance
from cloudtui.model.job import Job, JobState
from cloudtui.model.job_filter import name_in_list
from cloudtui.model.then import StepState, ThenStep
from cloudtui.model.training import parts
from cloudtui.model.words import duration, listed, plural, stamp

if TYPE_CHECKING:
    from cloudtui.core.jobs import HostJobs
    from cloudtui.model.last_seen import AwayRuns

Opened = Callable[..., AbstractAsyncContextManager[Workbench]]

COLUMNS = ("RUN", "STATE", "STARTED", "ELAPSED", "DOING")
NOT_AFTER_A_STOP = (
    "  What was to follow it is not done after a stop by hand, steps with always: apart."
)
NAMED = 12
"""Runs named before a question about many."""
DOING = 70
"""Letters of the last column."""
FAILURES = (JobState.FAILED, JobState.KILLED, JobState.LOST)
"""What matters of these is their last line."""


async def perform(opened: Opened, words: argparse.Namespace) -> int:
    """The exit code of `cloudtui jobs`.

    Raises:
        CloudtuiError: nothing could be listed or done.
    """
    if words.names and words.names[0] in ACTS:
        act, *names = words.names
        return await _act(opened, words, act, _split(act, names, ended=words.ended))
    if words.ended:
        raise UsageError("--ended goes with rm.", hint="Type: cloudtui jobs rm NAME --ended")
    if len(words.names) > 1:
        raise UsageError(
            f"jobs takes one NAME, not {len(words.names)}.",
            hint=f"What can be done to a run: {', '.join(ACTS)}. See: cloudtui jobs --help",
        )
    async with opened(words) as bench:
        if words.since:
            from cloudtui.cli.digest import digest

            return await digest(bench, words)
        if words.names:
            return await _one(bench, words)
        return await _all(bench, words)


async def _one(bench: Workbench, words: argparse.Namespace) -> int:
    instance = await machine(bench, words.names[0])
    state = await bench.jobs.list(instance)
    if state.error:
        away = await bench.last_seen.of(instance)
        if away is None:
            raise state.error
        return _one_away(away, state.error, words)
    if words.json:
        output.document(
            {
                "instance": instance.id,
                "name": instance.name,
                "runs": [record(job, instance) for job in state.jobs],
            }
        )
    elif state.jobs:
        now = datetime.now(UTC)
        output.table(COLUMNS, _rows(state.jobs, now))
        _tell_more(state.jobs)
    else:
        output.narrate(
            f"{instance.label} has no run. "
            f"Start one: cloudtui run {shlex.quote(instance.spoken)} -- COMMAND"
        )
    return 0


def _one_away(away: AwayRuns, error: CloudtuiError, words: argparse.Namespace) -> int:
    """What was last seen of its runs; the exit code is that of a machine that cannot be asked."""
    if words.json:
        output.document({**_away(away), "error": output.problem(error)})
    else:
        output.table(COLUMNS, _rows(away.jobs, away.seen))
        tell_of(away)
    return error.exit_code


async def _all(bench: Workbench, words: argparse.Namespace) -> int:
    """Ask every running instance; one that fails is told after the others' runs."""
    listed = await bench.inventory.load()
    await bench.jobs.refresh(ask=True)
    await bench.last_seen.load()
    hosts, away = bench.jobs.hosts, bench.last_seen.hosts
    failures = [error for _, error in listed.errors]
    failures += [host.state.error for host in hosts if host.state.error]
    if words.json:
        output.document(
            {
                "hosts": [_host(host) for host in hosts],
                "away": [_away(each) for each in away],
                "errors": output.problems(error for _, error in listed.errors),
            }
        )
    else:
        _tell(hosts, away, failures)
    for error in failures:
        output.failure(error)
    return failures[0].exit_code if failures else 0


def _tell(
    hosts: tuple[HostJobs, ...], away: tuple[AwayRuns, ...], failures: list[CloudtuiError]
) -> None:
    now = datetime.now(UTC)
    rows = [
        (h.instance.spoken, *row) for h in hosts for row in _rows(h.jobs, h.state.updated or now)
    ]
    rows += [
        (f"{a.instance.spoken} ({a.instance.state})", *row)
        for a in away
        for row in _rows(a.jobs, a.seen)
    ]
    if rows:
        output.table(("HOST", *COLUMNS), rows)
        _tell_more((job for host in hosts for job in host.jobs), once=True)
        for each in away:
            tell_of(each)
    elif hosts and not failures:
        output.narrate("No run is known. Start one: cloudtui run NAME -- COMMAND")
    elif not hosts and not failures:
        output.narrate("No instance runs. List all of them: cloudtui ls")


def _tell_more(jobs: Iterable[Job], *, once: bool = False) -> None:
    """What their logs lack, and what follows them as far as it is not done; with `once` a failure
    that was told so before is left out."""
    jobs = tuple(jobs)
    failed = {
        _step_key(job, step) for job in jobs for step in job.then if step.state is StepState.FAILED
    }
    told = failed - steps_told.claim(failed) if once else set()
    for job in jobs:
        if job.missing:
            output.narrate(f"{job.id}: {job.lost_words}")
        for step in job.then:
            if _step_key(job, step) in told:
                continue
            if step.state not in (StepState.DONE, StepState.SKIPPED):
                output.narrate(f"{job.id} then {step.words}")


def _step_key(job: Job, step: ThenStep) -> str:
    return f"{job.key}:{job.asked}:{step.number}:{step.state}"


def _rows(jobs: Iterable[Job], now: datetime) -> list[tuple[str, ...]]:
    """The rows of one host; sessions begun by hand that share a name by what tells them apart."""
    jobs = tuple(jobs)
    ids = Counter(job.id for job in jobs)
    return [(name_in_list(job) if ids[job.id] > 1 else job.id, *_columns(job, now)) for job in jobs]


def _columns(job: Job, now: datetime) -> tuple[str, ...]:
    """A row of the table, all but the name."""
    elapsed = job.elapsed(now)
    known = job.training if job.state is not JobState.UNKNOWN else replace(job.training, eta=None)
    doing = "   ".join(parts(known)[:3])
    if job.state is JobState.NOT_STARTED:
        doing = job.why
    elif job.state in FAILURES:
        doing = job.last_line or doing
    return (
        f"{job.words}, quiet for {duration((now - job.stalled_since).total_seconds())}"
        if job.stalled_since
        else f"{job.words} ({job.holder}, by hand)"
        if job.by_hand
        else job.state_words,
        stamp(job.started),
        "-" if elapsed is None else duration(elapsed.total_seconds()),
        _printable(doing or job.last_line),
    )


def _printable(text: str) -> str:
    shown = "".join(c for c in text if c.isprintable())
    return f"{shown[: DOING - 1]}…" if len(shown) > DOING else shown or "-"


def _host(host: HostJobs) -> dict[str, object]:
    error = host.state.error
    return {
        "instance": host.instance.id,
        "name": host.instance.name,
        "region": host.instance.region,
        "runs": [record(job, host.instance) for job in host.jobs],
        "error": output.problem(error) if error else None,
    }


def _away(away: AwayRuns) -> dict[str, object]:
    return {
        "instance": away.instance.id,
        "name": away.instance.name,
        "region": away.instance.region,
        "machine": away.instance.state.value,
        "seen": _iso(away.seen),
        "runs": [record_away(job, away) for job in away.jobs],
    }


def record_away(job: Job, away: AwayRuns) -> dict[str, object]:
    """A run of a machine that does not run, as documents tell it."""
    return {
        **record(job, away.instance),
        "machine": away.instance.state.value,
        "seen": _iso(away.seen),
        "last_lines": list(job.last_lines),
    }


def record(job: Job, instance: Instance) -> dict[str, object]:
    """A run as documents tell it."""
    elapsed = job.elapsed(datetime.now(UTC))
    seen = job.training
    return {
        "run": job.id,
        "instance": instance.id,
        "name": instance.name,
        "state": job.state.value,
        "why": job.why,
        "command": list(job.command),
        "cwd": job.cwd,
        "in": job.holder.value,
        "session": job.session,
        "by_hand": job.by_hand,
        "exit_status": job.exit_status,
        "signal": job.signal,
        "queued": _iso(job.queued),
        "started": _iso(job.started),
        "ended": _iso(job.ended),
        "elapsed_seconds": None if elapsed is None else elapsed.total_seconds(),
        "stalled_since": _iso(job.stalled_since),
        "last_output": _iso(job.last_output),
        "last_line": job.last_line,
        "log_bytes": job.log_bytes,
        "output_missing_since": _iso(job.missing),
        "gpus": list(job.gpus),
        "after": list(job.after),
        "then": [
            {"step": step.text, "state": step.state.value, "result": step.result}
            for step in job.then
        ],
        "training": {
            "step": seen.step,
            "steps": seen.steps,
            "epoch": seen.epoch,
            "epochs": seen.epochs,
            "loss": seen.loss if not seen.broken else None,
            "learning_rate": seen.learning_rate,
            "steps_per_second": seen.rate,
            "eta_seconds": seen.eta,
        },
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _split(act: str, names: list[str], *, ended: bool) -> tuple[str, list[str]]:
    """The machine and the runs of NAME RUN... or NAME:RUN; with `ended` the runs are none."""
    host, *runs = names or [""]
    if ended:
        if act != "rm" or not host or runs:
            raise UsageError(
                "--ended stands in place of the runs of jobs rm.",
                hint="Type: cloudtui jobs rm NAME --ended",
            )
        return host, []
    if not runs and ":" in host:
        host, _, run = host.rpartition(":")
        runs = [run]
    if not host or not runs:
        raise UsageError(
            f"jobs {act} needs a NAME and a RUN.", hint=f"Type: cloudtui jobs {act} NAME RUN"
        )
    if act != "rm" and len(runs) > 1:
        raise UsageError(f"jobs {act} takes one RUN, not {len(runs)}.")
    return host, runs


async def _act(
    opened: Opened, words: argparse.Namespace, act: str, target: tuple[str, list[str]]
) -> int:
    name, runs = target
    async with opened(words) as bench:
        if bench.read_only:
            raise Refused(READ_ONLY, hint="Leave out --read-only to change runs.")
        instance = await machine(bench, name)
        if act == "rm" and (away := await bench.last_seen.of(instance)):
            return await forget(bench, away, runs, words)
        if words.ended:
            return await _remove_ended(bench, instance, words)
        jobs = [await bench.jobs.find(instance, run) for run in runs]
        if act == "rerun":
            await _rerun(bench, instance, jobs[0], words)
            return 0
        again = shlex.join(["cloudtui", "jobs", act, instance.spoken, *(job.id for job in jobs)])
        where = f"on {instance.label}"
        yes = getattr(words, "yes", False)
        done: list[Job] = []
        if act == "stop":
            (job,) = jobs
            over = job.state.over and not job.finished
            ask = f"Call off what follows {job.id} {where}?" if over else f"Stop {job.id} {where}?"
            if job.by_hand:
                output.narrate(
                    f"{job.id} is a {job.holder} session that was begun by hand. What runs in it "
                    "is told to end by INT, then TERM, then KILL; what it shows goes with it."
                )
                ask = f"End the {job.holder} session {job.id} {where}?"
            await agree(ask, "Nothing was stopped", again, yes=yes)
            job = await bench.jobs.stop(instance, job, words.grace)
            if over:
                output.narrate(f"No further step follows {job.id} {where}.")
            elif job.by_hand and not job.signal:
                output.narrate(f"Ended {job.id} {where}; nothing ran in it.")
            else:
                output.narrate(f"Stopped {job.id} {where}: {job.words}.")
                if job.then:
                    output.narrate(NOT_AFTER_A_STOP)
            done.append(job)
        else:
            for job in jobs:
                check_removable(instance, job)
            many = ", ".join(job.id for job in jobs)
            ask = f"Remove {many} {where}, logs included?"
            await agree(ask, "Nothing was removed", again, yes=yes)
            for job in jobs:
                await bench.jobs.remove(instance, job)
                output.narrate(f"Removed {job.id} {where}.")
                done.append(job)
        if words.json:
            output.document([record(job, instance) for job in done])
    return 0


async def _remove_ended(bench: Workbench, instance: Instance, words: argparse.Namespace) -> int:
    """Remove all runs of a machine that are over, after a question that says how many."""
    state = await bench.jobs.list(instance)
    if state.error:
        raise state.error
    jobs = [job for job in state.jobs if job.done_with]
    if jobs:
        many = f"{plural(len(jobs), 'run')} that ended on {instance.label}"
        output.narrate(f"{listed([job.id for job in jobs], NAMED)}.")
        again = shlex.join(["cloudtui", "jobs", "rm", instance.spoken, "--ended"])
        yes = getattr(words, "yes", False)
        await agree(f"Remove {many}, logs included?", "Nothing was removed", again, yes=yes)
        await bench.jobs.remove_all(instance, jobs)
        output.narrate(f"Removed {many}.")
    else:
        output.narrate(f"No run on {instance.label} has ended.")
    if words.json:
        output.document([record(job, instance) for job in jobs])
    return 0


async def _rerun(bench: Workbench, instance: Instance, job: Job, words: argparse.Namespace) -> None:
    if not job.state.over and not job.by_hand:
        output.narrate(f"{job.id} is {job.state}, and goes on beside a second one.")
        ask = f"Start {job.id} on {instance.label} a second time, in the same folder?"
        again = shlex.join(["cloudtui", "jobs", "rerun", instance.spoken, job.id])
        await agree(ask, "Nothing was started", again, yes=getattr(words, "yes", False))
    new = await bench.jobs.rerun(instance, job)
    output.narrate(f"Started {job.id} again on {instance.label}, as {new.id}: {new.words}.")
    if words.json:
        output.document(record(new, instance))
