"""Questions of the workspace: a file name, and what to open beside a pane."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input, Label

from cloudtui.ui.screens.dialogs import Dialog
from cloudtui.ui.widgets.splits_target import Target

if TYPE_CHECKING:
    from cloudtui.core.workbench import Workbench


class AskText(Dialog[str | None]):
    """One text, with a suggestion to begin with."""

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title, self._text = title, text

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Label(self._title, id="title", markup=False)
            yield Input(self._text, select_on_focus=False)
            yield Label("Enter takes it   Esc cancels", id="hint")

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip() or None)


def openable(bench: Workbench, beside: Target) -> list[Target]:
    """What a new pane can hold: this host first, then this computer, then the other hosts."""
    machines = [i for i in bench.inventory.state.instances if not bench.why_not("shell", i)]
    here = beside.instance
    first = [i for i in machines if here and i.id == here.id]
    found: list[Target] = []
    for instance in (*first, *(i for i in machines if i not in first)):
        found.append(Target(instance))
        listing = bench.sessions.state(instance.id).listing
        alive = [s for s in listing.sessions if not s.dead] if listing else []
        found += [t for s in alive if not (t := Target(instance, s)).same(beside)]
        if instance in first:
            found.append(Target())
    return found if first else [Target(), *found]
