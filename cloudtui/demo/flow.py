"""Bytes between a channel and a program's files, each side waiting for the other."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

_CHUNK = 64 * 1024
_BACKLOG = 256 * 1024
"""Bytes waiting for a program that does not read, before the client is told to hold back."""


class Inlet:
    """Bytes on their way into a program, kept while it does not read."""

    def __init__(self, fd: int, hold: Callable[[], None], go_on: Callable[[], None]) -> None:
        self._fd = fd
        self._waiting = bytearray()
        self._hold, self._go_on = hold, go_on
        self._holding = self._ending = False
        self._loop = asyncio.get_running_loop()

    def write(self, data: bytes) -> None:
        if self._fd < 0 or self._ending:
            return
        if not self._waiting:
            data = data[self._put(data) :]
            if data and self._fd >= 0:
                self._loop.add_writer(self._fd, self._flush)
        self._waiting += data
        if len(self._waiting) > _BACKLOG and not self._holding:
            self._holding = True
            self._hold()

    def end(self) -> None:
        """Close once all has been taken."""
        self._ending = True
        if not self._waiting:
            self.close()

    def close(self) -> None:
        if self._fd >= 0:
            self._loop.remove_writer(self._fd)
            os.close(self._fd)
            self._fd = -1
            self._waiting.clear()

    def _put(self, data: bytes | bytearray) -> int:
        try:
            return os.write(self._fd, data[:_CHUNK])
        except BlockingIOError:
            return 0
        except OSError:
            self.close()
            return len(data)

    def _flush(self) -> None:
        del self._waiting[: self._put(self._waiting)]
        if len(self._waiting) <= _BACKLOG // 2 and self._holding:
            self._holding = False
            self._go_on()
        if self._fd >= 0 and not self._waiting:
            self._loop.remove_writer(self._fd)
            if self._ending:
                self.close()


class Outlet:
    """Bytes out of a program into the channel, left in the program while the channel is full."""

    def __init__(self, fd: int, send: Callable[[bytes], None], ended: Callable[[], None]) -> None:
        self._fd = fd
        self._send, self._ended = send, ended
        self._loop = asyncio.get_running_loop()
        self.resume()

    @property
    def open(self) -> bool:
        return self._fd >= 0

    def pause(self) -> None:
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)

    def resume(self) -> None:
        if self._fd >= 0:
            self._loop.add_reader(self._fd, self._read)

    def close(self) -> None:
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _read(self) -> None:
        parts: list[bytes] = []
        size, over = 0, False
        while size < _CHUNK:
            try:
                data = os.read(self._fd, _CHUNK)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            if not data:
                over = True
                break
            parts.append(data)
            size += len(data)
        if parts:
            self._send(b"".join(parts))
        if over:
            self.close()
            self._ended()
