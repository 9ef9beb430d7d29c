"""The rows of many machines: taken in, put in order and looked through in small steps.

Each step is a generator that yields every few rows, so that whoever drives it can let keys and
paints through. What was found out about a machine is kept for as long as it stays the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Any, TypeVar

from cloudtui.model.filter import Filter, searched
from cloudtui.model.instance import Instance
from cloudtui.ui.widgets.machine_columns import PriceOf, rank

_T = TypeVar("_T")
NAMELESS = "\U0010ffff"
"""Sorts after every name."""
STRIDE = 128
"""Rows of one small step."""


class MachineRow:
    """An instance with what is found out about it once."""

    __slots__ = ("dim", "instance", "key", "rank", "ranked_for", "text", "tie")

    def __init__(self, instance: Instance, dim: bool) -> None:
        self.instance = instance
        self.key = instance.id
        self.tie = f"{instance.name.casefold() or NAMELESS}\0{instance.id}"
        """Puts machines in order that are the same otherwise."""
        self.dim = dim
        """It is not known to be true now."""
        self.text = ""
        """Where the filter's plain words are looked for, once that was asked."""
        self.rank: Any = None
        self.ranked_for: object = None


class MachineRows:
    """`ordered` are all of them, `found` those that pass the filter, or are near."""

    def __init__(self) -> None:
        self.by_id: dict[str, MachineRow] = {}
        self.fresh: list[MachineRow] = []
        """Those that were not there at the last `take`, or were otherwise."""
        self.ordered: list[MachineRow] = []
        self.found: list[MachineRow] = []
        self.near = False
        """No row passes the filter; those found are near, the nearest first."""
        self._by_name: list[MachineRow] = []
        self._order: tuple[str, bool] = ("", False)
        self._ranked = ""
        self._ranking = object()

    def forget_ranks(self) -> None:
        """What machines are ordered by may be something else now."""
        self._ranked, self._order = "", ("", False)

    def take(
        self, instances: Sequence[Instance], dimmed: Callable[[Instance], bool]
    ) -> Iterator[None]:
        """Have exactly these machines."""
        known, fresh = self.by_id, list[MachineRow]()
        by_id: dict[str, MachineRow] = {}
        for chunk in chunks(instances):
            for instance in chunk:
                row, dim = known.get(instance.id), dimmed(instance)
                same = row is not None and (row.instance is instance or row.instance == instance)
                if row is None or not same or row.dim != dim:
                    row = MachineRow(instance, dim)
                    fresh.append(row)
                by_id[row.key] = row
            yield
        self.by_id, self.fresh = by_id, fresh
        if not fresh and len(by_id) == len(self._by_name):
            return
        yield
        stay = [row for row in self._by_name if by_id.get(row.key) is row]
        yield
        fresh = [row for row in fresh if by_id[row.key] is row]
        fresh.sort(key=_TIE)
        yield
        self._by_name = [*stay, *fresh]
        self._by_name.sort(key=_TIE)  # two runs, merged
        self._order = ("", False)

    def arrange(self, column: str, descending: bool, price: PriceOf) -> Iterator[None]:
        """Put them in the order of a column: those of which it says nothing last, both ways."""
        if self._order == (column, descending):
            return
        if self._ranked != column:
            self._ranked, self._ranking = column, object()
        ranking = self._ranking
        there: list[MachineRow] = []
        missing: list[MachineRow] = []
        for chunk in chunks(self._by_name):
            for row in chunk:
                if row.ranked_for is not ranking:
                    row.rank, row.ranked_for = rank(row.instance, column, price), ranking
                (missing if row.rank is None else there).append(row)
            yield
        if descending:
            there.reverse()
        there.sort(key=_RANK, reverse=descending)
        self.ordered, self._order = [*there, *missing], (column, descending)

    def find(self, wanted: Filter) -> Iterator[None]:
        """Find those that pass a filter, or else the near ones."""
        if not wanted:
            self.found, self.near = self.ordered, False
            return
        found: list[MachineRow] = []
        matches = wanted.matches
        for chunk in chunks(self.ordered):
            found += [row for row in chunk if matches(row.instance, row.text or _text(row))]
            yield
        near: list[tuple[int, MachineRow]] = []
        if not found and wanted.plain:
            for chunk in chunks(self.ordered):
                for row in chunk:
                    score = wanted.nearness(row.instance, row.text)
                    if score is not None:
                        near.append((-score, row))
                yield
            near.sort(key=lambda pair: pair[0])
        self.found, self.near = found or [row for _, row in near], bool(near)

    def prepare(self) -> Iterator[None]:
        """Find out now what the first filter needs to know."""
        for chunk in chunks(self.ordered):
            for row in chunk:
                _text(row)
            yield


def chunks(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """The items in their order, so many at a time."""
    return (items[start : start + STRIDE] for start in range(0, len(items), STRIDE))


def _text(row: MachineRow) -> str:
    if not row.text:
        row.text = searched(row.instance)
    return row.text


_TIE = attrgetter("tie")
_RANK = attrgetter("rank")
