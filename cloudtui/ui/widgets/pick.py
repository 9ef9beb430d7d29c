"""One of a few words, all of them in sight; the arrows and Space go from one to the next."""

from __future__ import annotations

from collections.abc import Mapping

from textual import events
from textual.binding import Binding
from textual.content import Content
from textual.message import Message
from textual.widget import Widget


class Pick(Widget, can_focus=True):
    """`(•) tmux  ( ) screen`, which is seen without colours too."""

    DEFAULT_CSS = """
    Pick { height: 1; width: 1fr; padding: 0 1; }
    Pick:focus { background: $block-cursor-background; }
    """
    BINDINGS = [
        Binding("left", "pick(-1)", show=False),
        Binding("right,space", "pick(1)", show=False),
    ]

    class Changed(Message):
        """Another one was picked."""

    def __init__(self, options: Mapping[str, str], value: str, *, id: str) -> None:
        super().__init__(id=id)
        self._options = dict(options)
        self.value = value if value in options else next(iter(options))

    @property
    def _words(self) -> list[tuple[str, str]]:
        return [
            (key, f"({'•' if key == self.value else ' '}) {word}")
            for key, word in self._options.items()
        ]

    def render(self) -> Content:
        return Content("  ").join(
            Content.styled(text, "bold" if key == self.value else "$foreground-muted")
            for key, text in self._words
        )

    def action_pick(self, by: int) -> None:
        keys = list(self._options)
        self._take(keys[(keys.index(self.value) + by) % len(keys)])

    def on_click(self, event: events.Click) -> None:
        x = event.get_content_offset_capture(self).x
        for key, text in self._words:
            if 0 <= x < len(text):
                self._take(key)
            x -= len(text) + 2

    def _take(self, key: str) -> None:
        self.value = key
        self.refresh()
        self.post_message(self.Changed())
