"""Runs in memory: what hosts say, what is done to them, and logs that are fed by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudtui.core.events import Events, JobsChanged, JobsState
from cloudtui.core.jobs import HostJobs
from cloudtui.core.upload import Sent, Upload
from cloudtui.model.digest import Digest
from cloudtui.model.errors import CloudtuiError, Refused
from cloudtui.model.instance import Instance, State
from cloudtui.model.job import Holder, Job, JobSpec, JobState, name_of
from cloudtui.model.job_filter import name_in_list
from cloudtui.model.last_seen import AwayRuns
from cloudtui.model.session import Session
from cloudtui.model.training import Training
from cloudtui.model.upload import LocalFile

if TYPE_CHECKING:
    from cloudtui.core.then import Confirm
    from tests.ui.fakes import FakeInventory

NOW = datetime.now(UTC)


def run(instance: Instance, id: str = "bert", **changes: Any) -> Job:
    """A run of a machine that has gone on for three days."""
    made = Job(
        id,
        instance.id,
        ("python3", "train.py", "--epochs", "3"),
        "~/bert",
        Holder.TMUX,
        id,
        JobState.RUNNING,
        started=NOW - timedelta(days=3, hours=4, minutes=30),
        last_line="{'loss': 0.3248, 'epoch': 0.64}",
        log_bytes=48_300_000,
        last_output=NOW,
        training=Training(
            step=4018, steps=18_750, epoch=0.64, loss=0.3248, eta=6900.0,
            losses=(0.9, 0.7, 0.6, 0.5, 0.45, 0.4, 0.36, 0.3248),
        ),
    )  # fmt: skip
    return replace(made, **changes)


class FakeJobs:
    """`answers` is what hosts say, by name; hosts in `connected` are asked by themselves."""

    def __init__(self, events: Events, inventory: FakeInventory) -> None:
        self._events, self._inventory = events, inventory
        self._states: dict[str, JobsState] = {}
        self.answers: dict[str, tuple[Job, ...] | CloudtuiError] = {}
        self.connected: set[str] = set()
        self.refusal: CloudtuiError | None = None
        self.question = ""
        """What is asked before a run starts."""
        self.hold = asyncio.Event()
        self.hold.set()
        self.asked = 0
        self.specs: list[JobSpec] = []
        self.done: list[tuple[str, str, str]] = []
        """What was done: verb, machine, run."""
        self.followed: list[Callable[[bytes], None]] = []
        self.lines_wanted: list[int | None] = []
        self.trouble: Callable[[CloudtuiError | None], None] = lambda _: None
        self.sessions: dict[str, Session] = {}
        """What shows the runs, by their ids."""
        self.ended = asyncio.Event()
        """Set when the logs that are followed have ended."""

    def state(self, instance_id: str) -> JobsState:
        return self._states.get(instance_id) or JobsState(instance_id)

    @property
    def hosts(self) -> tuple[HostJobs, ...]:
        running = [i for i in self._inventory.state.instances if i.state is State.RUNNING]
        return tuple(
            HostJobs(i, self.state(i.id), i.name in self.connected)
            for i in sorted(running, key=lambda i: i.name)
        )

    def show(self, instance: Instance, *jobs: Job) -> None:
        """The host says so now, and is listed."""
        self.answers[instance.name] = jobs
        self.connected.add(instance.name)
        self._set(JobsState(instance.id, jobs, updated=datetime.now(UTC)))

    def _set(self, state: JobsState) -> JobsState:
        self._states[state.instance_id] = state
        self._events.emit(JobsChanged(state))
        return state

    async def refresh(self, *, ask: bool = False) -> None:
        self.asked += ask
        for host in self.hosts:
            if ask or host.connected:
                await self.list(host.instance)

    async def reach_again(self) -> None:
        """Nobody is reached."""

    async def list(self, instance: Instance, *, ask: bool = True) -> JobsState:
        old = self._set(replace(self.state(instance.id), loading=True))
        await self.hold.wait()
        answer = self.answers.get(instance.name, ())
        if isinstance(answer, CloudtuiError):
            return self._set(replace(old, loading=False, error=answer))
        return self._set(JobsState(instance.id, answer, updated=datetime.now(UTC)))

    async def run(
        self,
        instance: Instance,
        spec: JobSpec,
        confirm: Confirm | None = None,
        sends: Callable[[], Awaitable[None]] | None = None,
    ) -> Job:
        if self.refusal:
            raise self.refusal
        if self.question and not (confirm and await confirm(self.question)):
            raise Refused("Its shutdown would terminate it.")
        if sends:
            await sends()
        await self.hold.wait()
        self.specs.append(spec)
        made = run(
            instance,
            spec.name or name_of(spec.command),
            command=spec.command,
            cwd=spec.cwd,
            training=Training(),
        )
        self.show(instance, made, *self.state(instance.id).jobs)
        return made

    async def stop(self, instance: Instance, job: Job) -> None:
        self._do("stop", instance, job)
        over = replace(job, state=JobState.KILLED, signal="INT", ended=datetime.now(UTC))
        rest = [j for j in self.state(instance.id).jobs if name_in_list(j) != name_in_list(job)]
        self.show(instance, *([] if job.by_hand else [over]), *rest)

    async def rerun(self, instance: Instance, job: Job) -> Job:
        self._do("rerun", instance, job)
        again = replace(job, id=f"{job.id}-2", state=JobState.RUNNING, ended=None)
        self.show(instance, again, *self.state(instance.id).jobs)
        return again

    async def remove(self, instance: Instance, job: Job) -> None:
        self._do("remove", instance, job)
        self.show(instance, *(j for j in self.state(instance.id).jobs if j.id != job.id))

    async def remove_all(self, instance: Instance, jobs: Collection[Job]) -> None:
        for job in jobs:
            await self.remove(instance, job)

    def _do(self, verb: str, instance: Instance, job: Job) -> None:
        if self.refusal:
            raise self.refusal
        self.done.append((verb, instance.name, job.id))

    async def follow(
        self,
        instance: Instance,
        job: Job,
        *,
        lines: int | None,
        on_bytes: Callable[[bytes], None],
        on_trouble: Callable[[CloudtuiError | None], None],
    ) -> Job:
        if self.refusal:
            raise self.refusal
        self.followed.append(on_bytes)
        self.lines_wanted.append(lines)
        self.trouble = on_trouble
        await self.ended.wait()
        await self.list(instance)
        return job

    async def session(self, instance: Instance, job: Job) -> Session | None:
        return self.sessions.get(job.id)


class FakeLastSeen:
    """What `show` says; it forgets."""

    def __init__(self) -> None:
        self.hosts: tuple[AwayRuns, ...] = ()
        self.earlier: dict[str, AwayRuns] = {}
        """Of machines that run, by id."""
        self.forgotten: list[tuple[str, str]] = []

    def show(self, *hosts: AwayRuns) -> None:
        self.hosts = hosts

    async def load(self) -> None:
        """It is there."""

    def before(self, instance: Instance) -> AwayRuns | None:
        return self.earlier.get(instance.id)

    async def forget(self, instance: Instance, ids: Collection[str]) -> None:
        self.forgotten += [(instance.name, id) for id in ids]
        self.hosts = tuple(
            replace(away, jobs=tuple(job for job in away.jobs if job.id not in ids))
            for away in self.hosts
        )


class FakeUploads:
    """Every folder is two files of `size` bytes together."""

    def __init__(self) -> None:
        self.size = 2_000
        self.sent: list[tuple[str, str]] = []
        self.overwrites: list[bool] = []

    async def plan(
        self, instance: Instance, local: Path, remote: str, *, overwrite: bool = False
    ) -> Upload:
        self.overwrites.append(overwrite)
        files = (
            LocalFile(b"data.bin", 0o100644, self.size, 0),
            LocalFile(b"t.py", 0o100644, 10, 0),
        )
        return Upload(
            instance, local, remote, files, 5, size=self.size, newer=() if overwrite else ("t.py",)
        )

    async def send(self, plan: Upload, on_progress: Callable[[Sent], None]) -> None:
        on_progress(Sent(1000, plan.size, 500.0))
        self.sent.append((str(plan.local), plan.remote))


class FakeAlerts:
    """Notes what is expected; alerts are emitted by the tests."""

    def __init__(self) -> None:
        self.started = 0
        self.expected: list[tuple[str, str]] = []

    def start(self) -> None:
        self.started += 1

    def expect(self, instance_id: str, run: str) -> None:
        self.expected.append((instance_id, run))

    def unexpect(self, instance_id: str, run: str) -> None:
        self.expected.remove((instance_id, run))


class FakeDigests:
    """Tells `answer`, once."""

    def __init__(self) -> None:
        self.answer = Digest()
        self.hold = asyncio.Event()
        self.hold.set()
        self.looks = self.watched = 0
        self.shown: list[Digest] = []

    def watch(self) -> None:
        self.watched += 1

    async def look(self, *, everywhere: bool, ask: bool) -> Digest:
        self.looks += 1
        await self.hold.wait()
        return self.answer

    async def told(self, digest: Digest) -> None:
        self.shown.append(digest)
        self.answer = Digest()
