"""The copies of this run: how far they are, and what became of them."""

from __future__ import annotations

from collections.abc import Mapping

from rich.style import Style
from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.widgets import Static

from cloudtui.core.events import CopiesChanged, Event
from cloudtui.model.copy import CopyPhase, CopyState
from cloudtui.model.errors import CloudtuiError
from cloudtui.ui.actions import Action, Where
from cloudtui.ui.screens.area import bindings
from cloudtui.ui.screens.list_area import FilterField, ListArea
from cloudtui.ui.themes import cell_style
from cloudtui.ui.widgets.copies_lines import progress, share
from cloudtui.ui.widgets.face import Face
from cloudtui.ui.widgets.frame import Footer, Header
from cloudtui.ui.widgets.keyed_table import Heading, KeyedTable, Row

HEADINGS = (
    Heading("state", "State"),
    Heading("what", "Copy"),
    Heading("how", "How far", spare=1),
)
GLYPHS = {
    CopyPhase.QUEUED: "○",
    CopyPhase.DONE: "●",
    CopyPhase.FAILED: "×",
    CopyPhase.CANCELLED: "■",
}
COLOURS = {
    CopyPhase.DONE: "state-running",
    CopyPhase.FAILED: "error",
    CopyPhase.CANCELLED: "state-stopped",
    CopyPhase.QUEUED: "state-stopped",
}


LINES = 3
"""About the copy under the cursor."""


class CopiesScreen(ListArea):
    """A table over what went wrong in the copy under the cursor."""

    WHERE = Where.COPIES
    BINDINGS = bindings(Where.COPIES)
    AUTO_FOCUS = "KeyedTable"

    def compose(self) -> ComposeResult:
        yield Header(self.WHERE)
        yield FilterField(placeholder="words such as bert, failed")
        yield KeyedTable(HEADINGS, "state")
        yield Face(id="face")
        yield Static(id="told", markup=False)
        yield Footer(self.footer_keys)

    def on_mount(self) -> None:
        super().on_mount()
        self.paint()

    @property
    def copy(self) -> CopyState | None:
        """The copy under the cursor."""
        states = self.workbench.copies.states
        return next((state for state in states if state.key == self.table.key), None)

    def why_not(self, action: Action) -> str:
        if action.id == "copies.cancel":
            if self.copy is None:
                return "No copy is selected."
            return "It has ended already." if self.copy.ended else ""
        return super().why_not(action)

    def show(self, event: Event) -> None:
        super().show(event)
        if isinstance(event, CopiesChanged):
            self.paint()

    @on(KeyedTable.Moved)
    def _moved(self) -> None:
        self._paint_told()
        self.refresh_footer()

    def refresh_now(self) -> None:
        self.paint()

    def paint(self) -> None:
        states, face = self.workbench.copies.states, self.query_one(Face)
        words, colours = self.query_text.casefold().split(), self.app.theme_variables
        rows = [_row(state, colours) for state in states]
        self.table.show([r for r in rows if all(w in _text(r).casefold() for w in words)])
        shown = bool(self.table.row_count)
        face.display, self.table.display = not shown, shown
        if not shown and states:
            face.say("No copy matches the filter.", "", [("Esc", "clear the filter")])
        elif not shown:
            face.say(
                "Nothing was copied yet.",
                "Copies run in the background, several at once, and go on after a cut.",
                [("1 then f", "show the files of the machine under the cursor")],
            )
        self._paint_told()
        self.refresh_footer()

    def _paint_told(self) -> None:
        told, copy = self.query_one("#told", Static), self.copy
        words = ""
        if copy:
            parts = [str(problem) for problem in copy.problems[:2]]
            parts = parts or ([str(copy.error)] if copy.error else [])
            words = "\n".join([*parts, *copy.remarks][:LINES])
        told.display = bool(words)
        told.update(words)

    @work(group="copies")
    async def cancel_copy(self) -> None:
        if copy := self.copy:
            try:
                await self.workbench.copies.cancel(copy.key)
            except CloudtuiError as error:
                self.cloudtui.fail(error)
            else:
                self.cloudtui.say(f"Stopped. The same copy goes on from there: {copy.words}")

    def clear_copies(self) -> None:
        self.workbench.copies.forget_ended()


def _row(state: CopyState, colours: Mapping[str, str]) -> Row:
    quiet = cell_style(colours, "foreground-muted")
    look = cell_style(colours, COLOURS.get(state.phase, "warning"))
    cells = {
        "state": Text(f"{GLYPHS.get(state.phase, '◐')} {state.phase.value}", look),
        "what": Text(state.words, Style.null()),
        "how": Text(progress(state), quiet),
    }
    number = int(state.key)
    order = {
        "state": (state.ended, -number),
        "what": (state.words, number),
        "how": (share(state), number),
    }
    return Row(state.key, cells, order)


def _text(row: Row) -> str:
    return " ".join(cell.plain for cell in row.cells.values())
