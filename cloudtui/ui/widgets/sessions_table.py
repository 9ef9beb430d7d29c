"""The tmux and screen sessions of one host or of all, one row each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from rich.style import Style
from rich.text import Text

from cloudtui.core.all_sessions import HostSessions
from cloudtui.model.instance import Instance
from cloudtui.model.session import Session, session_matches
from cloudtui.model.words import since
from cloudtui.ui.themes import cell_style
from cloudtui.ui.widgets.keyed_table import Heading, KeyedTable, Row

HOST = Heading("host", "Host")
HEADINGS = (
    Heading("program", "Program"),
    Heading("name", "Name"),
    Heading("command", "Runs"),
    Heading("id", "Id", spare=2),
    Heading("windows", "Windows", spare=1, right=True),
    Heading("attached", "Attached"),
    Heading("age", "Age", right=True),
)

WIDEST = 48
"""Cells of the longest text in a column."""


class SessionsTable(KeyedTable):
    """Sessions by `Session.key`, or by `session_key` when they are of many hosts."""

    def __init__(self, *, hosts: bool = False) -> None:
        headings = (HOST, *HEADINGS) if hosts else HEADINGS
        super().__init__(headings, headings[0].key, id="sessions")
        self._notes: dict[str, tuple[object, Row]] = {}
        """Rows of hosts without sessions, by the host's id, with what they were made from: of
        many hosts most have none, and stay the same."""

    def show_sessions(self, sessions: Iterable[Session], *, stale: bool) -> None:
        """Show exactly these sessions of one host; old ones are dimmed."""
        paint = _Paint(self.app.theme_variables)
        self.show([paint.session(session, session.key, "", stale) for session in sessions])

    def show_hosts(
        self, hosts: Iterable[HostSessions], query: str, *, filling: bool = False
    ) -> None:
        """Show the sessions of many hosts that pass the filter, and hosts that have none; for
        `filling` see `show`."""
        paint, rows = _Paint(self.app.theme_variables), list[Row]()
        before, self._notes = self._notes, {}
        for host in hosts:
            name, stale = host.instance.spoken, host.state.error is not None
            rows += [
                paint.session(session, session_key(host.instance, session), name, stale)
                for session in host.sessions
                if session_matches(session, name, query)
            ]
            if host.words and (not query or query.casefold() in name.casefold()):
                made_from = (name, host.words, host.state.error is None, self.app.theme)
                kept = before.get(host.instance.id)
                if kept is None or kept[0] != made_from:
                    kept = (made_from, paint.note(host, name))
                self._notes[host.instance.id] = kept
                rows.append(kept[1])
        self.show(rows, filling=filling)


def session_key(instance: Instance, session: Session | None) -> str:
    """The key of a row among many hosts; without a session, of the host's own row."""
    return f"{instance.id}/{session.key if session else ''}"


def attached_words(session: Session) -> str:
    """`attached`, `2 clients` or `dead`; empty when nobody is there."""
    if session.dead:
        return "dead"
    if session.attached > 1:
        return f"{session.attached} clients"
    return "attached" if session.attached else ""


class _Paint:
    """Rows in the colours of one theme, at one moment."""

    def __init__(self, colours: Mapping[str, str]) -> None:
        self._now = datetime.now(UTC)
        self._quiet = cell_style(colours, "foreground-muted")
        self._here = cell_style(colours, "state-running")
        self._gone = cell_style(colours, "state-terminated")
        self._blank = self._cell(" ", self._quiet)

    def session(self, session: Session, key: str, host: str, dim: bool) -> Row:
        plain = self._quiet if dim else Style.null()
        words = attached_words(session)
        glyph = "×" if session.dead else "●"
        here = self._quiet if dim else self._here
        cells = {
            "host": self._cell(host, plain),
            "program": self._cell(session.program.value, self._quiet),
            "name": self._cell(session.name, plain),
            "command": self._cell(session.command, plain),
            "id": self._cell(session.id, self._quiet),
            "windows": self._cell(
                "" if session.windows is None else str(session.windows), plain, right=True
            ),
            "attached": self._cell(
                f"{glyph} {words}" if words else "", self._gone if session.dead else here
            ),
            "age": self._cell(since(session.created, self._now), plain, right=True),
        }
        tie = (host.casefold(), session.name.casefold(), session.id)
        order = {
            "host": (host.casefold(), session.program.value != "tmux", tie),
            "program": (session.program.value != "tmux", tie[1:]),
            "name": (tie[1], tie),
            "command": (session.command.casefold(), tie) if session.command else None,
            "id": (session.id, tie),
            "windows": None if session.windows is None else (session.windows, tie),
            "attached": (-session.attached, tie),
            "age": None if session.created is None else (-session.created.timestamp(), tie),
        }
        return Row(key, cells, order)

    def note(self, host: HostSessions, name: str) -> Row:
        """A host without rows of its own, or with old ones, and the reason."""
        failed = host.state.error is not None
        words = f"× {host.words}" if failed else host.words
        cells = {heading.key: self._blank for heading in HEADINGS}
        cells |= {
            "host": self._cell(name, Style.null()),
            "name": self._cell(words, self._gone if failed else self._quiet),
        }
        order = {"host": (name.casefold(), True, ("~", "~", "~"))}
        return Row(session_key(host.instance, None), cells, order)

    def _cell(self, text: str, style: Style, *, right: bool = False) -> Text:
        justify: str = "right" if right else "left"
        shown = Text(text or "-", style if text else self._quiet, no_wrap=True, overflow="ellipsis")
        shown.justify = justify  # type: ignore[assignment]
        shown.truncate(WIDEST, overflow="ellipsis")
        return shown
