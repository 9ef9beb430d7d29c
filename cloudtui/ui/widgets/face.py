"""What a list shows when it has no rows: loading, empty, or failed with the reason."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.timer import Timer
from textual.widgets import Static

from cloudtui.model.errors import CloudtuiError

TURNS = "◐◓◑◒"
"""One turn of the sign that something is under way."""
TURN_SECONDS = 0.15


class Face(Static):
    """One thought in the middle of the screen: a title, why, and what to press or type next."""

    DEFAULT_CSS = """
    Face {
        height: 1fr;
        padding: 2 4;
        content-align: left top;
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._working = ""
        self._turn = 0
        self._timer: Timer | None = None
        self.words = ""
        """What is shown, as plain text."""

    def on_mount(self) -> None:
        self._timer = self.set_interval(TURN_SECONDS, self._advance, pause=not self._working)

    def work(self, sentence: str) -> None:
        """Show that something is under way."""
        if sentence != self._working:
            self._working = sentence
            self._paint_working()
        if self._timer:
            self._timer.resume()

    def say(
        self,
        title: str,
        detail: str = "",
        steps: Sequence[tuple[str, str]] = (),
        *,
        failed: bool = False,
    ) -> None:
        """Show a title, a reason, and next steps as (what to press or type, what it does)."""
        self._rest()
        head = Content.assemble(
            ("× " if failed else "", "$error"), (title, "bold $error" if failed else "bold")
        )
        parts = [head]
        if detail:
            parts += [Content(""), Content.styled(detail, "$quiet")]
        if steps:
            width = max(len(key) for key, _ in steps)
            parts.append(Content(""))
            parts += [
                Content.assemble((key.ljust(width), "$key bold"), "  ", words)
                for key, words in steps
            ]
        self._put(Content("\n").join(parts))

    def fail(self, error: CloudtuiError, steps: Sequence[tuple[str, str]] = ()) -> None:
        """Show a failure with its reason and next step."""
        detail = "\n".join(part for part in (error.detail, error.hint) if part)
        self.say(error.title, detail, steps, failed=True)

    def _rest(self) -> None:
        self._working = ""
        if self._timer:
            self._timer.pause()

    def _advance(self) -> None:
        self._turn = (self._turn + 1) % len(TURNS)
        if self._working:
            self._paint_working()

    def _paint_working(self) -> None:
        self._put(Content.assemble((TURNS[self._turn], "$accent-line"), " ", self._working))

    def _put(self, content: Content) -> None:
        self.words = content.plain
        self.update(content)
