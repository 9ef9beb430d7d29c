"""The tmux and screen sessions of one host: one row a session."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from rich.style import Style
from rich.text import Text

from cloudtui.model.session import Session
from cloudtui.model.words import since
from cloudtui.ui.themes import cell_style
from cloudtui.ui.widgets.keyed_table import Heading, KeyedTable, Row

HEADINGS = (
    Heading("program", "Program"),
    Heading("name", "Name"),
    Heading("id", "Id", spare=2),
    Heading("windows", "Windows", spare=1, right=True),
    Heading("attached", "Attached"),
    Heading("age", "Age", right=True),
)


class SessionsTable(KeyedTable):
    """Sessions by `Session.key`; an old listing is dimmed."""

    def __init__(self) -> None:
        super().__init__(HEADINGS, "program", id="sessions")

    def show_sessions(self, sessions: Iterable[Session], *, stale: bool) -> None:
        """Show exactly these sessions."""
        now, colours = datetime.now(UTC), self.app.theme_variables
        self.show([_row(session, now, colours, stale) for session in sessions])


def attached_words(session: Session) -> str:
    """`attached`, `2 clients` or `dead`; empty when nobody is there."""
    if session.dead:
        return "dead"
    if session.attached > 1:
        return f"{session.attached} clients"
    return "attached" if session.attached else ""


def _row(session: Session, now: datetime, colours: Mapping[str, str], dim: bool) -> Row:
    quiet = cell_style(colours, "foreground-muted")
    plain = quiet if dim else Style.null()

    def cell(text: str, style: Style = plain, *, right: bool = False) -> Text:
        justify: str = "right" if right else "left"
        shown = Text(text or "-", style if text else quiet, no_wrap=True, overflow="ellipsis")
        shown.justify = justify  # type: ignore[assignment]
        shown.truncate(48, overflow="ellipsis")
        return shown

    here = quiet if dim else cell_style(colours, "state-running")
    gone = cell_style(colours, "state-terminated")
    words = attached_words(session)
    glyph = "×" if session.dead else "●"
    cells = {
        "program": cell(session.program.value, quiet),
        "name": cell(session.name),
        "id": cell(session.id, quiet),
        "windows": cell("" if session.windows is None else str(session.windows), right=True),
        "attached": cell(f"{glyph} {words}" if words else "", gone if session.dead else here),
        "age": cell(since(session.created, now), right=True),
    }
    tie = (session.name.casefold(), session.id)
    order = {
        "program": (session.program.value != "tmux", tie),
        "name": tie,
        "id": (session.id, tie),
        "windows": None if session.windows is None else (session.windows, tie),
        "attached": (-session.attached, tie),
        "age": None if session.created is None else (-session.created.timestamp(), tie),
    }
    return Row(session.key, cells, order)
