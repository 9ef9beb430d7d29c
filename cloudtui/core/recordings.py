"""The black box: what the kernels of hosts print is recorded there, and read from here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from cloudtui.core.connections import Connections
from cloudtui.core.events import Events, Note, Noted, RecordingsChanged, RecordingsState, Severity
from cloudtui.core.tasks import cancel, keep
from cloudtui.files import recorded_hosts
from cloudtui.model.errors import READ_ONLY, CloudtuiError, ConnectionCut, Refused, Unreachable
from cloudtui.model.instance import Instance
from cloudtui.model.recording import HostRecorder, Recording, find_recording

if TYPE_CHECKING:
    from cloudtui.ssh.connection import Connection

PAUSE, LONGEST = 0.3, 15.0
"""Seconds before the first and the later attempts to go on with a log after a cut."""
LOOK = 10.0
"""Seconds between two looks at a host that somebody watches."""
ENDING = 5.0
"""Seconds that the end of a command waits for a recorder that is being begun."""
OnRecord = Callable[[dict[str, Any]], None]


class Recordings:
    """Keeps the last state per instance; every change is emitted as RecordingsChanged.

    On a host where it is switched on the recorder is begun again whenever a connection is made
    and none runs there: after a reboot, or when somebody ended it.
    """

    def __init__(self, connections: Connections, events: Events, *, read_only: bool) -> None:
        self._connections = connections
        self._events = events
        self._read_only = read_only
        self._states: dict[str, RecordingsState] = {}
        self._ensuring: dict[str, asyncio.Task[None]] = {}

    def state(self, instance_id: str) -> RecordingsState:
        """The last state known; without a recorder before the first answer."""
        return self._states.get(instance_id) or RecordingsState(instance_id)

    def wanted(self, instance_id: str) -> bool:
        """Whether it is switched on for the instance."""
        return instance_id in recorded_hosts.load()

    async def list(self, instance: Instance, *, ask: bool = True) -> RecordingsState:
        """Ask the host; a failure is in the state's `error`, with what was known kept."""
        from cloudtui.ssh import recorder

        self._set(replace(self.state(instance.id), loading=True))
        try:
            connection = await self._connections.get(instance, ask=ask)
            found = await recorder.look(connection)
        except CloudtuiError as error:
            self._set(replace(self.state(instance.id), loading=False, error=error))
        except asyncio.CancelledError:
            self._set(replace(self.state(instance.id), loading=False))
            raise
        else:
            self._told(instance, found)
        return self.state(instance.id)

    async def refresh(self, instances: Iterable[Instance]) -> None:
        """Look again at hosts where something is or should be recorded, and once at the others;
        each at most every `LOOK` seconds. Nothing is asked of the user."""
        now = datetime.now(UTC)
        due = []
        for instance in instances:
            state = self.state(instance.id)
            old = state.updated is None or now - state.updated > timedelta(seconds=LOOK)
            there = state.recorder is None or state.recorder.running
            if not state.loading and old and (there or self.wanted(instance.id)):
                due.append(instance)
        await asyncio.gather(*(self.list(instance, ask=False) for instance in due))

    async def start(self, instance: Instance) -> HostRecorder:
        """Switch it on: begin to record now, and again after every reboot that is met.

        Raises:
            Refused: read-only mode.
            NotFound: the host has no Python.
            CloudtuiError: the program cannot be written there, or does not start.
        """
        from cloudtui.ssh import recorder

        self._may_change()
        found = await recorder.start(await self._connections.get(instance))
        await self._remember(instance, wanted=True)
        return self._told(instance, found)

    async def stop(self, instance: Instance) -> HostRecorder:
        """Switch it off; what was recorded stays.

        Raises:
            Refused: read-only mode.
            CloudtuiError: it does not end.
        """
        from cloudtui.ssh import recorder

        self._may_change()
        await self._remember(instance, wanted=False)
        found = self._told(instance, await recorder.stop(await self._connections.get(instance)))
        if found.running:
            raise CloudtuiError(
                f"The recorder on {instance.label} does not end.",
                hint=f"Look at its session: cloudtui sessions {instance.spoken}",
            )
        return found

    async def run(
        self, instance: Instance, notebook: str, *, port: int = 0
    ) -> tuple[Recording, int]:
        """Begin to run every code cell of a notebook in its kernel, on the host: it goes on
        without cloudtui. Recording is switched on for that. The recording, whose `end` is where
        the run begins in it, and the number of cells. With `port` of the server there alone.

        Raises:
            Refused: read-only mode, or it is run already.
            NotFound, Ambiguous: the detail lists the notebooks there are.
            CloudtuiError: its server, or its kernel, does not do it.
        """
        from cloudtui.ssh import recorder

        before = await self.start(instance)
        connection = await self._connections.get(instance)
        kernel, path, cells = await recorder.run(connection, notebook, port)
        known = before.of(kernel) or Recording(kernel)
        return replace(known, path=path), cells

    async def find(
        self, instance: Instance, text: str, kernels: Collection[str] | None = None
    ) -> Recording:
        """What was recorded of a notebook or kernel; with `kernels` of one of these ids.

        Raises:
            NotFound, Ambiguous: the detail lists what there is.
            CloudtuiError: the host could not be asked.
        """
        state = await self.list(instance)
        if state.error:
            raise state.error
        found = state.recorder.recordings if state.recorder else ()
        return find_recording([r for r in found if kernels is None or r.id in kernels], text)

    async def log(
        self,
        instance: Instance,
        kernel_id: str,
        on_record: OnRecord,
        *,
        offset: int = 0,
        tail: int = 0,
        follow: bool = False,
        on_cut: Callable[[CloudtuiError | None], None] | None = None,
    ) -> None:
        """Give every record of a kernel to `on_record`, each once and in order.

        Those before `offset` are left out. With `tail` only those in so many bytes at the end.
        With `follow` until cancelled: it goes on where it was after a lost connection, of which
        `on_cut` is told, and of its end with None.

        Raises:
            CloudtuiError: the first connection fails, or the log cannot be read.
        """
        from cloudtui.ssh import recorder

        pause, met, begin = PAUSE, False, offset

        def take(behind: int, record: dict[str, Any]) -> None:
            nonlocal offset, pause
            offset, pause = behind, PAUSE
            on_record(record)

        while True:
            try:
                connection = await self._connections.get(instance, ask=not met)
                if met and on_cut:
                    on_cut(None)
                met = True
                await recorder.read(
                    connection, kernel_id, offset=offset, tail=0 if offset > begin else tail,
                    follow=follow, on_record=take,
                )  # fmt: skip
            except (ConnectionCut, Unreachable) as error:
                if not met:
                    raise
                if on_cut:
                    on_cut(error)
                await self._connections.pause(pause)
                pause = min(LONGEST, pause * 2)
            else:
                return

    def opened(self, instance: Instance, connection: Connection) -> None:
        """A connection was made: where recording is switched on, see that it is done."""
        if self._read_only or instance.id in self._ensuring or not self.wanted(instance.id):
            return
        task = keep(self._ensure(instance, connection), f"recorder of {instance.spoken}")
        self._ensuring[instance.id] = task
        task.add_done_callback(lambda _: self._ensuring.pop(instance.id, None))

    async def _ensure(self, instance: Instance, connection: Connection) -> None:
        from cloudtui.ssh import recorder

        try:
            found = await recorder.look(connection)
            if not found.running or not found.current:
                was = found.running
                found = await recorder.start(connection)
                if not was:
                    text = f"The recorder on {instance.label} was not running; it is again now."
                    self._events.emit(Noted(Note(text, Severity.WARNING)))
            self._told(instance, found)
            if found.full:
                text = f"{instance.label}: {found.problem}"
                self._events.emit(Noted(Note(text, Severity.WARNING)))
        except CloudtuiError as error:
            if not isinstance(error, Unreachable):
                note = Note(error.title, Severity.WARNING, f"{error.detail} {error.hint}".strip())
                self._events.emit(Noted(note))

    async def close(self) -> None:
        """A recorder that is being begun gets the time for it: the command may have been short."""
        tasks = tuple(self._ensuring.values())
        if tasks:
            await asyncio.wait(tasks, timeout=ENDING)
        for task in tasks:
            await cancel(task)

    async def _remember(self, instance: Instance, *, wanted: bool) -> None:
        def change() -> None:
            before = recorded_hosts.load()
            after = before | {instance.id} if wanted else before - {instance.id}
            if after != before:
                recorded_hosts.save(after)

        try:
            await asyncio.to_thread(change)
        except OSError as error:
            raise CloudtuiError(
                "That it is to be recorded could not be kept on this computer.", str(error)
            ) from error

    def _told(self, instance: Instance, found: HostRecorder) -> HostRecorder:
        self._set(RecordingsState(instance.id, found, updated=datetime.now(UTC)))
        return found

    def _may_change(self) -> None:
        if self._read_only:
            raise Refused(READ_ONLY, hint="Leave out --read-only to record.")

    def _set(self, state: RecordingsState) -> None:
        self._states[state.instance_id] = state
        self._events.emit(RecordingsChanged(state))
