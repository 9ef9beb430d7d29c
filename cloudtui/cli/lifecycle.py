"""start, stop, reboot, terminate: the plan first, then the question, then each machine's end."""

from __future__ import annotations

import argparse
import asyncio
import shlex
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager

from cloudtui.cli import output
from cloudtui.cli.prompts import answer
from cloudtui.core.lifecycle import Trial
from cloudtui.core.workbench import Workbench
from cloudtui.model.errors import CloudtuiError, Refused, Timeout
from cloudtui.model.instance import Instance
from cloudtui.model.lifecycle import Plan, Standing, Verb, whom
from cloudtui.model.progress import Phase, Step

Opened = Callable[[argparse.Namespace], AbstractAsyncContextManager[Workbench]]


async def change(opened: Opened, words: argparse.Namespace) -> int:
    """Do the verb to every NAME; the exit code of the first machine it could not be done to.

    Raises:
        CloudtuiError: nothing was done.
    """
    verb = Verb.HIBERNATE if getattr(words, "hibernate", False) else Verb(words.verb)
    async with opened(words) as bench:
        found = [(name, await bench.inventory.find(name)) for name in words.names]
        machines = list({instance.id: instance for _, instance in found}.values())
        plan = await bench.lifecycle.plan(
            verb,
            machines,
            force=getattr(words, "force", False),
            look=not getattr(words, "yes", False),
        )
        if words.dry_run:
            return _tell_trials(plan, await bench.lifecycle.dry_run(plan), words.json)
        _tell_plan(plan, output.narrate)
        if plan.possible:
            await _ask(plan, found, words)
        return await _perform(bench, plan, words)


def _tell_plan(plan: Plan, tell: Callable[[str], None]) -> None:
    for target in plan.possible:
        now = target.instance
        where = f"{now.label}, {now.type} in {now.zone or now.region},"
        is_now = "" if plan.verb is Verb.REBOOT else f"; it is {now.state.value}"
        tell(f"{where} will be {plan.verb.participle}{is_now}.")
        for caution in target.cautions:
            tell(f"  {'!' if caution.loss else '-'} {caution.text}")
    if plan.cost:
        tell(plan.cost)
    for target in plan.left_out:
        tell(target.reason)
        if target.cure:
            tell(f"  {target.cure}")
    for problem in plan.problems:
        tell(f"Not looked up: {problem.title}")


async def _ask(
    plan: Plan, found: Sequence[tuple[str, Instance]], words: argparse.Namespace
) -> None:
    """Ask on the terminal what the verb calls for.

    Raises:
        Refused: the answer was no, or there was none.
    """
    verb, inexact = plan.verb, [n for n, i in found if n not in (i.id, i.name)]
    if getattr(words, "yes", False):
        if verb is Verb.TERMINATE and inexact:
            raise Refused(
                "Nothing was terminated: with --yes every machine is named in full.",
                f"{', '.join(inexact)} is only a beginning of a name or id.",
                f"Give the whole names or ids: {_again(plan, '--yes')}",
            )
        return
    if verb is Verb.START and not inexact:
        return
    if verb is Verb.TERMINATE:
        await _ask_to_type(plan)
        return
    typed = await answer(f"{plan.question} [y/N] ")
    if typed is None:
        raise _nobody(plan)
    if typed.strip().lower() not in ("y", "yes"):
        raise Refused(f"Nothing was {verb.participle}.")


async def _ask_to_type(plan: Plan) -> None:
    wanted = plan.answers[0]
    or_id = " or its id" if len(plan.answers) > 1 else ""
    typed = await answer(f"{plan.question} Type {wanted}{or_id} to do it: ")
    if typed is None:
        raise _nobody(plan)
    if not plan.accepts(typed):
        typed = typed.strip()
        raise Refused(
            "Nothing was terminated.",
            f"Typed was {typed!r}, and not {wanted!r}." if typed else "",
        )


def _nobody(plan: Plan) -> Refused:
    return Refused(
        f"Nothing was {plan.verb.participle}: it has to be confirmed, and there is no terminal to "
        "answer on.",
        hint=f"Confirm it beforehand: {_again(plan, '--yes')}",
    )


def _again(plan: Plan, *options: str) -> str:
    named = [target.instance for target in plan.possible]
    counts = [sum(other.instance.name == i.name for other in plan.possible) for i in named]
    names = [i.spoken if n == 1 else i.id for i, n in zip(named, counts, strict=True)]
    verb = ["stop", "--hibernate"] if plan.verb is Verb.HIBERNATE else [plan.verb.value]
    force = ["--force"] if plan.force else []
    return shlex.join(["cloudtui", *verb, *force, *names, *options])


async def _perform(bench: Workbench, plan: Plan, words: argparse.Namespace) -> int:
    steps: dict[str, Step] = {}
    told: dict[str, str] = {}
    last: dict[str, float] = {}
    known = {t.instance.id for t in plan.left_out if t.standing is not Standing.UNDER_WAY}
    try:
        async for step in bench.lifecycle.perform(plan, wait=not words.no_wait):
            key = step.before.id
            steps[key] = step
            if key in known:
                continue  # the plan has told it
            if step.ended:
                _tell_end(step, words.json)
            elif _news(step, told.get(key, ""), last.get(key, 0.0)):
                output.narrate(_going(step, followed=not words.no_wait))
            else:
                continue
            told[key], last[key] = step.now.state.value, step.elapsed
    except asyncio.CancelledError:
        going = [s.before for s in steps.values() if not s.ended]
        if going:
            output.narrate(
                f"cloudtui no longer follows {whom(going)}; EC2 goes on {plan.verb.gerund} "
                f"{'it' if len(going) == 1 else 'them'}. Look with: cloudtui ls"
            )
        raise
    await bench.hosts.healing.heal(s.now for s in steps.values() if s.phase is Phase.DONE)
    failures = [error for error in map(_failure, steps.values()) if error]
    if words.json:
        output.document(
            {
                "verb": plan.verb.value,
                "dry_run": False,
                "machines": [_machine(s.before, _seen(s), _failure(s)) for s in steps.values()],
            }
        )
    return failures[0].exit_code if failures else 0


SECONDS_OF_SILENCE = 15.0
"""After which a state that lasts is told again."""


def _news(step: Step, told: str, when: float) -> bool:
    return step.now.state.value != told or step.elapsed - when >= SECONDS_OF_SILENCE


def _seen(step: Step) -> Instance | None:
    """The machine as it was seen after the change; None where nobody looked."""
    return None if step.phase is Phase.ASKED else step.now


def _going(step: Step, *, followed: bool) -> str:
    if step.phase is Phase.ASKED and not followed:
        return f"{step.sentence} It is not followed; look with: cloudtui ls"
    if step.phase is Phase.ASKED:
        return f"{step.sentence} Followed for up to {step.verb.patience / 60:.0f} min."
    return f"{step.sentence.rstrip('.')} …"


def _tell_end(step: Step, json: bool) -> None:
    error = _failure(step)
    if error:
        output.failure(error)
    elif json:
        output.narrate(step.sentence)
    else:
        output.line(step.sentence)


def _failure(step: Step) -> CloudtuiError | None:
    if step.phase is Phase.LEFT:
        detail = step.error.title if step.error else ""
        return Timeout(step.sentence, detail, "Look with: cloudtui ls")
    return step.error


def _tell_trials(plan: Plan, trials: Iterable[Trial], json: bool) -> int:
    trials = tuple(trials)
    failures = [t.error for t in trials if t.error]
    if json:
        output.document(
            {
                "verb": plan.verb.value,
                "dry_run": True,
                "machines": [
                    _machine(t.target.instance, None, t.error)
                    | {"cautions": [caution.text for caution in t.target.cautions]}
                    for t in trials
                ],
            }
        )
    else:
        _tell_plan(plan, output.line)
        for trial in trials:
            if trial.target.standing is Standing.POSSIBLE and not trial.error:
                output.line(f"AWS would allow it: {plan.verb.value} {trial.target.instance.label}.")
    for trial in trials:
        if trial.error and (json or trial.target.standing is Standing.POSSIBLE):
            output.failure(trial.error)
    output.narrate("This was a dry run: nothing was changed.")
    return failures[0].exit_code if failures else 0


def _machine(
    before: Instance, now: Instance | None, error: CloudtuiError | None
) -> dict[str, object]:
    return {
        "id": before.id,
        "name": before.name,
        "region": before.region,
        "from": before.state.value,
        "to": now.state.value if now else None,
        "address": (now or before).address or None,
        "error": output.problem(error) if error else None,
    }
