"""From the key press to something on the screen: `python -m benchmarks.start`.

Each figure is a fresh process on a pty, read until the words are on the screen; the peer of the
same round is an empty Textual app, and for --help an empty Python.
"""

from __future__ import annotations

import os
import pty
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROUNDS = 7
HELLO = (
    "from textual.app import App\nfrom textual.widgets import Static\n"
    "class Hello(App):\n    def compose(self):\n        yield Static('hello there')\n"
    "Hello().run()"
)
CLOUDTUI = [sys.executable, "-m", "cloudtui"]


class Screen:
    """A program on a pty of 120x34; `until` gives the seconds since its start."""

    def __init__(self, command: list[str], home: Path) -> None:
        self._seen = b""
        environment = os.environ | {
            "TERM": "xterm-256color",
            "COLUMNS": "120",
            "LINES": "34",
            "HOME": str(home),
            "XDG_STATE_HOME": str(home / "state"),
        }
        self._began = time.perf_counter()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], command, environment)

    def until(self, *words: bytes, seconds: float = 60.0) -> float:
        deadline = time.perf_counter() + seconds
        while not all(word in self._seen for word in words):
            left = deadline - time.perf_counter()
            if left <= 0 or not select.select([self._fd], [], [], left)[0]:
                raise TimeoutError(f"{words} never came: {self._seen[-400:]!r}")
            self._seen += os.read(self._fd, 1 << 16)
        return time.perf_counter() - self._began

    def end(self) -> None:
        os.kill(self.pid, signal.SIGTERM)
        while True:
            try:
                if not os.read(self._fd, 1 << 16):
                    break
            except OSError:
                break
        os.waitpid(self.pid, 0)
        os.close(self._fd)


def seconds_of(command: list[str]) -> float:
    """Wall seconds of a whole process."""
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def without_bytecode() -> None:
    """Make the next start a first one: no compiled modules of ours."""
    for folder in Path(__file__).parent.parent.joinpath("cloudtui").rglob("__pycache__"):
        for file in folder.glob("*.pyc"):
            file.unlink()


def demo(home: Path, *, cold: bool) -> tuple[float, float]:
    """Seconds to the first paint and to the whole table of the demo."""
    if cold:
        without_bytecode()
    screen = Screen([*CLOUDTUI, "demo"], home)
    try:
        first = screen.until(b"Listing")
        return first, screen.until(b"bert-gpu", b"spot-trainer", b"paper-eu", b"updated")
    finally:
        screen.end()


def hello(home: Path) -> float:
    screen = Screen([sys.executable, "-c", HELLO], home)
    try:
        return screen.until(b"hello there")
    finally:
        screen.end()


def measure(rounds: int) -> dict[str, list[float]]:
    """Every figure `rounds` times, in turn."""
    figures: dict[str, list[float]] = {}

    def add(name: str, value: float) -> None:
        figures.setdefault(name, []).append(value)

    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        first, table = demo(home, cold=True)
        add("demo, cold: first paint", first)
        add("demo, cold: whole table", table)
        for _ in range(rounds):
            add("empty Textual app: first paint", hello(home))
            first, table = demo(home, cold=False)
            add("demo, warm: first paint", first)
            add("demo, warm: whole table", table)
            add("python -c pass", seconds_of([sys.executable, "-c", "pass"]))
            add("cloudtui --help", seconds_of([*CLOUDTUI, "--help"]))
    return figures


def main(rounds: int = ROUNDS, say: Callable[[str], None] = print) -> None:
    """Print the table."""
    figures = measure(rounds)
    paint = statistics.median(figures["empty Textual app: first paint"])
    python = statistics.median(figures["python -c pass"])
    say(f"{'start':<34}{'median s':>9}{'min':>8}{'max':>8}{'ratio':>8}")
    for name, values in figures.items():
        median = statistics.median(values)
        ratio = median / (python if name in ("python -c pass", "cloudtui --help") else paint)
        say(f"{name:<34}{median:>9.3f}{min(values):>8.3f}{max(values):>8.3f}{ratio:>8.2f}")


if __name__ == "__main__":
    main()
