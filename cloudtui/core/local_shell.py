"""A shell of this computer on a pseudo-terminal."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import struct
import subprocess
import termios

from cloudtui.core.attachment import AttachmentEnd, OnData
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.session import Ending

READ = 65_536
_OUTER = ("TMUX", "TMUX_PANE", "STY", "WINDOW", "COLUMNS", "LINES")
"""Variables of the terminal around the console, which mean nothing inside a pane."""

_START = 'exec <"$1" >"$1" 2>&1; exec "$2" -l'
# sh leads a new session, so the terminal it opens first becomes its own.


class LocalShell:
    """The user's login shell; leaving hangs it up, as closing a terminal window does."""

    def __init__(self, master: int, process: subprocess.Popen[bytes], on_data: OnData) -> None:
        self._master = master
        self._process = process
        self._on_data = on_data
        self._loop = asyncio.get_running_loop()
        self._out = b""
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_reader(master, self._read)

    @classmethod
    async def open(cls, columns: int, rows: int, on_data: OnData) -> LocalShell:
        """Raises CloudtuiError when the computer gives no terminal or no shell."""
        shell = os.environ.get("SHELL") or "/bin/sh"
        env = {name: value for name, value in os.environ.items() if name not in _OUTER}
        env |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
        try:
            master, slave = os.openpty()
        except OSError as error:
            raise CloudtuiError(f"No terminal for a shell here: {error.strerror}.") from error
        try:
            _set_size(master, columns, rows)
            os.set_blocking(master, False)
            process = subprocess.Popen(  # noqa: ASYNC220
                ["/bin/sh", "-c", _START, "sh", os.ttyname(slave), shell],
                stdin=slave,
                stdout=slave,
                stderr=slave,
                env=env,
                start_new_session=True,
            )
        except OSError as error:
            os.close(master)
            raise CloudtuiError(f"No shell starts here: {error.strerror}.") from error
        finally:
            os.close(slave)
        return cls(master, process, on_data)

    def write(self, data: bytes) -> None:
        self._out += data
        self._flush()

    def resize(self, columns: int, rows: int) -> None:
        if not self._over.done():
            _set_size(self._master, columns, rows)

    def pause(self) -> None:
        if not self._over.done():
            self._loop.remove_reader(self._master)

    def resume(self) -> None:
        if not self._over.done():
            self._loop.add_reader(self._master, self._read)

    async def wait(self) -> AttachmentEnd:
        """Returns when the shell and all that held its terminal are gone."""
        await asyncio.shield(self._over)
        status = await asyncio.to_thread(self._process.wait)
        words = f" with exit status {status}" if status else ""
        return AttachmentEnd(Ending.ENDED, f"The shell here has ended{words}.", status)

    async def close(self) -> None:
        """Close the terminal: the kernel hangs the shell up, and it has 2 s to end."""
        self._finish()
        await asyncio.to_thread(self._reap)

    def _reap(self) -> None:
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _read(self) -> None:
        try:
            data = os.read(self._master, READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""  # EIO: nobody holds the terminal any more
        if data:
            self._on_data(data)
        else:
            self._finish()

    def _flush(self) -> None:
        while self._out and not self._over.done():
            try:
                sent = os.write(self._master, self._out)
            except BlockingIOError:
                self._loop.add_writer(self._master, self._flush)
                return
            except OSError:
                break
            self._out = self._out[sent:]
        self._out = b""
        if not self._over.done():
            self._loop.remove_writer(self._master)

    def _finish(self) -> None:
        if not self._over.done():
            self._loop.remove_reader(self._master)
            self._loop.remove_writer(self._master)
            os.close(self._master)
            self._over.set_result(None)


def _set_size(descriptor: int, columns: int, rows: int) -> None:
    with contextlib.suppress(OSError):
        fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
