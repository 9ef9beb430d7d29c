"""Programs run on this computer, ended with all they began."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import Process
from typing import Any


async def begin(*argv: str, **options: Any) -> Process:
    """Start it in a session of its own; `options` are those of `asyncio.create_subprocess_exec`.

    Cancelled meanwhile, it is ended as by `end`.

    Raises:
        OSError: it cannot be started.
    """
    # In a task that is not cancelled: asyncio would kill it alone, and wait for all it began.
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(*argv, start_new_session=True, **options)
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        while not starting.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([starting])
        if not starting.cancelled() and not starting.exception():
            await end(starting.result())
        raise


async def said(
    process: Process, data: bytes | None = None, *, seconds: float
) -> tuple[bytes, bytes]:
    """What it prints on stdout and stderr until its end, after `data` on its stdin.

    When it is late or not waited for any more, it is ended first.

    Raises:
        TimeoutError: it had not ended in time, or what it left behind still holds its output.
    """
    try:
        async with asyncio.timeout(seconds):
            return await process.communicate(data)
    finally:
        await end(process)


async def end(process: Process) -> None:
    """Kill it and its process group if it runs; over when it is, however often cancelled.

    One that has become another user's, as with sudo, is left to end when nobody listens.
    """
    ours = True
    if process.returncode is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        except PermissionError:
            ours = False
    # Else `wait` waits for every program that holds its pipes, in another session too. To close
    # the process's own transport would take its exit status from who waits for it.
    transport: asyncio.SubprocessTransport = process._transport  # type: ignore[attr-defined]
    for fd in range(3):
        if pipe := transport.get_pipe_transport(fd):
            pipe.close()
    cancelled = False
    while ours:
        # Not in a task: the end of the loop cancels all of them.
        try:
            await process.wait()
            break
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        raise asyncio.CancelledError
