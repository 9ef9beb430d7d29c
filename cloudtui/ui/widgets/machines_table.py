"""The machines: one row an instance."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from rich.style import Style
from rich.text import Text

from cloudtui.model.instance import Instance
from cloudtui.ui.themes import cell_style
from cloudtui.ui.widgets.keyed_table import KeyedTable, Row
from cloudtui.ui.widgets.machine_columns import QUIET, PriceOf, headings, rank, uptime, words

NAME_WIDTH = 32
"""Longer texts end in an ellipsis; the details have them whole."""


class MachinesTable(KeyedTable):
    """Instances by id; rows of regions that could not be listed are dimmed."""

    def __init__(self) -> None:
        super().__init__(headings(()), "name", id="machines")
        self._columns: tuple[str, ...] = ()
        self._profiles = False

    def choose(self, columns: Sequence[str] = (), *, profiles: bool | None = None) -> None:
        """Show these columns from the next `show_instances` on, or the usual ones.

        `profiles` says whether machines of several profiles are in view.
        """
        self._columns = tuple(columns)
        if profiles is not None:
            self._profiles = profiles
        self.headings = headings(columns, profiles=self._profiles)

    def show_instances(
        self,
        instances: Iterable[Instance],
        dimmed: Callable[[Instance], bool],
        price: PriceOf = lambda _: None,
        *,
        filling: bool = False,
        profiles: bool = False,
    ) -> None:
        """Show exactly these instances; `dimmed` tells which are not known to be true now."""
        if profiles != self._profiles:
            self.choose(self._columns, profiles=profiles)
        now, colours = datetime.now(UTC), self.app.theme_variables
        self.show(
            [self._row(i, now, colours, dimmed(i), price) for i in instances], filling=filling
        )

    def tick(self, instances: Iterable[Instance]) -> None:
        """Let the uptimes run on without asking AWS."""
        now = datetime.now(UTC)
        if "up" not in self.columns_shown:
            return
        by_id = {instance.id: instance for instance in instances}
        for place, row in enumerate(self._rows):
            if row.key in by_id and isinstance(row, Row):
                cell, text = row.cells["up"], uptime(by_id[row.key], now)
                if cell.plain != text:
                    fresh = Text(text, cell.style, justify="right")
                    self._rows[place] = replace(row, cells={**row.cells, "up": fresh})
                    self.repaint_row(place)

    def _row(
        self,
        instance: Instance,
        now: datetime,
        colours: Mapping[str, str],
        dim: bool,
        price: PriceOf,
    ) -> Row:
        quiet = cell_style(colours, QUIET)
        tie = (instance.name.casefold(), instance.id)
        cells, order = {}, {}
        for heading in self.headings:
            text, colour = words(instance, heading.key, now, price)
            style = cell_style(colours, colour) if colour else Style.null()
            cell = Text(
                text or "-",
                quiet if dim or text in ("", "-") else style,
                justify="right" if heading.right else "left",
                no_wrap=True,
                overflow="ellipsis",
            )
            cell.truncate(NAME_WIDTH, overflow="ellipsis")
            cells[heading.key] = cell
        for column in {*cells, self.order_by, "name"}:
            value = rank(instance, column, price)
            order[column] = None if value is None else (value, tie)
        return Row(instance.id, cells, order)
