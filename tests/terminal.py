"""A real terminal for the installed program: a tmux server of its own, read and typed into."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

PATIENCE = 25.0
"""Seconds until what was waited for counts as never coming."""


class Terminal:
    """One window of a tmux server; `run` starts a program in it."""

    def __init__(self, folder: Path, columns: int = 120, rows: int = 34) -> None:
        self._folder = folder
        self._runs = 0
        self.columns, self.rows = columns, rows

    @property
    def _socket(self) -> Path:
        return self._folder / f"tmux{self._runs}"

    def tmux(self, *words: str) -> str:
        return subprocess.run(
            ["tmux", "-u", "-S", str(self._socket), "-f", "/dev/null", *words],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"LC_ALL": "C.UTF-8"},
        ).stdout

    def run(self, command: str) -> None:
        """Start `sh -c command` in a shell that stays, and prints `left:STATUS` after it."""
        self._runs += 1
        inside = f"{command}; echo left:$?; exec cat"
        self.tmux(
            "new-session",
            "-d",
            "-x",
            str(self.columns),
            "-y",
            str(self.rows),
            f"sh -c {shlex.quote(inside)}",
        )

    def cloudtui(self, *words: str) -> None:
        self.run(shlex.join([sys.executable, "-m", "cloudtui", *words]))

    def type(self, *keys: str) -> None:
        """tmux key names (Enter, C-c, C-], Escape) or text, sent one after the other."""
        self.tmux("send-keys", *keys)

    @property
    def screen(self) -> str:
        return self.tmux("capture-pane", "-p")

    def shows(self, text: str, *, gone: bool = False, times: int = 1) -> str:
        """Wait until the text is on the screen so often (or gone from it); the screen."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            screen = self.screen
            if (screen.count(text) >= times) is not gone:
                return screen
            time.sleep(0.03)
        raise AssertionError(f"{text!r} {'stayed' if gone else 'never came'}:\n{self.screen}")

    def flag(self, name: str) -> str:
        """A tmux format variable of the pane, such as alternate_on or mouse_any_flag."""
        return self.tmux("display-message", "-p", f"#{{{name}}}").strip()

    @property
    def child(self) -> int:
        """The process that `run` started first, the shell around the program."""
        return int(self.flag("pane_pid"))

    def close(self) -> None:
        """End every window that was opened, and what runs in it."""
        for socket in self._folder.glob("tmux*"):
            subprocess.run(
                ["tmux", "-S", str(socket), "kill-server"], capture_output=True, check=False
            )


@pytest.fixture
def terminal(short_tmp: Path) -> Iterator[Terminal]:
    made = Terminal(short_tmp)
    yield made
    made.close()
