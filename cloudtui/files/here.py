"""The files of this computer, through the same program that shows those of a host: it is a process
of its own, so that a slow disk holds nothing up."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from typing import cast

from cloudtui.host import files
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.frames import PipeEnds

HIGH_WATER = 1 << 20
"""Bytes that wait for the program before it counts as full."""


class LocalPipe(asyncio.SubprocessProtocol):
    """A `model.frames.Pipe` to a child process."""

    def __init__(self, ends: PipeEnds) -> None:
        self._ends = ends
        self._full = self._closing = self._gone = False
        self._words = b""
        self._left: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._process: asyncio.SubprocessTransport | None = None
        self._stdin: asyncio.WriteTransport | None = None
        self._stdout: asyncio.ReadTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._process = cast("asyncio.SubprocessTransport", transport)
        self._stdin = cast("asyncio.WriteTransport", self._process.get_pipe_transport(0))
        self._stdin.set_write_buffer_limits(HIGH_WATER)
        self._stdout = cast("asyncio.ReadTransport", self._process.get_pipe_transport(1))

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == 1:
            self._ends.came(data)
        else:
            self._words = (self._words + data)[-2000:]

    def process_exited(self) -> None:
        self._gone = True

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone = True
        if not self._left.done():
            self._left.set_result(None)
        if not self._closing:
            told = self._words.decode(errors="replace").strip().splitlines()
            self._ends.ended(
                CloudtuiError(
                    "The program that reads and writes files here has ended.",
                    told[-1] if told else "",
                )
            )

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self._ends.room()

    @property
    def full(self) -> bool:
        return self._full

    def write(self, data: bytes) -> None:
        if self._stdin and not self._gone:
            self._stdin.write(data)

    def pause(self) -> None:
        if self._stdout and not self._gone and not self._stdout.is_closing():
            self._stdout.pause_reading()

    def resume(self) -> None:
        if self._stdout and not self._gone and not self._stdout.is_closing():
            self._stdout.resume_reading()

    async def close(self) -> None:
        self._closing = True
        if self._process and not self._left.done():
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2):
                    await asyncio.shield(self._left)
            self._process.close()


async def start(ends: PipeEnds) -> LocalPipe:
    """Start the program here.

    Raises:
        CloudtuiError: no process can be started.
    """
    loop = asyncio.get_running_loop()
    try:
        _, pipe = await loop.subprocess_exec(
            lambda: LocalPipe(ends),
            sys.executable,
            "-I",
            "-S",
            "-c",
            files.start(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except OSError as error:
        raise CloudtuiError("No process can be started here.", str(error)) from error
    pipe.write(files.program())
    return pipe
