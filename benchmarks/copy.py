"""Copies next to scp and sftp -r: a big file, many small ones, and those over 80 ms."""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.long_path import long_path
from cloudtui.core.copies import Copies, CopyOrder, Spot
from cloudtui.core.events import Events
from cloudtui.model.copy import CopyPhase
from cloudtui.model.instance import Instance, State
from cloudtui.ssh.connect import Connection, connect
from tests.ssh.conftest import Answers
from tests.sshd import Sshd

MEBIBYTES, FILES, BYTES = 1024, 2000, 4096
FAR_MS, FAR_FILES = 80, 100
"""sftp's time for the files over the long path is measured with so many of them: it copies one
after the other."""
MACHINE = Instance("i-0c", "us-east-1", State.RUNNING, name="bert-gpu")
CIPHER = "aes128-gcm@openssh.com"


class Reached:
    """The one machine, over a connection of its own for each copy, as a new process has it."""

    def __init__(self, sshd: Sshd, port: int) -> None:
        self._route = sshd.route(port=port, strict_host_keys="no", known_hosts=(sshd.folder / "k",))
        self._open: Connection | None = None

    async def get(self, instance: Instance, *, ask: bool = True) -> Connection:
        if self._open is None:
            self._open = await connect(self._route, Answers())
        return self._open

    async def close(self) -> None:
        if self._open:
            await self._open.close()


async def ours(sshd: Sshd, port: int, source: Spot, target: Spot) -> float:
    """Seconds of a copy, its login included."""
    start = time.perf_counter()
    reached = Reached(sshd, port)
    copies = Copies(reached, Events())  # type: ignore[arg-type]
    state = await copies.wait(copies.start(CopyOrder((source,), target)))
    assert state.phase is CopyPhase.DONE, state.error
    took = time.perf_counter() - start
    await copies.close()
    await reached.close()
    return took


def options(sshd: Sshd) -> list[str]:
    return [
        "-q", "-F", "/dev/null", "-i", str(sshd.key), "-o", "StrictHostKeyChecking=no",
        "-o", f"UserKnownHostsFile={sshd.folder}/k2", "-o", f"Ciphers={CIPHER}",
    ]  # fmt: skip


def scp(sshd: Sshd, source: str, target: str) -> float:
    start = time.perf_counter()
    command = ["scp", *options(sshd), "-P", str(sshd.port), source, target]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return time.perf_counter() - start


def sftp(sshd: Sshd, port: int, line: str) -> float:
    start = time.perf_counter()
    subprocess.run(
        ["sftp", *options(sshd), "-P", str(port), "-b", "-", f"{sshd.user}@{sshd.host}"],
        input=f"{line}\n", text=True, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return time.perf_counter() - start


def small_files(folder: Path, count: int) -> Path:
    for number in range(count):
        inside = folder / f"{number % 20:02d}"
        inside.mkdir(parents=True, exist_ok=True)
        (inside / f"{number:05d}").write_bytes(os.urandom(BYTES))
    return folder


def same(one: Path, other: Path) -> None:
    subprocess.run(["diff", "-r", one, other], check=True)


def identical(one: Path, other: Path) -> None:
    subprocess.run(["cmp", one, other], check=True)


def here(path: Path) -> Spot:
    return Spot(None, str(path))


def there(path: Path) -> Spot:
    return Spot(MACHINE, str(path))


async def measure(quick: bool) -> bool:
    good = True

    def bar(name: str, ratio: float, least: float, words: str) -> None:
        nonlocal good
        good = good and ratio >= least
        held = "ok" if ratio >= least else "MISSED"
        sys.stdout.write(f"{name:<44} {ratio:5.2f}  {words:<34} {held}\n")

    size = 256 if quick else MEBIBYTES
    with tempfile.TemporaryDirectory(prefix="ct") as name:
        top = Path(name)
        (top / "sshd").mkdir()
        sshd = Sshd(top / "sshd")
        sshd.config.append("Subsystem sftp internal-sftp")
        sshd.start()
        where = f"{sshd.user}@{sshd.host}"
        try:
            big, few, many = top / "big", small_files(top / "few", FAR_FILES), top / "many"
            with big.open("wb") as file:
                for _ in range(size):
                    file.write(os.urandom(1 << 20))
            small_files(many, FILES)
            rates: dict[str, list[float]] = {}
            await ours(sshd, sshd.port, here(few), there(top / "warm"))
            for _ in range(3):
                for path in (top / "up", top / "down", top / "up2", top / "down2"):
                    path.unlink(missing_ok=True)
                await asyncio.sleep(1)  # for what is written back to the disk
                for key, took in (
                    ("up", await ours(sshd, sshd.port, here(big), there(top / "up"))),
                    ("scp up", scp(sshd, str(big), f"{where}:{top}/up2")),
                    ("down", await ours(sshd, sshd.port, there(big), here(top / "down"))),
                    ("scp down", scp(sshd, f"{where}:{big}", f"{top}/down2")),
                ):
                    rates.setdefault(key, []).append(size / took)
            identical(big, top / "up")
            identical(big, top / "down")
            for way in ("up", "down"):
                a, b = statistics.median(rates[way]), statistics.median(rates[f"scp {way}"])
                bar(f"{size} MiB {way} / scp (>= 0.8)", a / b, 0.8, f"{a:.0f} / {b:.0f} MiB/s")
            times: dict[str, list[float]] = {}
            for number in range(1 if quick else 3):
                up, down, up2 = (top / f"{each}{number}" for each in ("u", "d", "s"))
                up2.mkdir()
                for key, took in (
                    ("put", await ours(sshd, sshd.port, here(many), there(up))),
                    ("sftp put", sftp(sshd, sshd.port, f"put -r {many} {up2}")),
                    ("get", await ours(sshd, sshd.port, there(many), here(down))),
                    ("sftp get", sftp(sshd, sshd.port, f"get -r {many} {top}/g{number}")),
                ):
                    times.setdefault(key, []).append(took)
                same(many, up)
                same(many, down)
            for way in ("put", "get"):
                a, b = statistics.median(times[way]), statistics.median(times[f"sftp {way}"])
                bar(
                    f"{FILES} small files {way} / sftp -r (>= 1.5)", b / a, 1.5,
                    f"{a:.2f} / {b:.2f} s",
                )  # fmt: skip
            with long_path(sshd.port, FAR_MS) as far:
                (top / "far-s").mkdir()
                a = await ours(sshd, far, here(many), there(top / "far-u"))
                b = sftp(sshd, far, f"put -r {few} {top}/far-s") * FILES / FAR_FILES
                words = f"{a:.2f} / {b:.0f} s (of {FAR_FILES}, scaled)"
                bar(f"  the same over {FAR_MS} ms, put (>= 10)", b / a, 10.0, words)
                a = await ours(sshd, far, there(many), here(top / "far-d"))
                b = sftp(sshd, far, f"get -r {few} {top}/far-g") * FILES / FAR_FILES
                words = f"{a:.2f} / {b:.0f} s (of {FAR_FILES}, scaled)"
                bar(f"  the same over {FAR_MS} ms, get (>= 10)", b / a, 10.0, words)
                same(many, top / "far-d")
        finally:
            sshd.end()
    return good


def main(quick: bool) -> bool:
    """Whether every bar holds."""
    return asyncio.run(measure(quick))


if __name__ == "__main__":
    sys.exit(0 if main("--quick" in sys.argv) else 1)
