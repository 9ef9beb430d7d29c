"""Starting a run, and following its log over killed connections: `python -m benchmarks jobs`.

One loopback sshd. A run prints 1,000 lines a second while the connection that its log is followed
over is killed 20 times; and runs are started over a connection that is open, from the call to the
moment that the command itself writes down.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import cast

from cloudtui.core import job_view
from cloudtui.core.connections import Connections
from cloudtui.model.instance import Instance
from cloudtui.model.job import Holder, JobSpec
from cloudtui.model.remote import NoPrompts
from cloudtui.ssh import jobs
from cloudtui.ssh.connect import Connection, connect
from tests.sshd import Sshd

CUTS, LINES_A_SECOND = 20, 1_000
STARTS = 15
START_MOST = 0.150
PRINTER = """
import sys, time
begun, told = time.monotonic(), 0
while told < {lines}:
    due = min({lines}, int((time.monotonic() - begun) * {rate}))
    sys.stdout.write("".join(f"{{n}} loss=0.{{n}}\\n" for n in range(told, due)))
    sys.stdout.flush()
    told = due
    time.sleep(0.01)
"""


class OneHost:
    """The shared connection to the host, made again when it is lost."""

    def __init__(self, server: Sshd) -> None:
        self._server = server
        self._held: Connection | None = None
        self.count = 0

    async def get(self, instance: Instance) -> Connection:
        if self._held is None or self._held.closed:
            self._held = await connect(self._server.route(), NoPrompts())
            self.count += 1
        return self._held

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


async def start_seconds(connection: Connection, folder: Path, holder: Holder) -> list[float]:
    """From the call to the command's own first moment, of each start."""
    found = []
    for n in range(STARTS + 1):
        file = folder / f"{holder}-{n}"
        spec = JobSpec(("sh", "-c", f"date +%s%N >'{file}'"), name=f"start-{holder}", holder=holder)
        begun = time.time_ns()
        await jobs.start(connection, spec)
        found.append((int(file.read_text()) - begun) / 1e9)
    return found[1:]  # the first one brought the program there


async def follow(server: Sshd, cuts: int) -> tuple[int, int, int, float]:
    """Lines printed, lines told in order, connections used, the longest wait for bytes."""
    host = OneHost(server)
    lines = LINES_A_SECOND * (cuts + 2)
    script = PRINTER.format(lines=lines, rate=LINES_A_SECOND)
    connection = await host.get(cast(Instance, None))
    id = await jobs.start(connection, JobSpec((sys.executable, "-c", script), name="lines"))
    told, last, longest = bytearray(), time.monotonic(), 0.0

    def take(data: bytes) -> None:
        nonlocal last, longest
        told.extend(data)
        longest, last = max(longest, time.monotonic() - last), time.monotonic()

    async def kill() -> None:
        for _ in range(cuts):
            await asyncio.sleep(1)
            await asyncio.to_thread(server.cut)

    killing = asyncio.create_task(kill())
    await job_view.follow(
        cast(Connections, host),
        cast(Instance, None),
        id,
        lines=None,
        on_bytes=take,
        on_trouble=lambda _: None,
    )
    await killing
    wanted = "".join(f"{n} loss=0.{n}\n" for n in range(lines)).encode()
    same = next((n for n, (a, b) in enumerate(zip(told, wanted, strict=False)) if a != b), None)
    right = len(wanted) if same is None and len(told) == len(wanted) else same or 0
    return lines, wanted[:right].count(b"\n"), host.count, longest


async def measure(quick: bool) -> bool:
    good = True
    with tempfile.TemporaryDirectory(prefix="ct", ignore_cleanup_errors=True) as name:
        server = Sshd(Path(name))
        server.start()
        try:
            connection = await connect(server.route(), NoPrompts())
            for holder in (Holder.TMUX, Holder.NONE):
                found = await start_seconds(connection, server.folder, holder)
                middle = statistics.median(found)
                good = good and middle <= START_MOST
                print(
                    f"start of a run, warm connection, --in {holder}: call to the command running "
                    f"{middle * 1000:.0f} ms (most {max(found) * 1000:.0f} ms; "
                    f"<= {START_MOST * 1000:.0f} ms)  {'ok' if middle <= START_MOST else 'MISSED'}"
                )
            await connection.close()
            cuts = 5 if quick else CUTS
            lines, right, connections, longest = await follow(server, cuts)
            good = good and right == lines
            print(
                f"log followed over {cuts} killed connections at {LINES_A_SECOND} lines/s: "
                f"{right} of {lines} lines, once each and in order, over {connections} "
                f"connections; longest wait {longest:.2f} s  {'ok' if right == lines else 'MISSED'}"
            )
        finally:
            server.end()
    return good


def main(quick: bool = False) -> bool:
    """Print the figures; False when one is missed."""
    return asyncio.run(measure(quick))


if __name__ == "__main__":
    sys.exit(0 if main("--quick" in sys.argv) else 1)
