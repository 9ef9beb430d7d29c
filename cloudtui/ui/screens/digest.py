"""The morning after: what ended since the last visit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from rich.style import Style
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from cloudtui.model.digest import Digest, Ended
from cloudtui.model.instance import Instance
from cloudtui.model.job import Job
from cloudtui.model.price import dollars
from cloudtui.model.words import duration, listed, stamp
from cloudtui.ui.actions import Action, Where
from cloudtui.ui.screens.area import bindings
from cloudtui.ui.screens.list_area import Rows
from cloudtui.ui.themes import cell_style
from cloudtui.ui.widgets.face import Face
from cloudtui.ui.widgets.frame import Footer
from cloudtui.ui.widgets.keyed_table import Heading, KeyedTable, Row
from cloudtui.ui.widgets.run_details import log_path
from cloudtui.ui.widgets.runs_table import COLOURS, GLYPHS, row_key

HEADINGS = (
    Heading("state", "State"),
    Heading("host", "Host"),
    Heading("name", "Run"),
    Heading("ended", "Ended"),
    Heading("after", "After", spare=1, right=True),
    Heading("exit", "Exit", right=True),
    Heading("cost", "Cost", spare=2, right=True),
)


class DigestTable(KeyedTable):
    """The newest end first."""

    def __init__(self) -> None:
        super().__init__(HEADINGS, "ended", id="ended")
        self.descending = True

    def show_ended(self, digest: Digest) -> None:
        colours = self.app.theme_variables
        self.show([_row(each, colours) for each in digest.ended])


class DigestScreen(Rows):
    """Sentences above, the runs in the middle, the last lines of the one under the cursor below."""

    WHERE = Where.DIGEST
    BINDINGS = bindings(Where.DIGEST)
    AUTO_FOCUS = "DigestTable"
    CSS = """
    DigestScreen #title { padding: 1 1 0 1; height: auto; text-style: bold; }
    DigestScreen #away { padding: 0 1; height: auto; color: $warning; }
    DigestScreen DigestTable { margin-top: 1; }
    DigestScreen #last {
        height: auto; max-height: 50%; background: $surface; padding: 0 1;
        scrollbar-size-vertical: 1;
    }
    DigestScreen #last > Static { height: auto; }
    """

    def __init__(self, digest: Digest) -> None:
        super().__init__()
        self._digest = digest

    def compose(self) -> ComposeResult:
        yield Static(id="title", markup=False)
        yield Static(id="away", markup=False)
        yield DigestTable()
        yield Face(id="face")
        with VerticalScroll(id="last", can_focus=False):
            yield Static(id="lines", markup=False)
        yield Footer(self.footer_keys)

    def on_mount(self) -> None:
        self.app.theme_changed_signal.subscribe(self, lambda _: self._paint())
        self._paint()

    @property
    def table(self) -> DigestTable:
        return self.query_one(DigestTable)

    @property
    def _ended(self) -> Ended | None:
        """What is under the cursor."""
        key = self.table.key
        return next((e for e in self._digest.ended if row_key(e.instance, e.job) == key), None)

    @property
    def instance(self) -> Instance | None:
        return self._ended.instance if self._ended else None

    @property
    def job(self) -> Job | None:
        return self._ended.job if self._ended else None

    def why_not(self, action: Action) -> str:
        if action.id == "run.view" and self.job is None:
            return "No run is selected."
        return super().why_not(action)

    def _paint(self) -> None:
        digest = self._digest
        self.query_one("#title", Static).update(digest.words)
        told = [line for away in digest.away for line in away.lines]
        if digest.silent:
            names = listed([instance.spoken for instance, _ in digest.silent])
            told.append(f"{names} could not be asked; what ended there is told when it can.")
        away = self.query_one("#away", Static)
        away.display = bool(told)
        away.update("\n".join(told))
        self.table.show_ended(digest)
        rows, face = bool(self.table.row_count), self.query_one(Face)
        self.table.display, face.display = rows, not rows
        if not rows:
            face.say("", "", [("4", "the runs of every machine"), ("Esc", "go on")])
        self._paint_last()

    def _paint_last(self) -> None:
        panel, ended = self.query_one("#last"), self._ended
        panel.display = ended is not None
        if ended is None:
            return
        job = ended.job
        lines: list[Content] = [
            Content.assemble(("command  ", "$foreground-muted"), job.command_line)
        ]
        lines.append(Content.assemble(("log      ", "$foreground-muted"), log_path(job)))
        lines += [
            Content.assemble(
                ("then     ", "$foreground-muted"),
                f"{step.state.glyph} {step.text}   {step.result}".rstrip(),
            )
            for step in job.then
        ]
        lines.append(Content(""))
        lines += [Content(line) for line in ended.lines or ("It printed nothing.",)]
        self.query_one("#lines", Static).update(Content("\n").join(lines))

    @on(KeyedTable.Moved)
    def _moved(self) -> None:
        self._paint_last()

    @on(KeyedTable.RowSelected)
    def _row_selected(self) -> None:
        self.action_do("run.view")

    def open_run_log(self) -> None:
        if self._ended:
            self.cloudtui.open_run_log(self._ended.instance, self._ended.job)


def _row(ended: Ended, colours: Mapping[str, str]) -> Row:
    job = ended.job
    quiet = cell_style(colours, "foreground-muted")
    state = cell_style(colours, COLOURS[job.state])
    lasted = job.elapsed(datetime.now(UTC))
    shown: dict[str, tuple[str, Style]] = {
        "state": (f"{GLYPHS[job.state]} {job.state_words}", state),
        "host": (ended.instance.spoken, Style.null()),
        "name": (job.id, Style.null()),
        "ended": (stamp(job.ended), quiet),
        "after": (duration(lasted.total_seconds()) if lasted is not None else "-", quiet),
        "exit": (job.exit_words or "-", state),
        "cost": (f"${dollars(ended.cost)}" if ended.cost is not None else "-", quiet),
    }
    right = {heading.key for heading in HEADINGS if heading.right}
    cells = {
        key: Text(text, style, justify="right" if key in right else "left", no_wrap=True)
        for key, (text, style) in shown.items()
    }
    order = {
        "state": job.words,
        "host": ended.instance.spoken,
        "name": job.id,
        "ended": job.ended.timestamp() if job.ended else 0.0,
        "after": lasted,
        "exit": job.exit_status,
        "cost": ended.cost,
    }
    return Row(row_key(ended.instance, job), cells, order)
