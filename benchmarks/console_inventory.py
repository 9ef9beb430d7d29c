"""The console on many regions: `python -m benchmarks.console_inventory [--quick]`.

38 regions, 2,000 instances, 80 ms before each reply. Each figure is a fresh process on a pty of
160x50: the first start of all (botocore's model is cut to size and kept), one without the rows of
an earlier run, and one with them; an empty Textual app of the same round is the peer. Times are
seconds since the program was started.
"""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import signal
import statistics
import struct
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Mapping
from fcntl import ioctl
from pathlib import Path

from benchmarks.replay import Replay, spread
from benchmarks.start import HELLO

ROUNDS = 5
COLUMNS, LINES = 160, 50
INSTANCES, LATENCY = 2_000, 0.08
BARS = {"first screen": 0.5, "home rows": 0.8, "complete": 2.5, "MB": 120.0}
ROW = re.compile(rb"(bert|gpt|worker|notebook)-\d{5}")
CONSOLE = [sys.executable, "-m", "cloudtui", "--region", "all"]


class Screen:
    """A program on a pty; `until` gives the seconds since its start."""

    def __init__(self, command: list[str], environment: Mapping[str, str]) -> None:
        self._seen = b""
        self._began = time.perf_counter()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], command, {**environment, "TERM": "xterm-256color"})
        ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))

    def until(self, wanted: re.Pattern[bytes], seconds: float = 30.0) -> float:
        end = time.perf_counter() + seconds
        while not wanted.search(self._seen):
            if not select.select([self._fd], [], [], max(0.0, end - time.perf_counter()))[0]:
                raise TimeoutError(f"{wanted.pattern!r} never came: {self._seen[-600:]!r}")
            self._seen += os.read(self._fd, 1 << 16)
        return time.perf_counter() - self._began

    @property
    def megabytes(self) -> float:
        """The most memory it had."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) / 1000

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


def console(environment: Mapping[str, str]) -> dict[str, float]:
    """The figures of one start."""
    screen = Screen(CONSOLE, environment)
    try:
        found = {"first screen": screen.until(re.compile(rb"1 Machines"))}
        found["home rows"] = screen.until(ROW)
        found["complete"] = screen.until(re.compile(rb"updated"))
        found["MB"] = screen.megabytes
        return found
    finally:
        screen.end()


def hello(environment: Mapping[str, str]) -> float:
    screen = Screen([sys.executable, "-c", HELLO], environment)
    try:
        return screen.until(re.compile(rb"hello there"))
    finally:
        screen.end()


def measure(rounds: int) -> tuple[dict[tuple[str, str], list[float]], list[float]]:
    """Every figure `rounds` times, in turn; and those of the empty app."""
    figures: dict[tuple[str, str], list[float]] = {}
    empty: list[float] = []
    with Replay(spread(INSTANCES), latency=LATENCY) as replay:
        for number in range(rounds + 1):
            with tempfile.TemporaryDirectory() as home:
                environment = replay.environment(Path(home))
                for start in ("first ever", "cold", "snapshot"):
                    if start == "cold":
                        shutil.rmtree(Path(home) / ".cache/cloudtui/instances")
                    for name, value in console(environment).items():
                        if number:  # the first one warms the disk
                            figures.setdefault((start, name), []).append(value)
                if number:
                    empty.append(hello(environment))
    return figures, empty


def main(quick: bool = False, say: Callable[[str], None] = print) -> bool:
    """Print the table; whether every bar holds for the medians."""
    figures, empty = measure(2 if quick else ROUNDS)
    say(f"{'console, 38 regions, 2,000 instances, 80 ms':<46}{'median':>8}{'max':>8}{'bar':>8}")
    say(f"{'an empty Textual app: first screen':<46}{statistics.median(empty):>8.2f}")
    good = True
    for (start, name), values in figures.items():
        median = statistics.median(values)
        good = good and median <= BARS[name]
        words = f"{start}: {name}"
        say(f"{words:<46}{median:>8.2f}{max(values):>8.2f}{BARS[name]:>8.1f}")
    return good


if __name__ == "__main__":
    sys.exit(0 if main("--quick" in sys.argv) else 1)
