"""The machines: one row an instance, ordered and filtered without holding up the keys."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from time import perf_counter

from rich.style import Style

from cloudtui.model.filter import Filter
from cloudtui.model.instance import Instance
from cloudtui.ui.themes import cell_style
from cloudtui.ui.widgets.keyed_table import KeyedTable
from cloudtui.ui.widgets.machine_columns import QUIET, PriceOf, headings, uptime, widest, words
from cloudtui.ui.widgets.machine_rows import MachineRow, MachineRows, chunks
from cloudtui.ui.work import start_work

AT_ONCE = 1_000
"""Machines up to which everything is done in one go."""
SLICE = 0.005
"""Seconds after which a longer piece of work lets keys and paints through."""


class MachinesTable(KeyedTable):
    """Instances by id; rows of regions that could not be listed are dimmed."""

    WIDEST = 32

    def __init__(self) -> None:
        super().__init__(headings(()), "name", id="machines")
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self._columns: tuple[str, ...] = ()
        self._profiles = False
        self._instances: Sequence[Instance] = ()
        self._dimmed: Callable[[Instance], bool] = lambda _: False
        self._price: PriceOf = lambda _: None
        self._filter = Filter()
        self._filling = False
        self._machines = MachineRows()
        self._taken: tuple[Sequence[Instance], object] = ((), None)
        self.busy = False
        """Rows are being put in order or looked through; `Moved` comes at the end."""
        self._stale = False
        """Something else is wanted than when the work under way began."""
        self._working = False
        self._styles: dict[tuple[str, str], Style] = {}
        self._ups: dict[str, str] = {}

    @property
    def near(self) -> bool:
        """No machine passes the filter; those shown are near, the nearest first."""
        return self._machines.near

    @property
    def instance(self) -> Instance | None:
        """The machine under the cursor."""
        row = self._machines.by_id.get(self.key or "")
        return row.instance if row else None

    @property
    def names_shown(self) -> Iterator[str]:
        return (row.instance.spoken for row in self._machines.found)

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
        instances: Sequence[Instance],
        dimmed: Callable[[Instance], bool],
        price: PriceOf = lambda _: None,
        query: str = "",
        *,
        filling: bool = False,
        profiles: bool = False,
    ) -> None:
        """Show those of these instances that pass the filter; `dimmed` tells which are not known
        to be true now. Of many, in pieces: `busy` until the last one."""
        if profiles != self._profiles:
            self.choose(self._columns, profiles=profiles)
        self._instances, self._dimmed, self._price = instances, dimmed, price
        self._filter, self._filling = Filter(query), filling
        self._work()

    def prices_changed(self) -> None:
        """Look prices up again."""
        self._machines.forget_ranks()
        self._widths.pop("price", None)
        self.repaint()
        self._work()

    def sort(self) -> None:
        self._work()

    def tick(self) -> None:
        """Let the uptimes run on without asking AWS."""
        now, top = self.clock(), self.scroll_offset.y
        for place, row in enumerate(self._rows[top : top + self.lines_in_view], top):
            if self._ups.get(row.key, "") not in ("", uptime(row.instance, now)):
                self.repaint_row(place)

    # In pieces

    def _work(self) -> None:
        self.busy = self._stale = True
        if self._working:
            return
        if len(self._instances) > AT_ONCE:
            self._working = True
            start_work(self, self._work_on, group="rows")
        else:
            for _ in self._steps():
                pass

    async def _work_on(self) -> None:
        """Work, and let keys and paints through in between, until what is shown is wanted."""
        while self._stale:
            until = perf_counter() + SLICE
            for restart in self._steps():
                if perf_counter() >= until:
                    await asyncio.sleep(0)
                    until = perf_counter() + SLICE
                if restart and self._stale:
                    break
        self._working = False

    def _steps(self) -> Iterator[bool]:
        """From what is wanted to what is shown; True where something newer may cut it short."""
        self._stale = False
        machines, wanted = self._machines, (self._instances, self._dimmed)
        if wanted[0] is not self._taken[0] or wanted[1] != self._taken[1]:
            for _ in machines.take(*wanted):
                yield False
            self._taken = wanted
        yield from self._measure()
        for _ in machines.arrange(self.order_by, self.descending, self._price):
            yield False
        for _ in machines.find(self._filter):
            yield True
        self.put(machines.found, filling=self._filling)
        self.busy = self._stale
        yield True
        if len(machines.ordered) > AT_ONCE:
            for _ in machines.prepare():
                yield True

    def _measure(self) -> Iterator[bool]:
        """Make the columns wide enough, those that are new for every machine."""
        now, machines = self.clock(), self._machines
        everyone = list(machines.by_id.values())
        if len(machines.fresh) == len(everyone):
            self._widths.clear()
        for heading in self.headings:
            rows = machines.fresh if heading.key in self._widths else everyone
            self._widths.setdefault(heading.key, 0)
            for chunk in chunks(rows):
                few = [row.instance for row in chunk]
                self.widen(heading.key, widest(heading.key, few, now, self._price))
                yield False
        machines.fresh = []

    # Cells

    def words(self, row: MachineRow, column: str) -> tuple[str, Style]:
        text, colour = words(row.instance, column, self.clock(), self._price)
        if column == "up":
            self._ups[row.key] = text
        if row.dim or text in ("", "-"):
            colour = QUIET
        return text or "-", self._style(colour)

    def _style(self, colour: str) -> Style:
        key = (self.app.theme, colour)
        if key not in self._styles:
            variables = self.app.theme_variables
            self._styles[key] = cell_style(variables, colour) if colour else Style.null()
        return self._styles[key]
