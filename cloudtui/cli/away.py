"""Runs of machines that do not run now, as `cloudtui jobs` and `cloudtui logs` tell of them."""

from __future__ import annotations

import argparse
import shlex

from cloudtui.cli import output
from cloudtui.cli.prompts import agree
from cloudtui.core.workbench import Workbench
from cloudtui.model.errors import CloudtuiError, NotFound
from cloudtui.model.instance import Instance
from cloudtui.model.job import find_job
from cloudtui.model.last_seen import AwayRuns
from cloudtui.model.words import listed, plural


async def machine(bench: Workbench, text: str) -> Instance:
    """The instance of that name or id; also one that AWS lists no more and of which runs are known.

    Raises:
        NotFound: there is none, or there are several.
    """
    try:
        return await bench.inventory.find(text)
    except NotFound:
        if away := await bench.last_seen.find(text):
            return away.instance
        raise


def tell_of(away: AwayRuns) -> None:
    """Under the table of its runs: as of when they are, and what to do next."""
    output.narrate(away.words)
    if away.next:
        output.narrate(f"  {away.next}")


async def forget(
    bench: Workbench, away: AwayRuns, runs: list[str], words: argparse.Namespace
) -> int:
    """`jobs rm` of a machine that does not run: what is known of the runs here.

    Raises:
        CloudtuiError: there is no such run, it was not agreed to, or the disk here is read-only.
    """
    instance = away.instance
    if words.ended:
        jobs = [job for job in away.jobs if job.done_with]
        if not jobs:
            raise NotFound(f"No run on {instance.label} had ended when it was last seen.")
    else:
        jobs = [find_job(run, away.jobs, instance.spoken) for run in runs]
    many = f"{plural(len(jobs), 'run')}: " if len(jobs) > 1 else ""
    many += listed([job.id for job in jobs])
    if not away.terminated:
        output.narrate(
            f"{instance.spoken} is {instance.state}: the record on its disk stays, and is listed "
            "again when it runs."
        )
    again = shlex.join(["cloudtui", "jobs", "rm", instance.spoken, *(job.id for job in jobs)])
    yes = getattr(words, "yes", False)
    ask = f"Forget {many} on {instance.label} here?"
    await agree(ask, "Nothing was forgotten", again, yes=yes)
    try:
        await bench.last_seen.forget(instance, {job.id for job in jobs})
    except OSError as error:
        raise CloudtuiError(
            f"What was last seen of {many} cannot be removed here: {error.strerror}.",
            hint="Make ~/.local/state/cloudtui writable.",
        ) from error
    output.narrate(f"Forgot {many} on {instance.label}.")
    if words.json:
        from cloudtui.cli.jobs import record_away

        output.document([record_away(job, away) for job in jobs])
    return 0
