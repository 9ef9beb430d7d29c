"""Key pairs of EC2 and private keys of this computer, one row each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.style import Style
from rich.text import Text

from cloudtui.core.keys import KeyListing
from cloudtui.files.paths import short
from cloudtui.model.key_pair import KeyRow, LocalKey, sha256_fingerprint
from cloudtui.ui.themes import cell_style
from cloudtui.ui.widgets.keyed_table import Heading, KeyedTable, Row

HEADINGS = (
    Heading("name", "Key pair"),
    Heading("region", "Region", spare=2),
    Heading("type", "Type"),
    Heading("file", "Private key"),
    Heading("machines", "Machines"),
    Heading("fingerprint", "Fingerprint", spare=3),
)
NAMES_SHOWN = 2
WIDEST = 44
"""Cells of the longest text in a column."""


class KeysTable(KeyedTable):
    """Pairs by `KeyPair.key`, private keys that belong to none by `file:PATH`."""

    def __init__(self) -> None:
        super().__init__(HEADINGS, "name", id="keys")

    def show_keys(self, listing: KeyListing, query: str) -> None:
        """Show exactly the rows that hold every word of the query."""
        words, paint = query.casefold().split(), _Paint(self.app.theme_variables)
        rows = [paint.pair(row) for row in listing.rows]
        rows += [paint.file(key) for key in listing.unmatched]
        self.show([row for row in rows if _holds(row, words)])


def file_key(key: LocalKey) -> str:
    """The key of the row of a private key that belongs to no key pair."""
    return f"file:{key.path}"


def machines_words(row: KeyRow) -> str:
    """`bert-gpu, etl +3`."""
    names = [m.spoken for m in row.machines]
    more = f" +{len(names) - NAMES_SHOWN}" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more


def _holds(row: Row, words: Sequence[str]) -> bool:
    text = " ".join(cell.plain for cell in row.cells.values()).casefold()
    return all(word in text for word in words)


class _Paint:
    """Rows in the colours of one theme."""

    def __init__(self, colours: Mapping[str, str]) -> None:
        self._plain = Style.null()
        self._quiet = cell_style(colours, "foreground-muted")
        self._warning = cell_style(colours, "warning")

    def pair(self, row: KeyRow) -> Row:
        places = [short(row.files[0].path)] if row.files else []
        places += ["agent"] if row.agent else []
        trouble = bool(row.files) and row.files[0].trouble
        missing = not places and bool(row.machines)
        here = self._warning if trouble or missing else self._plain if places else self._quiet
        sign = "! " if trouble else ""
        return self._row(
            row.pair.key,
            {
                "name": (row.pair.name, self._plain),
                "region": (row.pair.region, self._quiet),
                "type": (row.pair.type or "?", self._quiet),
                "file": (sign + (", ".join(places) or "not here"), here),
                "machines": (machines_words(row) or "-", self._quiet),
                "fingerprint": (row.pair.fingerprint, self._quiet),
            },
            (0, row.pair.name.casefold(), row.pair.region),
        )

    def file(self, key: LocalKey) -> Row:
        trouble = key.trouble
        kind = key.algorithm.removeprefix("ssh-") or (key.format.value if key.format else "no key")
        return self._row(
            file_key(key),
            {
                "name": ("-", self._quiet),
                "region": ("-", self._quiet),
                "type": (kind, self._quiet),
                "file": (f"{'! ' if trouble else ''}{short(key.path)}",
                         self._warning if trouble else self._plain),
                "machines": ("-", self._quiet),
                "fingerprint": (sha256_fingerprint(key.public_key), self._quiet),
            },
            (1, str(key.path), ""),
        )  # fmt: skip

    def _row(
        self, key: str, shown: Mapping[str, tuple[str, Style]], tie: tuple[object, ...]
    ) -> Row:
        cells = {}
        for column, (text, style) in shown.items():
            cells[column] = Text(text, style, no_wrap=True)
            cells[column].truncate(WIDEST, overflow="ellipsis")
        order: dict[str, object] = {c: (t.casefold(), tie) for c, (t, _) in shown.items()}
        order["name"] = tie
        return Row(key, cells, order)
