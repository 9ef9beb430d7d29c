"""Tunnels next to ssh -L and autossh: recovery after cuts, bytes a second, round trips, memory.

A keeper process holds one tunnel to a loopback sshd; the peers hold theirs to the same one.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time

from benchmarks.tunnel_lab import (
    Polls,
    Report,
    answered,
    configured,
    down,
    keeper_pid,
    laboratory,
    memory,
    peer,
    ping,
    service,
    until_open,
    up,
)
from tests.sshd import Sshd, free_port

KILLS = 20
MEBIBYTES = 256
PINGS = 2000


async def recover(sshd: Sshd, ports: dict[str, int], kills: int) -> dict[str, Polls]:
    """Kill every session of the host, again and again, and ask through each tunnel."""
    found = {name: Polls() for name in ports}

    async def poll(name: str, cut: float) -> None:
        while not await answered(ports[name], found[name]):
            await asyncio.sleep(0.02)
        found[name].back.append(time.perf_counter() - cut)

    for _ in range(kills):
        for name in ports:
            while not await answered(ports[name], Polls()):
                await asyncio.sleep(0.05)
        await asyncio.to_thread(sshd.cut)
        cut = time.perf_counter()
        await asyncio.gather(*(poll(name, cut) for name in ports))
        await asyncio.sleep(0.5)
    return found


async def measure(quick: bool) -> bool:
    report = Report()
    bar = report.bar
    async with laboratory() as lab, service(MEBIBYTES) as there:
        sshd, config = lab.sshd, configured(lab.sshd, lab.home)
        theirs, auto = free_port(), free_port()
        ours = await lab.open(there)
        with peer(["autossh", "-M", "0"], config, auto, there):
            await until_open(auto)
            polls = await recover(sshd, {"cloudtui": ours, "autossh": auto}, 5 if quick else KILLS)
        mine, other = (sorted(polls[n].back) for n in ("cloudtui", "autossh"))
        p95, q95 = (x[min(len(x) - 1, round(len(x) * 0.95))] for x in (mine, other))
        told = f"p95 {p95:.2f} s, median {statistics.median(mine):.2f} s"
        bar("killed: answered again (<= 0.5 s)", p95, 0.5, told)
        bar("  and next to autossh (<= 1)", p95 / q95, 1.0, f"{p95:.2f} / {q95:.2f} s")
        refused = polls["cloudtui"].refused
        bar("  polls refused (0)", refused, 0, f"{refused}; autossh {polls['autossh'].refused}")
        with peer(["ssh"], config, theirs, there):
            await until_open(theirs)
            rates: dict[str, list[float]] = {}
            for _ in range(2 if quick else 7):
                for key, port in (("ours", ours), ("ssh", theirs)):
                    rates.setdefault(f"{key} down", []).append(await down(port, MEBIBYTES))
                    rates.setdefault(f"{key} up", []).append(await up(port, MEBIBYTES))
                    trips = await ping(port, 200 if quick else PINGS)
                    rates.setdefault(f"{key} ping", []).append(trips)
        middle = {key: statistics.median(values) for key, values in rates.items()}
        for way, least in (("down", 0.8), ("up", 0.65)):
            a, b = middle[f"ours {way}"], middle[f"ssh {way}"]
            told = f"{a / b:.2f}  ({a:.0f} / {b:.0f} MiB/s)"
            bar(f"1 connection {way} / ssh -L (>= {least})", a / b, least, told, least=True)
        a, b = middle["ours ping"], middle["ssh ping"]
        bar("idle round trip / ssh -L (<= 2)", a / b, 2.0, f"{a / b:.2f}")
        bar("  and beyond it (<= 0.2 ms)", a - b, 0.2, f"{a - b:.3f} ms")
        pid = await keeper_pid()
        bar("keeper's memory (<= 60 MB)", memory(pid), 60, f"{memory(pid):.0f} MiB")
        held = [await asyncio.open_connection("127.0.0.1", ours, limit=1024) for _ in range(100)]
        for reader, writer in held:
            writer.write(b"P" + bytes(63))
            await reader.readexactly(64)
        idle = memory(pid)
        for _, writer in held:
            writer.close()
        bar("  with 100 connections (<= 200 MB)", idle, 200, f"{idle:.0f} MiB")
        most = await crowd(ours, pid)
        bar("  100 downloads that nobody takes (<= 200 MB)", most, 200, f"{most:.0f} MiB")
    return report.good


async def crowd(port: int, pid: int) -> float:
    """MiB of the keeper when 100 clients ask for much and read nothing of it."""
    held = [await asyncio.open_connection("127.0.0.1", port, limit=1024) for _ in range(100)]
    for _, writer in held:
        writer.write(b"D")
    before, now = 0.0, memory(pid)
    while now > before:
        await asyncio.sleep(1)
        before, now = now, memory(pid)
    for _, writer in held:
        writer.transport.abort()
    return now


def main(quick: bool) -> bool:
    """Whether every bar holds."""
    return asyncio.run(measure(quick))


if __name__ == "__main__":
    sys.exit(0 if main("--quick" in sys.argv) else 1)
