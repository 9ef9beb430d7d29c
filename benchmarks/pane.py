"""A pane against tmux in the same run and size: `python -m benchmarks.pane`.

Both run as whole programs on a pseudo terminal of 80x24; the clock stops when what was waited
for is on that terminal. Ratios are pane / tmux.
"""

from __future__ import annotations

import contextlib
import os
import pty
import select
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Sequence
from fcntl import ioctl
from pathlib import Path
from time import perf_counter

COLUMNS, ROWS = 80, 24
SHELL = ["bash", "--norc", "--noprofile", "-i"]
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": os.environ.get("HOME", "/"),
    "TERM": "xterm-256color",
    "COLORTERM": "truecolor",
    "LANG": "C.UTF-8",
    "PS1": "$ ",
    "PROMPT_COMMAND": "",
    "ESCDELAY": "20",
    "TEXTUAL_FPS": "120",
}


class Outside:
    """A program as a person's terminal sees it."""

    def __init__(self, argv: Sequence[str], extra: dict[str, str] | None = None) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe(argv[0], list(argv), {**ENVIRONMENT, **(extra or {})})
        ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.seen = b""

    def type(self, text: bytes) -> None:
        self.seen = b""
        os.write(self.fd, text)

    def until(self, text: bytes, seconds: float = 60.0) -> float:
        """Read until `text` was drawn; the moment it was."""
        end = perf_counter() + seconds
        while text not in self.seen:
            if not select.select([self.fd], [], [], max(0.0, end - perf_counter()))[0]:
                raise TimeoutError(f"{text!r} was not drawn; last: {self.seen[-300:]!r}")
            self.seen = self.seen[-4096:] + os.read(self.fd, 65_536)
        return perf_counter()

    def quiet(self, seconds: float = 0.3) -> None:
        """Read until nothing more comes, or the program is gone."""
        with contextlib.suppress(OSError):
            while select.select([self.fd], [], [], seconds)[0]:
                os.read(self.fd, 65_536)

    def close(self) -> None:
        os.kill(self.pid, signal.SIGTERM)
        self.quiet(0.5)
        os.close(self.fd)
        os.waitpid(self.pid, 0)


def timed(outside: Outside, command: str, number: int) -> float:
    """Seconds from Enter until what follows the command is drawn."""
    outside.type(f"clear; {command}; echo D''ONE{number}".encode())
    outside.quiet()
    begin = perf_counter()
    outside.type(b"\r")
    took = outside.until(b"DONE%d" % number) - begin
    outside.quiet()
    return took


def echo(outside: Outside, presses: int) -> list[float]:
    """Seconds from a key to its echo, in a program that does nothing else."""
    outside.type(b"cat\r")
    outside.quiet()
    found = []
    for number in range(presses):
        letter = b"abcdefghijklmnopqrstuvwxyz"[number % 26 : number % 26 + 1]
        begin = perf_counter()
        outside.type(letter)
        found.append(outside.until(letter, 5) - begin)
        if number % 40 == 39:
            outside.type(b"\r")
            outside.quiet(0.1)
        select.select([], [], [], 0.02)
    outside.type(b"\x03")
    outside.quiet()
    return found


def interrupt(outside: Outside) -> float:
    """Seconds from Ctrl-C in a flood until the shell answers the next command."""
    outside.type(b"yes\r")
    outside.until(b"y")
    end = perf_counter() + 1
    while perf_counter() < end:
        if select.select([outside.fd], [], [], 0.05)[0]:
            os.read(outside.fd, 65_536)
    begin = perf_counter()
    outside.type(b"\x03")
    took = outside.until(b"^C") - begin
    outside.quiet()
    return took


def quantile95(found: list[float]) -> float:
    return statistics.quantiles(found, n=20)[-1]


def show(name: str, pane: float, tmux: float, unit: str, scale: float) -> None:
    ratio = pane / tmux
    print(f"{name:<42} {pane * scale:9.2f} {tmux * scale:9.2f} {unit:<3} {ratio:6.2f}x")


def compare(rounds: int = 3) -> None:
    folder = Path(tempfile.mkdtemp(prefix="ct"))
    lags = folder / "lag"
    dense = folder / "dense"
    with dense.open("w") as out:
        for line in range(20_000):
            cells = (f"\x1b[38;5;{(line + i) % 256}mword{i}" for i in range(10))
            out.write("".join(cells) + "\x1b[0m\n")
    tmux_base = ["tmux", "-u", "-S", str(folder / "s"), "-f", "/dev/null"]
    tmux = Outside([*tmux_base, "new", *SHELL, ";", "set", "status", "off"])
    pane = Outside([sys.executable, "-m", "benchmarks.pane", "--inside", str(lags)])
    try:
        for each in (tmux, pane):
            each.until(b"$", 20)
            each.quiet(1)
        print(f"{'':<42} {'pane':>9} {'tmux':>9}")
        lags.write_text("0")
        for name, command in (
            ("seq 1 1000000 until the next output", "seq 1 1000000"),
            ("cat of 20,000 dense colour lines", f"cat {dense}"),
        ):
            pairs = [
                (timed(pane, command, i), timed(tmux, command, i)) for i in range(100, 100 + rounds)
            ]
            ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
            show(name, ours, theirs, "s", 1)
        lag = max(float(word) for word in lags.read_text().split())
        ours_echo, theirs_echo = echo(pane, 200), echo(tmux, 200)
        median, slow = statistics.median(ours_echo), quantile95(ours_echo)
        show("key to paint, median", median, statistics.median(theirs_echo), "ms", 1000)
        show("key to paint, p95", slow, quantile95(theirs_echo), "ms", 1000)
        print(f"{'key to paint, p95 / own median':<42} {slow / median:9.2f}")
        stops = [(interrupt(pane), interrupt(tmux)) for _ in range(rounds)]
        ours, theirs = (statistics.median(column) for column in zip(*stops, strict=True))
        show("Ctrl-C out of a flood", ours, theirs, "ms", 1000)
        print(f"{'longest event-loop stall in the floods':<42} {lag * 1000:9.2f}           ms")
    finally:
        pane.close()
        tmux.close()
        subprocess.run([*tmux_base, "kill-server"], capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


def inside(lags: Path) -> None:
    """The program measured: an app with one pane on a local shell, noting its own stalls."""
    from textual.app import App, ComposeResult

    from cloudtui.ui.widgets.pane import Pane
    from tests.vt.local_pty import LocalPty

    class Bench(App[None]):
        ENABLE_COMMAND_PALETTE = False

        def compose(self) -> ComposeResult:
            yield Pane(LocalPty(SHELL).open)

        def on_mount(self) -> None:
            self.query_one(Pane).focus()
            self.last = perf_counter()
            self.worst = 0.0
            self.set_timer(1.5, self.begin)

        def begin(self) -> None:
            self.last = perf_counter()
            self.set_interval(0.005, self.tick)
            self.set_interval(0.25, self.note)

        def tick(self) -> None:
            now = perf_counter()
            self.worst = max(self.worst, now - self.last - 0.005)
            self.last = now

        def note(self) -> None:
            with lags.open("a") as out:
                out.write(f"{self.worst:.6f}\n")
            self.worst = 0.0

    Bench().run()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        inside(Path(sys.argv[2]))
    else:
        compare()
