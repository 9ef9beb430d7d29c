"""Files streamed from one machine's file program to another's, as fast as the slower takes them."""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cloudtui.core.file_system import FULL, FileSystem, explained
from cloudtui.core.tasks import cancel
from cloudtui.model.copy import Act, Problem, Step, legible
from cloudtui.model.frames import HEAD, frame

BATCH = 200
"""Files that are asked for at once."""
AHEAD = 4
"""Such questions that wait for their answer, so that none waits for a round trip."""
COALESCED = 512 << 10
"""Bytes that are gathered before they are written."""
ALIVE_SECONDS = 5.0
TOLD_SECONDS = 0.05


class Transfer:
    """One stream of steps; counts what has come over."""

    def __init__(
        self,
        source: FileSystem,
        target: FileSystem,
        steps: Sequence[Step],
        offsets: Mapping[int, int],
        on_change: Callable[[], None],
        *,
        check: bool = False,
    ) -> None:
        """`offsets` are of the steps, by their place, that go on with a part file."""
        self._source, self._target = source, target
        self._steps = steps
        self._offsets = offsets
        self._on_change = on_change
        self._check = check
        self.bytes_done = sum(offsets.values())
        self.files_done = 0
        self.current = ""
        self.problems: list[Problem] = []
        self.stale: list[str] = []
        """Targets whose part file was written to by somebody else since it was looked at."""
        self.changed: list[str] = []
        """Sources that changed while they were read."""
        self.finished: set[str] = set()
        """Targets that are whole."""
        self._counted: dict[int, int] = {}
        self._begun: set[int] = set()
        self._failed: set[int] = set()
        self._without: tuple[str, ...] = ()
        """Folders that could not be made: of what is in them nothing more is told."""
        self._out: list[bytes | memoryview] = []
        self._out_size = 0
        self._flushing = False
        self._told_at = 0.0
        self._stopped: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Do every step that can be done; `problems` has the others.

        Raises:
            CloudtuiError: a machine is gone, or the target's disk is full.
        """
        source, target = self._source, self._target
        source.on_frame, source.on_data = self._told, self._data
        source.on_end = target.on_end = self._stop
        target.on_frame = self._answered
        target.on_room = source.resume
        work = asyncio.create_task(self._work())
        alive = asyncio.create_task(self._stay_alive())
        try:
            await asyncio.wait((work, self._stopped), return_when=asyncio.FIRST_COMPLETED)
            if self._stopped.done():
                self._stopped.result()
            work.result()
        finally:
            await cancel(alive)
            if not work.done():
                work.cancel()
            await asyncio.wait((work,))
            if not work.cancelled():
                work.exception()
            if self._stopped.done():
                self._stopped.exception()

    def _stop(self, error: Exception) -> None:
        if not self._stopped.done():
            self._stopped.set_exception(error)

    async def _stay_alive(self) -> None:
        while True:
            await asyncio.sleep(ALIVE_SECONDS)
            self._put(frame(b"P", 0))

    async def _work(self) -> None:
        target = self._target
        received = asyncio.create_task(target.ask("receive"))
        try:
            await asyncio.sleep(0)
            for kind, act in ((b"M", Act.FOLDER), (b"", Act.COPY), (b"L", Act.LINK)):
                if act is Act.COPY:
                    await self._send_files()
                    continue
                for index, step in enumerate(self._steps):
                    if step.act is act:
                        self._put(frame(kind, index, _asked(step)))
                        await self._eased()
            for index in reversed(range(len(self._steps))):
                step = self._steps[index]
                mode = step.act is Act.MODE or (step.act is Act.FOLDER and not step.keep)
                if mode and index not in self._failed:
                    self._put(frame(b"T", index, _asked(step)))
                    await self._eased()
            self._put(frame(b"Z", 0))
            await received
        finally:
            await settled([received])

    async def _eased(self) -> None:
        if self._out_size > COALESCED or self._target.pipe.full:
            self._flush()
            await self._target.drain()

    async def _send_files(self) -> None:
        source = self._source
        wanted = [n for n, step in enumerate(self._steps) if step.act is Act.COPY]
        batches: list[asyncio.Task[Any]] = []
        try:
            for start in range(0, len(wanted), BATCH):
                files = [
                    [n, self._steps[n].source, self._offsets.get(n, 0), self._check]
                    for n in wanted[start : start + BATCH]
                ]
                batches.append(asyncio.create_task(source.ask("send", files=files)))
                if len(batches) > AHEAD:
                    await batches.pop(0)
            while batches:
                await batches.pop(0)
        finally:
            await settled(batches)

    def _tell(self) -> None:
        """That it came further: not for each of thousands."""
        now = time.monotonic()
        if now - self._told_at > TOLD_SECONDS:
            self._told_at = now
            self._on_change()

    # What the source says

    def _told(self, kind: bytes, index: int, value: Any) -> None:
        step = self._steps[index]
        if kind == b"B":
            size, mode, mtime = value
            self._begun.add(index)
            self.current = step.source
            offset = self._offsets.get(index, 0)
            asked = _asked(step) | {
                "size": size,
                "mode": mode,
                "mtime": mtime,
                "offset": offset,
                "token": step.token,
            }
            self._put(frame(b"B", index, asked))
        elif kind == b"H":
            if index not in self._failed:
                self._put(frame(b"H", index, value))
                self._count(index, value)
        elif kind == b"E":
            sum, changed = value
            if changed:
                self.changed.append(step.source)
            self._put(frame(b"E", index, [sum]))
        elif kind == b"F":
            if index in self._begun:
                self._put(frame(b"A", index))
            self._fail(index, self._source, value)

    def _data(self, index: int, data: memoryview) -> None:
        if index in self._failed:
            return
        self._out.append(HEAD.pack(b"D", index, len(data)))
        self._out.append(data)
        self._count(index, len(data))
        self._more(len(data))

    def _count(self, index: int, size: int) -> None:
        self.bytes_done += size
        self._counted[index] = self._counted.get(index, 0) + size

    def _put(self, data: bytes) -> None:
        self._out.append(data)
        self._more(len(data))

    def _more(self, size: int) -> None:
        self._out_size += size
        if self._out_size > COALESCED:
            self._flush()
        elif not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush_later)

    def _flush_later(self) -> None:
        self._flushing = False
        self._flush()

    def _flush(self) -> None:
        if self._out:
            held, self._out, self._out_size = self._out, [], 0
            self._target.pipe.write(b"".join(held))
            if self._target.pipe.full:
                self._source.pause()
            self._tell()

    # What the target says

    def _answered(self, kind: bytes, index: int, value: Any) -> None:
        step = self._steps[index]
        if kind == b"F":
            self._fail(index, self._target, value)
            if value[0] in FULL:
                what = f"{legible(step.target)} did not fit"
                self._stop(explained(OSError(*value), what, self._target.label))
        elif step.act is not Act.FOLDER:
            self.finished.add(step.target)
            self._counted.pop(index, None)
            self.files_done += 1
            self._tell()

    def _fail(self, index: int, where: FileSystem, value: Any) -> None:
        if index in self._failed:
            return
        self._failed.add(index)
        step = self._steps[index]
        self.bytes_done -= self._counted.pop(index, 0)
        if value[0] == errno.ESTALE and index in self._offsets:
            self.stale.append(step.target)
            return
        if step.target.startswith(self._without):
            return
        path = step.source if where is self._source else step.target
        why = f"{lower(value[1])} ({where.label})"
        if step.act is Act.FOLDER and where is self._target:
            self._without += (f"{step.target}/",)
            why = f"{why}, and so nothing that is in it was copied"
        self.problems.append(Problem(path, why))
        self._on_change()


async def settled(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """End them; what they failed with is not told."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def lower(why: str) -> str:
    """The system's words in the middle of a sentence."""
    return why[:1].lower() + why[1:]


def _asked(step: Step) -> dict[str, Any]:
    facts = step.facts
    return {
        "path": step.target,
        "mode": facts.mode,
        "mtime": facts.mtime,
        "target": facts.target,
        "set": not step.keep,
    }
