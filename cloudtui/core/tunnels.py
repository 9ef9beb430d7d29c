"""Tunnels as they are wanted: each kept by a task that makes it true again after every cut."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Coroutine, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from cloudtui.core.connections import Connections
from cloudtui.core.events import (
    Event,
    Events,
    InventoryChanged,
    Note,
    Noted,
    Severity,
    TunnelsChanged,
)
from cloudtui.core.known_machines import Machines
from cloudtui.core.pulse import Pulse
from cloudtui.core.tasks import cancel, keep
from cloudtui.core.tunnel_kept import Kept, Way, counted, look, lost, may_open
from cloudtui.core.wakeups import Wakeups
from cloudtui.model.errors import CloudtuiError, PortTaken, Refused, Unreachable
from cloudtui.model.instance import Instance, State, next_step, why_not_connect
from cloudtui.model.tunnel import Direction, TunnelPhase, TunnelSpec, TunnelState

if TYPE_CHECKING:
    from cloudtui.ssh.connection import Connection

T = TypeVar("T")

PORTS_TRIED = 20
RETRY_FIRST, RETRY_MOST = 0.5, 30.0
"""Seconds between attempts to open a cut tunnel again."""
STEADY_SECONDS = 30.0
"""Up for so long, the next cut is tried again as if it were the first."""
FRESH_RETRY = 1.0
FRESH_PATIENCE = 3.0
"""Seconds such an attempt waits for an answer: a machine that boots loses the first packets."""
LOOK_AFTER = 1.0
"""Seconds after a cut that is not healed yet at which AWS is asked about the machine."""
WANTED_RETRY = 2.0
"""Seconds after an attempt that a local connection which waits brings the next one about."""
GONE = (State.TERMINATED, State.SHUTTING_DOWN)


class AnyTunnels(Protocol):
    """Tunnels, kept here or by the keeper."""

    @property
    def states(self) -> tuple[TunnelState, ...]: ...

    def watched(self) -> AbstractContextManager[None]: ...

    async def open(
        self, instance: Instance, spec: TunnelSpec, *, label: str = "", search: bool = False
    ) -> TunnelState: ...

    async def retry(self, key: str) -> None: ...

    async def wait(self, key: str) -> None: ...

    async def close_one(self, key: str) -> None: ...

    async def close(self) -> None: ...


class Tunnels:
    """Keeps the tunnels by `TunnelState.key`; every change is emitted as TunnelsChanged."""

    def __init__(
        self,
        machines: Machines,
        connections: Connections,
        events: Events,
        *,
        pauses: tuple[float, float] = (RETRY_FIRST, RETRY_MOST),
        read_only: bool = False,
    ) -> None:
        self._read_only = read_only
        self._first, self._most = pauses
        self._machines = machines
        self._connections = connections
        self._events = events
        self._kept: dict[str, Kept] = {}
        self._opening: dict[tuple[str, int], asyncio.Lock] = {}
        self._pulse = Pulse(self._pulsed, self._stalled)
        self._wakeups = Wakeups(self._look_again)
        self._watchers = 0
        self._unlisten = events.listen(self._heard)

    @property
    def states(self) -> tuple[TunnelState, ...]:
        """The tunnels with their counts as of now, by the port listened on."""
        kept = sorted(self._kept.values(), key=lambda k: (k.state.local_port, k.state.key))
        return tuple(counted(k) for k in kept)

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """While somebody looks at them: round trips are measured, a dead line is seen sooner."""
        self._watchers += 1
        self._keep_pulse()
        try:
            yield
        finally:
            self._watchers -= 1
            self._keep_pulse()

    async def open(
        self, instance: Instance, spec: TunnelSpec, *, label: str = "", search: bool = False
    ) -> TunnelState:
        """Return once it is up. One that is open already is returned; with `search` a local port
        that is taken gives the next free one.

        Raises:
            Refused, Unreachable, CredentialsProblem: no connection to the host, or it does not
                listen there for a REMOTE one, which read-only mode refuses.
            PortTaken: the port, or none of the next ones, is free.
        """
        may_open(spec, read_only=self._read_only)
        there = (instance.id, spec.listen_port if spec.direction is Direction.REMOTE else spec.port)
        async with self._opening.setdefault(there, asyncio.Lock()):
            same = self._same(instance, spec, search)
            if same:
                if same.state.phase is not TunnelPhase.FAILED:
                    return counted(same)
                spec = replace(spec, listen_port=same.state.local_port) if search else spec
                await self.close_one(same.state.key)
            connection = await self._connections.get(instance)
            way, port = await self._way(spec, instance.spoken, search)
            try:
                await way.attach(connection)
            except BaseException:
                await way.close()
                raise
            kept = self._add(instance, spec, way, port, label)
            kept.connection = connection
            self._move(kept, TunnelPhase.UP)
            kept.keeper = keep(self._keep(kept), f"tunnel {kept.state.key}")
            return counted(kept)

    async def restore(
        self, instance: Instance, spec: TunnelSpec, *, label: str = ""
    ) -> TunnelState:
        """Take the port now and connect in the background, however long that takes.

        Raises:
            PortTaken, Refused: the local port cannot be had.
        """
        way, port = await self._way(spec, instance.spoken, False)
        kept = self._add(instance, spec, way, port, label)
        kept.keeper = keep(self._keep(kept), f"tunnel {kept.state.key}")
        self._changed()
        return counted(kept)

    async def look(self) -> tuple[TunnelState, ...]:
        """The tunnels as they are, once their hosts were asked; see `tunnel_kept.look`."""
        await look(self._kept.values())
        return self.states

    async def retry(self, key: str) -> None:
        """Try now: one that failed is begun again, one that waits does not wait any longer."""
        kept = self._kept.get(key)
        if kept is None:
            return
        kept.delay = 0.0
        if kept.state.phase is TunnelPhase.FAILED:
            from cloudtui.ssh.forward import HOLD_SECONDS

            kept.way.hold = HOLD_SECONDS
            kept.ended.clear()
            self._move(kept, TunnelPhase.RECONNECTING)
            kept.keeper = keep(self._keep(kept), f"tunnel {key}")
        elif kept.state.phase is TunnelPhase.RECONNECTING:
            self._move(kept, TunnelPhase.RECONNECTING, kept.state.error)
        elif kept.state.phase is TunnelPhase.WAITING:
            self._machines.wanted()
        kept.woken.set()

    async def wait(self, key: str) -> None:
        """Returns when that tunnel was closed; raises what ended it for good."""
        kept = self._kept.get(key)
        if kept is None:
            return
        await kept.ended.wait()
        if kept.state.error:
            raise kept.state.error

    async def close_one(self, key: str) -> None:
        """Give its port back; its open connections are reset."""
        kept = self._kept.pop(key, None)
        if kept:
            await cancel(kept.keeper)
            await kept.way.close()
            kept.ended.set()
            self._changed()

    async def close(self) -> None:
        self._unlisten()
        await self._pulse.close()
        await self._wakeups.close()
        for key in list(self._kept):
            await self.close_one(key)

    # Opening

    def _same(self, instance: Instance, spec: TunnelSpec, search: bool) -> Kept | None:
        for kept in self._kept.values():
            state = kept.state
            if state.instance_id != instance.id or state.direction is not spec.direction:
                continue
            listens = state.remote_port if spec.direction is Direction.REMOTE else state.local_port
            leads = (state.host, kept.state.remote_port)
            if spec.direction is Direction.LOCAL:
                if leads == (spec.host, spec.port) and (search or listens == spec.listen_port):
                    return kept
            elif listens == spec.listen_port:
                return kept
        return None

    async def _way(self, spec: TunnelSpec, machine: str, search: bool) -> tuple[Way, int]:
        """The local port is taken here, unless the host is the one that listens."""
        if spec.direction is Direction.REMOTE:
            from cloudtui.ssh.reverse import Reverse

            return Reverse(spec.listen_port, (spec.host, spec.port), bind=spec.bind), spec.port
        from cloudtui.ssh.forward import Forward

        target = None if spec.direction is Direction.DYNAMIC else (spec.host, spec.port)
        mine = {k.state.local_port for k in self._kept.values() if not k.state.bind}
        last = min(spec.listen_port + (PORTS_TRIED if search else 1), 65_536)
        for port in range(spec.listen_port, last):
            if search and port in mine:
                continue
            forward = Forward(target, bind=spec.bind)
            forward.machine = machine
            try:
                await forward.listen(port)
            except PortTaken:
                if not search:
                    raise await self._taken(port, spec) from None
                continue
            return forward, forward.local_port
        raise PortTaken(
            f"Local ports {spec.listen_port} to {last - 1} are all taken.",
            hint="Choose another one with --local-port, or see what listens there: ss -ltnp",
        )

    async def _taken(self, port: int, spec: TunnelSpec) -> PortTaken:
        from cloudtui.files.listening import who_listens

        mine = next((k.state for k in self._kept.values() if k.state.local_port == port), None)
        who = f"the tunnel {mine.where}" if mine else await asyncio.to_thread(who_listens, port)
        free = f"{port + 1}:{spec.port}" if spec.port else str(port + 1)
        return PortTaken(
            f"Port {port} on this computer is taken{f' by {who}' if who else ''}.",
            hint=f"Choose another local port, for example {free}.",
        )

    def _add(self, instance: Instance, spec: TunnelSpec, way: Way, port: int, label: str) -> Kept:
        remote = spec.listen_port if spec.direction is Direction.REMOTE else spec.port
        state = TunnelState(
            instance.id,
            label or (f"{spec.name} on {instance.spoken}" if spec.name else instance.spoken),
            port,
            remote,
            TunnelPhase.CONNECTING,
            datetime.now(UTC),
            direction=spec.direction,
            host=spec.host,
            bind=spec.bind,
            machine=instance.spoken,
        )
        kept = self._kept[state.key] = Kept(state, instance, way)
        way.on_problem = self._changed
        way.on_wanted = lambda: self._hurry(kept)
        self._wakeups.start()
        return kept

    # Keeping

    async def _keep(self, kept: Kept) -> None:
        """Wait for the cut, then connect again until it holds or can never work."""
        try:
            while True:
                if kept.connection is None:
                    kept.connection = await self._again(kept)
                    told = kept.state.cuts > 0
                    self._move(kept, TunnelPhase.UP)
                    if told:
                        self._note(kept, f"Tunnel {kept.state.where} is back.")
                self._keep_pulse()
                up = time.monotonic()
                await lost(kept.connection)
                if time.monotonic() - up >= STEADY_SECONDS:
                    kept.delay = 0.0
                kept.way.waits_for, kept.connection = kept.connection.lost, None
                kept.state = replace(kept.state, cuts=kept.state.cuts + 1, latency=None)
                self._move(kept, TunnelPhase.RECONNECTING)
                asyncio.get_running_loop().call_later(LOOK_AFTER, self._look, kept)
                self._note(
                    kept,
                    f"Tunnel {kept.state.where} lost its connection; connecting again. "
                    "Its port stays open.",
                    Severity.WARNING,
                )
        except CloudtuiError as error:
            await self._fail(kept, error)

    async def _fail(self, kept: Kept, error: CloudtuiError) -> None:
        kept.way.waits_for, kept.way.hold = error, 0.0
        if kept.instance.state in GONE:
            await kept.way.close()
        self._move(kept, TunnelPhase.FAILED, error)
        self._note(
            kept,
            f"Tunnel {kept.state.where} has stopped. {error.title}",
            Severity.ERROR,
            f"{error.detail} {error.hint}".strip(),
        )
        kept.ended.set()

    async def _again(self, kept: Kept) -> Connection:
        """Connect, at once and then with growing pauses; wait while the machine does not run."""
        while True:
            kept.woken.clear()
            kept.moved.clear()
            instance = kept.instance = self._machines.by_id(kept.instance.id) or kept.instance
            seen = (instance.state, instance.address)
            if kept.seen not in (None, seen):
                kept.changed = time.monotonic()
            kept.seen = seen
            why = why_not_connect(instance)
            if why:
                error = Refused(why, hint=next_step(instance))
                if instance.state in GONE:
                    raise error
                kept.way.waits_for = error
                self._move(kept, TunnelPhase.WAITING, error)
                await kept.woken.wait()
                continue
            try:
                patience = FRESH_PATIENCE if kept.fresh else None
                opening = self._connections.get(instance, patience=patience)
                connection = await _unless(kept.moved, opening)
                if connection is None:
                    continue
                await self._attach(kept, connection)
            except Unreachable as unreachable:
                kept.way.waits_for = unreachable
                kept.tried = time.monotonic()
                await self._pause(kept, unreachable)
            else:
                return connection

    async def _attach(self, kept: Kept, connection: Connection) -> None:
        try:
            await kept.way.attach(connection)
        except Refused as refused:
            if not kept.state.cuts:
                raise
            raise Unreachable(
                refused.title,
                refused.detail,
                "The host may hold the port for the connection that was cut, until it notices.",
            ) from refused

    async def _pause(self, kept: Kept, error: CloudtuiError) -> None:
        pause = kept.delay or self._first
        kept.delay = min(pause * 2, self._most)
        if kept.way.waiting:
            pause = min(pause, WANTED_RETRY)
        delay = (min(pause, FRESH_RETRY) if kept.fresh else pause) * random.uniform(0.8, 1.2)
        at = datetime.now(UTC) + timedelta(seconds=delay)
        self._move(kept, TunnelPhase.RECONNECTING, error, retry_at=at)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await kept.woken.wait()

    def _hurry(self, kept: Kept) -> None:
        """A local connection waits: the next attempt is not put off for long."""
        if kept.state.phase is TunnelPhase.WAITING:
            self._machines.wanted()
        elif kept.connection is None:
            soon = max(0.0, kept.tried + WANTED_RETRY - time.monotonic())
            asyncio.get_running_loop().call_later(soon, kept.woken.set)

    # What is noticed

    def _look(self, kept: Kept) -> None:
        """It was cut a moment ago: the machine may have stopped or moved."""
        if kept.connection is None and kept.state.key in self._kept:
            self._machines.refresh()

    def _heard(self, event: Event) -> None:
        """A machine that has started or moved is tried at once; one that is gone is given up."""
        if not isinstance(event, InventoryChanged):
            return
        for kept in self._kept.values():
            now = self._machines.by_id(kept.instance.id)
            if now and not kept.connection and (now.state, now.address) != kept.seen:
                kept.delay = 0.0
                kept.moved.set()
                kept.woken.set()

    def _look_again(self) -> None:
        """This computer was asleep, or is on another network."""
        for kept in self._kept.values():
            kept.delay = 0.0
            kept.woken.set()
        self._pulse.check(self._carrying())

    def _carrying(self) -> set[Connection]:
        return {k.connection for k in self._kept.values() if k.connection}

    def _keep_pulse(self) -> None:
        self._pulse.follow(self._pulsing)

    def _pulsing(self) -> dict[Connection, int]:
        """The connections to be measured now, each with the bytes that came over it so far."""
        found: dict[Connection, int] = {}
        for kept in self._kept.values():
            if kept.connection and (self._watchers or kept.way.open_connections):
                found[kept.connection] = found.get(kept.connection, 0) + kept.way.bytes_in
        return found

    def _pulsed(self, connection: Connection, seconds: float) -> None:
        for kept in self._kept.values():
            if kept.connection is connection:
                kept.state = replace(kept.state, latency=seconds)
                if kept.state.phase is TunnelPhase.STALLED:
                    self._move(kept, TunnelPhase.UP)
        if self._watchers:
            self._changed()

    def _stalled(self, connection: Connection) -> None:
        for kept in self._kept.values():
            if kept.connection is connection and kept.state.phase is TunnelPhase.UP:
                self._move(kept, TunnelPhase.STALLED)

    # What is told

    def _move(
        self,
        kept: Kept,
        phase: TunnelPhase,
        error: CloudtuiError | None = None,
        retry_at: datetime | None = None,
    ) -> None:
        since = kept.state.since if phase is kept.state.phase else datetime.now(UTC)
        kept.state = replace(kept.state, phase=phase, since=since, error=error, retry_at=retry_at)
        self._changed()

    def _note(
        self,
        kept: Kept,
        text: str,
        severity: Severity = Severity.INFORMATION,
        detail: str = "",
    ) -> None:
        about = f"tunnel {kept.state.key}"
        self._events.emit(Noted(Note(text, severity, detail, about=about)))

    def _changed(self) -> None:
        self._events.emit(TunnelsChanged(self.states))


async def _unless(moved: asyncio.Event, opening: Coroutine[Any, Any, T]) -> T | None:
    """What opens; None when `moved` is set first, and the opening was given up."""
    attempt = asyncio.ensure_future(opening)
    waiting = asyncio.ensure_future(moved.wait())
    try:
        await asyncio.wait((attempt, waiting), return_when=asyncio.FIRST_COMPLETED)
        return attempt.result() if attempt.done() else None
    finally:
        waiting.cancel()
        attempt.cancel()
        await asyncio.wait((attempt, waiting))
