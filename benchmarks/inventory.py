"""Listing machines against other ways to list them: `python -m benchmarks.inventory [--quick]`.

The AWS is `benchmarks.replay`, in a process of its own. Each figure is the median of fresh
processes, the peers of a row in turn; a ratio says how many times longer the peer takes. The aws
command (v1) is installed into a virtual environment of its own under build/ at the first run.
"""

from __future__ import annotations

import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from benchmarks.replay import REGIONS, Replay

ROUNDS = 5
ROOT = Path(__file__).parent.parent
AWS_CLI = "awscli>=1.46,<2"
MANY = REGIONS[:17]
PEERS = [sys.executable, "-m", "benchmarks.inventory_peers"]
CLOUDTUI = [sys.executable, "-m", "cloudtui"]
NAMES = ("boto3", "boto3 in 17 threads", "aws CLI v1", "aiobotocore")
STALL = 0.020


@dataclass
class Row:
    """A line of the table: seconds of cloudtui and of each peer, and the ratios it must reach."""

    what: str
    must: dict[str, float]
    found: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, seconds: float) -> None:
        self.found.setdefault(name, []).append(seconds)

    def median(self, name: str) -> float:
        return statistics.median(self.found[name]) if name in self.found else float("nan")

    def ratio(self, name: str) -> float:
        return self.median(name) / self.median("cloudtui")

    @property
    def good(self) -> bool:
        return all(self.ratio(name) >= bar for name, bar in self.must.items() if name in self.found)


def aws_command() -> list[str]:
    """The aws command v1, installed if it is not there; empty when it cannot be."""
    folder = ROOT / "build/benchmarks/aws"
    program = folder / "bin/aws"
    if not program.exists():
        venv.create(folder, with_pip=True)
        installed = subprocess.run([folder / "bin/pip", "-q", "install", AWS_CLI], check=False)
        if installed.returncode != 0:
            return []
    return [str(program)]


def seconds(command: Sequence[str], environment: dict[str, str], instances: int) -> float:
    """Of a whole process; fails unless it printed so many different instances."""
    began = time.perf_counter()
    done = subprocess.run(
        command, env=environment, cwd=ROOT, check=True, capture_output=True, text=True
    )
    taken = time.perf_counter() - began
    printed = len(set(re.findall(r"\bi-[0-9a-f]{17}\b", done.stdout)))
    if printed != instances:
        raise RuntimeError(f"{command[-3:]} printed {printed} instances, not {instances}")
    return taken


def listed(
    what: str,
    must: dict[str, float],
    fleet: dict[str, int],
    rounds: int,
    *,
    latency: float = 0.0,
    bandwidth: float = 0.0,
    aws: Sequence[str] = (),
) -> Row:
    """One row of whole processes."""
    row, regions, total = Row(what, must), list(fleet), sum(fleet.values())
    options = [word for region in regions for word in ("--region", region)]
    commands = {
        "cloudtui": [*CLOUDTUI, *options, "ls", "--json"],
        "boto3": [*PEERS, "boto3", "list", *regions],
        "aiobotocore": [*PEERS, "aiobotocore", "list", *regions],
    }
    if len(regions) > 1:
        commands["boto3 in 17 threads"] = [*PEERS, "boto3-threads", "list", *regions]
    elif aws:
        commands["aws CLI v1"] = [*aws, "ec2", "describe-instances", "--output", "json"]
    with (
        tempfile.TemporaryDirectory() as name,
        Replay(fleet, latency=latency, bandwidth=bandwidth) as replay,
    ):
        environment = replay.environment(Path(name))
        seconds(commands["cloudtui"], environment, total)  # builds the model that is kept
        for _ in range(rounds):
            for peer, command in commands.items():
                row.add(peer, seconds(command, environment, total))
    return row


def again(rounds: int) -> tuple[Row, Row]:
    """A refresh of 1,000 in a live process, and the longest stall of the loop meanwhile."""
    refresh = Row("1,000 again in a live process", {"boto3": 6.0})
    stall = Row("longest stall of the loop, 1,000", {"aiobotocore": 40.0})
    with tempfile.TemporaryDirectory() as name, Replay({"us-east-1": 1000}) as replay:
        environment = replay.environment(Path(name))
        for _ in range(rounds):
            for peer in ("cloudtui", "boto3", "aiobotocore"):
                done = subprocess.run(
                    [*PEERS, peer, "again"],
                    env=environment,
                    cwd=ROOT,
                    check=True,
                    capture_output=True,
                    text=True,
                )
                taken, longest = map(float, done.stdout.split())
                refresh.add(peer, taken)
                if peer != "boto3":
                    stall.add(peer, longest)
    return refresh, stall


def measure(rounds: int, quick: bool) -> list[Row]:
    aws = aws_command()
    home = "us-east-1"
    found = [
        listed("1,000", {"boto3": 1.8, "aws CLI v1": 2.7}, {home: 1000}, rounds, aws=aws),
        listed(
            "10,000",
            {"boto3": 5.0, "aws CLI v1": 8.0},
            {home: 10_000},
            1 if quick else min(3, rounds),
            aws=aws,
        ),
        listed(
            "17 regions x 100, 150 ms a reply",
            {"boto3": 3.5, "boto3 in 17 threads": 1.8},
            dict.fromkeys(MANY, 100),
            rounds,
            latency=0.15,
        ),
        listed(
            "1,000 at 20 Mbit/s and 80 ms",
            {"boto3": 5.0},
            {home: 1000},
            rounds,
            latency=0.08,
            bandwidth=20e6,
            aws=aws,
        ),
        *again(rounds),
    ]
    return found


def main(quick: bool = False, say: Callable[[str], None] = print) -> bool:
    """Print the table; whether every bar holds."""
    rows = measure(2 if quick else ROUNDS, quick)
    say(f"{platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}")
    libraries = ("boto3", "botocore", "aiobotocore")
    say(f"Python {platform.python_version()}, " + ", ".join(f"{n} {version(n)}" for n in libraries))
    if aws := aws_command():
        said = subprocess.run([*aws, "--version"], capture_output=True, text=True, check=False)
        say((said.stdout or said.stderr).strip())
    else:
        say("The aws command could not be installed: its column is empty.")
    say(f"{'seconds':<36}{'cloudtui':>9}" + "".join(f"{name:>21}" for name in NAMES) + "  bars")
    for row in rows:
        cells = "".join(_cell(row, name) for name in NAMES)
        held = "hold" if row.good else "NOT HELD"
        say(f"{row.what:<36}{row.median('cloudtui'):>9.3f}{cells}  {held}")
    stall = rows[-1].median("cloudtui")
    short = stall < STALL
    say(f"longest stall of the loop {1000 * stall:.1f} ms, must be under 20: {_words(short)}")
    return short and all(row.good for row in rows)


def _cell(row: Row, name: str) -> str:
    if name not in row.found:
        return f"{'-':>21}"
    bar = f" >={row.must[name]:g}" if name in row.must else ""
    return f"{row.median(name):>8.3f} {f'({row.ratio(name):.1f}x{bar})':>12}"


def _words(good: bool) -> str:
    return "holds" if good else "DOES NOT HOLD"


if __name__ == "__main__":
    sys.exit(0 if main("--quick" in sys.argv) else 1)
