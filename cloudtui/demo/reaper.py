"""Starting programs and hearing of their end, orphans of theirs included."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

Ended = Callable[[int], None]
"""Called in the event loop with the exit status, negative for a signal's number."""


class Reaper:
    """The one place of this process that waits for children."""

    def __init__(self) -> None:
        self._waiting: dict[int, Ended] = {}

    def begin(self) -> None:
        """Listen for ended children; in the event loop of the main thread."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self.reap)

    def start(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        fds: tuple[int, int, int],
        ended: Ended,
    ) -> int:
        """Start a program in a session of its own and return its id.

        Raises:
            OSError: it cannot be started.
        """
        child = subprocess.Popen(
            argv,
            env=env,
            cwd=cwd,
            stdin=fds[0],
            stdout=fds[1],
            stderr=fds[2],
            start_new_session=True,
            umask=0o022,
        )
        # Popen must not wait for it a second time.
        child.returncode = 0
        self._waiting[child.pid] = ended
        return child.pid

    async def run(
        self, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, timeout: float = 10.0
    ) -> int | None:
        """Run a program to its end without input or output; None when it took too long."""
        status: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def ended(code: int) -> None:
            if not status.done():
                status.set_result(code)

        null = subprocess.DEVNULL
        pid = self.start(argv, env=env, cwd=cwd, fds=(null, null, null), ended=ended)
        try:
            return await asyncio.wait_for(status, timeout)
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            return None

    def reap(self) -> None:
        """Collect every ended child."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            ended = self._waiting.pop(pid, None)
            if ended:
                ended(os.waitstatus_to_exitcode(status))
