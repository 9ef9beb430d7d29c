"""Tunnels over a long path (80 ms, 1 Gbit/s) beside ssh -L: bytes a second of 1 and 4 downloads."""

from __future__ import annotations

import asyncio
import statistics
import sys
import time

from benchmarks.long_path import long_path
from benchmarks.tunnel_lab import Report, configured, down, laboratory, peer, service, until_open
from tests.sshd import free_port

MILLISECONDS, MEGABITS = 80, 1000
MEBIBYTES = 64


async def together(port: int, count: int) -> float:
    """MiB a second of so many downloads at once, all in all."""
    start = time.perf_counter()
    await asyncio.gather(*(down(port, MEBIBYTES) for _ in range(count)))
    return count * MEBIBYTES / (time.perf_counter() - start)


async def measure(quick: bool) -> bool:
    report = Report()
    async with laboratory() as lab, service(MEBIBYTES) as there:
        with long_path(lab.sshd.port, MILLISECONDS, MEGABITS) as far:
            config = configured(lab.sshd, lab.home, far)
            theirs = free_port()
            ours = await lab.open(there)
            with peer(["ssh"], config, theirs, there):
                await until_open(theirs)
                for count, least in ((1, 1.8), (4, 0.95)):
                    found: dict[str, list[float]] = {"ours": [], "ssh": []}
                    for _ in range(1 if quick else 3):
                        for name, port in (("ours", ours), ("ssh", theirs)):
                            found[name].append(await together(port, count))
                    a, b = (statistics.median(found[name]) for name in ("ours", "ssh"))
                    report.bar(
                        f"80 ms, 1 Gbit/s: {count} down / ssh -L (>= {least})", a / b, least,
                        f"{a / b:.2f}  ({a:.0f} / {b:.0f} MiB/s)", least=True,
                    )  # fmt: skip
    return report.good


def main(quick: bool) -> bool:
    """Whether every bar holds."""
    return asyncio.run(measure(quick))


if __name__ == "__main__":
    sys.exit(0 if main("--quick" in sys.argv) else 1)
