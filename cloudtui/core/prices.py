"""What the machines cost: looked up at once in tables that are renewed in the background."""

from __future__ import annotations

from collections.abc import Iterable

from cloudtui.core.events import Events, Note, Noted, Severity
from cloudtui.files import price_table
from cloudtui.files.price_table import PriceTable
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance
from cloudtui.model.price import Bill, Price, pays, sum_up, why_unknown


class Prices:
    """Every change of a price is emitted as PricesChanged."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._tables: dict[str, PriceTable] | None = None

    def price(self, instance: Instance) -> Price | None:
        """What the machine costs an hour while it runs, or None when that is not known."""
        if why_unknown(instance) or instance.spot:
            return None
        table = self._known().get(instance.region)
        hourly = table.hourly.get(instance.type) if table else None
        return Price(hourly, table.as_of, table.source) if table and hourly is not None else None

    def bill(self, instances: Iterable[Instance]) -> Bill:
        """What these cost now; machines that do not run cost nothing themselves."""
        return sum_up(self.price(i) for i in instances if pays(i))

    def _known(self) -> dict[str, PriceTable]:
        if self._tables is None:
            self._tables = {}
            try:
                table = price_table.shipped()
                self._tables[table.region] = table
            except CloudtuiError as error:
                detail = "\n".join(part for part in (error.detail, error.hint) if part)
                self._events.emit(Noted(Note(error.title, Severity.WARNING, detail)))
        return self._tables
