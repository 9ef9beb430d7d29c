"""The machines: one row an instance."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from rich.style import Style
from rich.text import Text

from cloudtui.model.instance import Instance, State
from cloudtui.model.words import short_id, since, stamp
from cloudtui.ui.themes import cell_style
from cloudtui.ui.widgets.keyed_table import Heading, KeyedTable, Row

NAME_WIDTH = 32
"""Longer names end in an ellipsis; the details have them whole."""

HEADINGS = (
    Heading("state", "State"),
    Heading("name", "Name"),
    Heading("id", "Id", spare=3),
    Heading("type", "Type", spare=2),
    Heading("zone", "Zone", spare=5),
    Heading("address", "Address", spare=1),
    Heading("up", "Up", right=True),
    Heading("launched", "Launched", spare=7),
    Heading("key", "Key", spare=6),
    Heading("spot", "Spot", spare=4),
)

STATE_COLOURS = {
    State.PENDING: "state-changing",
    State.RUNNING: "state-running",
    State.STOPPING: "state-changing",
    State.STOPPED: "state-stopped",
    State.SHUTTING_DOWN: "state-changing",
    State.TERMINATED: "state-terminated",
}
_STATES = list(State)


class MachinesTable(KeyedTable):
    """Instances by id; rows of regions that could not be listed are dimmed."""

    def __init__(self) -> None:
        super().__init__(HEADINGS, "name", id="machines")

    def show_instances(
        self,
        instances: Iterable[Instance],
        dimmed: Callable[[Instance], bool],
        *,
        filling: bool = False,
    ) -> None:
        """Show exactly these instances; `dimmed` tells which are not known to be true now."""
        now, colours = datetime.now(UTC), self.app.theme_variables
        self.show(
            [_row(i, now, colours, dimmed(i)) for i in instances],
            filling=filling,
        )

    def tick(self, instances: Iterable[Instance]) -> None:
        """Let the uptimes run on without asking AWS."""
        now = datetime.now(UTC)
        if "up" not in self.columns_shown:
            return
        for instance in instances:
            if instance.id in self.rows:
                cell = self.get_cell(instance.id, "up")
                if cell.plain != uptime(instance, now):
                    fresh = Text(uptime(instance, now), cell.style, justify="right")
                    self.update_cell(instance.id, "up", fresh, update_width=True)


def uptime(instance: Instance, now: datetime) -> str:
    """Time since the last launch of a machine that runs or is starting, else `-`."""
    up = instance.state in (State.RUNNING, State.PENDING)
    return since(instance.launched, now) if up else "-"


def _row(instance: Instance, now: datetime, colours: Mapping[str, str], dim: bool) -> Row:
    quiet = cell_style(colours, "foreground-muted")
    plain = quiet if dim else Style.null()

    def cell(text: str, style: Style = plain, *, right: bool = False) -> Text:
        shown = Text(
            text or "-",
            style if text and text != "-" else quiet,
            justify="right" if right else "left",
            no_wrap=True,
            overflow="ellipsis",
        )
        shown.truncate(NAME_WIDTH, overflow="ellipsis")
        return shown

    coloured = quiet if dim else cell_style(colours, STATE_COLOURS[instance.state])
    spot = quiet if dim else cell_style(colours, "spot")
    cells = {
        "state": cell(f"{instance.state.glyph} {instance.state.value}", coloured),
        "name": cell(instance.name),
        "id": cell(short_id(instance.id), quiet),
        "type": cell(instance.type),
        "zone": cell(instance.zone or instance.region, quiet),
        "address": cell(instance.address),
        "up": cell(uptime(instance, now), right=True),
        "launched": cell(stamp(instance.launched)[:10], quiet),
        "key": cell(instance.key_name, quiet),
        "spot": cell("spot", spot) if instance.spot else Text(""),
    }
    return Row(instance.id, cells, _order(instance))


def _order(instance: Instance) -> dict[str, Any]:
    running = instance.state in (State.RUNNING, State.PENDING)
    launched = instance.launched.timestamp() if instance.launched else None
    tie = (instance.name.casefold(), instance.id)
    values: dict[str, Any] = {
        "state": _STATES.index(instance.state),
        "name": instance.name.casefold() or None,
        "id": instance.id,
        "type": _type_order(instance.type) if instance.type else None,
        "zone": instance.zone or instance.region,
        "address": _address_order(instance.address),
        "up": -launched if running and launched is not None else None,
        "launched": launched,
        "key": instance.key_name.casefold() or None,
        "spot": not instance.spot,
    }
    return {key: None if value is None else (value, tie) for key, value in values.items()}


_SIZES = ("nano", "micro", "small", "medium", "large", "xlarge")


def _type_order(name: str) -> tuple[str, int, int]:
    """`g5.2xlarge` before `g5.12xlarge`: family, then size."""
    family, _, size = name.partition(".")
    digits = size[: -len("xlarge")] if size.endswith("xlarge") else ""
    if digits.isdigit():
        return family, len(_SIZES), int(digits)
    return family, _SIZES.index(size) if size in _SIZES else len(_SIZES) + 1, 0


def _address_order(text: str) -> tuple[int, int] | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return address.version, int(address)
