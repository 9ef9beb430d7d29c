"""A local program on a pseudo terminal, in the shape of a pane's channel."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cloudtui.model.session import Ending

READ = 65_536


@dataclass(frozen=True)
class End:
    ending: Ending
    sentence: str


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {
        **kept,
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "LANG": "C.UTF-8",
        "PS1": "$ ",
        "INPUTRC": "/dev/null",
        **(extra or {}),
    }


class LocalPty:
    """Use `opener` to make one for a pane; `pauses` counts how often it was asked to pause."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        self.argv = list(argv)
        self.env = environment(env)
        self.pauses = 0
        self.written = bytearray()
        self.sizes: list[tuple[int, int]] = []
        self._ended: asyncio.Future[None]

    async def open(self, columns: int, rows: int, on_data: Callable[[bytes], None]) -> LocalPty:
        self._on_data = on_data
        self._fd, child = pty.openpty()
        self._set_size(columns, rows)
        self._process = subprocess.Popen(  # noqa: ASYNC220
            self.argv,
            stdin=child,
            stdout=child,
            stderr=child,
            env=self.env,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(child)
        os.set_blocking(self._fd, False)
        self._loop = asyncio.get_running_loop()
        self._ended = self._loop.create_future()
        self._out = b""
        self._loop.add_reader(self._fd, self._read)
        return self

    def write(self, data: bytes) -> None:
        self.written += data
        self._out += data
        self._flush()

    def resize(self, columns: int, rows: int) -> None:
        self._set_size(columns, rows)

    def pause(self) -> None:
        self.pauses += 1
        self._loop.remove_reader(self._fd)

    def resume(self) -> None:
        if not self._ended.done():
            self._loop.add_reader(self._fd, self._read)

    async def wait(self) -> End:
        await asyncio.shield(self._ended)
        await asyncio.to_thread(self._process.wait)
        return End(Ending.ENDED, f"{self.argv[0]} ended")

    async def close(self) -> None:
        self._finish()
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        await asyncio.to_thread(self._process.wait)

    def _set_size(self, columns: int, rows: int) -> None:
        self.sizes.append((columns, rows))
        with contextlib.suppress(OSError):
            fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def _read(self) -> None:
        try:
            data = os.read(self._fd, READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._on_data(data)
        else:
            self._finish()

    def _flush(self) -> None:
        while self._out and not self._ended.done():
            try:
                sent = os.write(self._fd, self._out)
            except BlockingIOError:
                self._loop.add_writer(self._fd, self._flush)
                return
            except OSError:
                return
            self._out = self._out[sent:]
        if not self._ended.done():
            self._loop.remove_writer(self._fd)

    def _finish(self) -> None:
        if not self._ended.done():
            self._loop.remove_reader(self._fd)
            self._loop.remove_writer(self._fd)
            os.close(self._fd)
            self._ended.set_result(None)
