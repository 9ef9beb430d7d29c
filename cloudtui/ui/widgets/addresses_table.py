"""The Elastic IPs of every place in view, one row each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.style import Style
from rich.text import Text

from cloudtui.core.addresses import Addresses
from cloudtui.model.address import Address, monthly
from cloudtui.model.instance import Instance, State
from cloudtui.model.price import dollars
from cloudtui.ui.themes import cell_style
from cloudtui.ui.widgets.keyed_table import Heading, KeyedTable, Row

HEADINGS = (
    Heading("ip", "Address"),
    Heading("name", "Name"),
    Heading("holder", "Held by"),
    Heading("region", "Region", spare=2),
    Heading("hourly", "$/h", spare=1, right=True),
    Heading("monthly", "$/month", right=True),
    Heading("id", "Id", spare=3),
)


class AddressesTable(KeyedTable):
    """Those that nothing uses come first: they cost for nothing."""

    def __init__(self) -> None:
        super().__init__(HEADINGS, "holder", id="addresses")

    def show_addresses(
        self,
        found: Iterable[Address],
        addresses: Addresses,
        instances: Mapping[str, Instance],
        query: str,
    ) -> None:
        """Show exactly the addresses that hold every word of the query."""
        words, colours = query.casefold().split(), self.app.theme_variables
        rows = [_row(a, addresses, instances.get(a.instance_id), colours) for a in found]
        self.show(
            [
                row
                for row in rows
                if all(
                    word in " ".join(cell.plain for cell in row.cells.values()).casefold()
                    for word in words
                )
            ]
        )


def _row(
    address: Address, addresses: Addresses, machine: Instance | None, colours: Mapping[str, str]
) -> Row:
    quiet = cell_style(colours, "foreground-muted")
    warning = cell_style(colours, "warning")
    price, holder = addresses.price(address), addresses.holder(address)
    stopped = machine is not None and machine.state is not State.RUNNING
    if machine is not None:
        holder = f"{machine.state.glyph} {holder}{f', {machine.state.value}' if stopped else ''}"
    wasted = address.idle or stopped
    shown = {
        "ip": (address.ip, Style.null()),
        "name": (address.name or "-", Style.null() if address.name else quiet),
        "holder": (holder or "nothing", warning if wasted else Style.null()),
        "region": (address.region, quiet),
        "hourly": ("?" if price is None else dollars(price.hourly).removesuffix("0"), quiet),
        "monthly": ("?" if price is None else monthly(price), warning if wasted else quiet),
        "id": (address.allocation_id or "-", quiet),
    }
    right = {heading.key for heading in HEADINGS if heading.right}
    cells = {
        key: Text(text, look, justify="right" if key in right else "left", no_wrap=True)
        for key, (text, look) in shown.items()
    }
    tie = (address.name.casefold(), address.ip)
    order: dict[str, object] = {key: (text.casefold(), tie) for key, (text, _) in shown.items()}
    order["holder"] = (not address.idle, holder.casefold(), tie)
    order["ip"] = tuple(int(part) for part in address.ip.split("."))
    order["hourly"] = order["monthly"] = (price.hourly, tie) if price else None
    return Row(address.allocation_id or address.ip, cells, order)
