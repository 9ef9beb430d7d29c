"""What the benchmarks of tunnels share: a host, a server behind it, and peers beside each other."""

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

BLOCK = bytes(65_536)


class Report:
    """Lines of the table; `good` while every figure that must hold does."""

    def __init__(self) -> None:
        self.good = True

    def bar(
        self, name: str, value: float, limit: float, words: str, *, least: bool = False
    ) -> None:
        held = value >= limit if least else value <= limit
        self.good = self.good and held
        sys.stdout.write(f"{name:<46} {words:<44} {'ok' if held else 'MISSED'}\n")
        sys.stdout.flush()


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
async def service(mebibytes: int) -> AsyncIterator[int]:
    """`P` + 63 bytes are sent back, `D` is answered with so many, `U` + bytes are counted."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            kind = await reader.readexactly(1)
            if kind == b"G":
                await reader.readuntil(b"\r\n\r\n")
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            elif kind == b"D":
                for _ in range(mebibytes * 16):
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


async def down(port: int, mebibytes: int) -> float:
    """MiB a second."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    start = time.perf_counter()
    writer.write(b"D")
    count = 0
    while data := await reader.read(1 << 20):
        count += len(data)
    writer.close()
    assert count == mebibytes << 20
    return mebibytes / (time.perf_counter() - start)


async def up(port: int, mebibytes: int) -> float:
    """MiB a second."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    start = time.perf_counter()
    writer.write(b"U")
    for _ in range(mebibytes * 16):
        writer.write(BLOCK)
        await writer.drain()
    writer.write_eof()
    assert int(await reader.read()) == mebibytes << 20
    writer.close()
    return mebibytes / (time.perf_counter() - start)


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
def peer(program: list[str], config: Path, port: int, there: int) -> Iterator[None]:
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


def configured(sshd: Sshd, home: Path, port: int = 0) -> Path:
    """An ssh config of which `bert-gpu` is the host, or what leads to it on another port."""
    folder = home / ".ssh"
    folder.mkdir(mode=0o700, exist_ok=True)
    known = folder / "known_hosts"
    sshd.known_hosts(known)
    if port:
        known.write_text(known.read_text().replace(str(sshd.port), str(port)))
    config = folder / "config"
    config.write_text(
        f"Host bert-gpu\n  HostName {sshd.host}\n  Port {port or sshd.port}\n  User {sshd.user}\n"
        f"  IdentityFile {sshd.key}\n  UserKnownHostsFile {folder}/known_hosts\n"
        "  Ciphers aes128-gcm@openssh.com\n  ExitOnForwardFailure yes\n"
    )
    return config


@dataclass
class TunnelLab:
    """A loopback sshd that the keeper and its peers hold tunnels to."""

    home: Path
    sshd: Sshd
    tunnels: KeptTunnels

    async def open(self, there: int) -> int:
        """The local port of a tunnel of ours to that port of the host."""
        port = free_port()
        machine = Instance(
            "i-0b", "us-east-1", State.RUNNING, name="bert-gpu", public_ip=self.sshd.host
        )
        spec = TunnelSpec(Direction.LOCAL, port, "127.0.0.1", there)
        await self.tunnels.open(machine, spec)
        return port


@contextlib.asynccontextmanager
async def laboratory() -> AsyncIterator[TunnelLab]:
    """With HOME, state and credentials of its own; the keeper ends with it."""
    with tempfile.TemporaryDirectory(prefix="ct") as name:
        home = Path(name)
        os.environ.update(HOME=name, XDG_STATE_HOME=f"{name}/state", XDG_CONFIG_HOME=f"{name}/c")
        os.environ.update(AWS_EC2_METADATA_DISABLED="true", AWS_REGION="us-east-1")
        os.environ.pop("SSH_AUTH_SOCK", None)
        (home / "sshd").mkdir()
        sshd = Sshd(home / "sshd")
        sshd.start()
        tunnels = KeptTunnels(Events(), Nobody())
        try:
            yield TunnelLab(home, sshd, tunnels)
        finally:
            await tunnels.close()
            await stop(forget=True)
            sshd.end()
