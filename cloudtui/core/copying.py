"""One copy: looks on both sides, plans, streams, and goes on after a cut."""

from __future__ import annotations

import asyncio
import posixpath
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any

from cloudtui.core.file_system import FileSystem, explained
from cloudtui.core.looking import expanded, stands, sums, tree
from cloudtui.core.same_file import one_and_the_same
from cloudtui.core.transfer import Transfer, lower
from cloudtui.model.copy import (
    A_LINK,
    NOTHING,
    Act,
    CopyPhase,
    CopyPlan,
    CopyState,
    Entry,
    Facts,
    Meter,
    Problem,
    Step,
    There,
    facts_of,
    gone_on,
    joined,
    legible,
    named,
    plan,
    safe,
    target_of,
    through,
)
from cloudtui.model.errors import (
    CloudtuiError,
    ConnectionCut,
    NotFound,
    NotRunning,
    Unreachable,
)
from cloudtui.model.instance import Instance
from cloudtui.model.words import data_size, plural

LOOKED_AT_ONCE = 2000
PROBLEMS_KEPT = 1000
WAITS = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds before each try to connect again; the last one holds for those that follow."""
PATIENCE_SECONDS = 180.0
"""A connection that is cut has so long to come back."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A path of a machine, or of this computer for None."""

    instance: Instance | None
    path: str

    def __str__(self) -> str:
        path = legible(self.path)
        return f"{self.instance.spoken}:{path}" if self.instance else path


@dataclass(frozen=True, slots=True)
class CopyOrder:
    """What is to be copied where, and how."""

    sources: tuple[Spot, ...]
    target: Spot
    every: bool = False
    """Copy files too that are there already, unchanged."""
    check: bool = False
    """Compare by SHA-256, before and after."""
    follow: bool = False
    """Copy what links lead to instead of links."""
    move: bool = False
    """Remove the sources when all of them are there."""

    @property
    def uploads(self) -> bool:
        """Whether something is changed on a host."""
        hosts = [s.instance for s in self.sources] if self.move else []
        return any((self.target.instance, *hosts))


Open = Callable[[Instance | None], Awaitable[FileSystem]]


class Copying:
    """A copy under way; `state` is replaced, and `on_change` called, whenever it comes further."""

    def __init__(
        self, key: str, order: CopyOrder, open: Open, on_change: Callable[[], None]
    ) -> None:
        self.order = order
        self._open = open
        self._on_change = on_change
        self.state = CopyState(key, tuple(map(str, order.sources)), str(order.target))
        self._meter = Meter()
        self._began = time.monotonic()
        self._finished: dict[str, int] = {}
        """Targets that are whole, and their bytes."""
        self._changed: set[str] = set()
        self._resumed = False
        self._last_progress = 0.0
        self._before = self.state
        """As it was when the present machine's turn came."""

    # What it tells

    def _set(self, **changes: Any) -> None:
        self.state = replace(self.state, seconds=time.monotonic() - self._began, **changes)
        self._on_change()

    async def run(self) -> None:
        """To the end, which `state` tells; a copy that is cancelled leaves its part file.

        Raises:
            CloudtuiError: nothing can be copied, or it cannot go on.
        """
        self._began = self._last_progress = time.monotonic()
        wait = iter(WAITS)
        while True:
            before = len(self._finished), self.state.done
            try:
                await self._once()
                return
            except (Unreachable, NotRunning) as error:
                if not self._resumable(error):
                    raise
                if (len(self._finished), self.state.done) != before:
                    self._last_progress, wait = time.monotonic(), iter(WAITS)
                if time.monotonic() - self._last_progress > PATIENCE_SECONDS:
                    raise type(error)(error.title, error.detail, self.again) from error
                self._resumed = True
                self._set(phase=CopyPhase.WAITING, error=error, rate=0.0, left=None)
                await asyncio.sleep(next(wait, WAITS[-1]))

    @property
    def again(self) -> str:
        """What to do about a copy that was cut."""
        return "The same copy once more goes on where this one stopped."

    def _resumable(self, error: CloudtuiError) -> bool:
        """A machine that was never reached is no cut; one that is stopped meanwhile may start."""
        return self._resumed or isinstance(error, ConnectionCut)

    async def plan(self) -> list[tuple[Instance | None, CopyPlan]]:
        """What would be done, one plan for each machine that something comes from."""
        target = await self._open(self.order.target.instance)
        try:
            plans = []
            for machine, paths in self._groups():
                source = await self._open(machine)
                try:
                    found = await self._planned(source, target, paths, foreign=bool(machine))
                    plans.append((machine, found))
                finally:
                    await source.close()
            return plans
        finally:
            await target.close()

    async def _once(self) -> None:
        self._set(
            phase=CopyPhase.LOOKING, error=None, files=0, files_done=0, size=0, done=0, same=0,
            skipped=(), problems=(), failed=0,
        )  # fmt: skip
        target = await self._open(self.order.target.instance)
        try:
            for machine, paths in self._groups():
                source, self._before = await self._open(machine), self.state
                try:
                    await self._copied(source, target, paths, foreign=bool(machine))
                finally:
                    await source.close()
        finally:
            await target.close()
        self._finish()

    def _finish(self) -> None:
        failed = bool(self.state.problems)
        notes = [
            f"{legible(path)} changed while it was copied; copy it again for its newest state."
            for path in sorted(self._changed)
        ]
        if self.order.move and self.state.skipped:
            notes.insert(0, f"Not taken away, since not all was copied: {self.state.skipped[0]}.")
        error = None
        if failed:
            problems = self.state.problems
            error = CloudtuiError(
                f"{plural(self.state.failed, 'file')} could not be copied.",
                "\n".join(map(str, problems[:10])),
            )
        phase = CopyPhase.FAILED if failed else CopyPhase.DONE
        self._set(phase=phase, error=error, notes=tuple(notes), current="", left=None)

    def _groups(self) -> list[tuple[Instance | None, list[str]]]:
        """The sources by machine, in the order they were named."""
        found: dict[str, tuple[Instance | None, list[str]]] = {}
        for spot in self.order.sources:
            key = spot.instance.id if spot.instance else ""
            found.setdefault(key, (spot.instance, []))[1].append(spot.path)
        return list(found.values())

    # Looking

    async def _planned(
        self, source: FileSystem, target: FileSystem, paths: Sequence[str], *, foreign: bool
    ) -> CopyPlan:
        """`foreign`: the source is a machine, which may be no friend of the target's."""
        order = self.order
        goal = order.target.path or "."
        if goal.startswith("~"):
            goal = await target.ask("whole", path=goal)
        answers, where = await asyncio.gather(
            expanded(source, paths, foreign=foreign), stands(target, goal)
        )
        if where is None and goal.endswith("/"):
            where = await stands(target, goal.rstrip("/") or "/")
        problems: list[Problem] = []
        sources: list[tuple[str, Facts]] = []
        matched: set[str] = set()
        """Those that a pattern found."""
        for typed, rows in answers:
            if not rows:
                raise NotFound(f"Nothing on {source.label} matches {legible(typed)}.")
            for path, row in rows:
                if not named(typed, path):
                    problems.append(Problem(path, f"{source.label} told it for {legible(typed)}"))
                    continue
                if isinstance(row[0], int):
                    raise explained(OSError(*row), legible(path), source.label)
                sources.append((path, facts_of(row)))
                if posixpath.basename(typed.rstrip("/")) != posixpath.basename(path):
                    matched.add(path)
        many = len(sources) > 1 or len(order.sources) > 1
        trees: list[tuple[str, str, list[Entry]]] = []
        merged = set()
        for path, facts in sources:
            try:
                to = target_of(path, goal, where, many=many, folder=facts.kind == "d")
            except NotFound as error:
                place = f"{error.title.rstrip('.')} on {target.label}."
                raise NotFound(place, hint=error.hint) from None
            entries = [Entry("", facts)]
            if facts.kind == "d":
                inside, unread = await tree(source, path, order.follow)
                entries += inside
                problems += unread
                if where and to == goal:
                    merged.add(to)
            trees.append((path, to, entries))
        there = await self._there(target, trees)
        if foreign:
            linked = [
                tree
                for tree in trees
                if tree[0] in matched
                and through(tree[2][0].facts, there.get(tree[1], NOTHING).facts)
            ]
            problems += [Problem(path, A_LINK) for path, _, _ in linked]
            trees = [tree for tree in trees if tree not in linked]
        if order.check:
            await self._compare(source, target, trees, there)
        # Aside: of tens of thousands of files it takes a while.
        found = await asyncio.to_thread(
            plan,
            trees,
            there,
            every=order.every,
            merged=frozenset(merged),
            done=frozenset(self._finished),
            foreign=foreign,
        )
        await self._fits_under(target, trees, there)
        return replace(found, problems=(*problems, *found.problems))

    async def _fits_under(
        self,
        target: FileSystem,
        trees: Sequence[tuple[str, str, list[Entry]]],
        there: dict[str, There],
    ) -> None:
        """The folder that something new goes into is there."""
        for path, to, _ in trees:
            if there.get(to, NOTHING).facts is None:
                folder = to.rstrip("/").rpartition("/")[0] or ("/" if to.startswith("/") else ".")
                facts = await stands(target, folder)
                if facts is None or not facts.folder:
                    raise NotFound(
                        f"There is no folder {legible(folder)} on {target.label} to put "
                        f"{legible(path)} into.",
                        hint=f"Make it first: mkdir -p {legible(folder)}",
                    )

    async def _there(
        self, target: FileSystem, trees: Sequence[tuple[str, str, list[Entry]]]
    ) -> dict[str, There]:
        """What stands at each target path, and the bytes of its part file."""
        goals = await asyncio.to_thread(_goals, trees)
        found: dict[str, There] = {}
        for start in range(0, len(goals), LOOKED_AT_ONCE):
            paths = goals[start : start + LOOKED_AT_ONCE]
            rows = await target.ask("look", paths=paths, parts=True)
            for path, (row, part, token) in zip(paths, rows, strict=True):
                known = row is not None and not isinstance(row[0], int)
                found[path] = There(facts_of(row) if known else None, part, token)
        return found

    async def _compare(
        self,
        source: FileSystem,
        target: FileSystem,
        trees: Sequence[tuple[str, str, list[Entry]]],
        there: dict[str, There],
    ) -> None:
        """With --check: what is the same by its hash has the source's time, anything else none."""
        self._set(phase=CopyPhase.CHECKING)
        for path, to, entries in trees:
            for entry in entries:
                facts, goal = entry.facts, joined(to, entry.rel)
                now = there.get(goal, NOTHING).facts
                if facts.kind != "f" or now is None or not now.file or goal in self._finished:
                    continue
                same = now.size == facts.size
                if same:
                    length = facts.size
                    one, other = await asyncio.gather(
                        sums(source, joined(path, entry.rel), length, part=False),
                        sums(target, goal, length, part=False),
                    )
                    same = one == other and None not in (one, other)
                mtime = facts.mtime if same else facts.mtime + 1_000_000_000
                there[goal] = replace(there[goal], facts=replace(now, mtime=mtime))

    # Copying

    async def _copied(
        self, source: FileSystem, target: FileSystem, paths: Sequence[str], *, foreign: bool
    ) -> None:
        found = await self._planned(source, target, paths, foreign=foreign)
        work = await asyncio.to_thread(_work, found, self._finished)
        todo, same, earlier, again, files, size = work
        await self._fits(target, found)
        base = self._before
        self._set(
            files=base.files + files + again,
            files_done=base.files_done + again,
            size=base.size + size + earlier,
            done=base.done + earlier,
            same=base.same + len(same) - again,
            skipped=(*base.skipped, *found.skipped)[:PROBLEMS_KEPT],
            **_bad(base, found.problems),
        )
        offsets = await self._offsets(source, target, todo)
        self._set(phase=CopyPhase.COPYING)
        transfer = Transfer(
            source, target, todo, offsets, lambda: progress(), check=self.order.check
        )

        def progress() -> None:
            done = base.done + earlier + transfer.bytes_done
            files = base.files_done + again + transfer.files_done
            self._meter.note(time.monotonic(), done, files)
            rest = self.state.size - done, self.state.files - files
            self._set(
                done=done,
                files_done=files,
                current=transfer.current,
                rate=self._meter.rate,
                left=self._meter.left(max(0, rest[0]), max(0, rest[1])),
                **_bad(base, found.problems, transfer.problems),
            )

        try:
            await transfer.run()
        finally:
            sizes = {step.target: step.facts.size for step in todo if step.act is Act.COPY}
            self._finished |= {path: sizes.get(path, 0) for path in transfer.finished}
            self._changed |= set(transfer.changed)
        progress()
        if transfer.stale:
            raise ConnectionCut("Another copy went on with the same file.", "", self.again)
        if self.order.move and not self.state.problems and not self.state.skipped:
            if twins := await one_and_the_same(source, target, same):
                why = f"it is the very file that is on {target.label}, so it stays"
                problems = [Problem(path, f"{why} ({source.label})") for path in twins]
                self._set(**_bad(self.state, problems))
                return
            await self._remove(source, found)

    async def _remove(self, source: FileSystem, found: CopyPlan) -> None:
        """Take away what was moved: the things that were named, with all that is in them, unless
        something of it is newer than its copy."""
        tops: list[str] = []
        for step in found.steps:
            if not any(step.source.startswith(f"{top.rstrip('/')}/") for top in tops[-1:]):
                tops.append(step.source)
        newer = await self._newer(source, tops, found)
        if newer:
            why = "it came or changed meanwhile, so nothing was taken away"
            left = [Problem(path, f"{why} ({source.label})") for path in sorted(newer)]
            self._set(**_bad(self.state, left))
            return
        left = await source.ask("remove", paths=tops)
        problems = [Problem(path, f"{lower(why[1])} ({source.label})") for path, why in left]
        self._set(**_bad(self.state, problems))

    async def _newer(self, source: FileSystem, tops: Sequence[str], found: CopyPlan) -> set[str]:
        """What came into the folders that were moved, or changed there, since they were listed."""
        copied = {step.source: _mark(step.facts) for step in found.steps}
        newer = {path for path in self._changed if path in copied}
        for rows in await source.ask("expand", patterns=list(tops)):
            for path, row in rows:
                if isinstance(row[0], int):
                    continue  # it is gone already
                entries = [Entry("", facts_of(row))]
                if entries[0].facts.kind == "d":
                    entries += (await tree(source, path, self.order.follow))[0]
                now = {joined(path, e.rel): _mark(e.facts) for e in entries}
                newer |= {path for path, mark in now.items() if copied.get(path) != mark}
        return newer

    async def _fits(self, target: FileSystem, found: CopyPlan) -> None:
        """Raises CloudtuiError when the disk has not the room for it."""
        needs = await asyncio.to_thread(lambda: found.needs)
        if not needs:
            return
        try:
            free, whole = await target.ask("space", path=self.order.target.path)
        except OSError:
            return
        if whole and needs > free:
            raise CloudtuiError(
                f"There is not enough room on {target.label}: the copy needs "
                f"{data_size(needs)}, and {data_size(free)} are free.",
                hint="See what takes the room there: df -h; du -xh --max-depth=1 ~ | sort -h",
            )

    async def _offsets(
        self, source: FileSystem, target: FileSystem, todo: Sequence[Step]
    ) -> dict[int, int]:
        """How far each part file is right."""
        found: dict[int, int] = {}
        for index, step in enumerate(todo):
            if step.act is Act.COPY and step.part:
                self._set(phase=CopyPhase.CHECKING, current=step.source)
                own, theirs = await asyncio.gather(
                    sums(source, step.source, step.part, part=False),
                    sums(target, step.target, step.part, part=True),
                )
                right = gone_on(own or (), theirs or (), step.part)
                if right:
                    found[index] = right
        return found


def _work(
    found: CopyPlan, finished: Mapping[str, int]
) -> tuple[list[Step], list[Step], int, int, int, int]:
    """What is to be done; what is there, of which so many bytes and files came earlier in this very
    copy; the files to come, and their bytes."""
    todo = [step for step in found.steps if step.act is not Act.SAME]
    same = [step for step in found.steps if step.act is Act.SAME]
    earlier = sum(finished.get(step.target, 0) for step in same)
    again = sum(step.target in finished for step in same)
    files = sum(step.act is not Act.FOLDER for step in todo)
    return todo, same, earlier, again, files, found.size


def _goals(trees: Sequence[tuple[str, str, list[Entry]]]) -> list[str]:
    return [joined(to, e.rel) for _, to, entries in trees for e in entries if safe(e.rel)]


def _bad(before: CopyState, *more: Sequence[Problem]) -> dict[str, Any]:
    """What could not be copied, together with what could not before."""
    found = chain(before.problems, *more)
    return {
        "problems": tuple(islice(found, PROBLEMS_KEPT)),
        "failed": before.failed + sum(map(len, more)),
    }


def _mark(facts: Facts) -> tuple[object, ...]:
    """Another one after a change; of folders only what is in them counts."""
    if facts.kind == "d":
        return ("d",)
    return facts.kind, facts.size, facts.mtime, facts.target
