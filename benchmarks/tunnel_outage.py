"""Tunnels in an outage: a silent path, a machine that comes back elsewhere; and echo beside a
console that draws all the time.

A path goes silent when the host's side of the connection is stopped (SIGSTOP): nothing is refused
or closed. The machine that comes back elsewhere is moto's; what AWS tells leads to a real sshd.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.outside import Outside
from benchmarks.tunnel_lab import (
    Nobody,
    Polls,
    Report,
    TunnelLab,
    answered,
    configured,
    laboratory,
    service,
)
from cloudtui.core.events import Events
from cloudtui.core.kept_tunnels import KeptTunnels
from cloudtui.model.instance import Instance, State
from cloudtui.model.tunnel import Direction, TunnelSpec
from tests.lab import Lab
from tests.moto_child import KEYS, moto_server
from tests.network import Net
from tests.sshd import free_port

BLACK_HOLES = 3
NEW_ADDRESSES = 3
ECHOES = 1500


async def back(port: int, polls: Polls, every: float = 0.05) -> float:
    """Seconds until one of the requests that are begun again and again is answered."""
    start = time.perf_counter()
    asking: set[asyncio.Task[bool]] = set()
    try:
        while True:
            asking.add(asyncio.create_task(answered(port, polls)))
            done, asking = await asyncio.wait(
                asking, timeout=every, return_when=asyncio.FIRST_COMPLETED
            )
            if any(task.result() for task in done):
                return time.perf_counter() - start
    finally:
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)


async def black_hole(lab: TunnelLab, port: int, polls: Polls) -> float:
    """Seconds until the tunnel answers again after its connection went silent."""
    assert await answered(port, polls)
    silent = lab.sshd.session_processes()
    for pid in silent:
        os.kill(pid, signal.SIGSTOP)
    try:
        return await back(port, polls)
    finally:
        for pid in silent:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


async def new_address(lab: TunnelLab, there: int, rounds: int, polls: Polls) -> list[float]:
    """Seconds from the moment sshd answers at the new address, with no console open."""
    with moto_server() as url, tempfile.TemporaryDirectory(prefix="ct") as name:
        os.environ.update(KEYS, AWS_ENDPOINT_URL=url)
        (lab.home / ".ssh").mkdir(mode=0o700)
        account = Lab(lab.home, lab.sshd)
        net = Net(account, Path(name))
        lab.sshd.known_hosts(net.known_hosts)
        net.config.write_text(
            net.config.read_text()
            + f"  User {lab.sshd.user}\n  IdentityFile {lab.sshd.key}\n  StrictHostKeyChecking no\n"
        )
        machine = Instance(
            account.gpu, "us-east-1", State.RUNNING, name="other",
            public_ip=net.address(account.gpu),
        )  # fmt: skip
        port = free_port()
        front = KeptTunnels(Events(), Nobody())
        await front.open(machine, TunnelSpec(Direction.LOCAL, port, "127.0.0.1", there))
        await front.close()
        found: list[float] = []
        for _ in range(rounds):
            assert await answered(port, polls)
            await asyncio.to_thread(account.ec2.stop_instances, InstanceIds=[account.gpu])
            net.settle()
            lab.sshd.cut()
            await asyncio.sleep(4)
            await asyncio.to_thread(account.ec2.start_instances, InstanceIds=[account.gpu])
            await asyncio.sleep(5)  # it boots
            net.settle()
            found.append(await back(port, polls))
        return found


@contextlib.contextmanager
def redrawing() -> Iterator[None]:
    """A console with five panes, four of which flood, on a terminal that takes it all."""
    with tempfile.TemporaryDirectory(prefix="ct") as name:
        outside = Outside([sys.executable, "-m", "benchmarks.inside", f"{name}/lags", "five"])
        stop = threading.Event()

        def drain() -> None:
            with contextlib.suppress(OSError):
                while not stop.is_set():
                    outside.drain(0.2)

        reader = threading.Thread(target=drain)
        reader.start()
        try:
            time.sleep(5)  # it has begun to draw
            yield
        finally:
            stop.set()
            reader.join()
            outside.close()


async def echoes(port: int, count: int) -> list[float]:
    """Milliseconds of round trips of 64 bytes, one every 5 ms, in order of size."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    took: list[float] = []
    for _ in range(count):
        await asyncio.sleep(0.005)
        start = time.perf_counter()
        writer.write(b"P" + bytes(63))
        await reader.readexactly(64)
        took.append((time.perf_counter() - start) * 1000)
    writer.close()
    return sorted(took)


async def measure(quick: bool) -> bool:
    report = Report()
    bar = report.bar
    async with laboratory() as lab, service(1) as there:
        configured(lab.sshd, lab.home)
        ours = await lab.open(there)
        polls = Polls()
        with lab.tunnels.watched():
            holes = [await black_hole(lab, ours, polls) for _ in range(1 if quick else BLACK_HOLES)]
        told = ", ".join(f"{seconds:.1f}" for seconds in holes)
        bar("silent path: answered again (<= 8 s)", max(holes), 8, f"{told} s")
        bar("  polls refused (0)", polls.refused, 0, f"{polls.refused}")
        with redrawing():
            took = await echoes(ours, 300 if quick else ECHOES)
        p99 = took[round(len(took) * 0.99) - 1]
        told = f"{p99:.2f} ms, median {took[len(took) // 2]:.2f} ms"
        bar("echo while a console redraws: p99 (<= 10 ms)", p99, 10, told)
    async with laboratory() as lab, service(1) as there:
        polls = Polls()
        found = await new_address(lab, there, 1 if quick else NEW_ADDRESSES, polls)
        told = ", ".join(f"{seconds:.1f}" for seconds in found) + " s"
        bar("new address: answers after sshd is up (<= 3 s)", max(found), 3, told)
        bar("  polls refused (0)", polls.refused, 0, f"{polls.refused}")
    return report.good


def main(quick: bool) -> bool:
    """Whether every bar holds."""
    return asyncio.run(measure(quick))


if __name__ == "__main__":
    sys.exit(0 if main("--quick" in sys.argv) else 1)
