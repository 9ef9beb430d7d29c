"""jobs --since last: what ended since the last visit, told once."""

from __future__ import annotations

import argparse
from datetime import datetime

from cloudtui.cli import output
from cloudtui.cli.jobs import record
from cloudtui.core.workbench import Workbench
from cloudtui.model.digest import Away, Digest, Ended, Known
from cloudtui.model.errors import CloudtuiError, UsageError
from cloudtui.model.then import StepState


async def digest(bench: Workbench, words: argparse.Namespace) -> int:
    """The exit code: that of the first place or machine that could not be asked, else 0.

    Raises:
        CloudtuiError: no account could be listed, or what was told cannot be remembered.
    """
    if words.names:
        raise UsageError(
            "--since last is about all machines.", hint="Leave out the NAME: jobs --since last"
        )
    listed = await bench.inventory.load()
    found = await bench.digests.look(everywhere=True, ask=True)
    failures = [error for _, error in (*listed.errors, *found.silent)]
    if words.json:
        output.document(_document(found, failures))
    else:
        _tell(found, "" if bench.read_only else bench.fetching.here)
    output.flush()
    for error in failures:
        output.failure(error)
    try:
        await bench.digests.told(found)
    except OSError as error:
        raise CloudtuiError(
            f"What was told cannot be remembered: {error.strerror}.",
            hint="Make ~/.local/state/cloudtui writable; until then it is told again.",
        ) from error
    if not bench.read_only:
        await bench.fetching.settled()
    return failures[0].exit_code if failures else 0


def _tell(found: Digest, here: str) -> None:
    for each in found.ended:
        output.line(f"{each.words}.")
        for line in each.lines:
            output.line(f"    {line}")
        for step in each.job.then:
            if step.state is StepState.FETCH and step.computer == here:
                output.line(f"  then {step.text}: fetched now")
            else:
                output.line(f"  then {step.words}")
    for away in found.away:
        for run in away.over:
            output.line(f"{run.id} on {away.spoken}, which is {away.state} now: {run.end}.")
            if run.last_line:
                output.line(f"    {run.last_line}")
        if away.words:
            output.line(away.words)
    output.narrate(found.words)
    for instance, job in found.running:
        output.narrate(f"  {job.id} on {instance.spoken}: {job.words}")


def _document(found: Digest, failures: list[CloudtuiError]) -> dict[str, object]:
    return {
        "since": found.since.isoformat() if found.since else None,
        "ended": [_ended(each) for each in found.ended],
        "away": [_away(away) for away in found.away],
        "running": [record(job, instance) for instance, job in found.running],
        "cost": found.cost,
        "errors": output.problems(failures),
    }


def _ended(each: Ended) -> dict[str, object]:
    return {
        **record(each.job, each.instance),
        "last_lines": list(each.lines),
        "cost": None if each.cost is None else round(each.cost, 6),
    }


def _away(away: Away) -> dict[str, object]:
    return {
        "instance": away.instance_id,
        "name": away.spoken,
        "state": away.state.value,
        "shut_itself_down": away.by_itself,
        "runs": [_known(run) for run in away.runs],
        "ended": [{**_known(run), "end": run.end} for run in away.over],
        "words": away.words,
    }


def _known(run: Known) -> dict[str, object]:
    started = datetime.fromtimestamp(run.started).astimezone() if run.started else None
    return {
        "run": run.id,
        "command": run.command,
        "started": started.isoformat() if started else None,
        "then_stop": run.stops,
    }
