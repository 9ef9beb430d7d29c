"""A pane against tmux in the same run and size: `python -m benchmarks.pane [--quick]`.

Both run as whole programs on a pseudo terminal of 80x24; the clock stops when what was waited
for is on that terminal. Ratios are pane / tmux.
"""

from __future__ import annotations

import contextlib
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.outside import SHELL, Outside, echo, echo_beside, interrupt, quantile95, timed
from tests.sshd import Sshd

_SEQ = "seq 1 1000000"


class Report:
    """Lines of the table; `good` while every figure that must hold does."""

    def __init__(self) -> None:
        self.good = True

    def ratio(self, name: str, pane: float, tmux: float, unit: str, must: float | None) -> None:
        scale = 1000 if unit == "ms" else 1
        words = f"{pane * scale:9.2f} {tmux * scale:9.2f} {unit:<3}{pane / tmux:7.2f}x"
        self._line(name, words, pane / tmux, must)

    def alone(self, name: str, value: float, unit: str, must: float) -> None:
        self._line(name, f"{value:9.2f} {'':>9} {unit:<3}{'':>8}", value, must)

    def _line(self, name: str, words: str, value: float, must: float | None) -> None:
        verdict = ""
        if must is not None:
            held = value <= must
            self.good = self.good and held
            verdict = f"   must <= {must:g}{'' if held else '   NOT MET'}"
        print(f"{name:<44}{words}{verdict}", flush=True)


@contextlib.contextmanager
def outsides(*argv: list[str]) -> Iterator[list[Outside]]:
    found = [Outside(words) for words in argv]
    try:
        for each in found:
            each.until(b"$", 30)
        yield found
    finally:
        for each in found:
            each.close()


def inside(lags: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.inside", str(lags), *words]


def tmux_running(folder: Path, name: str, *words: str) -> list[str]:
    base = ["tmux", "-u", "-S", str(folder / name), "-f", "/dev/null"]
    return [*base, "new", *words, ";", "set", "status", "off"]


def seq_and_cat(report: Report, folder: Path, pane: Outside, tmux: Outside, rounds: int) -> None:
    dense = folder / "dense"
    with dense.open("w") as out:
        for line in range(20_000):
            cells = (f"\x1b[38;5;{(line + i) % 256}mword{i}" for i in range(10))
            out.write("".join(cells) + "\x1b[0m\n")
    lags = folder / "lags"
    worst = []
    for name, command, must in (
        ("seq 1 1000000 to the next output", _SEQ, 1.0),
        ("cat of 20,000 dense colour lines", f"cat {dense}", 0.6),
    ):
        pairs = []
        for number in range(100 * len(command), 100 * len(command) + rounds):
            lags.write_text("0\n")
            pairs.append((timed(pane, command, number), timed(tmux, command, number)))
            worst.append(max(float(word) for word in lags.read_text().split()))
        ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
        report.ratio(name, ours, theirs, "s", must)
    stall = statistics.median(worst) * 1000
    report.alone("longest event-loop stall in a flood", stall, "ms", 20)


def keys(report: Report, pane: Outside, tmux: Outside, rounds: int) -> None:
    presses = 60 * rounds
    ours, theirs = echo(pane, presses), echo(tmux, presses)
    median, slow = statistics.median(ours), quantile95(ours)
    report.ratio("key to paint, median", median, statistics.median(theirs), "ms", 10)
    report.alone("key to paint, p95 / own median", slow / median, "x", 3)
    stops = [(interrupt(pane), interrupt(tmux)) for _ in range(rounds)]
    mine, others = (statistics.median(column) for column in zip(*stops, strict=True))
    report.ratio("Ctrl-C out of a flood of `yes`", mine, others, "ms", 10)


def over_ssh(report: Report, folder: Path, rounds: int) -> None:
    (folder / "sshd").mkdir()
    server = Sshd(folder / "sshd")
    server.start()
    known = server.known_hosts()
    try:
        words = ["-p", str(server.port), "-i", str(server.key), "-o", f"UserKnownHostsFile={known}"]
        shell = f"env PS1='$ ' {shlex.join(SHELL)}"
        ssh = tmux_running(folder, "ssh", "ssh", "-tt", "-F", "none", *words, "127.0.0.1", shell)
        ours = inside(folder / "lags", str(server.port), str(server.key), str(known))
        with outsides(ours, ssh) as (pane, tmux):
            pane.quiet(2)
            pairs = [(timed(pane, _SEQ, n), timed(tmux, _SEQ, n)) for n in range(200, 200 + rounds)]
        mine, others = (statistics.median(column) for column in zip(*pairs, strict=True))
        report.ratio("the same over SSH on loopback", mine, others, "s", 1.0)
    finally:
        server.end()


def beside_floods(report: Report, folder: Path, rounds: int) -> None:
    with outsides(inside(folder / "lags", "five")) as (pane,):
        pane.drain(4)
        found = echo_beside(pane, 30 * rounds)
    slow = quantile95(found) * 1000
    report.alone("keys beside four floods, p95", slow, "ms", 30)


def main(quick: bool = False) -> bool:
    folder = Path(tempfile.mkdtemp(prefix="ct"))
    rounds = 1 if quick else 5
    report = Report()
    print(f"{'':<44}{'pane':>9} {'tmux':>9}")
    try:
        ours, theirs = inside(folder / "lags", "local"), tmux_running(folder, "local", *SHELL)
        with outsides(ours, theirs) as (pane, tmux):
            pane.quiet(2)
            seq_and_cat(report, folder, pane, tmux, rounds)
            keys(report, pane, tmux, rounds)
        over_ssh(report, folder, rounds)
        beside_floods(report, folder, rounds)
    finally:
        for name in ("local", "ssh"):
            words = ["tmux", "-S", str(folder / name), "kill-server"]
            subprocess.run(words, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)
    return report.good


if __name__ == "__main__":
    sys.exit(not main("--quick" in sys.argv))
