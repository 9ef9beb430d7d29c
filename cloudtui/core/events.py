"""What core tells its listeners: frozen states, replaced and never edited."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from cloudtui.model.errors import CloudtuiError
from cloudtui.model.finding import Identity
from cloudtui.model.instance import Instance
from cloudtui.model.session import SessionList


@dataclass(frozen=True, slots=True)
class InventoryState:
    """Every instance known, and how true that is now."""

    instances: tuple[Instance, ...] = ()
    regions: tuple[str, ...] = ()
    """The regions asked; empty until they are known."""
    loading: bool = False
    updated: datetime | None = None
    """When the last complete listing of every region ended; None before the first."""
    errors: tuple[tuple[str, CloudtuiError], ...] = ()
    """(region, failure) of the last listing; the region is empty when none could be asked."""
    identity: Identity | None = None
    profile: str = ""

    @property
    def stale(self) -> bool:
        """True when rows of an earlier listing are shown because the last one failed."""
        return bool(self.errors)

    @property
    def changing(self) -> bool:
        return any(i.state.changing for i in self.instances)


@dataclass(frozen=True, slots=True)
class SessionsState:
    """The sessions of one instance: `listing` is None before the first answer."""

    instance_id: str
    listing: SessionList | None = None
    loading: bool = False
    error: CloudtuiError | None = None
    updated: datetime | None = None


class TunnelPhase(StrEnum):
    """Where a tunnel stands."""

    UP = "up"
    RECONNECTING = "reconnecting"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class TunnelState:
    """One local port forwarded to a port on a host."""

    instance_id: str
    label: str
    """`Jupyter on jupyter-lab`."""
    local_port: int
    remote_port: int
    phase: TunnelPhase
    since: datetime
    error: CloudtuiError | None = None
    bytes_in: int = 0
    bytes_out: int = 0


class Severity(StrEnum):
    """How loud a note is; Textual's words."""

    INFORMATION = "information"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence for the toast and the message log."""

    text: str
    severity: Severity = Severity.INFORMATION
    detail: str = ""
    when: datetime = field(default_factory=lambda: datetime.now().astimezone())


@dataclass(frozen=True, slots=True)
class InventoryChanged:
    """The inventory has a new state."""

    state: InventoryState


@dataclass(frozen=True, slots=True)
class SessionsChanged:
    """The sessions of one instance have a new state."""

    state: SessionsState


@dataclass(frozen=True, slots=True)
class TunnelsChanged:
    """The open tunnels, all of them."""

    tunnels: tuple[TunnelState, ...]


@dataclass(frozen=True, slots=True)
class Noted:
    """Something to say."""

    note: Note


Event = InventoryChanged | SessionsChanged | TunnelsChanged | Noted
Listener = Callable[[Event], None]


class Events:
    """Calls every listener, in the order they came, on the loop's own thread."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Add a listener; the returned function takes it away."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def emit(self, event: Event) -> None:
        for listener in tuple(self._listeners):
            listener(event)
