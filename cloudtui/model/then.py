"""What happens on the host after a run, as typed after `--then`.

    copy:REMOTE:LOCAL           to this computer, which fetches it when cloudtui runs here
    s3:[PATH:]s3://BUCKET/PREFIX   what the run wrote, or PATH, to S3
    run:COMMAND                 a shell command, in the run's folder
    stop                        shuts the machine down, however the run ended

A word in front says when: `on-success:` if the run and the steps before went well, `on-fail:` if
the run failed, `on-end:` however it ended, `always:` even when it was stopped by hand. Without
one it is `on-success:`, and `on-end:` for `stop`, since a machine that nobody needs costs money.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from cloudtui.model.answers import whole
from cloudtui.model.errors import Refused, UsageError
from cloudtui.model.slip import nearest


class Kind(StrEnum):
    """What a step does."""

    COPY = "copy"
    S3 = "s3"
    RUN = "run"
    STOP = "stop"


class When(StrEnum):
    """After which end of the run a step is done."""

    SUCCESS = "on-success"
    FAILURE = "on-fail"
    END = "on-end"
    """Not when the run was stopped by hand: who did that is there."""
    ALWAYS = "always"


class StepState(StrEnum):
    """Where a step is."""

    WAITING = "waiting"
    """For the run's end, for the steps before it, or `stop` for other runs of the machine."""
    RUNNING = "running"
    FETCH = "waiting for this computer"
    """A copy that is done as soon as cloudtui runs on the computer that asked for it."""
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "not done"
    """The run's end was not the one it waits for."""

    @property
    def glyph(self) -> str:
        """One cell that tells the state without colour."""
        return _GLYPHS[self]

    @property
    def over(self) -> bool:
        return self in (StepState.DONE, StepState.FAILED, StepState.SKIPPED)


_GLYPHS = {
    StepState.WAITING: "○",
    StepState.RUNNING: "●",
    StepState.FETCH: "◐",
    StepState.DONE: "✓",
    StepState.FAILED: "×",
    StepState.SKIPPED: "-",
}


@dataclass(frozen=True, slots=True)
class ThenStep:
    """One step in the record of a run."""

    text: str
    """As typed."""
    state: StepState = StepState.WAITING
    result: str = ""
    """Its last line, or why it was not done."""
    number: int = 0
    """From 1."""
    where: str = ""
    """Of a copy, the path on the computer that asked for it; in `result`, the one there."""
    computer: str = ""
    """The computer that asked for a copy."""
    seal: str = ""
    """Of a copy, what that computer knows its own words by."""

    @property
    def stops(self) -> bool:
        """Whether it shuts the machine down; `always:stop` does too."""
        when, colon, what = self.text.partition(":")
        return (what if colon and when in _PREFIXES else self.text) == "stop"

    @property
    def words(self) -> str:
        """`stop: done`, `s3:s3://b/p: failed (no credentials)`."""
        more = f" ({self.result})" if self.result and self.state is not StepState.DONE else ""
        return f"{self.text}: {self.state}{more}"


@dataclass(frozen=True, slots=True)
class Action:
    """What one `--then` asks for."""

    text: str
    kind: Kind
    when: When
    what: str = ""
    """The path there (empty with S3 for what the run wrote), or the command."""
    where: str = ""
    """The folder here, or the address in S3 without a slash at its end."""


EXAMPLES = """\
--then copy:out/:results/            copied here as soon as cloudtui runs here
--then s3:s3://bucket/bert           what the run wrote; s3:out:s3://bucket/bert for out/ alone
--then 'run:python3 eval.py'         in the run's folder
--then stop                          shuts the machine down"""

_PREFIXES = {when.value: when for when in When}
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def parse(text: str) -> Action:
    """The action that is typed so.

    Raises:
        UsageError: it is none; near words are told.
    """
    if "\0" in text or "\n" in text:
        raise UsageError("An action after --then is one line.")
    word, colon, rest = text.partition(":")
    when = _PREFIXES.get(word)
    body = rest if when else text
    if text.startswith("s3://"):
        body = f"s3:{text}"
    kind_word, colon, rest = body.partition(":")
    try:
        kind = Kind(kind_word)
    except ValueError:
        raise _unknown(text, kind_word, bool(colon)) from None
    if kind is Kind.STOP:
        if colon:
            raise UsageError(f"--then stop takes nothing behind it: {text!r}.")
        return Action(text, kind, when or When.END)
    if not rest.strip():
        raise UsageError(f"--then {kind_word} lacks what it is about: {text!r}.", EXAMPLES)
    when = when or When.SUCCESS
    match kind:
        case Kind.COPY:
            what, _, where = rest.partition(":")
            if not what:
                raise UsageError(f"--then copy lacks the path there: {text!r}.", EXAMPLES)
            return Action(text, kind, when, what, where or ".")
        case Kind.S3:
            return _s3(text, when, rest)
        case _:
            return Action(text, kind, when, rest)


def _s3(text: str, when: When, rest: str) -> Action:
    head, found, address = rest.rpartition("s3://")
    if not found or (head and not head.endswith(":")):
        raise UsageError(
            f"--then s3 needs an address such as s3://bucket/folder: {text!r}.", EXAMPLES
        )
    bucket, _, prefix = address.partition("/")
    if not _BUCKET.fullmatch(bucket) or ".." in bucket:
        raise UsageError(
            f"{bucket!r} cannot be the name of a bucket.",
            "It has 3 to 63 small letters, digits, dots and hyphens.",
        )
    where = "/".join(part for part in (f"s3://{bucket}", prefix.strip("/")) if part)
    return Action(text, Kind.S3, when, head.removesuffix(":"), where)


def _unknown(text: str, word: str, colon: bool) -> UsageError:
    near = nearest(word, [*Kind, *(_PREFIXES if colon else ())])
    meant = f" It looks like {near}." if near else ""
    return UsageError(
        f"--then does not know {word!r}.{meant}",
        EXAMPLES,
        f"Begin it with {', '.join(Kind)}." if not near else "",
    )


def parse_all(texts: Iterable[str]) -> tuple[Action, ...]:
    """The actions in their order.

    Raises:
        UsageError: one is none, or could never be done.
    """
    actions = tuple(parse(text) for text in texts)
    for at, action in enumerate(actions):
        if action.kind is not Kind.STOP:
            continue
        for later in actions[at + 1 :]:
            if {action.when, later.when} != {When.SUCCESS, When.FAILURE}:
                raise UsageError(
                    f"{later.text!r} comes after {action.text!r}, which shuts the machine down.",
                    hint="Put stop last.",
                )
    return actions


def stops(actions: Sequence[Action]) -> bool:
    """Whether the machine may be shut down at the end."""
    return any(action.kind is Kind.STOP for action in actions)


def check_terminating(actions: Sequence[Action], machine: str) -> None:
    """For a machine that EC2 terminates when it shuts down.

    Raises:
        Refused: a copy to this computer would find nothing any more.
    """
    copies = [action.text for action in actions if action.kind is Kind.COPY]
    if stops(actions) and copies:
        raise Refused(
            f"{copies[0]!r} would find nothing: a shutdown of {machine} terminates it, and its "
            "disks may go with it.",
            hint="Copy to S3 instead (--then s3:s3://BUCKET/PREFIX), or leave out stop.",
        )


def files(
    actions: Sequence[Action],
    *,
    computer: str,
    folder: str,
    terminates: bool,
    seal: Callable[[str, str], str],
) -> dict[str, bytes]:
    """What the host keeps of them, by its path in the run's folder: one folder a step.

    `computer` tells this computer from others, `folder` is the absolute one that a copy's place
    here is relative to, and `seal` is given the text and the place here of a copy.
    """
    made: dict[str, bytes] = {}
    for number, action in enumerate(actions, 1):
        where = action.where
        if action.kind is Kind.COPY:
            where = _absolute(where, folder)
        step = {
            "text": action.text,
            "kind": action.kind.value,
            "when": action.when.value,
            "what": action.what,
            "where": where,
            "computer": computer if action.kind is Kind.COPY else "",
            "seal": seal(action.text, where) if action.kind is Kind.COPY else "",
            "careful": "1" if terminates and action.kind is Kind.STOP else "",
        }
        for name, value in step.items():
            if value:
                made[f"then/{number:02d}/{name}"] = value.encode(errors="surrogateescape")
    return made


def _absolute(path: str, folder: str) -> str:
    if path.startswith(("/", "~/")) or path == "~":
        return path
    return folder if path in (".", "./") else f"{folder.rstrip('/')}/{path.removeprefix('./')}"


_STATES = {
    "": StepState.WAITING,
    "running": StepState.RUNNING,
    "fetch": StepState.FETCH,
    "done": StepState.DONE,
    "failed": StepState.FAILED,
    "skipped": StepState.SKIPPED,
}


def steps_told(
    told: Mapping[str, Mapping[str, str]], *, over: bool, lost: bool, alive: bool, rebooted: bool
) -> tuple[ThenStep, ...]:
    """The steps of a run from what their files say, by number.

    `alive`: the process that does them is there; `rebooted`: the machine has been down since.
    """
    steps = []
    for number, facts in sorted(told.items()):
        state = _STATES.get(facts.get("state", ""), StepState.FAILED)
        result = facts.get("result", "")
        if state is StepState.RUNNING and facts.get("text", "").endswith("stop") and rebooted:
            state = StepState.DONE
        elif state in (StepState.WAITING, StepState.RUNNING) and over and not alive:
            if lost or state is StepState.WAITING:
                why = "the machine went down before" if rebooted else "what does it was killed"
                state, result = StepState.SKIPPED, "the run was lost" if lost else why
            else:
                state, result = StepState.FAILED, "it was interrupted"
        steps.append(
            ThenStep(
                facts.get("text", ""),
                state,
                result,
                whole(number) or 0,
                facts.get("where", ""),
                facts.get("computer", ""),
                facts.get("seal", ""),
            )
        )
    return tuple(steps)
