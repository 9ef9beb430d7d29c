"""What is shown in place of everything when the terminal is too small."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Static


class SmallScreen(Screen[None]):
    """Says which size is needed, and goes away when the terminal has it."""

    CSS = """
    SmallScreen { align: center middle; }
    SmallScreen Static { width: auto; max-width: 100%; height: auto; text-align: center; }
    """

    def __init__(self, columns: int, rows: int) -> None:
        super().__init__()
        self._columns, self._rows = columns, rows

    def compose(self) -> ComposeResult:
        yield Static()

    def on_mount(self) -> None:
        self._paint()

    def on_resize(self, event: events.Resize) -> None:
        self._paint()

    def on_screen_resume(self) -> None:
        self._paint()

    def _paint(self) -> None:
        columns, rows = self.app.size
        if self.is_current and columns >= self._columns and rows >= self._rows:
            self.dismiss()
            return
        for text in self.query(Static):
            text.update(
                f"cloudtui needs {self._columns}×{self._rows} cells; this terminal has "
                f"{columns}×{rows}. Make it larger, or its letters smaller."
            )
