"""What `host/jobs.sh` prints, as runs."""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice

from cloudtui.model import answers, training
from cloudtui.model.answers import whole
from cloudtui.model.job import STATUS_WORDS, Holder, Job, JobState, stalled
from cloudtui.model.pane_lines import added, lines_shown
from cloudtui.model.preview import parse_hardcopy
from cloudtui.model.session import Session, parse_probe
from cloudtui.model.then import steps_told

ONE = timedelta(seconds=3)
"""Moments that differ by less are one: hosts tell whole seconds."""
LINES = 5
"""Of a log's end that are kept."""
SILENT = timedelta(minutes=1)
"""A shorter silence says nothing about the time left."""
_GPU = re.compile(r"(?<![:\d])\d{1,4}(?!\d)", re.ASCII)
RIGHT = timedelta(seconds=2)
"""A clock that differs by less is right: the host tells whole seconds."""


@dataclass
class _Told:
    """What was printed of one run."""

    id: str
    facts: dict[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    tail: str = ""
    after: list[str] = field(default_factory=list)
    then: dict[str, dict[str, str]] = field(default_factory=dict)
    """Of each step by its number, what its files say."""
    size: int = 0
    modified: int | None = None


@dataclass(frozen=True, slots=True)
class _Clock:
    """The host's time and this computer's at the same moment."""

    host: int
    here: datetime
    boot: str

    def here_at(self, seconds: int | None) -> datetime | None:
        """A moment of the host as this computer's clock has it."""
        if seconds is None:
            return None
        moment, host = answers.moment(seconds), answers.moment(self.host)
        skew = host - self.here if host else timedelta()
        return moment - skew if moment and abs(skew) > RIGHT else moment


@dataclass
class _Answer:
    """All that was printed."""

    clock: _Clock | None = None
    told: dict[str, _Told] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    """Ids of runs of which nothing is told anew."""
    alive: list[Session] = field(default_factory=list)
    panes: dict[str, str] = field(default_factory=dict)
    """What sessions show, by their ids."""

    @classmethod
    def read(cls, text: str, mark: str, now: datetime) -> _Answer:
        found, current = cls(), _Told("")
        # Not by a pattern: the answer of a host with hundreds of runs is long.
        for part in f"\n{text}".split(f"\n{mark} ")[1:]:
            head, _, body = f"{part}\n".partition("\n")
            word, _, rest = head.partition(" ")
            match word:
                case "JOB":
                    current = _Told(rest)
                    if is_id(rest):
                        found.told[rest] = current
                case "=":
                    name, _, value = rest.partition(" ")
                    current.facts[name] = value.rstrip()
                case "AFTER":
                    current.after.append(rest)
                case "THEN":
                    number, name, value = [*rest.split(" ", 2), "", ""][:3]
                    current.then.setdefault(number, {})[name] = value
                case "HOST":
                    seconds, _, boot = rest.partition(" ")
                    found.clock = _Clock(whole(seconds) or 0, now, boot)
                case "SESSIONS":
                    found.alive = [s for s in parse_probe(body, now).sessions if not s.dead]
                case "KNOWN":
                    found.known.add(rest)
                case _:
                    found._take(word, rest, body)
        return found

    def _take(self, word: str, rest: str, body: str) -> None:
        """What is printed of many at once, after the runs."""
        match word:
            case "FILES":
                for id, content in _files(body, rest, self.told).items():
                    if rest == "command":
                        self.told[id].command = tuple(content.split("\0")[:-1])
                    else:
                        self.told[id].tail = content
            case "NOW" if self.clock:
                self.clock = replace(self.clock, host=whole(rest) or 0)
            case "LOG" if self.clock and rest.endswith(" /proc/self/stat"):
                self.clock = replace(self.clock, host=whole(rest.split(" ")[1]) or 0)
            case "LOG":
                size, modified, path = [*rest.split(" ", 2), "", ""][:3]
                owner = self.told.get(path.rpartition("/log")[0].rpartition("/")[2])
                if owner:
                    owner.size, owner.modified = whole(size) or 0, whole(modified)
            case "PANE":
                self.panes[rest] = body
            case "COPY":
                self.panes[rest] = _copied(body)


def parse_jobs(
    text: str,
    mark: str,
    instance_id: str,
    now: datetime,
    before: Iterable[Job] = (),
) -> tuple[Job, ...] | None:
    """The answer of `ssh.jobs.listed`, asked with that mark, at this computer's time `now`; the
    newest first.

    `before` is the answer before: what it has is not told anew, and its trainings are read on.
    Sessions that show no run are runs by hand. None for what is no answer.
    """
    answer = _Answer.read(text, mark, now)
    if answer.clock is None:
        return None
    before = tuple(before)
    earlier = {job.id: job for job in before if not job.by_hand}
    shown: set[str] = set()
    jobs = [job for id, job in earlier.items() if id in answer.known and id not in answer.told]
    for each in answer.told.values():
        session = _session(each.facts, answer.alive)
        if session:
            shown.add(session.key)
        was = earlier.get(each.id)
        if was and not each.command and was.asked == (whole(each.facts.get("queued")) or 0):
            each.command = was.command
        jobs.append(_job(each, instance_id, answer.clock, session, was))
    mine = {s.key for job in jobs for s in answer.alive if job.session and _shows(job, s)}
    by_hand = {(job.holder, job.session): job for job in before if job.by_hand}
    for session in answer.alive:
        if session.key not in shown | mine:
            job = _by_hand(session, instance_id)
            was = by_hand.get((job.holder, job.session))
            jobs.append(_seen(job, was, answer.panes.get(session.id), now))
    return tuple(sorted(jobs, key=_newest, reverse=True))


def _copied(body: str) -> str:
    """What a screen shows, of its hardcopy in base64."""
    try:
        return "\n".join(parse_hardcopy(base64.b64decode(body)).lines)
    except ValueError:  # nonsense
        return ""


def is_id(text: str) -> bool:
    """Whether a folder of a run can be called so: it is part of paths and shown in lists."""
    return text.isprintable() and "/" not in text and text not in ("", ".", "..")


def _files(text: str, name: str, ids: Collection[str]) -> dict[str, str]:
    """Each run's file of that name by the run's id, as head and tail print several files. What
    looks like the name of a file and is none of these is text of the one before."""
    found: dict[str, str] = {}
    last, end = "", f"/{name} <=="
    for part in f"\n{text}".split("\n==> ")[1:]:
        head, _, content = part.partition("\n")
        id = head.removesuffix(end).rpartition("/")[2] if head.endswith(end) else ""
        if id in ids and id not in found:
            found[last := id] = content
        elif last:
            found[last] += f"\n==> {part}"
    if last:
        found[last] = found[last].removesuffix("\n==> /dev/null <==\n\n")
    return found


def _job(
    told: _Told, instance_id: str, clock: _Clock, session: Session | None, before: Job | None
) -> Job:
    facts = told.facts
    started, last = clock.here_at(whole(facts.get("started"))), clock.here_at(told.modified)
    status, _, rest = facts.get("exit", "").partition(" ")
    ended, _, signal = rest.partition(" ")
    exit_status = whole(status)
    state, why = _state(told, clock, exit_status, signal, started, last)
    seen = _training(told, clock, started, last, before)
    ends = last_lines(told.tail, LINES + 1)
    if len(ends) <= LINES and told.size > len(told.tail.encode(errors="replace")):
        ends = ends[1:] or ends  # the first one may be the end of a line
    return Job(
        id=told.id,
        instance_id=instance_id,
        command=told.command,
        cwd=facts.get("cwd", ""),
        holder=_holder(facts.get("holder", "")),
        session=session.name
        if session and session.program.value == "tmux"
        else session.id
        if session
        else "",
        state=state,
        exit_status=exit_status,
        signal=signal.strip(),
        queued=clock.here_at(whole(facts.get("queued"))),
        asked=whole(facts.get("queued")) or 0,
        started=started,
        ended=clock.here_at(whole(ended)) or (last if state is JobState.LOST else None),
        last_line=ends[-1] if ends else "",
        last_lines=ends[-LINES:],
        log_bytes=told.size,
        last_output=last if told.size else None,
        missing=clock.here_at(whole(facts.get("missing"))),
        gpus=tuple(int(n) for n in _GPU.findall(facts.get("gpus", ""))),
        after=tuple(told.after),
        then=steps_told(
            told.then,
            over=state.over,
            lost=state is JobState.LOST,
            alive="supervisor" in facts,
            rebooted=bool(facts.get("boot")) and facts.get("boot") != clock.boot,
        ),
        training=replace(seen, eta=None) if _void(seen, state, clock, last) else seen,
        why=why,
    )


def _void(seen: training.Training, state: JobState, clock: _Clock, last: datetime | None) -> bool:
    """Whether the time left is not known any more: it is over, or has been silent for so long that
    it should have ended meanwhile."""
    if state is not JobState.RUNNING or seen.eta is None or last is None:
        return state is not JobState.RUNNING
    return clock.here - last > max(SILENT, timedelta(seconds=seen.eta))


def _training(
    told: _Told,
    clock: _Clock,
    started: datetime | None,
    last: datetime | None,
    before: Job | None,
) -> training.Training:
    if before and before.started and started and abs(before.started - started) > ONE:
        before = None  # another run of that name
    return training.grown(
        told.tail,
        told.size,
        before.training if before else training.Training(),
        before.log_bytes if before else 0,
        when=last.timestamp() if last else None,
        started=started.timestamp() if started else None,
        now=clock.here.timestamp(),
    )


def _state(
    told: _Told,
    clock: _Clock,
    status: int | None,
    signal: str,
    started: datetime | None,
    last: datetime | None,
) -> tuple[JobState, str]:
    facts = told.facts
    if status is not None:
        if status == 0:
            return JobState.DONE, ""
        if signal:
            return JobState.KILLED, facts.get("why", "")
        if started is None and facts.get("why"):
            return JobState.NOT_STARTED, facts["why"]
        return JobState.FAILED, facts.get("why") or STATUS_WORDS.get(status, "")
    if facts.get("boot") and clock.boot and facts["boot"] != clock.boot:
        return JobState.LOST, "its machine was rebooted"
    if "pid" not in facts and "supervisor" not in facts:
        if not facts.get("queued"):
            return JobState.LOST, "its start was interrupted"
        return JobState.LOST, "its processes vanished"
    if started is None:
        return JobState.QUEUED, facts.get("wait/for", "")
    line = _line_length(told.tail)
    if stalled(clock.here, started, last if told.size else None, told.size / line if line else 0):
        return JobState.STALLED, ""
    return JobState.RUNNING, ""


def _line_length(tail: str) -> float:
    """Bytes of a usual line, those that a carriage return overwrites counted too."""
    return len(tail.encode()) / max(1, len(re.findall(r"[\r\n]+", tail))) if tail else 0


def _session(facts: Mapping[str, str], alive: Iterable[Session]) -> Session | None:
    """The session that shows the run, if it still does."""
    record = facts.get("session", "")
    return next((s for s in alive if record and _is_it(record, s)), None)


def _is_it(record: str, session: Session) -> bool:
    if session.program.value == "screen":
        return record == session.id
    made = int(session.created.timestamp()) if session.created else ""
    return record.startswith(f"{session.id} {made} ")


def _shows(job: Job, session: Session) -> bool:
    return (
        not job.by_hand
        and job.holder.value == session.program.value
        and job.session
        in (
            session.id,
            session.name,
        )
    )


def _by_hand(session: Session, instance_id: str) -> Job:
    return Job(
        id=session.name or session.id,
        instance_id=instance_id,
        command=(session.command,) if session.command else (),
        cwd="",
        holder=Holder(session.program.value),
        session=session.name if session.program.value == "tmux" else session.id,
        state=JobState.RUNNING,
        started=session.created,
        by_hand=True,
    )


def _seen(job: Job, before: Job | None, pane: str | None, now: datetime) -> Job:
    """With what its pane shows now, or showed before where that was not told."""
    if before and before.started != job.started:
        before = None
    if pane is None:
        shown = before.shown if before else ()
        new: Sequence[str] = ()
    else:
        shown = lines_shown(pane)
        new = added(before.shown if before else (), shown)
    so_far = before.training if before else training.Training()
    at = now.timestamp()
    when = None if not before else at if new else so_far.moved
    return replace(
        job,
        shown=shown,
        last_line=last_line("\n".join(shown[-10:])),
        training=training.read("\n".join(new), so_far, when=when, now=at),
    )


_ESCAPE = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[PX^_].*?\x1b\\|\x1b\[[0-?]*[ -/]*[@-~]|\x1b[ -/]*.|"
    r"[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f]",
    re.DOTALL,
)


def last_line(text: str) -> str:
    """The last line with something on it, as a terminal would show it at the end."""
    return next(iter(last_lines(text, 1)), "")


def last_lines(text: str, count: int) -> tuple[str, ...]:
    """The last lines with something on them, as a terminal would show them at the end."""
    lines = (
        line.rstrip("\r").rpartition("\r")[2].strip()
        for line in reversed(_ESCAPE.sub("", text).split("\n"))
    )
    found = list(islice((line for line in lines if line), count))
    return tuple(reversed(found))


def _newest(job: Job) -> tuple[float, str]:
    moment = job.queued or job.started
    return (moment.timestamp() if moment else 0.0, job.id)


def _holder(text: str) -> Holder:
    return next((holder for holder in Holder if holder.value == text), Holder.NONE)
