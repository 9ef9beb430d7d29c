"""cp: copies between this computer and machines, with a line that shows how far they are."""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from cloudtui.cli import output
from cloudtui.core.copies import CopyOrder, Spot
from cloudtui.core.workbench import Workbench
from cloudtui.model.copy import (
    Act,
    CopyPhase,
    CopyPlan,
    CopyState,
    Problem,
    legible,
    places,
)
from cloudtui.model.errors import Ambiguous, CloudtuiError, NotFound, UsageError
from cloudtui.model.words import data_size, duration, plural

Opened = Callable[..., AbstractAsyncContextManager[Workbench]]

BAR = 20
TOLD = 20
"""Problems that are told one by one."""
DOING = {
    Act.FOLDER: "folder",
    Act.COPY: "copy",
    Act.LINK: "link",
    Act.MODE: "mode",
    Act.SAME: "unchanged",
}


async def perform(opened: Opened, words: argparse.Namespace) -> int:
    """The exit code of `cloudtui cp`.

    Raises:
        CloudtuiError: nothing could be copied.
    """
    async with opened(words) as bench:
        sources = [await _spot(bench, text) for text in words.sources]
        order = CopyOrder(
            tuple(sources),
            await _spot(bench, words.target),
            every=words.all,
            check=words.check,
            follow=words.follow,
        )
        if words.dry_run:
            return await _planned(bench, order, words)
        return await _copied(bench, order, words)


async def _spot(bench: Workbench, text: str) -> Spot:
    """What an argument names; a Name tag may hold colons itself."""
    if text == "-":
        raise UsageError(
            "- stands for no file here.",
            hint="A stream goes through ssh: cloudtui ssh NAME -- 'cat > FILE'. A file of that "
            "name is ./-",
        )
    typed = os.fsencode(text)
    known = places(typed.decode("utf-8", "surrogateescape"), lambda _: os.path.lexists(typed))
    first: NotFound | None = None
    for place in known:
        if not place.host:
            return Spot(None, place.path)
        try:
            return Spot(await bench.inventory.find(place.host), place.path)
        except Ambiguous:
            raise
        except NotFound as error:
            first = first or error
    assert first is not None
    user, at, name = known[0].host.rpartition("@")
    if at and user:
        hint = (
            f"A machine is named alone here: {legible(name)}:{legible(known[0].path)}. Who logs in "
            f"is said by its entry in the ssh config: cloudtui hosts add {legible(name)} "
            f"--user {legible(user)}"
        )
        raise NotFound(first.title, first.detail, hint)
    here = f"Of a file here with a colon in its name, write ./{legible(text)}"
    raise NotFound(first.title, first.detail, f"{first.hint} {here}")


async def _planned(bench: Workbench, order: CopyOrder, words: argparse.Namespace) -> int:
    plans = [plan for _, plan in await bench.copies.plan(order)]
    steps = [step for plan in plans for step in plan.steps]
    problems = [problem for plan in plans for problem in plan.problems]
    skipped = [problem for plan in plans for problem in plan.skipped]
    if words.json:
        output.document(
            {
                "steps": [
                    {
                        "do": DOING[step.act],
                        "from": step.source,
                        "to": step.target,
                        "bytes": step.facts.size if step.facts.kind == "f" else 0,
                    }
                    for step in steps
                ],
                "skipped": _problems(skipped),
                "failed": _problems(problems),
            }
        )
    else:
        for step in steps:
            if step.act is not Act.SAME:
                size = f"  {data_size(step.facts.size)}" if step.act is Act.COPY else ""
                what = f"{legible(step.source)} → {legible(step.target)}"
                output.line(f"{DOING[step.act]:<9} {what}{size}")
        _tell(problems, skipped, len(problems))
        output.narrate(f"Nothing was copied. {_summary(plans)}")
    return 1 if problems else 0


def _summary(plans: list[CopyPlan]) -> str:
    files = sum(len(plan.of(Act.COPY)) for plan in plans)
    same = sum(len(plan.of(Act.SAME)) for plan in plans)
    size = data_size(sum(plan.size for plan in plans))
    return f"It would be {plural(files, 'file')}, {size}; {same} are there unchanged."


async def _copied(bench: Workbench, order: CopyOrder, words: argparse.Namespace) -> int:
    copies = bench.copies
    phase = [CopyPhase.QUEUED]

    def heard(states: tuple[CopyState, ...]) -> None:
        state = states[-1]
        if state.phase is not phase[0]:
            phase[0] = state.phase
            if state.phase is CopyPhase.WAITING and state.error:
                bench.inventory.start()  # it may be stopping, or have another address by now
                output.narrate(f"{state.error.title} The copy goes on when it is back.")
        if not state.ended:
            output.passing(progress_line(state, shutil.get_terminal_size().columns))

    copies.listen(heard)
    key = copies.start(order)
    try:
        state = await copies.wait(key)
    except asyncio.CancelledError:
        await copies.cancel(key)
        output.narrate(
            "Stopped. The same command once more goes on from here."
            if copies.state(key).done
            else "Stopped."
        )
        raise
    if state.error and not (state.problems or state.files_done):
        raise state.error
    if words.json:
        output.document(_document(state))
    _tell(state.problems, state.skipped, state.failed)
    for note in state.notes:
        output.narrate(note)
    if state.error:
        output.failure(state.error if not state.problems else CloudtuiError(state.error.title))
    output.narrate(_told(state))
    return state.error.exit_code if state.error else 0


def _tell(problems: Sequence[Problem], skipped: Sequence[Problem], failed: int) -> None:
    for problem in problems[:TOLD]:
        output.narrate(f"{problem}")
    if failed > TOLD:
        output.narrate(f"… and {failed - TOLD} more")
    for problem in skipped[:TOLD]:
        output.narrate(f"Left out: {problem}")
    if len(skipped) > TOLD:
        output.narrate(f"… and {len(skipped) - TOLD} more are left out")


def _told(state: CopyState) -> str:
    slow = state.done and state.seconds > 0.5
    rate = f", {data_size(int(state.done / state.seconds))}/s" if slow else ""
    words = f"{plural(state.files_done, 'file')}, {data_size(state.done)} in "
    words += f"{duration(state.seconds) if state.seconds >= 1 else f'{state.seconds:.1f} s'}{rate}."
    return f"{words} {state.same} unchanged." if state.same else words


def _document(state: CopyState) -> dict[str, object]:
    return {
        "files": state.files_done,
        "bytes": state.done,
        "seconds": round(state.seconds, 3),
        "unchanged": state.same,
        "skipped": _problems(state.skipped),
        "failed": _problems(state.problems),
        "failures": state.failed,
        "notes": list(state.notes),
        "error": output.problem(state.error) if state.error else None,
    }


def _problems(found: Sequence[Problem]) -> list[dict[str, str]]:
    return [{"path": problem.path, "why": problem.why} for problem in found]


def progress_line(state: CopyState, columns: int) -> str:
    """How far a copy is, on one line."""
    match state.phase:
        case CopyPhase.QUEUED | CopyPhase.LOOKING:
            return f"Looking at what is to be copied: {state.words}"
        case CopyPhase.CHECKING:
            return f"Comparing what is there already: {legible(state.current)}"
        case CopyPhase.WAITING:
            return "The connection was lost; trying again …"
    part = state.done / state.size if state.size else state.files_done / max(1, state.files)
    unicode = "utf" in (sys.stderr.encoding or "").lower()
    full, empty = ("█", "░") if unicode else ("#", "-")
    cells = round(min(1.0, part) * BAR)
    left = f"{duration(state.left)} left" if state.left is not None else ""
    count = f"{state.files_done} of {state.files}" if state.files > 1 else ""
    parts = [
        f"{min(1.0, part):4.0%}",
        full * cells + empty * (BAR - cells) if columns >= 70 else "",
        f"{data_size(state.done)} of {data_size(state.size)}",
        f"{data_size(int(state.rate))}/s" if state.rate else "",
        left,
        count,
        legible(Path(state.current).name),
    ]
    return "  ".join(part for part in parts if part)
