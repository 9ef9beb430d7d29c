"""A question about a planned change: what it does and what is lost, then yes or no."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Label, Static

from cloudtui.model.errors import CloudtuiError
from cloudtui.ui.actions import key_words
from cloudtui.ui.screens.dialogs import Body, Dialog
from cloudtui.ui.widgets.wrapped import wrapped

Plan = TypeVar("Plan")

Line = tuple[str, str, str]
"""A mark with its spaces, a sentence, and a style."""

STYLES = {"! ": "$warning", "- ": "$foreground-muted"}


def line(mark: str, sentence: str) -> Line:
    """A line in the style of its mark: `! ` for what is lost, `- ` for what is good to know."""
    return f"  {mark}", sentence, STYLES.get(mark, "")


class PlanQuestion(Dialog[Plan | None], Generic[Plan]):
    """Opens at once and fills when the plan is made. Cancel has the focus; Enter never agrees.

    A plan that is not `possible` is only shown.
    """

    BINDINGS = [
        Binding("left", "app.focus_previous", show=False),
        Binding("right", "app.focus_next", show=False),
    ]

    def __init__(
        self,
        title: str,
        ask: Callable[[], Awaitable[Plan]],
        tell: Callable[[Plan], Sequence[Line]],
        agree: str,
        *,
        key: str = "y",
        possible: Callable[[Plan], bool] = bool,
    ) -> None:
        """`tell` gives the plan's lines; the button says `agree`, and `key` presses it."""
        super().__init__()
        self._title, self._ask, self._tell = title, ask, tell
        self._agree, self._key, self._possible = agree, key, possible
        self.plan: Plan | None = None

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Label(self._title, id="title", markup=False)
            with Body():
                yield Static("Asking AWS …", id="plan", markup=False)
            with Horizontal(id="buttons"):
                yield Button("Cancel  Esc", id="cancel")
                yield Button(f"{self._agree}  {key_words(self._key)}", id="agree", disabled=True)

    def on_mount(self) -> None:
        self.query_one("#cancel").focus()
        self._fill()

    @work
    async def _fill(self) -> None:
        width = min(76, self.app.size.width * 94 // 100) - 8
        text = self.query_one("#plan", Static)
        try:
            plan = await self._ask()
        except CloudtuiError as error:
            parts = [error.title, *error.detail.splitlines(), *error.hint.splitlines()]
            text.update(Content("\n").join(wrapped("", part, width) for part in parts if part))
            self._close_only()
            return
        lines = self._tell(plan)
        text.update(Content("\n").join(wrapped(mark, said, width, s) for mark, said, s in lines))
        if self._possible(plan):
            self.plan = plan
            self.query_one("#agree", Button).disabled = False
        else:
            self._close_only()

    def _close_only(self) -> None:
        self.query_one("#agree").display = False
        self.query_one("#cancel", Button).label = "Close  Esc"

    def on_key(self, event: events.Key) -> None:
        if event.key == self._key:
            event.stop()
            self._agreed()

    @on(Button.Pressed, "#agree")
    def _agreed(self) -> None:
        if self.plan is not None:
            self.dismiss(self.plan)

    @on(Button.Pressed, "#cancel")
    def action_cancel(self) -> None:
        self.dismiss(None)
