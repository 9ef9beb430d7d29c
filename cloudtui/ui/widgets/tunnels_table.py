"""The tunnels, one row each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from rich.style import Style
from rich.text import Text

from cloudtui.model.tunnel import Direction, TunnelPhase, TunnelState
from cloudtui.model.words import data_size, since
from cloudtui.ui.themes import cell_style
from cloudtui.ui.widgets.keyed_table import Heading, KeyedTable, Row

HEADINGS = (
    Heading("state", "State"),
    Heading("where", "Tunnel"),
    Heading("label", "What", spare=2),
    Heading("since", "Since", right=True),
    Heading("open", "Open", right=True),
    Heading("in", "In", right=True),
    Heading("out", "Out", right=True, spare=3),
    Heading("latency", "Latency", right=True, spare=1),
    Heading("cuts", "Cuts", right=True, spare=4),
)
GLYPHS = {
    TunnelPhase.CONNECTING: "◐",
    TunnelPhase.UP: "●",
    TunnelPhase.STALLED: "◑",
    TunnelPhase.RECONNECTING: "◐",
    TunnelPhase.WAITING: "○",
    TunnelPhase.FAILED: "×",
}
COLOURS = {
    TunnelPhase.UP: "state-running",
    TunnelPhase.WAITING: "state-stopped",
    TunnelPhase.FAILED: "error",
}


class TunnelsTable(KeyedTable):
    """By the port listened on."""

    def __init__(self) -> None:
        super().__init__(HEADINGS, "where", id="tunnels")

    def show_tunnels(self, tunnels: Iterable[TunnelState], query: str) -> None:
        """Show exactly the tunnels that hold every word of the query."""
        words, colours = query.casefold().split(), self.app.theme_variables
        rows = [_row(tunnel, colours) for tunnel in tunnels]
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


def phase_words(tunnel: TunnelState) -> str:
    """`reconnecting, again in 12 s`."""
    words = f"{GLYPHS[tunnel.phase]} {tunnel.phase.value}"
    if tunnel.retry_at and tunnel.phase is TunnelPhase.RECONNECTING:
        left = (tunnel.retry_at - datetime.now(UTC)).total_seconds()
        if left >= 1:
            words += f", again in {left:.0f} s"
    return words


def _row(tunnel: TunnelState, colours: Mapping[str, str]) -> Row:
    quiet = cell_style(colours, "foreground-muted")
    here = tunnel.local_port if tunnel.direction is not Direction.REMOTE else 65_536
    latency = "-" if tunnel.latency is None else f"{tunnel.latency * 1000:.0f} ms"
    shown: dict[str, tuple[str, Style, object]] = {
        "state": (
            phase_words(tunnel),
            cell_style(colours, COLOURS.get(tunnel.phase, "warning")),
            tunnel.phase.value,
        ),
        "where": (tunnel.where, Style.null(), (here, tunnel.key)),
        "label": (tunnel.label, quiet, tunnel.label.casefold()),
        "since": (since(tunnel.since, datetime.now(UTC)), quiet, tunnel.since.timestamp()),
        "open": (str(tunnel.connections), Style.null(), tunnel.connections),
        "in": (data_size(tunnel.bytes_in), quiet, tunnel.bytes_in),
        "out": (data_size(tunnel.bytes_out), quiet, tunnel.bytes_out),
        "latency": (latency, quiet, tunnel.latency),
        "cuts": (str(tunnel.cuts), quiet, tunnel.cuts),
    }
    right = {heading.key for heading in HEADINGS if heading.right}
    cells = {
        key: Text(text, look, justify="right" if key in right else "left", no_wrap=True)
        for key, (text, look, _) in shown.items()
    }
    order = {
        key: None if value is None else (value, tunnel.key) for key, (_, _, value) in shown.items()
    }
    return Row(tunnel.key, cells, order)
