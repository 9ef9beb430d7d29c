"""The details of one machine, as pairs in columns."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import set_cell_size
from textual.content import Content

from cloudtui.core.events import TunnelState
from cloudtui.model.instance import Instance
from cloudtui.model.words import stamp

LABEL = 9
COLUMN = 38
"""Cells of a label, and the least a pair needs."""


def pairs(instance: Instance, tunnels: Sequence[TunnelState]) -> list[tuple[str, str]]:
    """What is worth knowing of an instance, in the order shown; empty values are left out."""
    i = instance
    state = f"{i.state.glyph} {i.state.value}"
    everything = [
        ("name", i.name),
        ("id", i.id),
        ("state", f"{state}  {i.state_reason}" if i.state_reason else state),
        ("type", f"{i.type}  spot" if i.spot else i.type),
        ("zone", i.zone),
        ("launched", stamp(i.launched) if i.launched else ""),
        ("public", i.public_ip),
        ("private", i.private_ip),
        ("ipv6", i.ipv6),
        ("dns", i.public_dns),
        ("key", i.key_name),
        ("image", f"{i.image_id}  {i.platform}".strip()),
        ("network", f"{i.vpc_id}  {i.subnet_id}".strip()),
        ("role", i.iam_profile),
        ("groups", ", ".join(name or group for group, name in i.security_groups)),
        ("volumes", ", ".join(i.volume_ids)),
        ("tags", ", ".join(f"{k}={v}" for k, v in i.tags.items() if k != "Name")),
    ]
    for tunnel in tunnels:
        text = f"localhost:{tunnel.local_port} → {tunnel.remote_port}  {tunnel.phase.value}"
        everything.append(("tunnel", text))
    return [(label, value) for label, value in everything if value]


def describe(instance: Instance, tunnels: Sequence[TunnelState], width: int) -> Content:
    """The pairs laid out for `width` cells, in up to three columns; long ones get a whole line."""
    columns = max(1, min(3, width // COLUMN))
    cell = width // columns
    found = pairs(instance, tunnels)
    short = [pair for pair in found if len(pair[1]) <= cell - LABEL - 2]
    long = [pair for pair in found if pair not in short]
    depth = -(-len(short) // columns)
    lines: list[Content] = []
    for row in range(depth):
        line = short[row::depth]
        lines.append(Content("").join([_pair(pair, cell) for pair in line]))
    lines += [_pair(pair, 0) for pair in long]
    return Content("\n").join(lines)


def _pair(pair: tuple[str, str], cell: int) -> Content:
    label, value = pair
    shown = set_cell_size(value, cell - LABEL) if cell else value
    return Content.assemble((label.ljust(LABEL), "$foreground-muted"), shown)
