"""What a copy does: from which names to which, what is there already, and how far it has come."""

from __future__ import annotations

import posixpath
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from cloudtui.model.errors import CloudtuiError, NotFound, UsageError
from cloudtui.model.words import plural

BLOCK = 16 << 20
"""Bytes of a part file that are compared at once before it is gone on with."""
FILE_WEIGHT = 8 << 10
"""What a file costs beside its bytes, in bytes: so much is counted for it in estimates."""
WINDOW_SECONDS = 8.0
"""The rate is that of so many last seconds."""


@dataclass(frozen=True, slots=True)
class Place:
    """One side of a copy as it was typed: `host` is empty for this computer."""

    host: str
    path: str

    def __str__(self) -> str:
        return f"{self.host}:{legible(self.path)}" if self.host else legible(self.path)


def places(text: str, exists: Callable[[str], bool]) -> list[Place]:
    """What an argument may mean, the likeliest first: a Name tag may hold colons itself.

    As scp reads it: with a slash before the first colon, or where a file of that name is here, it
    is a path of this computer.
    """
    head, colon, _ = text.partition(":")
    if not colon or not head or "/" in head or text[0] == "~" or exists(text):
        return [Place("", text)]
    cuts = [n for n, letter in enumerate(text) if letter == ":"]
    return [Place(text[:n], text[n + 1 :]) for n in cuts]


@dataclass(frozen=True, slots=True)
class Facts:
    """What stands at a path. Of a link that leads somewhere, size, mode and time are those of
    what it leads to, and `through` is the kind of that."""

    kind: str
    """f file, d folder, l link, o anything else."""
    size: int = 0
    mode: int = 0
    mtime: int = 0
    """Nanoseconds since 1970."""
    target: str = ""
    through: str = ""

    @property
    def folder(self) -> bool:
        return "d" in (self.kind, self.through)

    @property
    def file(self) -> bool:
        return "f" in (self.kind, self.through)


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing to be copied; `rel` is its path below the source, empty for the source itself."""

    rel: str
    facts: Facts


@dataclass(frozen=True, slots=True)
class There:
    """What stands at a target path, and beside it of an earlier attempt."""

    facts: Facts | None = None
    part: int = 0
    token: str = ""


NOTHING = There()


class Act(StrEnum):
    """What is done about an entry."""

    FOLDER = "folder"
    COPY = "copy"
    LINK = "link"
    MODE = "mode"
    """Only mode and time are set: the content is there."""
    SAME = "same"
    """Nothing: it is there."""


@dataclass(frozen=True, slots=True)
class Step:
    """One entry on its way from `source` to `target`."""

    act: Act
    source: str
    target: str
    facts: Facts
    part: int = 0
    """Bytes of an earlier attempt that lie in the part file."""
    token: str = ""
    """Of the part file: another one once somebody has written to it."""
    there: Facts | None = None
    keep: bool = False
    """Of a folder that was there before: its mode and time stay."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that was not copied, and why."""

    path: str
    why: str

    def __str__(self) -> str:
        return f"{legible(self.path)}: {self.why}"


@dataclass(frozen=True, slots=True)
class CopyPlan:
    """Every step, folders before what is in them."""

    steps: tuple[Step, ...] = ()
    problems: tuple[Problem, ...] = ()
    skipped: tuple[Problem, ...] = ()
    """What copies leave out: sockets, devices."""

    def of(self, *acts: Act) -> list[Step]:
        return [step for step in self.steps if step.act in acts]

    @property
    def size(self) -> int:
        """Bytes of the files to be copied."""
        return sum(step.facts.size for step in self.steps if step.act is Act.COPY)

    @property
    def needs(self) -> int:
        """Bytes that they take beyond what is there, at most: a file stands beside the one that it
        replaces until it is whole."""
        most = taken = 0
        for step in self.of(Act.COPY):
            taken += step.facts.size - step.part
            most = max(most, taken)
            taken -= step.there.size if step.there else 0
        return most


def target_of(source: str, target: str, there: Facts | None, *, many: bool, folder: bool) -> str:
    """Where a source goes, as cp and scp have it: into a folder that is there under its own name,
    else to the very name. `SRC/.` is what is in the folder.

    Raises:
        NotFound: several sources, or a trailing slash, and no folder is there.
        UsageError: a folder cannot go where a file is.
    """
    name = posixpath.basename(source.rstrip("/"))
    if there and there.folder:
        if name in ("", ".", ".."):
            return target
        return name if target == "." else posixpath.join(target, name)
    if many or (target.endswith("/") and not folder):
        hint = "Several sources go into a folder that is there." if many else ""
        if there:
            raise NotFound(f"{legible(target)} is no folder.", hint=hint)
        raise NotFound(
            f"{legible(target)} is not there.",
            hint=f"{hint} Make it first: mkdir -p {legible(target)}".strip(),
        )
    if there and folder:
        raise UsageError(f"{legible(target)} is a file, and {legible(source)} is a folder.")
    return target.rstrip("/") or target


def plan(
    trees: Iterable[tuple[str, str, Sequence[Entry]]],
    there: Mapping[str, There],
    *,
    every: bool = False,
    merged: frozenset[str] = frozenset(),
    done: frozenset[str] = frozenset(),
    foreign: bool = False,
) -> CopyPlan:
    """The steps for trees of (source, target, entries).

    `there` has what stands at each target path. Files of the same size
    and time are left alone, unless `every`; those in `done` in any case. Folders in `merged` keep
    their own mode and time. Of `foreign` trees, which another machine told, nothing goes through
    a link that is there: an earlier copy may have brought it.
    """
    steps: list[Step] = []
    problems: list[Problem] = []
    skipped: list[Problem] = []
    taken: dict[str, tuple[str, str]] = {}
    for source, target, entries in trees:
        blocked: list[str] = []
        folders: set[str] = set()
        for entry in entries:
            path, goal = joined(source, entry.rel), joined(target, entry.rel)
            if not safe(entry.rel):
                problems.append(Problem(path, "its name cannot be a file's"))
                continue
            if any(entry.rel.startswith(f"{each}/") for each in blocked):
                continue
            above = entry.rel.rpartition("/")[0]
            if entry.rel and above not in folders:
                problems.append(Problem(path, "the folder that it is in was not told"))
                continue
            if entry.facts.kind == "o":
                left = problems if not entry.rel else skipped
                left.append(Problem(path, "neither a file, a folder nor a link"))
                continue
            again = goal in taken
            first, kind = taken.setdefault(goal, (path, entry.facts.kind))
            if again and first == path:
                if entry.facts.kind == "d":
                    folders.add(entry.rel)
                continue
            if first != path and (kind, entry.facts.kind) != ("d", "d"):
                problems.append(Problem(path, f"{legible(first)} goes to {legible(goal)} too"))
                if entry.facts.kind == "d":
                    blocked.append(entry.rel)
                continue
            seen = there.get(goal, NOTHING)
            now = seen.facts
            act = act_for(entry.facts, now, every=every and goal not in done)
            if foreign and entry.rel and through(entry.facts, now):
                act = A_LINK
            if isinstance(act, str) and not isinstance(act, Act):
                problems.append(Problem(path, act))
                if entry.facts.kind == "d":
                    blocked.append(entry.rel)
                continue
            if entry.facts.kind == "d":
                folders.add(entry.rel)
            part = seen.part if seen.part <= entry.facts.size else 0
            steps.append(Step(act, path, goal, entry.facts, part, seen.token, now, goal in merged))
    return CopyPlan(tuple(steps), tuple(problems), tuple(skipped))


def act_for(entry: Facts, there: Facts | None, *, every: bool = False) -> Act | str:
    """What is done about an entry where `there` stands; a sentence where it cannot be."""
    if entry.kind == "d":
        if there is None or there.folder:
            return Act.FOLDER
        return "something else of that name is there, and no folder"
    if there and there.kind == "d":
        return "a folder of that name is there"
    if there and "o" in (there.kind, there.through):
        return "a device, a socket or a pipe of that name is there"
    if entry.kind == "l":
        same = there is not None and there.kind == "l" and there.target == entry.target
        return Act.SAME if same else Act.LINK
    if there is None or not there.file:
        return "a folder of that name is there" if there and there.folder else Act.COPY
    if every or not unchanged(entry, there):
        return Act.COPY
    return Act.SAME if entry.mode == there.mode else Act.MODE


A_LINK = "a link of that name is there"


def through(entry: Facts, there: Facts | None) -> bool:
    """Whether it would be written where a link leads to."""
    return there is not None and there.kind == "l" and entry.kind in ("d", "f")


def unchanged(one: Facts, other: Facts) -> bool:
    """Whether two files count as the same: size and time are. A clock of whole seconds on either
    side is compared by its seconds."""
    if one.size != other.size:
        return False
    second = 1_000_000_000
    if one.mtime % second and other.mtime % second:
        return one.mtime == other.mtime
    return one.mtime // second == other.mtime // second


BRACES_AT_MOST = 1000


def braces(text: str) -> list[str]:
    """What a shell makes of `{a,b}`: the text with each of them; the text where it has none.

    >>> braces("runs/{7,8}/*.csv")
    ['runs/7/*.csv', 'runs/8/*.csv']
    """
    found: list[str] = []
    todo = [text]
    while todo:
        each = todo.pop(0)
        cut = _alternatives(each)
        if cut is None:
            found.append(each)
        else:
            start, words, end = cut
            todo[:0] = [each[:start] + word + each[end:] for word in words]
        if len(todo) + len(found) > BRACES_AT_MOST:
            return [text]
    return found


def _alternatives(text: str) -> tuple[int, list[str], int] | None:
    """The first `{a,b}`: where it begins, the words in it, where it ends."""
    for start in (n for n, letter in enumerate(text) if letter == "{"):
        depth, at, words = 0, start + 1, []
        for n in range(start, len(text)):
            if text[n] == "{":
                depth += 1
            elif text[n] == "," and depth == 1:
                words.append(text[at:n])
                at = n + 1
            elif text[n] == "}":
                depth -= 1
                if depth == 0:
                    if words:
                        return start, [*words, text[at:n]], n + 1
                    break
    return None


def joined(root: str, rel: str) -> str:
    return posixpath.join(root, rel) if rel else root


def safe(rel: str) -> bool:
    """Whether a path that another machine told stays below its folder."""
    return not rel or all(
        part not in ("", ".", "..") and "\0" not in part for part in rel.split("/")
    )


def named(typed: str, path: str) -> bool:
    """Whether a machine may answer that path for one that was typed, a pattern or not: under
    another name it would be written where nobody asked for it."""
    pattern = posixpath.basename(typed.rstrip("/"))
    name = posixpath.basename(path.rstrip("/"))
    if pattern in ("", ".", "..") or (pattern == typed.rstrip("/") and pattern.startswith("~")):
        return True  # the folder itself, whatever it is called
    if pattern == name:
        return True
    hidden = name.startswith(".") and not pattern.startswith(".")
    return name not in ("", ".", "..") and not hidden and fnmatchcase(name, pattern)


def gone_on(own: Sequence[str], theirs: Sequence[str], part: int) -> int:
    """How many bytes of a part file are right, by the sums of its blocks on both sides."""
    same = 0
    for one, other in zip(own, theirs, strict=False):
        if one != other:
            break
        same += 1
    return min(part, same * BLOCK)


def legible(path: str) -> str:
    """A name as it can be shown on one line: what cannot be printed is written out."""
    return "".join(
        letter
        if letter.isprintable()
        else f"\\x{ord(letter) - 0xDC00:02x}"
        if "\udc80" <= letter <= "\udcff"
        else letter.encode("unicode_escape").decode()
        for letter in path
    )


class Meter:
    """Rate and time left, from how far a copy was when; seconds of any clock that goes on."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int, int]] = deque()

    def note(self, now: float, size: int, files: int) -> None:
        """So many bytes and files are done; fewer than before where a cut took some back."""
        if self._seen and size < self._seen[-1][1]:
            self._seen.clear()
        self._seen.append((now, size, files))
        while len(self._seen) > 2 and self._seen[1][0] <= now - WINDOW_SECONDS:
            self._seen.popleft()

    @property
    def rate(self) -> float:
        """Bytes a second."""
        return self._per_second(lambda size, files: float(size))

    def left(self, size: int, files: int) -> float | None:
        """Seconds for so much more; None while nobody knows."""
        speed = self._per_second(lambda s, f: float(s + f * FILE_WEIGHT))
        return (size + files * FILE_WEIGHT) / speed if speed > 0 else None

    def _per_second(self, weight: Callable[[int, int], float]) -> float:
        if len(self._seen) < 2:
            return 0.0
        (start, *first), (end, *last) = self._seen[0], self._seen[-1]
        return (weight(*last) - weight(*first)) / (end - start) if end > start else 0.0


class CopyPhase(StrEnum):
    """How a copy fares."""

    QUEUED = "queued"
    LOOKING = "looking"
    CHECKING = "checking"
    COPYING = "copying"
    WAITING = "reconnecting"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self in (CopyPhase.DONE, CopyPhase.FAILED, CopyPhase.CANCELLED)


@dataclass(frozen=True, slots=True)
class CopyState:
    """One copy as it is now."""

    key: str
    sources: tuple[str, ...]
    target: str
    phase: CopyPhase = CopyPhase.QUEUED
    files: int = 0
    """Files and links to be written, those that are there unchanged left out."""
    files_done: int = 0
    size: int = 0
    done: int = 0
    """Bytes that are on their way or there."""
    rate: float = 0.0
    left: float | None = None
    """Seconds to go, when they can be told."""
    current: str = ""
    same: int = 0
    """Files and links that were there already, unchanged."""
    skipped: tuple[Problem, ...] = ()
    problems: tuple[Problem, ...] = ()
    """Of thousands the first."""
    failed: int = 0
    """How many they are."""
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    error: CloudtuiError | None = field(default=None, compare=False)

    @property
    def ended(self) -> bool:
        return self.phase.ended

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is to be known of one that went well."""
        if not self.skipped:
            return self.notes
        others = len(self.skipped) - 1
        rest = f", and {plural(others, 'more entry')}" if others else ""
        return (*self.notes, f"Left out: {self.skipped[0]}{rest}")

    @property
    def words(self) -> str:
        """`bert.ckpt, notes and 3 more → bert-gpu:data`."""
        return f"{', '.join(self.sources[:2])}{more(self.sources)} → {self.target}"


def more(names: Sequence[str]) -> str:
    return f" and {len(names) - 2} more" if len(names) > 2 else ""


def facts_of(row: Sequence[Any]) -> Facts:
    """From what the file program tells."""
    return Facts(*row)
