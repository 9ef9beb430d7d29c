"""Long runs on a host: what is asked for, what is known of one, and when it counts as stalled."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from cloudtui.model.errors import Ambiguous, NotFound, UsageError
from cloudtui.model.then import ThenStep as ThenStep
from cloudtui.model.training import Training
from cloudtui.model.words import stamp


class JobState(StrEnum):
    """Where a run is."""

    QUEUED = "queued"
    RUNNING = "running"
    STALLED = "stalled"
    """Runs, but printed nothing for long after printing regularly."""
    DONE = "done"
    """Exit status 0."""
    FAILED = "failed"
    """Any other exit status."""
    NOT_STARTED = "not started"
    """It is over and its command was never begun: what it was to come after failed."""
    KILLED = "killed"
    """Ended by a signal."""
    LOST = "lost"
    """Its machine was rebooted or terminated, or its processes vanished without an exit status."""
    UNKNOWN = "unknown"
    """It had not ended when it was last seen, and its machine does not run now, or was not asked
    since."""

    @property
    def over(self) -> bool:
        """Nothing of it runs now."""
        return self not in (JobState.QUEUED, JobState.RUNNING, JobState.STALLED)


class Holder(StrEnum):
    """Where the terminal of a run is shown on its host."""

    TMUX = "tmux"
    SCREEN = "screen"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class JobSpec:
    """What a new run is asked to be."""

    command: tuple[str, ...]
    """The exact argument list; odd bytes are surrogates, as in sys.argv."""
    name: str = ""
    """Empty for one made of the command."""
    cwd: str = ""
    """Empty for the home folder; `~` in front is the home folder."""
    env: tuple[tuple[str, str], ...] = ()
    holder: Holder | None = None
    """None for tmux where it is installed, else screen, else none."""
    gpus: int = 0
    after: tuple[str, ...] = ()
    """Runs of the same host that are waited for, as typed."""
    after_any: bool = False
    """However those end; otherwise it is not started when one of them fails."""
    queue: bool = False
    """Wait for the runs that are there before it, queued ones too; not for later ones."""
    then: tuple[str, ...] = ()
    """As typed; see `model.then`."""


@dataclass(frozen=True, slots=True)
class Job:
    """One run on a host. Times are the host's, corrected to this computer's clock."""

    id: str
    """Unique on its host: the name, or `NAME-2`, ..."""
    instance_id: str
    command: tuple[str, ...]
    cwd: str
    holder: Holder
    session: str
    """The tmux session's name, or screen's `PID.NAME`, that shows it; empty for none."""
    state: JobState
    exit_status: int | None = None
    """128 + n for death by signal n."""
    signal: str = ""
    """The signal's name without SIG."""
    queued: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None
    last_line: str = ""
    last_lines: tuple[str, ...] = field(default=(), repr=False)
    """A few, whole ones, the last line among them."""
    log_bytes: int = 0
    last_output: datetime | None = None
    missing: datetime | None = None
    """When output was first lost, since the host's disk was full; None when the log has all."""
    by_hand: bool = False
    """A tmux or screen session that the user began without cloudtui: no log, no exit status."""
    gpus: tuple[int, ...] = ()
    after: tuple[str, ...] = ()
    then: tuple[ThenStep, ...] = ()
    training: Training = field(default_factory=Training)
    asked: int = 0
    """`queued` by the host's own clock: with the id it tells the run from others of that name."""
    why: str = ""
    """More about the state: `command not found`, `its machine was rebooted`."""
    shown: tuple[str, ...] = field(default=(), repr=False)
    """The lines of its pane when it was begun by hand in tmux."""

    @property
    def key(self) -> str:
        """Unique over all hosts."""
        return f"{self.instance_id}:{self.id}"

    @property
    def finished(self) -> bool:
        """Whether nothing of its record changes any more, what happens after it included."""
        return self.exit_status is not None and all(step.state.over for step in self.then)

    @property
    def done_with(self) -> bool:
        """Over and on record, with nothing left to follow it: such runs are removed many at
        once."""
        ended = self.state.over and self.state is not JobState.UNKNOWN and not self.by_hand
        return ended and all(step.state.over for step in self.then)

    @property
    def stalled_since(self) -> datetime | None:
        return self.last_output if self.state is JobState.STALLED else None

    def elapsed(self, now: datetime) -> timedelta | None:
        """How long it has run, or ran; None when that is not known."""
        if self.started is None or (self.ended is None and self.state.over):
            return None
        return max(timedelta(), (self.ended or now) - self.started)

    @property
    def words(self) -> str:
        """The state in words: `failed (127: command not found)`, `killed (TERM)`."""
        if self.state is JobState.KILLED and self.signal:
            return f"killed ({self.signal}{': ' + self.why if self.why else ''})"
        if self.state is JobState.FAILED and self.exit_status is not None:
            return f"failed ({self.exit_status}{': ' + self.why if self.why else ''})"
        if self.state is JobState.NOT_STARTED:
            return f"{self.state}: {self.why}"
        return f"{self.state} ({self.why})" if self.why else self.state.value

    @property
    def state_words(self) -> str:
        """As `words`, without the reason where that is a sentence: for a column."""
        return self.state.value if self.state is JobState.NOT_STARTED else self.words

    @property
    def exit_words(self) -> str:
        """The exit status, or the signal where none is known; empty when no command ended."""
        if self.state is JobState.NOT_STARTED:
            return ""
        return self.signal if self.exit_status is None else str(self.exit_status)

    @property
    def lost_words(self) -> str:
        """What the log lacks, as a sentence; empty when it has all."""
        if self.missing is None:
            return ""
        return f"The disk there was full at {stamp(self.missing)}: its log lacks output."

    @property
    def command_line(self) -> str:
        """The command as a shell would take it."""
        return shlex.join(self.command)


STATUS_WORDS: Mapping[int, str] = {126: "not executable", 127: "command not found"}
"""What a shell says of a command that it could not start."""

QUIET = timedelta(minutes=5)
"""The least silence that counts as a stall."""
PACES = 20
"""A stall is a silence of this many usual gaps between lines."""
REGULAR_LINES = 10
REGULAR_SPAN = timedelta(minutes=1)


def stalled(
    now: datetime, started: datetime | None, last_output: datetime | None, lines: float
) -> bool:
    """Whether a run that printed about `lines` lines from its start to its last output has been
    quiet for too long; one that never printed regularly is not."""
    if started is None or last_output is None or lines < REGULAR_LINES:
        return False
    span = last_output - started
    if span < REGULAR_SPAN:
        return False
    return now - last_output > max(QUIET, PACES * span / lines)


_RUNNERS = frozenset(
    {"accelerate", "bash", "deepspeed", "env", "exec", "ipython", "launch", "nice", "nohup",
     "poetry", "run", "sh", "sudo", "time", "torchrun", "uv", "xvfb-run"}
)  # fmt: skip
_ODD = re.compile(r"[^\w.+@%-]+")
NAME_BYTES = 60


def name_of(command: Iterable[str]) -> str:
    """A name for a run: the script's own in `python3 -u train.py --epochs 3`, else the program's.

    It is always one that `check_job_name` takes.
    """
    words = [word for word in command if word]
    stem = ""
    for word in words[:8]:
        if word.startswith("-") or "=" in word:
            continue
        stem = word.rstrip("/").rpartition("/")[2]
        if not (stem in _RUNNERS or re.fullmatch(r"python[\d.]*|pypy[\d.]*", stem)):
            break
    plain = _ODD.sub("-", re.sub(r"\.(py|sh|ipynb|pl|R|jl)$", "", stem)).strip("-.")
    while len(plain.encode(errors="replace")) > NAME_BYTES:
        plain = plain[:-1]
    return plain.strip("-.") or "run"


def check_job_name(name: str) -> None:
    """Raises UsageError for a name that cannot be a folder's, or one half of NAME:JOB."""
    odd = next((c for c in name if c in "/:" or not c.isprintable()), "")
    if odd:
        raise UsageError(f"A run's name has no {odd!r} in it: {name!r}.")
    if not name.strip() or name != name.strip() or name[0] in ".-":
        raise UsageError(
            f"{name!r} cannot be a run's name.", hint="Begin it with a letter or a digit."
        )
    if len(name.encode()) > NAME_BYTES:
        raise UsageError(
            f"{name[:20]}… is too long for a run's name.", hint=f"{NAME_BYTES} bytes fit."
        )


def find_job(text: str, jobs: Iterable[Job], host: str) -> Job:
    """The run of that id, or the only one whose id begins so.

    Raises:
        NotFound: there is none; the candidates are told.
        Ambiguous: several begin so, or are sessions begun by hand of that name.
    """
    known = list(jobs)
    full = [job for job in known if text == f"{job.holder}:{job.session}"]
    same = [job for job in known if job.id == text]
    recorded = [job for job in same if not job.by_hand]
    begun = [job for job in known if text and job.id.startswith(text)]
    found = full or recorded or same or begun
    if len(found) == 1:
        return found[0]
    names = [
        f"{f'{job.holder}:{job.session}' if job.by_hand else job.id}  {job.words}"
        for job in found or known
    ]
    if same:
        raise Ambiguous(f"{host} has {len(same)} sessions that are called {text}.", names)
    if found:
        raise Ambiguous(f"{host} has {len(found)} runs that begin with {text}.", names)
    if not known:
        raise NotFound(
            f"{host} has no run yet.",
            hint=f"Start one: cloudtui run {shlex.quote(host)} -- COMMAND",
        )
    raise NotFound(
        f"{host} has no run called {text}.",
        "\n".join(names),
        f"List them with: cloudtui jobs {shlex.quote(host)}",
    )
