"""logs: what a run printed, byte for byte, and what it prints until it ends."""

from __future__ import annotations

import argparse
import asyncio
import shlex
import sys
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any, TypeVar

from cloudtui.cli import output
from cloudtui.cli.away import machine
from cloudtui.core.workbench import Workbench
from cloudtui.model.errors import CloudtuiError, NotFound
from cloudtui.model.instance import Instance, resolve
from cloudtui.model.job import Job
from cloudtui.model.words import duration

T = TypeVar("T")
Opened = Callable[..., AbstractAsyncContextManager[Workbench]]


async def perform(opened: Opened, words: argparse.Namespace) -> int:
    """The exit code of `cloudtui logs`.

    Raises:
        CloudtuiError: the log cannot be had.
    """
    async with opened(words) as bench:
        instance, name = await named(bench, words.name, words.job)
        job = await chosen(bench, instance, name)
        if words.follow and not job.state.over:
            await told(bench, instance, job, words.lines)
            return 0
        await _printing(
            lambda printed: bench.jobs.read(instance, job, lines=words.lines, on_bytes=printed)
        )
        _ended(job, instance)
    return 0


async def named(bench: Workbench, text: str, job: str) -> tuple[Instance, str]:
    """Instance and run of NAME RUN, or of NAME:RUN; a Name tag may hold colons itself."""
    name, colon, rest = text.rpartition(":")
    if job or not colon:
        return await machine(bench, text), job
    await bench.inventory.load()
    try:
        return resolve(text, bench.inventory.state.instances), ""
    except NotFound:
        return await machine(bench, name), rest


async def chosen(bench: Workbench, instance: Instance, name: str) -> Job:
    """The run of that name, or the newest of those with a log."""
    if name:
        return await bench.jobs.find(instance, name)
    state = await bench.jobs.list(instance)
    if state.error:
        away = await bench.last_seen.of(instance)
        if away:
            return await bench.jobs.find(instance, away.jobs[0].id)  # says so
        raise state.error
    newest = next((job for job in state.jobs if not job.by_hand), None)
    return newest or await bench.jobs.find(instance, name)


async def told(
    bench: Workbench, instance: Instance, job: Job, lines: int | None, *, quiet: bool = False
) -> Job:
    """Print the log until the run is over, and tell how it ended; how it did."""

    def trouble(error: CloudtuiError | None) -> None:
        _end_line()
        bench.inventory.start()  # it may be stopping, or have another address by now
        output.narrate(f"{error.title} Connecting again …" if error else "Connected again.")

    try:
        ended = await _printing(
            lambda printed: bench.jobs.follow(
                instance, job, lines=lines, on_bytes=printed, on_trouble=trouble
            ),
            quiet=quiet,
        )
    except asyncio.CancelledError:
        output.narrate(
            f"\n{job.id} on {instance.spoken} goes on. Again: cloudtui logs "
            f"{shlex.quote(instance.spoken)} {shlex.quote(job.id)} -f"
        )
        raise
    _ended(ended, instance)
    return ended


async def _printing(
    reading: Callable[[Callable[[bytes], None]], Coroutine[Any, Any, T]], *, quiet: bool = False
) -> T:
    """Print what `reading` is told, to its end, or until nobody takes what is printed."""
    gone: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    def printed(data: bytes) -> None:
        if quiet or gone.done():
            return
        try:
            _printed(data)
        except (OSError, CloudtuiError) as error:
            gone.set_result(error)

    task = asyncio.create_task(reading(printed))
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if gone.done():
            raise gone.result()
        return task.result()
    finally:
        task.cancel()


def _ended(job: Job, instance: Instance) -> None:
    if job.missing:
        _end_line()
        output.narrate(f"{job.id} on {instance.spoken}: {job.lost_words}")
    if not job.state.over:
        return
    _end_line()
    elapsed = job.elapsed(datetime.now(UTC))
    after = f" after {duration(elapsed.total_seconds())}" if elapsed is not None else ""
    output.narrate(f"{job.id} on {instance.spoken}: {job.words}{after}.")


_within_line: list[bool] = [False]
"""Whether what was printed last ended within a line, as a progress bar does."""


def _end_line() -> None:
    """Let what is told on a terminal begin a line of its own; the log elsewhere stays as it is."""
    if _within_line[0] and sys.stdout.isatty() and sys.stderr.isatty():
        output.narrate("")
    _within_line[0] = False


def _printed(data: bytes) -> None:
    stream = sys.stdout.buffer
    if data:
        _within_line[0] = not data.endswith(b"\n")
    try:
        stream.write(data)
        stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise output.unwritten(error) from error
