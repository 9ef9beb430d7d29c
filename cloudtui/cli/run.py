"""run: starts a command on an instance that goes on whatever happens here."""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from functools import partial

from cloudtui.cli import output
from cloudtui.cli.jobs import record
from cloudtui.cli.logs import told
from cloudtui.cli.prompts import TerminalPrompts
from cloudtui.cli.syncing import sync
from cloudtui.core.workbench import Workbench
from cloudtui.model.digest import known
from cloudtui.model.errors import UsageError
from cloudtui.model.instance import Instance
from cloudtui.model.job import Holder, Job, JobSpec, JobState
from cloudtui.model.then import parse_all
from cloudtui.model.upload import sync_places
from cloudtui.model.words import listed

Opened = Callable[..., AbstractAsyncContextManager[Workbench]]


async def perform(opened: Opened, words: argparse.Namespace) -> int:
    """The exit code of `cloudtui run`; with --follow that of the run.

    Raises:
        CloudtuiError: it was not started.
    """
    spec = asked(words)
    async with opened(words) as bench:
        instance = await bench.inventory.find(words.name)
        prompts = TerminalPrompts(yes=getattr(words, "yes", False))
        sends = partial(sync, bench, instance, words) if words.sync else None
        job = await bench.jobs.run(instance, spec, prompts.confirm, sends)
        if words.json:
            output.document(record(job, instance))
            output.flush()
        _tell(job, instance)
        _warn(job, bench.jobs.state(instance.id).jobs)
        if words.follow:
            job = await told(bench, instance, job, None, quiet=words.json)
    return _exit_code(job)


def asked(words: argparse.Namespace) -> JobSpec:
    """What the words ask for.

    Raises:
        UsageError: they make no sense.
    """
    if not words.command:
        raise UsageError(
            "There is no command to run.",
            hint=f"Type it after --: cloudtui run {words.name} -- ...",
        )
    for word, needed, given in (
        ("--after-any", "--after RUN", not words.after_any or words.after),
        ("--overwrite", "--sync LOCAL", not words.overwrite or words.sync),
    ):
        if not given:
            raise UsageError(f"{word} means nothing without {needed}.")
    parse_all(words.then)
    folders = [sync_places(text)[1] for text in words.sync]
    return JobSpec(
        command=tuple(words.command),
        name=words.job_name,
        cwd=words.cwd or next(iter(folders), ""),
        env=tuple(map(_variable, words.env)),
        holder=Holder(words.holder) if words.holder else None,
        gpus=words.gpu,
        after=tuple(words.after),
        after_any=words.after_any,
        queue=words.queue,
        then=tuple(words.then),
    )


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        here = os.environ.get(name)
        if here is None:
            raise UsageError(f"{name} has no value here.", hint=f"Give one: --env {name}=VALUE")
        value = here
    return name, value


def _tell(job: Job, instance: Instance) -> None:
    where = f"{job.id} on {instance.label}"
    again = f"{shlex.quote(instance.spoken)} {shlex.quote(job.id)}"
    match job.state:
        case JobState.QUEUED:
            output.narrate(f"Queued {where}{': ' + job.why if job.why else ''}.")
        case JobState.RUNNING | JobState.STALLED:
            output.narrate(f"Started {where}. It goes on without this computer.")
            output.narrate(f"  Its log: cloudtui logs {again} -f")
        case JobState.NOT_STARTED:
            output.narrate(f"Not started: {where}, since {job.why}.")
        case _:
            output.narrate(f"Started {where}; it is over already: {job.words}.")
            if job.last_line:
                output.narrate(f"  {job.last_line}")
            if job.exit_status == 127 and len(job.command) == 1 and _needs_shell(job.command[0]):
                output.narrate(f"  For a shell's syntax: -- sh -c {shlex.quote(job.command[0])}")


def _warn(job: Job, others: Iterable[Job]) -> None:
    """A shutdown after it waits for runs, and for what is at work in sessions begun by hand."""
    by_hand = [other.id for other in others if other.by_hand]
    if by_hand and known(job).stops:
        output.narrate(
            f"  stop waits for programs at work in sessions begun by hand: {listed(by_hand)}."
        )


def _needs_shell(word: str) -> bool:
    return any(c in word for c in " &|;<>*$`(")


def _exit_code(job: Job) -> int:
    """That of a run that is over; 0 for one that goes on."""
    if not job.state.over:
        return 0
    return 1 if job.exit_status is None else job.exit_status
