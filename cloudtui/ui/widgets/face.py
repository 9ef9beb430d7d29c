"""What a list shows when it has no rows: loading, empty, or failed with the reason."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.timer import Timer
from textual.widgets import Static

from cloudtui.model.errors import CloudtuiError
from cloudtui.ui.console_words import in_console
from cloudtui.ui.widgets.key_lines import key_lines

TURNS = "◐◓◑◒"
"""One turn of the sign that something is under way."""
TURN_SECONDS = 0.15
MARGIN = 4


class Face(Static):
    """One thought in the middle of the screen: a title, why, and what to press or type next."""

    DEFAULT_CSS = """
    Face {
        height: 1fr;
        padding: 1 4;
        content-align: left top;
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._working = ""
        self._thought: tuple[str, str, tuple[tuple[str, str], ...], bool] = ("", "", (), False)
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
        self._thought = (title, detail, tuple(steps), failed)
        self._paint()

    def fail(self, error: CloudtuiError, steps: Sequence[tuple[str, str]] = ()) -> None:
        """Show a failure with its reason and next step."""
        keys = self.app.keys  # type: ignore[attr-defined]
        detail = "\n".join(part for part in (error.detail, in_console(error.hint, keys)) if part)
        self.say(error.title, detail, steps, failed=True)

    def on_resize(self) -> None:
        self._paint()

    def _paint(self) -> None:
        title, detail, steps, failed = self._thought
        if self._working or not title:
            return
        parts = [
            Content.assemble(
                ("× " if failed else "", "$error"), (title, "bold $error" if failed else "bold")
            )
        ]
        if detail:
            parts += [Content(""), Content.styled(detail, "$foreground-muted")]
        if steps:
            width = (self.app.size.width if self.app.size.width else 80) - 2 * MARGIN
            keys_width = max(len(key) for key, _ in steps)
            parts += [Content(""), *key_lines(steps, width, keys_width)]
        self._put(Content("\n").join(parts))

    def _rest(self) -> None:
        self._working = ""
        if self._timer:
            self._timer.pause()

    def _advance(self) -> None:
        self._turn = (self._turn + 1) % len(TURNS)
        if self._working:
            self._paint_working()

    def _paint_working(self) -> None:
        self._put(Content.assemble((TURNS[self._turn], "$accent"), " ", self._working))

    def _put(self, content: Content) -> None:
        self.words = content.plain
        self.update(content)
