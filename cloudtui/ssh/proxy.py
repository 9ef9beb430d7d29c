"""A ProxyCommand: a local program whose standard input and output lead to the SSH server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import tempfile

from cloudtui.ssh.child import begin, end


class Proxy:
    """The running command. It reads and writes one end of a socket pair; `sock` is the other.

    Its stderr is kept aside: it says why a tunnel failed and is no part of the stream.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._words = tempfile.TemporaryFile()  # noqa: SIM115
        self._process: asyncio.subprocess.Process | None = None

    @staticmethod
    async def start(command: str) -> Proxy:
        """Run the command with `sh -c`, in a process group of its own."""
        ours, theirs = socket.socketpair()
        proxy = Proxy(ours)
        with theirs:
            proxy._process = await begin(
                *("sh", "-c", command),
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=proxy._words,
            )
        return proxy

    def last_words(self) -> str:
        """The end of what it printed on stderr."""
        size = os.fstat(self._words.fileno()).st_size
        data = os.pread(self._words.fileno(), 4096, max(0, size - 4096))
        return "\n".join(data.decode(errors="replace").split("\n")[-6:]).strip()

    def kill(self) -> None:
        """End the whole process group, if it still runs."""
        if self._process and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def close(self) -> None:
        """Kill it, wait for it, let go of the socket unless a connection took it over."""
        self._words.close()
        self.sock.close()
        if self._process:
            await end(self._process)
