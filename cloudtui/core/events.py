"""What core tells its listeners: frozen states, replaced and never edited."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from cloudtui.model.address import Address
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.finding import Identity
from cloudtui.model.host_drift import HostRow
from cloudtui.model.instance import Instance
from cloudtui.model.place import Place
from cloudtui.model.session import SessionList
from cloudtui.model.tunnel import TunnelState

if TYPE_CHECKING:
    from cloudtui.model.alerts import Alert
    from cloudtui.model.copy import CopyState
    from cloudtui.model.job import Job
    from cloudtui.model.kernel import NotebookServer
    from cloudtui.model.recording import HostRecorder
    from cloudtui.model.vitals import Sample


@dataclass(frozen=True, slots=True)
class InventoryState:
    """Every instance known, and how true that is now."""

    instances: tuple[Instance, ...] = ()
    profiles: tuple[str, ...] = ("",)
    """The AWS profiles in view, in the order asked for; empty is the default one."""
    regions: tuple[str, ...] = ()
    """The regions asked; empty until they are known."""
    loading: bool = False
    updated: datetime | None = None
    """When the last look at every place ended, those in `errors` apart; None before the first."""
    errors: tuple[tuple[Place, CloudtuiError], ...] = ()
    """The places that could not be listed last time; the region is empty when none of the
    profile's could be asked, and `all` when its list of regions was not to be had."""
    identities: Mapping[str, Identity] = field(default_factory=dict)
    """Who AWS says is asking, by profile; those that could not be asked are left out."""
    snapshot: datetime | None = None
    """When the rows of `unconfirmed` places were listed; None when there are none."""
    unconfirmed: frozenset[Place] = frozenset()
    """Places whose rows are from an earlier run and were not listed yet in this one."""
    listed: Mapping[Place, datetime] = field(default_factory=dict)
    """When the rows of each place were listed."""
    slowed: tuple[Place, ...] = ()
    """Places where AWS asked to slow down."""
    next_look: datetime | None = None
    """When the first of those is looked at again."""
    _old: frozenset[Place] = field(default=frozenset(), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        old = self.unconfirmed | {place for place, _ in self.errors}
        object.__setattr__(self, "_old", old)

    @property
    def identity(self) -> Identity | None:
        """Of the first profile that AWS knows."""
        known = (self.identities[p] for p in self.profiles if p in self.identities)
        return next(known, None)

    @property
    def stale(self) -> bool:
        """True when rows of an earlier listing are shown because the last one failed."""
        return bool(self.errors)

    @property
    def changing(self) -> bool:
        return any(i.state.changing for i in self.instances)

    @property
    def old_since(self) -> datetime | None:
        """When the oldest of the dimmed rows were listed; None when that is not known."""
        whole = {place.profile for place in self._old if not place.region}
        times = (t for p, t in self.listed.items() if p in self._old or p.profile in whole)
        return min(times, default=None)

    def dimmed(self, instance: Instance) -> bool:
        """Whether the row is from an earlier run, or its place could not be listed last time."""
        if not self._old:
            return False
        profile = instance.profile
        return Place(profile, instance.region) in self._old or Place(profile) in self._old


@dataclass(frozen=True, slots=True)
class SessionsState:
    """The sessions of one instance: `listing` is None before the first answer."""

    instance_id: str
    listing: SessionList | None = None
    loading: bool = False
    error: CloudtuiError | None = None
    updated: datetime | None = None


@dataclass(frozen=True, slots=True)
class NotebooksState:
    """The Jupyter servers of one instance: `servers` is None before the first answer."""

    instance_id: str
    servers: tuple[NotebookServer, ...] | None = None
    loading: bool = False
    error: CloudtuiError | None = None
    updated: datetime | None = None


@dataclass(frozen=True, slots=True)
class JobsState:
    """The runs of one instance, the newest first; `updated` is None before the first answer."""

    instance_id: str
    jobs: tuple[Job, ...] = ()
    loading: bool = False
    error: CloudtuiError | None = None
    """Why the last look failed; the jobs are those of the one before."""
    updated: datetime | None = None


@dataclass(frozen=True, slots=True)
class AddressesState:
    """The Elastic IPs of every place in view."""

    addresses: tuple[Address, ...] = ()
    loading: bool = False
    updated: datetime | None = None
    """When all places were last asked; None before."""
    errors: tuple[tuple[Place, CloudtuiError], ...] = ()
    """The places that could not be asked last time."""


@dataclass(frozen=True, slots=True)
class VitalsState:
    """What one instance is doing, as far as it is or was watched."""

    instance_id: str
    samples: tuple[Sample, ...] = ()
    """Of the last quarter of an hour, oldest first; processes are in the last one only."""
    live: bool = False
    """Samples come in now."""
    error: CloudtuiError | None = None
    """Why none come in."""


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
    about: str = ""
    """What it is about; the toast of the note before about the same goes when this one comes."""


@dataclass(frozen=True, slots=True)
class InventoryChanged:
    """The inventory has a new state."""

    state: InventoryState


@dataclass(frozen=True, slots=True)
class HostsState:
    """The entries of the ssh config, each beside the instance it belongs to."""

    rows: tuple[HostRow, ...] = ()
    looked: bool = False
    """Whether the config was read in this run."""


@dataclass(frozen=True, slots=True)
class HostsChanged:
    """The ssh config, or what its entries are measured by, is another."""

    state: HostsState


@dataclass(frozen=True, slots=True)
class SessionsChanged:
    """The sessions of one instance have a new state."""

    state: SessionsState


@dataclass(frozen=True, slots=True)
class RecordingsState:
    """The recorder of one instance: `recorder` is None before the first answer."""

    instance_id: str
    recorder: HostRecorder | None = None
    loading: bool = False
    error: CloudtuiError | None = None
    updated: datetime | None = None


@dataclass(frozen=True, slots=True)
class RecordingsChanged:
    """The recorder of one instance has a new state."""

    state: RecordingsState


@dataclass(frozen=True, slots=True)
class NotebooksChanged:
    """The Jupyter servers of one instance have a new state."""

    state: NotebooksState


@dataclass(frozen=True, slots=True)
class JobsChanged:
    """The runs of one instance have a new state."""

    state: JobsState


@dataclass(frozen=True, slots=True)
class AddressesChanged:
    """The Elastic IPs have a new state."""

    state: AddressesState


@dataclass(frozen=True, slots=True)
class TunnelsChanged:
    """The open tunnels, all of them."""

    tunnels: tuple[TunnelState, ...]


@dataclass(frozen=True, slots=True)
class CopiesChanged:
    """Copies have come further: all of this run."""

    copies: tuple[CopyState, ...]


@dataclass(frozen=True, slots=True)
class PricesChanged:
    """Prices came in, or a bill's disks and addresses did: look them up again."""


@dataclass(frozen=True, slots=True)
class DetailsChanged:
    """A part of what is known of one machine came in."""

    instance_id: str


@dataclass(frozen=True, slots=True)
class VitalsChanged:
    """A sample of what one instance is doing came in, or none does any more."""

    state: VitalsState


@dataclass(frozen=True, slots=True)
class Alerted:
    """Something of a run that somebody who does not look wants to know; its note came before."""

    alert: Alert


@dataclass(frozen=True, slots=True)
class Noted:
    """Something to say."""

    note: Note


Event = (
    InventoryChanged
    | SessionsChanged
    | JobsChanged
    | NotebooksChanged
    | RecordingsChanged
    | HostsChanged
    | AddressesChanged
    | TunnelsChanged
    | CopiesChanged
    | PricesChanged
    | DetailsChanged
    | Alerted
    | VitalsChanged
    | Noted
)
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
