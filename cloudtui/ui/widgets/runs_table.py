"""The runs of many hosts, one row each: those that go on first, then the newest that ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

from cloudtui.model.instance import Instance, State
from cloudtui.model.job import Job, JobState
from cloudtui.model.job_filter import name_in_list
from cloudtui.model.training import Training, sparkline
from cloudtui.model.words import duration
from cloudtui.ui.themes import cell_style
from cloudtui.ui.widgets.keyed_table import Heading, KeyedTable, Row
from cloudtui.ui.widgets.table_view import PADDING

HEADINGS = (
    Heading("state", "State"),
    Heading("host", "Host"),
    Heading("name", "Run"),
    Heading("elapsed", "Elapsed", right=True),
    Heading("progress", "Progress", spare=1),
    Heading("loss", "Loss", spare=2),
    Heading("left", "Left", spare=3, right=True),
    Heading("exit", "Exit", spare=4, right=True),
    Heading("last", "Last line", spare=5),
)
GLYPHS = {
    JobState.QUEUED: "◌",
    JobState.RUNNING: "●",
    JobState.STALLED: "◑",
    JobState.DONE: "✓",
    JobState.FAILED: "×",
    JobState.NOT_STARTED: "×",
    JobState.KILLED: "×",
    JobState.LOST: "?",
    JobState.UNKNOWN: "?",
}
COLOURS = {
    JobState.QUEUED: "state-stopped",
    JobState.RUNNING: "state-running",
    JobState.STALLED: "warning",
    JobState.DONE: "state-stopped",
    JobState.FAILED: "error",
    JobState.NOT_STARTED: "warning",
    JobState.KILLED: "error",
    JobState.LOST: "error",
    JobState.UNKNOWN: "warning",
}
SPARKS_SHOWN = 8
WIDE = 100
"""Columns of the screen from which progress and loss are told in full; with fewer, time left and
exit code matter more."""
WAITS = 36
"""Letters of what a queued run waits for; half of it on a narrow screen."""
LEAST_LAST = 14
"""Cells of a last line below which it is not worth its column."""


def row_key(instance: Instance, job: Job | None) -> str:
    """Without a run the key of the host's own row."""
    return f"{instance.id}/{name_in_list(job) if job else ''}"


def state_words(job: Job, *, seen_now: bool = True) -> str:
    """`● running`, `● by hand`; `? running` of one that ran when it was last seen."""
    word = "by hand" if job.by_hand and job.state is JobState.RUNNING else job.state.value
    return f"{GLYPHS[job.state] if seen_now or job.state.over else '?'} {word}"


def host_words(instance: Instance) -> str:
    """`bert-gpu`, or `bert-gpu (stopped)`."""
    running = instance.state is State.RUNNING
    return instance.spoken if running else f"{instance.spoken} ({instance.state})"


def rank(job: Job) -> int:
    """Runs that go on, those that wait, sessions begun by hand, those whose machine does not run,
    those that ended."""
    if job.state is JobState.UNKNOWN:
        return 3
    if job.state.over:
        return 4
    if job.by_hand:
        return 2
    return 1 if job.state is JobState.QUEUED else 0


def progress_words(training: Training, most: int = 3) -> str:
    """`21 %  4,018/18,750  epoch 0.64`, or the first of these."""
    parts = [f"cell {training.cell[0]:,}/{training.cell[1]:,}"] if training.cell else []
    if training.done is not None:
        parts.append(f"{training.done * 100:.0f} %")
    if training.step is not None:
        parts.append(f"{training.step:,}/{training.steps:,}" if training.steps else
                     f"step {training.step:,}")  # fmt: skip
    if training.epoch is not None and len(parts) < 2:
        of = f"/{training.epochs}" if training.epochs else ""
        parts.append(f"epoch {training.epoch:.4g}{of}")
    return "  ".join(parts[:most])


class RunsTable(KeyedTable):
    """Runs by `row_key`, and hosts that have none or could not be asked."""

    FIRST_MATTER = True

    def __init__(self) -> None:
        super().__init__(HEADINGS, "state", id="runs")
        self._widest_last = self.WIDEST
        """Cells that are left for the last lines."""
        self._made: dict[str, tuple[object, Row]] = {}
        """Rows by key, with what they were made from: most stay the same from look to look."""

    def show_runs(
        self,
        runs: Iterable[tuple[Instance, Job, bool]],
        notes: Iterable[tuple[Instance, str, str]] = (),
        *,
        filling: bool = False,
    ) -> None:
        """Show exactly these runs, the old ones dimmed, and a word about each of the other hosts,
        with the reason of a failure; for `filling` see `show`."""
        wide = self.app.size.width >= WIDE
        paint, before, self._made = _Paint(self.app.theme_variables, wide), self._made, {}
        for instance, job, stale in runs:
            key, elapsed = row_key(instance, job), job.elapsed(paint.now)
            words = duration(elapsed.total_seconds()) if elapsed is not None else ""
            made_from = (host_words(instance), job, stale, words, self.app.theme, wide)
            kept = before.get(key)
            if kept is None or kept[0] != made_from:
                kept = (made_from, paint.run(instance, job, stale, words))
            self._made[key] = kept
        made = [row for _, row in self._made.values()]
        made += [paint.note(instance, words, why) for instance, words, why in notes]
        self._widest_last = self._room_for_last(made)
        self.show(made, filling=filling)

    def _width(self, heading: Heading) -> int:
        width = super()._width(heading)
        return min(width, self._widest_last) if heading.key == "last" else width

    def _room_for_last(self, rows: list[Row]) -> int:
        """Cells that the other columns leave; the least where they leave none."""
        taken = 1 + self.scrollbar_size_vertical
        for heading in HEADINGS[:-1]:
            widths = [row.cells[heading.key].cell_len for row in rows]
            mark = 2 if heading.key == self.order_by else 0
            title = cell_len(heading.title) + mark
            taken += min(max([title, *widths]), self.WIDEST) + 2 * PADDING
        return max(LEAST_LAST, self.size.width - taken - 2 * PADDING)


class _Paint:
    """Rows in the colours of one theme, at one moment."""

    def __init__(self, colours: Mapping[str, str], wide: bool) -> None:
        self._wide = wide
        self.now = datetime.now(UTC)
        self._styles = {
            name: cell_style(colours, name)
            for name in (*COLOURS.values(), "foreground-muted", "error", "state-terminated")
        }
        self._quiet = self._styles["foreground-muted"]

    def run(self, instance: Instance, job: Job, dim: bool, elapsed_words: str) -> Row:
        plain = self._quiet if dim or job.state.over else Style.null()
        elapsed = job.elapsed(self.now)
        training, moment = job.training, job.ended or job.started or job.queued
        going = not job.state.over
        state = self._quiet if dim else self._styles[COLOURS[job.state]]
        name = Style.null() if not dim else self._quiet
        broken = self._styles["error"] if training.broken else plain
        spark = sparkline(training.losses, SPARKS_SHOWN) if self._wide else ""
        loss = "" if training.loss is None else f"{training.loss:.4g}"
        left = training.eta if going and not dim else None
        cells = {
            "state": self._cell(state_words(job, seen_now=not dim), state),
            "host": self._cell(host_words(instance), plain),
            "name": self._cell(job.id, name),
            "elapsed": self._cell(elapsed_words, plain, right=True),
            "progress": self._cell(self._progress(job), plain),
            "loss": self._cell(f"{loss} {spark}".strip(), broken),
            "left": self._cell(duration(left) if left else "", plain, right=True),
            "exit": self._cell(
                job.exit_words,
                state if job.exit_status else self._quiet,
                right=True,
            ),
            "last": self._cell(job.last_line, self._quiet),
        }
        since = -moment.timestamp() if moment else 0.0
        tie = (instance.spoken.casefold(), job.id)
        order = {
            "state": (rank(job), since, tie),
            "host": (tie[0], rank(job), since, tie),
            "name": (job.id.casefold(), tie),
            "elapsed": None if elapsed is None else (-elapsed.total_seconds(), tie),
            "progress": None if training.done is None else (-training.done, tie),
            "loss": None if training.loss is None else (training.loss, tie),
            "left": None if not left else (left, tie),
            "exit": None if job.exit_status is None else (-job.exit_status, tie),
            "last": (job.last_line.casefold(), tie),
        }
        return Row(row_key(instance, job), cells, order)

    def _progress(self, job: Job) -> str:
        """How far it is; of a queued run what it waits for."""
        if job.state is JobState.QUEUED:
            most = WAITS if self._wide else WAITS // 2
            return job.why if len(job.why) <= most else f"{job.why[: most - 1]}…"
        return progress_words(job.training, 3 if self._wide else 1)

    def note(self, instance: Instance, words: str, why: str) -> Row:
        """A host without rows of its own, or with old ones, and the reason."""
        style = self._styles["state-terminated"] if why else self._quiet
        cells = {heading.key: Text("", self._quiet) for heading in HEADINGS}
        cells |= {
            "state": self._cell(f"{'×' if why else '·'} {words}", style),
            "host": self._cell(instance.spoken, self._quiet),
            "last": Text(why, self._quiet, no_wrap=True, overflow="ellipsis"),
        }
        name = instance.spoken.casefold()
        order = {"state": (5, 0.0, (name, "")), "host": (name, 5, 0.0, (name, ""))}
        return Row(row_key(instance, None), cells, order)

    def _cell(self, text: str, style: Style, *, right: bool = False) -> Text:
        justify: str = "right" if right else "left"
        shown = Text(text or "-", style if text else self._quiet, no_wrap=True, overflow="ellipsis")
        shown.justify = justify  # type: ignore[assignment]
        return shown
