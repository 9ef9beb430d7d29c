"""What a host's recorder keeps of its kernels, and its own state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloudtui.model import answers
from cloudtui.model.answers import count, parsed
from cloudtui.model.errors import Ambiguous, NotFound
from cloudtui.model.words import data_size


@dataclass(frozen=True, slots=True)
class NotebookRun:
    """How far a run of all cells is."""

    state: str
    """`running`, `done`, `failed`, or `lost`: what ran the cells was ended."""
    cells: int = 0
    """Cells with code."""
    cell: int = 0
    """The one that runs, or ran last, counted from 1."""
    error: str = ""
    problem: str = ""
    """Why the outputs are not saved in the notebook; mostly empty."""

    @property
    def words(self) -> str:
        """In a sentence."""
        where = f"cell {self.cell} of {self.cells}"
        match self.state:
            case "running":
                said = f"{where} runs"
            case "done":
                said = (
                    f"{'the cell was' if self.cells == 1 else f'all {self.cells} cells were'} run"
                )
            case _:
                said = f"stopped at {where}: {self.error}"
        return (
            f"{said}. The outputs are not in the notebook: {self.problem}" if self.problem else said
        )


def parse_run(told: Any) -> NotebookRun | None:
    """The program's word on a run; None when there was none."""
    if not isinstance(told, Mapping) or not told.get("state"):
        return None
    return NotebookRun(
        state=str(told["state"]),
        cells=count(told.get("cells")),
        cell=count(told.get("cell")),
        error=str(told.get("error") or ""),
        problem=str(told.get("problem") or ""),
    )


@dataclass(frozen=True, slots=True)
class Recording:
    """What was recorded of one kernel."""

    id: str
    """Of the kernel."""
    path: str = ""
    """Of its notebook, relative to its server's folder; empty when that is not known."""
    state: str = ""
    """`recorded`, `starting`, `full`, `locked` (its sockets are encrypted), `ended`; empty when no
    recorder runs."""
    size: int = 0
    """Bytes kept."""
    written: datetime | None = None
    """When the last record was, by the host's clock."""
    end: int = 0
    """The offset behind its last record."""
    run: NotebookRun | None = None
    """The last run of all its cells."""

    @property
    def spoken(self) -> str:
        return self.path or self.id[:8]

    @property
    def live(self) -> bool:
        return self.state in ("recorded", "starting", "full")


@dataclass(frozen=True, slots=True)
class HostRecorder:
    """The recorder of a host, and all it kept."""

    running: bool = False
    since: datetime | None = None
    current: bool = True
    """Whether it is this cloudtui's version."""
    killed: datetime | None = None
    """When an earlier one was alive last, if that did not end in order."""
    full: bool = False
    """Whether it has stopped because there is no room."""
    size: int = 0
    """Bytes of all recordings."""
    servers: tuple[tuple[int, str], ...] = ()
    """Port of each Jupyter server it knows, and what keeps it from asking that; mostly empty."""
    recordings: tuple[Recording, ...] = ()
    """The one written last first."""

    def of(self, kernel_id: str) -> Recording | None:
        """What was recorded of a kernel."""
        return next((r for r in self.recordings if r.id == kernel_id), None)

    @property
    def problem(self) -> str:
        """What is wrong with it, in a sentence; empty when all is well."""
        if not self.running:
            return ""
        if self.full:
            return (
                "The disk is full: nothing is recorded until there is room. Free some: df -h ~, "
                "du -xh ~ | sort -h | tail"
            )
        if not self.current:
            return (
                "The recorder there is of another version. Begin this one: cloudtui kernels "
                "record NAME"
            )
        return ""


def parse_recorder(told: Mapping[str, Any], version: str) -> HostRecorder:
    """The program's answer to `list`.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(told, dict) or "kernels" not in told:
        raise TypeError("no answer of the recorder")
    state = told.get("state")
    state = state if isinstance(state, dict) else {}
    running = bool(told.get("running"))
    recordings = tuple(
        Recording(
            id=str(entry.get("id", "")),
            path=str(entry.get("path") or ""),
            state=str(entry.get("state") or ""),
            size=count(entry.get("bytes")),
            written=moment(entry.get("written")),
            end=count(entry.get("end")),
            run=parse_run(entry.get("run")),
        )
        for entry in _entries(told["kernels"])
    )
    return HostRecorder(
        running=running,
        since=moment(state.get("since")) if running else None,
        current=state.get("version") == version or not running,
        killed=moment(state.get("killed")),
        full=running and state.get("problem") == "full",
        size=sum(r.size for r in recordings),
        servers=tuple(
            (count(server.get("port")), str(server.get("problem") or ""))
            for server in (_entries(state.get("servers")) if running else ())
        ),
        recordings=recordings,
    )


def _entries(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def moment(seconds: Any) -> datetime | None:
    """Seconds since 1970 as a time; None for 0 and what is no number."""
    return answers.moment(seconds) if isinstance(seconds, int | float) and seconds else None


def parse_record(line: bytes) -> dict[str, Any] | None:
    """One line of a recording; None for a broken one."""
    try:
        record = parsed(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and isinstance(record.get("kind"), str) else None


def find_recording(recordings: Sequence[Recording], text: str) -> Recording:
    """The recording of that notebook path, its end, or a unique beginning of the kernel's id.

    Of several kernels of one notebook the one that runs is meant, or else the last.

    Raises:
        NotFound: none; the detail lists those there are.
        Ambiguous: several notebooks answer to it, or several of its kernels run: two servers may
            each have one of that path.
    """
    ways = (
        lambda r: text in (r.id, r.path),
        lambda r: r.path.endswith(f"/{text}"),
        lambda r: r.path.rpartition("/")[2].removesuffix(".ipynb") == text,
        lambda r: len(text) > 1 and r.id.startswith(text),
    )
    for way in ways:
        found = [recording for recording in recordings if way(recording)]
        names = {recording.path or recording.id for recording in found}
        live = [recording for recording in found if recording.live]
        if len(names) == 1 and len(live) > 1:
            raise Ambiguous(
                f"{len(live)} kernels that run answer to {text}.",
                _lines(live),
                "Name one by the beginning of its id. The server of each: cloudtui kernels",
            )
        if len(names) == 1:
            return live[0] if live else found[0]
        if found:
            raise Ambiguous(
                f"{len(names)} recordings answer to {text}.", _lines(found), "Name one by its path."
            )
    raise NotFound(
        f"No recording answers to {text}.",
        "\n".join(_lines(recordings)) or "Nothing was recorded there yet.",
    )


def _lines(recordings: Iterable[Recording]) -> list[str]:
    return [f"{r.id[:8]}  {data_size(r.size)}  {r.path}".rstrip() for r in recordings]
