"""What everything costs an hour: machines, disks, addresses, and what is not known."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Label, Static

from cloudtui.model.errors import CloudtuiError
from cloudtui.model.price import HOURS_A_MONTH, Bill, dollars
from cloudtui.model.words import plural
from cloudtui.ui.screens.dialogs import Body, Dialog

WIDTH = 22


class BillDialog(Dialog[None]):
    """The parts of the sum; `update` shows a newer one."""

    BINDINGS = [Binding("q,enter", "cancel", show=False)]

    def __init__(self, bill: Bill, reasons: Sequence[str], problems: Sequence[CloudtuiError]):
        super().__init__()
        self._text = _lines(bill, reasons, problems)

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Label("What it costs now", id="title", markup=False)
            with Body():
                yield Static(self._text, id="bill", markup=False)
            yield Label("List prices, before taxes and discounts   Esc closes", id="hint")

    def update(self, bill: Bill, reasons: Sequence[str], problems: Sequence[CloudtuiError]) -> None:
        self._text = _lines(bill, reasons, problems)
        self.query_one("#bill", Static).update(self._text)


def _lines(bill: Bill, reasons: Sequence[str], problems: Sequence[CloudtuiError]) -> Content:
    addresses = ((bill.in_use, "in use"), (bill.idle, "idle"))
    lines = [
        _row("running machines", bill.machines, plural(bill.known, "machine"), bool(bill.known)),
        _row("volumes", bill.storage, f"{bill.storage_gib:,} GiB", bool(bill.storage_gib)),
        _row(
            "public addresses",
            bill.addresses,
            ", ".join(f"{n} {what}" for n, what in addresses if n),
            bool(bill.in_use or bill.idle),
        ),
        Content(""),
        Content.assemble(
            (f"{'together':<{WIDTH}}", "bold"),
            (f"{f'${dollars(bill.hourly)}/h':>12}", "bold"),
            (
                f"   ${dollars(bill.hourly * HOURS_A_MONTH)} in a month of 730 h",
                "$foreground-muted",
            ),
        ),
    ]
    if bill.as_of:
        lines.append(
            Content.styled(f"{'oldest price of':<{WIDTH}} {bill.as_of}", "$foreground-muted")
        )
    unknown = [
        plural(bill.unknown, "running machine") if bill.unknown else "",
        f"{bill.storage_unknown:,} GiB of volumes" if bill.storage_unknown else "",
        plural(bill.idle_unknown, "idle Elastic IP") if bill.idle_unknown else "",
    ]
    if any(unknown):
        lines += [
            Content(""),
            Content.styled(f"Not known: {', '.join(filter(None, unknown))}.", "$warning"),
        ]
        lines += [Content.styled(f"  {reason}", "$foreground-muted") for reason in reasons]
    for problem in problems:
        lines.append(Content(""))
        lines += [Content(t) for t in (problem.title, problem.detail) if t]
    return Content("\n").join(lines)


def _row(name: str, amount: float, count: str, known: bool) -> Content:
    price = f"${dollars(amount)}/h" if known else "-"
    return Content.assemble(
        (f"{name:<{WIDTH}}", "$foreground-muted"),
        f"{price:>12}",
        (f"   {count}" if known else "", "$foreground-muted"),
    )
