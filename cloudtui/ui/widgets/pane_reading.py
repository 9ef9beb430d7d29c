"""Reading back by keys: moving, selecting, copying and searching in the scrollback."""

from __future__ import annotations

from collections.abc import Callable

from cloudtui.ui.widgets.pane_modes import Marks
from cloudtui.ui.widgets.pane_words import scrollback_line
from cloudtui.vt.engine import Engine, Found

_NAMES = {
    "h": "left",
    "l": "right",
    "k": "up",
    "j": "down",
    "g": "home",
    "upper_g": "end",
    "G": "end",
    "ctrl+b": "pageup",
    "ctrl+f": "pagedown",
}


class Reading:
    """A mode: a point in the rows shown, perhaps a selection that ends there, perhaps a search."""

    def __init__(
        self, engine: Engine, copy: Callable[[str], None], *, searching: bool = False
    ) -> None:
        self._engine = engine
        self._copy = copy
        self._words = ""
        self._asking = searching
        self._found = Found(0, 0)
        self.selecting = False
        cursor = engine.cursor
        # Not the last row at first: the pane's own words are there.
        at_cursor = engine.scrollbar.at_bottom
        self._x = cursor.x if at_cursor else 0
        self._y = max(0, min(cursor.y, engine.rows - 2)) if at_cursor else 0

    def begin(self) -> None:
        """Begin to select at the point."""
        self.selecting = True
        self._engine.select(self._x, self._y)

    # What is shown

    def line(self) -> str:
        if self._asking:
            return f" Search: {self._words}_  {self._count()}  Enter keep  Up Down  Esc end"
        if self.selecting:
            return " Selecting  y copy  v anew  V lines  Esc back"
        count = f" {self._count()}  n N " if self._words else ""
        return count + scrollback_line(self._engine.scrollbar, True)

    def point(self) -> tuple[int, int] | None:
        return None if self._asking and not self._found.total else (self._x, self._y)

    def marks(self) -> Marks:
        return {}

    def _count(self) -> str:
        if not self._words:
            return ""
        return f"{self._found.at} of {self._found.total}" if self._found.total else "nothing found"

    # Keys

    def key(self, key: str, character: str | None) -> bool:
        if self._asking:
            return self._answer(key, character)
        match _NAMES.get(key, key):
            case "escape" | "q" | "ctrl+c":
                return False
            case "v" | "space":
                self.begin()
            case "V" | "upper_v" | "shift+v":
                self.selecting = True
                self._engine.select(0, self._y, "line")
            case "y" | "enter":
                return not self._copied()
            case "slash" | "/":
                self._asking, self._words = True, ""
            case "n":
                self._found = self._engine.next_match(1)
                self._to_match()
            case "N" | "upper_n" | "shift+n":
                self._found = self._engine.next_match(-1)
                self._to_match()
            case name:
                self._move(name)
        return True

    def close(self) -> None:
        self._engine.search("")
        self._engine.clear_selection()
        self._engine.scroll_to_bottom()

    def _copied(self) -> bool:
        text = self._engine.selection if self.selecting else ""
        if text:
            self._copy(text)
        return bool(text)

    def _answer(self, key: str, character: str | None) -> bool:
        if key in ("escape", "ctrl+c"):
            return False
        if key == "enter":
            self._asking = False
        elif key in ("up", "down"):
            self._found = self._engine.next_match(1 if key == "up" else -1)
            self._to_match()
        elif key == "backspace" or (character and character.isprintable()):
            typed = character if character and character.isprintable() else ""
            self._words = self._words[:-1] if key == "backspace" else self._words + typed
            self._found = self._engine.search(self._words)
            self._to_match()
        return True

    def _to_match(self) -> None:
        for y, marks in self._engine.marks().items():
            for mark in marks:
                if mark.kind == "here":
                    self._x, self._y = mark.start, y
                    self._extend()
                    return

    def _move(self, name: str) -> None:
        engine = self._engine
        last = engine.rows - 1
        page = max(1, last)
        match name:
            case "left":
                self._x -= 1
            case "right":
                self._x += 1
            case "up" | "down":
                self._y += -1 if name == "up" else 1
            case "pageup" | "pagedown":
                engine.scroll(-page if name == "pageup" else page)
            case "ctrl+u" | "ctrl+d":
                engine.scroll(-page // 2 if name == "ctrl+u" else page // 2)
            case "home":
                engine.scroll(-engine.scrollbar.total)
                self._x = self._y = 0
            case "end":
                engine.scroll_to_bottom()
                self._x, self._y = 0, last
            case "0" | "circumflex_accent":
                self._x = 0
            case "$" | "dollar_sign":
                self._x = engine.columns - 1
            case _:
                return
        if not 0 <= self._y <= last:
            engine.scroll(self._y if self._y < 0 else self._y - last)
        self._x = min(max(0, self._x), engine.columns - 1)
        self._y = min(max(0, self._y), last)
        self._extend()

    def _extend(self) -> None:
        if self.selecting:
            self._engine.select_to(self._x, self._y)
