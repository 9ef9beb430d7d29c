"""The dialog that chooses regions or profiles: typed letters filter, Space marks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Label, OptionList
from textual.widgets.option_list import Option

from cloudtui.ui.screens.dialogs import Dialog


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: what the answer holds, how it is written, and what is known of it."""

    key: str
    words: str
    note: str = ""
    alone: bool = False
    """Stands for everything: marking it takes the other marks away, and the other way round."""


class _Letters(Input):
    """A field that leaves the space bar to the list below it."""

    def check_consume_key(self, key: str, character: str | None) -> bool:
        return key != "space" and super().check_consume_key(key, character)


class ChoosePlaces(Dialog[tuple[str, ...] | None]):
    """The answer is the keys marked, in the order of the list; when no mark was changed, the key
    of the row under the cursor."""

    BINDINGS = [
        Binding("down", "move(1)", show=False, priority=True),
        Binding("up", "move(-1)", show=False, priority=True),
        Binding("pagedown", "page(1)", show=False, priority=True),
        Binding("pageup", "page(-1)", show=False, priority=True),
        Binding("space", "mark", show=False, priority=True),
        Binding("enter", "agree", show=False, priority=True),
    ]

    HINT = "Space marks   Enter shows the marked, or this one   Esc cancels"

    def __init__(self, title: str, entries: Sequence[Entry], marked: Sequence[str]) -> None:
        super().__init__()
        self._title = title
        self._entries = tuple(entries)
        self._marked = set(marked)
        self._touched = False

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Label(self._title, id="title", markup=False)
            yield _Letters(placeholder="letters to look for")
            yield OptionList()
            yield Label(self.HINT, id="hint", markup=False)

    def on_mount(self) -> None:
        self._list.can_focus = False
        self._fill()
        first = next((n for n, e in enumerate(self._entries) if e.key in self._marked), 0)
        self._list.highlighted = first if self._entries else None
        self.query_one(Input).focus()

    def fill(self, entries: Sequence[Entry]) -> None:
        """Show these lines now; the marks and the row under the cursor stay."""
        self._entries = tuple(entries)
        if self.is_mounted:
            self._fill(self._key)

    @property
    def _list(self) -> OptionList:
        return self.query_one(OptionList)

    @property
    def _key(self) -> str | None:
        option = self._list.highlighted_option
        return option.id if option else None

    def _fill(self, key: str | None = None) -> None:
        words = self.query_one(Input).value.casefold().split()
        shown = [
            entry
            for entry in self._entries
            if all(w in f"{entry.words} {entry.note}".casefold() for w in words)
        ]
        width = max((len(entry.words) for entry in self._entries), default=0)
        self._list.clear_options()
        self._list.add_options(Option(self._line(e, width), id=e.key) for e in shown)
        places = [entry.key for entry in shown]
        if places:
            self._list.highlighted = places.index(key) if key in places else 0
        self.query_one("#hint", Label).update(self.HINT if shown else "Nothing of that name.")

    def _line(self, entry: Entry, width: int) -> Content:
        marked = entry.key in self._marked
        return Content.assemble(
            ("✓ ", "$accent") if marked else "  ",
            entry.words.ljust(width),
            "  ",
            (entry.note, "$foreground-muted"),
        )

    @on(Input.Changed)
    def _filtered(self) -> None:
        self._fill(self._key)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._list.scroll_down(animate=False)

    def action_move(self, rows: int) -> None:
        if rows > 0:
            self._list.action_cursor_down()
        else:
            self._list.action_cursor_up()

    def action_page(self, pages: int) -> None:
        if pages > 0:
            self._list.action_page_down()  # type: ignore[no-untyped-call]
        else:
            self._list.action_page_up()  # type: ignore[no-untyped-call]

    def action_mark(self) -> None:
        if (key := self._key) is not None:
            self._toggle(key)

    def _toggle(self, key: str) -> None:
        self._touched = True
        alone = {entry.key for entry in self._entries if entry.alone}
        if key in self._marked:
            self._marked.discard(key)
        else:
            self._marked = {key} if key in alone else {*self._marked - alone, key}
        self._fill(key)

    @on(OptionList.OptionSelected)
    def _clicked(self, event: OptionList.OptionSelected) -> None:
        if event.option.id is not None:
            self._toggle(event.option.id)

    def action_agree(self) -> None:
        marked = tuple(entry.key for entry in self._entries if entry.key in self._marked)
        if not (self._touched and marked):
            if self._key is None:
                return
            marked = (self._key,)
        self.dismiss(marked)
