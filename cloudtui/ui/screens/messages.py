"""The message log: everything that was said since the start, newest last."""

from __future__ import annotations

from collections.abc import Iterable

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from cloudtui.core.events import Event, Note, Noted, Severity
from cloudtui.ui.actions import Where
from cloudtui.ui.screens.area import Scrolled, bindings
from cloudtui.ui.widgets.frame import Footer

SIGNS = {
    Severity.INFORMATION: ("●", "$state-running"),
    Severity.WARNING: ("◐", "$warning"),
    Severity.ERROR: ("×", "$error"),
}


class MessagesScreen(Scrolled):
    """Notes with their time and details; text can be selected."""

    WHERE = Where.LOG
    BINDINGS = bindings(Where.LOG)
    CSS = """
    MessagesScreen #title { padding: 0 1; height: 2; text-style: bold; }
    MessagesScreen VerticalScroll { padding: 0 1; scrollbar-size-vertical: 1; }
    """

    def compose(self) -> ComposeResult:
        yield Static("Messages", id="title")
        with VerticalScroll():
            yield Static(id="log")
        yield Footer(self.footer_keys)

    def on_mount(self) -> None:
        self._paint()

    def show(self, event: Event) -> None:
        super().show(event)
        if isinstance(event, Noted):
            self._paint()

    def _paint(self) -> None:
        self.query_one("#log", Static).update(_lines(self.workbench.notes))
        self.query_one(VerticalScroll).scroll_end(animate=False)


def _lines(notes: Iterable[Note]) -> Content:
    lines: list[Content] = []
    for note in notes:
        sign, style = SIGNS[note.severity]
        when = note.when.astimezone().strftime("%H:%M:%S")
        lines.append(
            Content.assemble((when, "$foreground-muted"), "  ", (sign, style), "  ", note.text)
        )
        lines += [
            Content.styled(f"{'':13}{line}", "$foreground-muted")
            for line in note.detail.splitlines()
        ]
    return (
        Content("\n").join(lines)
        if lines
        else Content.styled("Nothing was said yet.", "$foreground-muted")
    )
