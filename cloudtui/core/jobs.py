"""Long runs on hosts: started, listed, followed, stopped; whatever happens to this computer they
go on."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from shlex import quote
from typing import TYPE_CHECKING

from cloudtui.core.attachment import Attachment, OnData
from cloudtui.core.connections import Connections
from cloudtui.core.events import Events, JobsChanged, JobsState
from cloudtui.core.inventory import Inventory
from cloudtui.core.last_seen import LastSeen
from cloudtui.core.running_hosts import RunningHost, RunningHosts, running_hosts
from cloudtui.core.sessions import Sessions
from cloudtui.model.errors import (
    READ_ONLY,
    CloudtuiError,
    NotFound,
    NotRunning,
    Refused,
    Unreachable,
)
from cloudtui.model.instance import Instance
from cloudtui.model.job import Holder, Job, JobSpec, JobState, find_job
from cloudtui.model.session import Session

if TYPE_CHECKING:
    from cloudtui.core.then import Confirm

GRACE = 10.0
"""Seconds that a run has to end after each signal."""


@dataclass(frozen=True, slots=True)
class HostJobs(RunningHost[JobsState]):
    """A running machine and what is known of its runs."""

    @property
    def jobs(self) -> tuple[Job, ...]:
        return self.state.jobs

    @property
    def words(self) -> str:
        """Why it has no rows of its own, or why they are old; empty when all is well."""
        if self.state.error:
            return self.state.error.title
        if self.state.updated is None:
            return "asking …" if self.state.loading else "not asked yet"
        return "" if self.jobs else "no run"


class Jobs(RunningHosts):
    """Keeps the last state per instance; every change is emitted as JobsChanged."""

    def __init__(
        self,
        inventory: Inventory,
        connections: Connections,
        sessions: Sessions,
        events: Events,
        *,
        read_only: bool,
        last_seen: LastSeen | None = None,
    ) -> None:
        self._inventory = inventory
        self._connections = connections
        self._sessions = sessions
        self._events = events
        self._last_seen = last_seen
        self._read_only = read_only
        self._states: dict[str, JobsState] = {}

    def state(self, instance_id: str) -> JobsState:
        """The last state known; `updated` is None before the first answer."""
        return self._states.get(instance_id) or JobsState(instance_id)

    @property
    def hosts(self) -> tuple[HostJobs, ...]:
        """Every running machine, by name."""
        return tuple(
            HostJobs(i, self.state(i.id), self._connections.peek(i) is not None)
            for i in running_hosts(self._inventory)
        )

    async def list(self, instance: Instance, *, ask: bool = True) -> JobsState:
        """Ask the host; a failure is in the state's `error`, with the old runs kept. Without
        `ask` a connection that would put a question is such a failure."""
        from cloudtui.ssh import jobs

        self._set(replace(self.state(instance.id), loading=True))
        try:
            connection = await self._connections.get(instance, ask=ask)
            found = await jobs.listed(connection, instance.id, self.state(instance.id).jobs)
        except CloudtuiError as error:
            self._set(replace(self.state(instance.id), loading=False, error=error))
        except asyncio.CancelledError:
            self._set(replace(self.state(instance.id), loading=False))
            raise
        else:
            self._set(JobsState(instance.id, found, updated=datetime.now(UTC)))
        return self.state(instance.id)

    async def find(self, instance: Instance, text: str) -> Job:
        """The run of that id, or the only one whose id begins so.

        Raises:
            NotFound: none, or several; its detail lists the candidates.
            NotRunning: its detail is what was last seen of the run.
            CloudtuiError: the host could not be asked.
        """
        state = await self.list(instance)
        if state.error:
            raise await self._with_last_seen(instance, text, state.error)
        return find_job(text, state.jobs, instance.spoken)

    async def _with_last_seen(
        self, instance: Instance, text: str, error: CloudtuiError
    ) -> CloudtuiError:
        if self._last_seen is None or not isinstance(error, NotRunning):
            return error
        away = await self._last_seen.of(instance)
        if away is None:
            return error
        try:
            job = find_job(text, away.jobs, instance.spoken)
        except NotFound as unknown:
            return NotRunning(error.title, f"{away.words}\n{unknown.detail}", error.hint)
        lines = job.last_lines or (job.last_line,)
        detail = "\n".join([away.about(job), *(f"    {line}" for line in lines if line)])
        return NotRunning(error.title, detail, error.hint or away.next)

    async def find_active(self, instance: Instance, text: str) -> Job:
        """As `find`, but when that run is over, the newest of its name that is not, such as
        `bert-2` for `bert`."""
        found = await self.find(instance, text)
        named = re.compile(rf"{re.escape(found.id)}-\d+")
        others = (job for job in self.state(instance.id).jobs if named.fullmatch(job.id))
        active = (job for job in others if not job.state.over)
        return next(active, found) if found.state.over else found

    async def run(
        self,
        instance: Instance,
        spec: JobSpec,
        confirm: Confirm | None = None,
        sends: Callable[[], Awaitable[None]] | None = None,
    ) -> Job:
        """Start a run; it goes on whatever happens to this computer. `confirm` is asked where the
        machine's shutdown after it would terminate the machine; `sends` is done when all is
        checked, and the run is not started when it fails.

        Raises:
            Refused: read-only mode.
            UsageError, NotFound, CloudtuiError: see `ssh.jobs.start` and `core.then.record`.
        """
        self._may_change()
        from cloudtui.core.then import record
        from cloudtui.ssh import jobs, notebook_run

        connection = await self._connections.get(instance)
        find = partial(self._waited_for, instance)
        more = await record(self._inventory, connection, instance, spec, find, confirm)
        if notebook_run.is_notebook(spec.command):
            more = [*notebook_run.lines(spec.command), *more]
        if sends:
            await sends()
        id = await jobs.start(connection, spec, more)
        return await self.find(instance, id)

    async def _waited_for(self, instance: Instance, text: str) -> Job:
        job = await self.find_active(instance, text)
        if job.by_hand:
            raise Refused(
                f"{job.id} on {instance.spoken} is a {job.holder} session that was begun by hand: "
                "how it ends is not known, so that no run can come after it."
            )
        return job

    async def rerun(self, instance: Instance, job: Job) -> Job:
        """Start the same command once more, as it was started then; the new run.

        Raises:
            Refused: read-only mode, or it was begun by hand.
            NotFound, CloudtuiError: see `ssh.jobs.again`.
        """
        self._may_change()
        if job.by_hand:
            raise Refused(
                f"{job.id} on {instance.spoken} is a {job.holder} session that was begun by hand: "
                "how is not on record.",
                hint="A run can be started again: cloudtui run "
                f"{quote(instance.spoken)} -- COMMAND",
            )
        from cloudtui.ssh import jobs

        id = await jobs.again(await self._connections.get(instance), job.id)
        return await self.find(instance, id)

    async def stop(self, instance: Instance, job: Job, grace: float = GRACE) -> Job:
        """SIGINT, SIGTERM and SIGKILL in turn, each after `grace` seconds, until it is over; how
        it ended then. Of a session that was begun by hand all that runs in it is ended so, and
        then the session. Whoever calls this has asked the user.

        Raises:
            Refused: read-only mode, or it is over.
            NotFound: there is no such run any more.
        """
        self._may_change()
        if job.by_hand:
            return await self._end_session(instance, job, grace)
        from cloudtui.ssh import jobs

        try:
            await jobs.stop(await self._connections.get(instance), job.id, grace)
        finally:
            state = await self.list(instance)
        return find_job(job.id, state.jobs, instance.spoken)

    async def _end_session(self, instance: Instance, job: Job, grace: float) -> Job:
        from cloudtui.ssh import session_stop

        session = await self._shown(instance, job)
        another = session and job.holder is Holder.TMUX and session.created != job.started
        if session is None or another:
            raise NotFound(
                f"The {job.holder} session {job.id} on {instance.spoken} has gone.",
                hint=f"See what is there now: cloudtui jobs {quote(instance.spoken)}",
            )
        connection = await self._connections.get(instance)
        try:
            signal = await session_stop.stop(connection, session, grace)
        finally:
            await asyncio.gather(self.list(instance), self._sessions.list(instance))
        state = JobState.KILLED if signal else JobState.DONE
        return replace(job, state=state, signal=signal, ended=datetime.now(UTC))

    async def remove(self, instance: Instance, job: Job) -> None:
        """Remove its record and its log; whoever calls this has asked the user.

        Raises:
            Refused: read-only mode, it runs, or it was begun by hand.
            NotFound: there is no such run any more.
        """
        await self.remove_all(instance, [job])

    async def remove_all(self, instance: Instance, jobs: Sequence[Job]) -> None:
        """As `remove`, of several: those that can be removed are, before a failure is raised."""
        self._may_change()
        for job in jobs:
            check_removable(instance, job)
        from cloudtui.ssh.jobs import remove

        failures: list[CloudtuiError] = []
        try:
            connection = await self._connections.get(instance)
            for job in jobs:
                try:
                    await remove(connection, job.id)
                except Unreachable:
                    raise
                except CloudtuiError as error:
                    failures.append(error)
        finally:
            await self.list(instance)
        if failures:
            raise failures[0]

    async def follow(
        self,
        instance: Instance,
        job: Job,
        *,
        lines: int | None = None,
        on_bytes: Callable[[bytes], None],
        on_trouble: Callable[[CloudtuiError | None], None] = lambda _: None,
    ) -> Job:
        """Tell the log, the last `lines` lines of it or all, and what is added to it until the
        run is over; how it ended then. A lost connection is made again, and told to `on_trouble`,
        as None is when it is back: no byte is lost or told twice.

        Raises:
            Refused: it was begun by hand, and has no log.
            NotFound: it was removed.
            CloudtuiError: no connection, for a reason that trying again does not mend.
        """
        _has_log(instance, job)
        from cloudtui.core import job_view

        await job_view.follow(
            self._connections,
            instance,
            job.id,
            lines=lines,
            on_bytes=on_bytes,
            on_trouble=on_trouble,
        )
        for pause in (0.2, 0.5, 1.0, 2.0, 4.0):
            state = await self.list(instance)
            if not isinstance(state.error, Unreachable):
                break
            await asyncio.sleep(pause)
        if state.error:
            raise state.error
        return find_job(job.id, state.jobs, instance.spoken)

    async def read(
        self,
        instance: Instance,
        job: Job,
        *,
        lines: int | None = None,
        on_bytes: Callable[[bytes], None],
    ) -> None:
        """Tell what is in the log now, the last `lines` lines of it or all.

        Raises:
            Refused: it was begun by hand, and has no log.
            NotFound: it was removed.
            CloudtuiError: no connection.
        """
        _has_log(instance, job)
        from cloudtui.core import job_view

        await job_view.follow(
            self._connections,
            instance,
            job.id,
            lines=lines,
            on_bytes=on_bytes,
            on_trouble=lambda _: None,
            once=True,
        )

    async def session(self, instance: Instance, job: Job) -> Session | None:
        """The tmux or screen session that shows it, begun anew when it was ended; None for a run
        that has none: see `attach`.

        Raises:
            Refused: the run is over.
            CloudtuiError: the host could not be asked.
        """
        found = await self._shown(instance, job)
        if found or job.by_hand or job.holder is Holder.NONE:
            return found
        if job.state.over:
            from cloudtui.core.job_view import over

            raise over(instance, job)
        from cloudtui.ssh import jobs

        await jobs.show(await self._connections.get(instance), job.id)
        state = await self.list(instance)
        return await self._shown(instance, find_job(job.id, state.jobs, instance.spoken))

    async def _shown(self, instance: Instance, job: Job) -> Session | None:
        state = await self._sessions.list(instance)
        if state.error:
            raise state.error
        alive = [s for s in state.listing.sessions if not s.dead] if state.listing else []
        for session in alive:
            same = session.program.value == job.holder.value
            if same and job.session and job.session in (session.name, session.id):
                return session
        return None

    async def attach(
        self, instance: Instance, job: Job, columns: int, rows: int, on_data: OnData
    ) -> Attachment:
        """The terminal of the run: its session, or a view of its own where it has none, which
        Ctrl-] leaves.

        Raises:
            Refused: the run is over.
            CloudtuiError: no connection.
        """
        from cloudtui.core import job_view

        session = await self.session(instance, job)
        if session:
            return await self._sessions.attach(instance, session, columns, rows, on_data)
        if job.state.over:
            raise job_view.over(instance, job)
        connection = await self._connections.get(instance)
        return await job_view.attach(connection, instance, job, columns, rows, on_data)

    def _may_change(self) -> None:
        if self._read_only:
            raise Refused(READ_ONLY, hint="Leave out --read-only to start or change runs.")

    def _set(self, state: JobsState) -> None:
        self._states[state.instance_id] = state
        self._events.emit(JobsChanged(state))


def check_removable(instance: Instance, job: Job) -> None:
    """Raises Refused for a run whose record cannot be removed, as it was last listed."""
    stop = f"cloudtui jobs stop {quote(instance.spoken)} {quote(job.id)}"
    if job.by_hand:
        raise Refused(
            f"{job.id} on {instance.spoken} is a {job.holder} session that was begun by hand, "
            "with no record to remove.",
            hint=f"End it: {stop}",
        )
    if not job.state.over:
        raise Refused(f"The run {job.id} on {instance.spoken} goes on.", hint=f"Stop it: {stop}")


def _has_log(instance: Instance, job: Job) -> None:
    if job.by_hand:
        raise Refused(
            f"{job.id} on {instance.spoken} was begun by hand and has no log.",
            hint=f"Look at it: cloudtui attach {quote(f'{instance.spoken}:{job.id}')}",
        )
