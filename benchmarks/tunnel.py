"""Tunnels next to ssh -L and autossh: recovery after cuts, bytes a second, round trips, memory.

A keeper process holds one tunnel to a loopback sshd; the peers hold theirs to the same one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cloudtui.core.events import Events
from cloudtui.core.kept_tunnels import KeptTunnels, stop
from cloudtui.files import keeper_socket
from cloudtui.model.instance import Instance, State
from cloudtui.model.keeper_words import line, read
from cloudtui.model.remote import HostKey
from cloudtui.model.tunnel import Direction, TunnelSpec
from tests.sshd import Sshd, free_port

KILLS = 20
MEBIBYTES = 256
PINGS = 2000
BLOCK = bytes(65_536)


class Nobody:
    """No question is expected."""

    async def trust_host_key(self, key: HostKey) -> bool:
        return False

    async def passphrase(self, key_file: Path, again: bool) -> str | None:
        return None

    async def answers(self, title: str, prompts: tuple[tuple[str, bool], ...]) -> list[str] | None:
        return None


@dataclass
class Polls:
    """What a browser that asks every 20 ms sees."""

    back: list[float] = field(default_factory=list)
    """Seconds from each cut to the first answer."""
    refused: int = 0


@contextlib.asynccontextmanager
async def service() -> AsyncIterator[int]:
    """`P` + 63 bytes are sent back, `D` is answered with MEBIBYTES, `U` + bytes are counted."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            kind = await reader.readexactly(1)
            if kind == b"G":
                await reader.readuntil(b"\r\n\r\n")
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            elif kind == b"D":
                for _ in range(MEBIBYTES * 16):
                    writer.write(BLOCK)
                    await writer.drain()
            elif kind == b"U":
                count = 0
                while data := await reader.read(1 << 20):
                    count += len(data)
                writer.write(str(count).encode())
            else:
                writer.write(kind + await reader.readexactly(63))
                while data := await reader.readexactly(64):
                    writer.write(data)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 20) as server:
        yield server.sockets[0].getsockname()[1]


async def answered(port: int, polls: Polls) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        polls.refused += 1
        return False
    try:
        writer.write(b"GET /api HTTP/1.1\r\nHost: localhost\r\n\r\n")
        async with asyncio.timeout(20):
            return (await reader.read(12)).endswith(b"200")
    except (OSError, TimeoutError):
        return False
    finally:
        writer.close()


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


async def down(port: int) -> float:
    """MiB a second."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    start = time.perf_counter()
    writer.write(b"D")
    count = 0
    while data := await reader.read(1 << 20):
        count += len(data)
    writer.close()
    assert count == MEBIBYTES << 20
    return MEBIBYTES / (time.perf_counter() - start)


async def up(port: int) -> float:
    """MiB a second."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    start = time.perf_counter()
    writer.write(b"U")
    for _ in range(MEBIBYTES * 16):
        writer.write(BLOCK)
        await writer.drain()
    writer.write_eof()
    assert int(await reader.read()) == MEBIBYTES << 20
    writer.close()
    return MEBIBYTES / (time.perf_counter() - start)


async def ping(port: int, count: int) -> float:
    """Median milliseconds of a 64-byte round trip on an idle connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    took: list[float] = []
    for _ in range(count):
        start = time.perf_counter()
        writer.write(b"P" + bytes(63))
        await reader.readexactly(64)
        took.append(time.perf_counter() - start)
    writer.close()
    return statistics.median(took) * 1000


def memory(pid: int) -> float:
    """MiB resident."""
    for text in Path(f"/proc/{pid}/status").read_text().splitlines():
        if text.startswith("VmRSS"):
            return int(text.split()[1]) / 1024
    return 0.0


async def keeper_pid() -> int:
    reader, writer = await asyncio.open_unix_connection(str(keeper_socket.socket_path()))
    writer.write(line({"id": 1, "do": "hello", "version": "benchmark"}))
    said = read(await reader.readline())
    writer.close()
    return int(said["ok"]["pid"])


@contextlib.contextmanager
def peer(program: list[str], sshd: Sshd, config: Path, port: int, there: int) -> Iterator[None]:
    """`ssh -L` or autossh, until the end of the block."""
    command = [*program, "-F", str(config), "-N", "-L", f"{port}:127.0.0.1:{there}", "bert-gpu"]
    environment = {**os.environ, "AUTOSSH_GATETIME": "0", "AUTOSSH_POLL": "5"}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as child:
        try:
            yield
        finally:
            child.terminate()


async def until_open(port: int) -> None:
    while not await answered(port, Polls()):
        await asyncio.sleep(0.02)


def configured(sshd: Sshd, home: Path) -> Path:
    folder = home / ".ssh"
    folder.mkdir(mode=0o700)
    sshd.known_hosts(folder / "known_hosts")
    config = folder / "config"
    config.write_text(
        f"Host bert-gpu\n  HostName {sshd.host}\n  Port {sshd.port}\n  User {sshd.user}\n"
        f"  IdentityFile {sshd.key}\n  UserKnownHostsFile {folder}/known_hosts\n"
        "  Ciphers aes128-gcm@openssh.com\n  ExitOnForwardFailure yes\n"
    )
    return config


async def measure(quick: bool) -> bool:
    good = True

    def bar(name: str, value: float, limit: float, words: str, *, least: bool = False) -> None:
        nonlocal good
        held = value >= limit if least else value <= limit
        good = good and held
        sys.stdout.write(f"{name:<46} {words:<44} {'ok' if held else 'MISSED'}\n")

    with tempfile.TemporaryDirectory(prefix="ct") as name:
        home = Path(name)
        os.environ.update(HOME=name, XDG_STATE_HOME=f"{name}/state", XDG_CONFIG_HOME=f"{name}/c")
        os.environ.update(AWS_EC2_METADATA_DISABLED="true", AWS_REGION="us-east-1")
        os.environ.pop("SSH_AUTH_SOCK", None)
        (home / "sshd").mkdir()
        sshd = Sshd(home / "sshd")
        sshd.start()
        config = configured(sshd, home)
        machine = Instance("i-0b", "us-east-1", State.RUNNING, name="bert-gpu", public_ip=sshd.host)
        tunnels = KeptTunnels(Events(), Nobody())
        ours, theirs, auto = free_port(), free_port(), free_port()
        try:
            async with service() as there:
                spec = TunnelSpec(Direction.LOCAL, ours, "127.0.0.1", there)
                await tunnels.open(machine, spec)
                with peer(["autossh", "-M", "0"], sshd, config, auto, there):
                    await until_open(auto)
                    polls = await recover(
                        sshd, {"cloudtui": ours, "autossh": auto}, 5 if quick else KILLS
                    )
                mine, other = (sorted(polls[n].back) for n in ("cloudtui", "autossh"))
                p95, q95 = (x[min(len(x) - 1, round(len(x) * 0.95))] for x in (mine, other))
                told = f"p95 {p95:.2f} s, median {statistics.median(mine):.2f} s"
                bar("killed: answered again (<= 0.5 s)", p95, 0.5, told)
                bar("  and next to autossh (<= 1)", p95 / q95, 1.0, f"{p95:.2f} / {q95:.2f} s")
                refused = polls["cloudtui"].refused
                bar(
                    "  polls refused (0)", refused, 0,
                    f"{refused}; autossh {polls['autossh'].refused}",
                )  # fmt: skip
                with peer(["ssh"], sshd, config, theirs, there):
                    await until_open(theirs)
                    rates: dict[str, list[float]] = {}
                    for _ in range(1 if quick else 5):
                        for key, port in (("ours", ours), ("ssh", theirs)):
                            rates.setdefault(f"{key} down", []).append(await down(port))
                            rates.setdefault(f"{key} up", []).append(await up(port))
                            rates.setdefault(f"{key} ping", []).append(
                                await ping(port, 200 if quick else PINGS)
                            )
                middle = {key: statistics.median(values) for key, values in rates.items()}
                for way, least in (("down", 0.8), ("up", 0.65)):
                    a, b = middle[f"ours {way}"], middle[f"ssh {way}"]
                    bar(
                        f"1 connection {way} / ssh -L (>= {least})", a / b, least,
                        f"{a / b:.2f}  ({a:.0f} / {b:.0f} MiB/s)", least=True,
                    )  # fmt: skip
                a, b = middle["ours ping"], middle["ssh ping"]
                bar("idle round trip / ssh -L (<= 2)", a / b, 2.0, f"{a / b:.2f}")
                bar("  and beyond it (<= 0.2 ms)", a - b, 0.2, f"{a - b:.3f} ms")
                pid = await keeper_pid()
                bar("keeper's memory (<= 60 MB)", memory(pid), 60, f"{memory(pid):.0f} MiB")
                held = [await asyncio.open_connection("127.0.0.1", ours) for _ in range(100)]
                for reader, writer in held:
                    writer.write(b"P" + bytes(63))
                    await reader.readexactly(64)
                bar(
                    "  with 100 connections (<= 200 MB)", memory(pid), 200, f"{memory(pid):.0f} MiB"
                )
                for _, writer in held:
                    writer.close()
        finally:
            await tunnels.close()
            await stop(forget=True)
            sshd.end()
    return good


def main(quick: bool) -> bool:
    """Whether every bar holds."""
    return asyncio.run(measure(quick))


if __name__ == "__main__":
    sys.exit(0 if main("--quick" in sys.argv) else 1)
