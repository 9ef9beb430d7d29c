"""Which port of a machine comes here: typed, with what listens there told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input, Label, Static

from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance
from cloudtui.model.listening import ListeningPort
from cloudtui.model.tunnel import FLAGS, Direction, TunnelSpec, parse_tunnel
from cloudtui.ui.screens.dialogs import Body, Dialog

if TYPE_CHECKING:
    from cloudtui.ui.app import CloudtuiApp

FORMS = (
    "A port or its name: 6006, tensorboard. Another one here: 9000:8888. Another host behind it: "
    "9000:db.internal:5432. -R 9000:5000 brings port 5000 of this computer there; -D 1080 is a "
    "SOCKS proxy."
)
_DIRECTIONS = {flag: direction for direction, flag in FLAGS.items()}
_SHOWN = 12


def typed_tunnel(text: str) -> TunnelSpec:
    """A tunnel as it is written behind `ssh`.

    Raises:
        UsageError: it is none.
    """
    first, _, rest = text.strip().partition(" ")
    if first in _DIRECTIONS:
        return parse_tunnel(rest.strip(), _DIRECTIONS[first])
    return parse_tunnel(text.strip())


def told(ports: Sequence[ListeningPort], spoken: str) -> str:
    """What listens there, in one sentence."""
    if not ports:
        return f"No program of {spoken} was seen listening."
    names = [f"{p.port} {p.name}".rstrip() for p in ports[:_SHOWN]]
    more = f" and {len(ports) - _SHOWN} more" if len(ports) > _SHOWN else ""
    return f"Programs of {spoken} listen on {', '.join(names)}{more}."


class TunnelForm(Dialog[tuple[TunnelSpec, bool] | None]):
    """The answer is the tunnel, and whether another local port will do when its own is taken."""

    def __init__(self, instance: Instance) -> None:
        super().__init__()
        self._instance = instance

    def compose(self) -> ComposeResult:
        spoken = self._instance.spoken
        with Vertical(id="box"):
            yield Label(f"Which port of {spoken} comes here?", id="title", markup=False)
            yield Input()
            with Body():
                asking = f"Looking which ports programs of {spoken} listen on …"
                yield Static(asking, id="told", markup=False)
                yield Static(FORMS, id="forms", markup=False)
            yield Label("Enter opens it   Esc cancels", id="hint")

    def on_mount(self) -> None:
        self.query_one(Input).focus()
        self._look()

    @work
    async def _look(self) -> None:
        workbench = cast("CloudtuiApp", self.app).workbench
        try:
            ports = await workbench.listening(self._instance)
        except CloudtuiError as error:
            words = str(error)
        else:
            words = told(ports, self._instance.spoken)
        self.query_one("#told", Static).update(words)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        text = event.value.strip()
        if not text:
            return
        try:
            spec = typed_tunnel(text)
        except CloudtuiError as error:
            self.query_one("#forms", Static).update(f"{error.title} {error.hint}")
            return
        plain = spec.direction is Direction.LOCAL and ":" not in text
        self.dismiss((spec, plain))
