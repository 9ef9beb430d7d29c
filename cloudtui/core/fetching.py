"""Fetches what runs have ready for this computer: the `copy:` steps that follow them.

A host cannot reach this computer, so such a step waits on the host until cloudtui runs here.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING

from cloudtui.core.connections import Connections
from cloudtui.core.events import Event, Events, JobsChanged, Note, Noted, Severity
from cloudtui.core.inventory import Inventory
from cloudtui.core.tasks import cancel, keep
from cloudtui.files.computer import computer, seal
from cloudtui.files.paths import expanded, short
from cloudtui.model.copy import CopyPhase, named
from cloudtui.model.errors import CloudtuiError, NotFound, Unreachable, UsageError
from cloudtui.model.instance import Instance
from cloudtui.model.job import Job
from cloudtui.model.then import StepState, ThenStep, parse
from cloudtui.model.words import data_size, plural

if TYPE_CHECKING:
    from cloudtui.core.copies import Copies

AGAIN_SECONDS = 60.0
"""After a failure."""


class Fetching:
    """Listens for runs with such steps and fetches each; what came of it is a note."""

    def __init__(
        self, inventory: Inventory, connections: Connections, copies: Copies, events: Events
    ) -> None:
        self._inventory = inventory
        self._connections = connections
        self._copies = copies
        self._events = events
        self._tasks: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._tried: dict[tuple[str, int], float] = {}
        self._told: dict[tuple[str, int], str] = {}
        """Why it was not fetched, as it was said last."""
        try:
            self.here = computer()
            """What this computer is called in the records of runs."""
        except OSError:
            self.here = ""  # nothing can have been asked for from here then
        self._end = events.listen(self._hear)

    async def settled(self) -> None:
        """Return when all that is known to be ready was fetched, or has failed."""
        while self._tasks:
            await asyncio.wait(list(self._tasks.values()))

    async def close(self) -> None:
        self._end()
        for task in list(self._tasks.values()):
            await cancel(task)

    def _hear(self, event: Event) -> None:
        if not isinstance(event, JobsChanged) or event.state.error or not self.here:
            return
        for job in event.state.jobs:
            for step in job.then:
                if step.state is StepState.FETCH and step.computer == self.here:
                    self._begin(job, step)

    def _begin(self, job: Job, step: ThenStep) -> None:
        key = (job.key, step.number)
        found = self._inventory.state.instances
        instance = next((i for i in found if i.id == job.instance_id), None)
        if instance is None or key in self._tasks:
            return
        if time.monotonic() - self._tried.get(key, -AGAIN_SECONDS) < AGAIN_SECONDS:
            return
        if not self._asked_for(job, step):
            self._tried[key] = math.inf
            self._say(
                f"{job.id} on {instance.label} has something for {step.where} here that was not "
                "asked for from here. It is not fetched.",
                None,
            )
            return
        task = keep(self._fetch(instance, job, step), f"fetch {job.id} {step.number}")
        self._tasks[key] = task
        task.add_done_callback(lambda _: self._tasks.pop(key, None))

    def _asked_for(self, job: Job, step: ThenStep) -> bool:
        """Whether this computer asked for it, so and to that place: a host cannot choose what is
        written here."""
        try:
            right = seal(job.instance_id, step.text, step.where)
            action = parse(step.text)
        except (OSError, UsageError):
            return False
        same = hmac.compare_digest(right.encode(), step.seal.encode(errors="replace"))
        return same and named(action.what, step.result)

    async def _fetch(self, instance: Instance, job: Job, step: ThenStep) -> None:
        from cloudtui.ssh import then

        key = (job.key, step.number)
        claimed = False
        try:
            connection = await self._connections.get(instance, ask=False)
            claimed = await then.claim(connection, job.id, step.number)
            if not claimed:
                return
            copying = asyncio.ensure_future(self._copied(instance, step))
            try:
                while not (await asyncio.wait([copying], timeout=then.STILL_SECONDS))[0]:
                    await then.still(
                        await self._connections.get(instance, ask=False), job.id, step.number
                    )
            finally:
                await cancel(copying)
            state, result = copying.result()
            self._tried[key] = math.inf
            connection = await self._connections.get(instance, ask=False)
            await then.fetched(connection, job.id, step.number, state, result)
        except CloudtuiError as error:
            # It stays ready on the host, for the next time.
            self._tried[key] = time.monotonic()
            if claimed and not isinstance(error, Unreachable):
                with contextlib.suppress(CloudtuiError):
                    connection = await self._connections.get(instance, ask=False)
                    await then.left(connection, job.id, step.number)
            if self._told.get(key) != error.title:
                self._told[key] = error.title
                self._say(f"What {job.id} has for this computer is not fetched yet.", error)
            return
        what = f"{step.text} of {job.id} on {instance.label}"
        if state == "done":
            self._events.emit(Noted(Note(f"{what}: {result}.")))
        else:
            self._say(f"{what} failed: {result}", None)

    async def _copied(self, instance: Instance, step: ThenStep) -> tuple[str, str]:
        """The state and the result of the step."""
        from cloudtui.core.copies import CopyOrder, Spot

        folder = expanded(step.where) if step.where.startswith("~") else Path(step.where)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            why = f"{short(folder)} cannot be made here: {error.strerror}."
            raise CloudtuiError(why, hint="It is fetched once it can be.") from error
        order = CopyOrder((Spot(instance, step.result),), Spot(None, str(folder)))
        ended = await self._copies.wait(self._copies.start(order))
        if ended.phase is CopyPhase.CANCELLED:
            raise CloudtuiError("The copy was cancelled.")
        theirs = f"({instance.spoken})"
        if ended.problems and all(problem.why.endswith(theirs) for problem in ended.problems):
            # Nothing that is mended here would help.
            what = f"{plural(ended.failed, 'file')} could not be copied"
            return "failed", f"{what}: {ended.problems[0]}"
        if isinstance(ended.error, NotFound):
            return "failed", ended.error.title
        if ended.error:
            raise ended.error
        count = plural(ended.files_done + ended.same, "file")
        return "done", f"{count}, {data_size(ended.done)}, in {short(folder)}"

    def _say(self, text: str, error: CloudtuiError | None) -> None:
        detail = " ".join(part for part in (error.title, error.hint) if part) if error else ""
        self._events.emit(Noted(Note(text, Severity.WARNING, detail)))
