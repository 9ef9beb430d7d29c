"""The dialog that chooses the columns of a list and their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Label, OptionList
from textual.widgets.option_list import Option

from cloudtui.ui.screens.dialogs import Dialog

NONE_LEFT = "One column at least has to stay."


class ChooseColumns(Dialog[tuple[str, ...] | None]):
    """The answer is the keys chosen, from left to right; none when the usual ones are wanted."""

    BINDINGS = [
        Binding("j", "move(1)", show=False),
        Binding("k", "move(-1)", show=False),
        Binding("J,shift+down", "carry(1)", show=False),
        Binding("K,shift+up", "carry(-1)", show=False),
        Binding("space", "show_or_hide", show=False, priority=True),
        Binding("u", "usual", show=False),
        Binding("q", "cancel", show=False),
    ]

    def __init__(self, offered: Mapping[str, str], shown: Sequence[str]) -> None:
        """`offered` has every column's title by its key, in the order they stand in."""
        super().__init__()
        self._titles = dict(offered)
        self._keys = list(offered)
        self._shown = set(shown)

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Label("Columns", id="title", markup=False)
            yield OptionList(*(Option(self._line(key), id=key) for key in self._keys))
            yield Label(
                "Space shows or hides   J K move   Enter saves   u the usual   Esc cancels",
                id="hint",
            )

    @property
    def _list(self) -> OptionList:
        return self.query_one(OptionList)

    def _line(self, key: str) -> Content:
        if key in self._shown:
            return Content.assemble(("✓ ", "$accent"), self._titles[key])
        return Content.assemble("  ", (self._titles[key], "$foreground-muted"))

    def action_move(self, rows: int) -> None:
        if rows > 0:
            self._list.action_cursor_down()
        else:
            self._list.action_cursor_up()

    def action_show_or_hide(self) -> None:
        place = self._list.highlighted
        if place is None:
            return
        key = self._keys[place]
        if self._shown == {key}:
            self.query_one("#hint", Label).update(NONE_LEFT)
            return
        self._shown ^= {key}
        self._list.replace_option_prompt_at_index(place, self._line(key))

    def action_carry(self, rows: int) -> None:
        """Move the column under the cursor; it stays under it."""
        keys, place = self._keys, self._list.highlighted
        if place is None or not 0 <= place + rows < len(keys):
            return
        keys[place], keys[place + rows] = keys[place + rows], keys[place]
        self._list.clear_options()
        self._list.add_options(Option(self._line(key), id=key) for key in keys)
        self._list.highlighted = place + rows

    def action_usual(self) -> None:
        self.dismiss(())

    @on(OptionList.OptionSelected)
    def _saved(self) -> None:
        self.dismiss(tuple(key for key in self._keys if key in self._shown))
