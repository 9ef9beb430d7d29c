"""Selecting with the mouse: drag, double click for a word, triple click for a line."""

from __future__ import annotations

from time import monotonic

from cloudtui.vt.engine import Engine, Unit

_AGAIN = 0.5
"""Seconds within which a click at the same place counts as one more."""
_UNITS: tuple[Unit, ...] = ("cell", "word", "line")


class MouseSelection:
    """One drag at a time; `active` from press to release."""

    def __init__(self) -> None:
        self.active = False
        self.outside = 0
        """Rows the mouse is above (negative) or below the pane."""
        self._at = (-1, -1)
        self._time = 0.0
        self._clicks = 0
        self._begun = False

    def press(self, engine: Engine, cell: tuple[int, int]) -> None:
        now = monotonic()
        again = cell == self._at and now - self._time < _AGAIN
        self._clicks = self._clicks % 3 + 1 if again else 1
        self._at, self._time = cell, now
        self.active, self._begun, self.outside = True, self._clicks > 1, 0
        engine.clear_selection()
        if self._begun:
            engine.select(*cell, _UNITS[self._clicks - 1])

    def drag(self, engine: Engine, cell: tuple[int, int], outside: int) -> None:
        self.outside = outside
        if not self._begun:
            if cell == self._at and not outside:
                return
            self._begun = True
            engine.select(*self._at)
        if outside:
            engine.scroll(outside)
            rows = engine.rows
            cell = (cell[0], 0 if outside < 0 else rows - 1)
        engine.select_to(*cell)

    def release(self, engine: Engine) -> str:
        """What was selected, or nothing."""
        self.active = False
        self.outside = 0
        return engine.selection if self._begun else ""
