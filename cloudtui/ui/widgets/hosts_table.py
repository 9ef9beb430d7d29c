"""The entries of the ssh config, one row each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.style import Style
from rich.text import Text

from cloudtui.files.paths import short
from cloudtui.model.host_drift import HostRow, Kind
from cloudtui.ui.themes import cell_style
from cloudtui.ui.widgets.keyed_table import Heading, KeyedTable, Row
from cloudtui.ui.widgets.machine_columns import STATE_COLOURS

HEADINGS = (
    Heading("alias", "Alias"),
    Heading("hostname", "HostName"),
    Heading("user", "User", spare=1),
    Heading("machine", "Machine"),
    Heading("wrong", "Wrong"),
    Heading("file", "File", spare=2),
)

SEVERE = {Kind.GONE: "state-terminated", Kind.UNSEEN: "foreground-muted"}
"""The colour of a mark; the others are warnings."""


class HostsTable(KeyedTable):
    """Entries by alias; those with something wrong come first."""

    def __init__(self) -> None:
        super().__init__(HEADINGS, "wrong", id="hosts")

    def show_hosts(self, rows: Iterable[HostRow], query: str) -> None:
        """Show exactly the entries that hold every word of the query."""
        words, colours = query.casefold().split(), self.app.theme_variables
        painted = [_row(row, colours) for row in rows]
        self.show([row for row in painted if _has(row, words)])


def _has(row: Row, words: Iterable[str]) -> bool:
    text = " ".join(cell.plain for cell in row.cells.values()).casefold()
    return all(word in text for word in words)


def _row(row: HostRow, colours: Mapping[str, str]) -> Row:
    quiet, plain = cell_style(colours, "foreground-muted"), Style.null()
    entry, instance = row.entry, row.instance
    worst = row.drifts[0].kind if row.drifts else None
    colour = cell_style(colours, SEVERE.get(worst, "warning")) if worst else quiet
    mark = f"! {row.mark}" if worst and worst is not Kind.UNSEEN else row.mark
    machine = f"{instance.state.glyph} {row.machine}" if instance else row.machine
    shown = {
        "alias": (entry.alias, plain),
        "hostname": (entry.get("HostName"), plain),
        "user": (entry.get("User"), quiet),
        "machine": (
            machine,
            cell_style(colours, STATE_COLOURS[instance.state]) if instance else quiet,
        ),
        "wrong": (mark, colour),
        "file": (f"{short(entry.file)}:{entry.line}", quiet),
    }
    cells = {
        key: Text(text or "-", look if text else quiet, no_wrap=True)
        for key, (text, look) in shown.items()
    }
    alias = entry.alias.casefold()
    order: dict[str, object] = {k: (text.casefold(), alias) for k, (text, _) in shown.items()}
    order["wrong"] = (list(Kind).index(worst) if worst else len(Kind), alias)
    order["file"] = (str(entry.file), entry.line)
    return Row(entry.alias, cells, order)
