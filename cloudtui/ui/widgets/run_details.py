"""What is known of the run under the cursor."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from cloudtui.core.events import JobsState
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance, State
from cloudtui.model.job import Job, JobState
from cloudtui.model.last_seen import AwayRuns, due
from cloudtui.model.price import Price, dollars
from cloudtui.model.training import parts, sparkline
from cloudtui.model.words import data_size, since, stamp
from cloudtui.ui.widgets.runs_table import GLYPHS

SPARKS_SHOWN = 16
LABEL = 9
"""Cells before each row."""
GAP = "   "
RUNS_FOLDER = "~/.local/share/cloudtui/runs"


def log_path(job: Job) -> str:
    """Where the log lies on the host; empty for a session begun by hand."""
    return "" if job.by_hand else f"{RUNS_FOLDER}/{job.id}/log"


class RunPanel(VerticalScroll):
    """Lines below the list; it takes neither the focus nor a key."""

    DEFAULT_CSS = """
    RunPanel {
        height: auto; max-height: 40%; background: $surface; padding: 0 1;
        scrollbar-size-vertical: 1;
    }
    RunPanel > Static { height: auto; }
    """

    def __init__(self) -> None:
        super().__init__(id="run", can_focus=False)

    def compose(self) -> ComposeResult:
        yield Static(id="about-run", markup=False)

    def tell(self, content: Content) -> None:
        self.query_one(Static).update(content)


def about_run(
    job: Job,
    instance: Instance,
    price: Price | None,
    away: AwayRuns | None = None,
    *,
    lost: JobsState | None = None,
    width: int = 0,
) -> Content:
    """Command, folder, log, times, what follows and what it costs; of a machine that does not run
    as it was last seen, and so of a host that is `lost`. Lines of `width` cells break between
    numbers, never within one."""
    now = datetime.now(UTC)
    rows: list[tuple[str, Content | str]] = []
    lost = None if job.state.over else lost
    known = replace(job.training, eta=None) if away or lost else job.training
    training = parts(known)
    if away:
        rows.append(("seen", Content.styled(_seen(job, away, now), "$warning")))
    elif lost and lost.error and lost.updated:
        at = f"as at {stamp(lost.updated)}, {since(lost.updated, now)} ago"
        rows.append(("seen", Content.styled(f"{at}; {lost.error.title}", "$warning")))
    if training:
        spark = sparkline(job.training.losses, SPARKS_SHOWN)
        style = "$error" if job.training.broken else "$accent"
        room = width - LABEL - (len(spark) + 2 if spark else 0)
        first, *more = packed(training, room if width else len(GAP.join(training)))
        line = Content.styled(first, style)
        rows.append(("doing", Content.assemble(spark, "  ", line) if spark else line))
        rows += [("", Content.styled(text, style)) for text in more]
    rows.append(
        ("state", Content.assemble(_state(job, seen_now=not lost), f"   {_times(job, now)}"))
    )
    failed = job.state in (JobState.FAILED, JobState.KILLED, JobState.LOST)
    if failed and job.last_line and not away:
        rows.append(("last", job.last_line))
    if away:
        lines = job.last_lines or (job.last_line,)
        rows += [("" if n else "last", line) for n, line in enumerate(lines) if line]
    rows.append(("command", job.command_line or "-"))
    where = [f"in {job.cwd}" if job.cwd else "", _held(job)]
    where += [f"log {log_path(job)} ({data_size(job.log_bytes)})" if log_path(job) else ""]
    where += [f"GPU {' '.join(map(str, job.gpus))}" if job.gpus else ""]
    rows.append(("where", "   ".join(part for part in where if part)))
    if job.missing:
        rows.append(("log", Content.styled(job.lost_words, "$error")))
    if job.after:
        rows.append(("after", ", ".join(job.after)))
    rows += [
        ("then", f"{step.state.glyph} {step.text}   {step.result}".rstrip()) for step in job.then
    ]
    if cost := cost_words(job, price, now):
        rows.append(("cost", cost))
    if job.last_line and not training and not failed and not away:
        rows.append(("last", job.last_line))
    return Content("\n").join(
        Content.assemble((f"{name:<{LABEL}}", "$foreground-muted"), value) for name, value in rows
    )


def packed(words: Iterable[str], room: int) -> list[str]:
    """Lines of these, as many on each as have room."""
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + len(GAP) + len(word) <= room:
            lines[-1] += GAP + word
        else:
            lines.append(word)
    return lines


def _seen(job: Job, away: AwayRuns, now: datetime) -> str:
    """As of when the rest is, and what to do to know more."""
    machine = away.instance
    told = f"as at {stamp(away.seen)}, {since(away.seen, now)} ago{due(job, away.seen)}; "
    told += f"{machine.spoken} is {machine.state}"
    if away.terminated:
        return f"{told}. X forgets this run."
    if machine.state is State.RUNNING:
        return f"as at {stamp(away.seen)}, {since(away.seen, now)} ago: A asks every host."
    if machine.state is State.STOPPED:
        return f"{told}. Its log can be read when it runs: press 1, then u on it."
    return f"{told}."


def about_host(instance: Instance, error: CloudtuiError | None) -> Content:
    """Why a host has no rows of its own."""
    if error:
        parts = (error.title, error.detail, error.hint)
        return Content("\n").join([Content(part) for part in parts if part])
    return Content(f"{instance.spoken} was not asked for its runs yet: A connects to every host.")


def cost_words(job: Job, price: Price | None, now: datetime) -> str:
    """What its machine cost while it ran: `$4.12 at $1.21/h`."""
    elapsed = job.elapsed(now)
    if price is None or elapsed is None:
        return ""
    cost = price.hourly * elapsed.total_seconds() / 3600
    return f"${dollars(cost)} for its machine at ${price.words}/h"


def _state(job: Job, *, seen_now: bool) -> Content:
    style = {
        JobState.RUNNING: "$state-running",
        JobState.STALLED: "$warning",
        JobState.FAILED: "$error",
        JobState.NOT_STARTED: "$warning",
        JobState.KILLED: "$error",
        JobState.LOST: "$error",
        JobState.UNKNOWN: "$warning",
    }.get(job.state, "$foreground")
    if not seen_now:
        return Content.styled(f"? {job.words}", "$warning")
    return Content.styled(f"{GLYPHS[job.state]} {job.words}", style)


def _times(job: Job, now: datetime) -> str:
    told = []
    if job.started:
        told.append(f"started {stamp(job.started)}")
    elif job.queued:
        told.append(f"queued {stamp(job.queued)}, {since(job.queued, now)} ago")
    if job.ended:
        told.append(f"ended {stamp(job.ended)}, {since(job.ended, now)} ago")
    elif job.last_output and not job.state.over:
        told.append(f"last output {since(job.last_output, now)} ago")
    return "   ".join(told)


def _held(job: Job) -> str:
    if job.by_hand:
        return f"begun by hand in {job.holder.value} {job.session}"
    return f"{job.holder.value} {job.session}" if job.session else ""
