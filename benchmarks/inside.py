"""The program measured: an app with panes, noting how long its event loop stood still.

`python -m benchmarks.inside LAGS local|PORT|five`: one pane on a local shell, one on a shell over
SSH to the benchmark's own server, or five local ones of which four flood.
"""

from __future__ import annotations

import asyncio
import getpass
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from textual.app import App, ComposeResult

from benchmarks.outside import SHELL
from cloudtui.model.remote import Route
from cloudtui.model.session import Ending
from cloudtui.ssh.connect import connect
from cloudtui.ssh.connection import Connection
from cloudtui.ssh.terminal import Terminal
from cloudtui.ui.widgets.pane import Opener, Pane
from tests.ssh.conftest import Answers
from tests.vt.local_pty import End, LocalPty

_TICK = 0.005


class SshShell:
    """A shell over SSH in the shape of a pane's channel."""

    def __init__(self, connection: Connection, terminal: Terminal) -> None:
        self._connection = connection
        self.write, self.resize = terminal.write, terminal.resize
        self.pause, self.resume = terminal.pause, terminal.resume
        self._terminal = terminal

    async def wait(self) -> End:
        await self._terminal.wait()
        return End(Ending.ENDED, "It has ended.")

    async def close(self) -> None:
        await self._terminal.close()
        await self._connection.close()


def over_ssh(port: int, key: str, known_hosts: str) -> Opener:
    async def open(columns: int, rows: int, on_data: Callable[[bytes], None]) -> SshShell:
        route = Route(
            alias="loopback",
            host="127.0.0.1",
            port=port,
            user=getpass.getuser(),
            identity_files=(Path(key),),
            known_hosts=(Path(known_hosts),),
        )
        connection = await connect(route, Answers())
        words = f"env PS1='$ ' {shlex.join(SHELL)}"
        return SshShell(connection, await connection.terminal(words, columns, rows, on_data))

    return open


class Bench(App[None]):
    """Panes one above the other, the last with the focus."""

    ENABLE_COMMAND_PALETTE = False

    def __init__(self, lags: Path, panes: list[Pane]) -> None:
        super().__init__()
        self._lags, self._panes = lags, panes

    def compose(self) -> ComposeResult:
        yield from self._panes

    def on_mount(self) -> None:
        self._panes[-1].focus()
        self._worst = 0.0
        self.set_timer(1.5, self._begin)

    def _begin(self) -> None:
        self._due = perf_counter() + _TICK
        asyncio.get_running_loop().call_later(_TICK, self._tick)
        self.set_interval(0.1, self._note)

    def _tick(self) -> None:
        now = perf_counter()
        self._worst = max(self._worst, now - self._due)
        self._due = now + _TICK
        asyncio.get_running_loop().call_later(_TICK, self._tick)

    def _note(self) -> None:
        with self._lags.open("a") as out:
            out.write(f"{self._worst:.6f}\n")
        self._worst = 0.0


def run(words: list[str]) -> None:
    lags, what = Path(words[0]), words[1]
    if what == "five":
        flood = ["sh", "-c", "sleep 2; exec yes 0123456789012345678901234567890123456789"]
        panes = [Pane(LocalPty(flood).open) for _ in range(4)] + [Pane(LocalPty(SHELL).open)]
    elif what == "local":
        panes = [Pane(LocalPty(SHELL).open)]
    else:
        panes = [Pane(over_ssh(int(what), words[2], words[3]))]
    Bench(lags, panes).run()


if __name__ == "__main__":
    run(sys.argv[1:])
