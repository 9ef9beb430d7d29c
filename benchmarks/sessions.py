"""Sessions and runs of ten hosts: `python -m benchmarks.sessions`.

Ten loopback sshd hosts with two tmux sessions and two runs each. Cold is all that core does from
nothing, `ssh -G`, keys, connecting and the question that both answer; the rest is over connections
that are kept, against one ssh process a host at the same time, and over ControlMaster connections
that are kept too.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.watch import Logs
from cloudtui.core.connections import Connections
from cloudtui.core.events import Events
from cloudtui.core.jobs import Jobs
from cloudtui.core.sessions import Sessions
from cloudtui.files.settings import Settings
from cloudtui.model.instance import Instance, State
from cloudtui.model.remote import HostKey
from cloudtui.model.session import Program, SessionList
from cloudtui.ssh import multiplexer_actions
from cloudtui.ssh.connect import Connection, connect
from cloudtui.ssh.multiplexer import list_sessions, new_session
from tests.sshd import Sshd

HOSTS = 10
RUNS = 7
QUESTION = "tmux -u list-sessions; screen -ls"


class Nobody:
    """No question is expected."""

    async def trust_host_key(self, key: HostKey) -> bool:
        return False

    async def passphrase(self, key_file: Path, again: bool) -> str | None:
        return None

    async def answers(self, title: str, prompts: tuple[tuple[str, bool], ...]) -> list[str] | None:
        return None


class Fleet:
    """As much of an inventory as connecting needs."""

    def __init__(self, hosts: list[Sshd]) -> None:
        self.machines = [
            Instance(f"i-{n:017x}", "us-east-1", State.RUNNING, f"gpu-{n}", public_ip=host.host)
            for n, host in enumerate(hosts)
        ]

    def by_id(self, instance_id: str) -> Instance | None:
        return next((i for i in self.machines if i.id == instance_id), None)

    async def image(self, instance: Instance) -> tuple[str, str]:
        return "", ""

    def refresh(self) -> None:
        pass


def config(hosts: list[Sshd], folder: Path) -> Path:
    """An ssh config with an entry for each."""
    path = folder / "config"
    path.write_text(
        "".join(
            f"Host gpu-{n}\n  HostName {h.host}\n  Port {h.port}\n  User {h.user}\n"
            f"  IdentityFile {h.key}\n  UserKnownHostsFile {h.folder}/known_hosts\n"
            for n, h in enumerate(hosts)
        )
    )
    return path


async def core(hosts: list[Sshd], settings: Settings) -> tuple[float, float]:
    """Seconds until core knows the sessions and runs of all, from nothing and once more."""
    fleet: Any = Fleet(hosts)
    events = Events()
    connections = Connections(settings, fleet, Nobody())
    sessions = Sessions(connections, events, read_only=False)
    jobs = Jobs(fleet, connections, sessions, events, read_only=False)

    async def everything() -> None:
        await asyncio.gather(*(jobs.list(i) for i in fleet.machines))

    try:
        cold, kept = await seconds(everything), await seconds(everything)
        for instance in fleet.machines:
            state = jobs.state(instance.id)
            assert sum(job.by_hand for job in state.jobs) == 2, state.error  # the sessions
            assert sum(not job.by_hand for job in state.jobs) == 2
        return cold, kept
    finally:
        await connections.close()


async def seconds(work: Callable[[], Awaitable[object]]) -> float:
    start = perf_counter()
    await work()
    return perf_counter() - start


async def measure(hosts: list[Sshd]) -> dict[str, float]:
    """Medians in seconds."""
    found: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        found.setdefault(name, []).append(value)

    connections = await asyncio.gather(*(connect(h.route(), Nobody()) for h in hosts))
    for conn in connections:
        for name in ("train", "eval"):
            await new_session(conn, Program.TMUX, name, "cat")
    one = (await list_sessions(connections[0])).sessions[0]

    async def listing(
        conns: list[Connection], known: list[SessionList | None]
    ) -> list[SessionList | None]:
        return list(await asyncio.gather(*map(list_sessions, conns, known)))

    async def everything() -> None:
        fresh = await asyncio.gather(*(connect(h.route(), Nobody()) for h in hosts))
        await listing(fresh, [None] * len(fresh))
        await asyncio.gather(*(conn.close() for conn in fresh))

    settings = Settings(ssh_config=config(hosts, hosts[0].folder))
    for _ in range(RUNS):
        cold, kept = await core(hosts, settings)
        note("sessions and runs, cold", cold)
        note("sessions and runs, kept", kept)
        known: list[SessionList | None] = []
        start = perf_counter()
        known = await listing(list(connections), [None] * HOSTS)
        note("first listing after connect", perf_counter() - start)
        note("refresh", await seconds(lambda k=known: listing(list(connections), k)))  # type: ignore[misc]
        note("preview", await seconds(lambda: multiplexer_actions.preview(connections[0], one)))
        note("connect, list, close", await seconds(everything))
        note("one ssh process a host", await asyncio.to_thread(ssh, hosts, []))
        note("one ssh process, kept master", await asyncio.to_thread(ssh, hosts, ["master"]))
    await asyncio.gather(*(conn.close() for conn in connections))
    return {name: statistics.median(values) for name, values in found.items()}


def ssh(hosts: list[Sshd], master: list[str]) -> float:
    """Seconds of one ssh process for each host, all at the same time."""
    start = perf_counter()
    for process in [
        subprocess.Popen(
            [*command(host), *(["-S", f"{host.folder}/master"] if master else []), QUESTION],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for host in hosts
    ]:
        process.wait()
    return perf_counter() - start


def command(host: Sshd) -> list[str]:
    known = f"-oUserKnownHostsFile={host.folder}/known_hosts"
    where = ["-F", "/dev/null", "-i", str(host.key), "-p", str(host.port), "-l", host.user]
    return ["ssh", *where, known, "-oStrictHostKeyChecking=yes", host.host]


def main(quick: bool = False) -> bool:
    with tempfile.TemporaryDirectory(prefix="ct", ignore_cleanup_errors=True) as name:
        hosts = []
        for number in range(HOSTS):
            folder = Path(name) / str(number)
            folder.mkdir()
            hosts.append(Sshd(folder))
        try:
            for host in hosts:
                host.start()
                host.known_hosts()
                kept = [*command(host)[:-1], "-M", "-S", f"{host.folder}/master", "-fN", host.host]
                subprocess.run(kept, check=True, stderr=subprocess.DEVNULL)
            logs = Logs([host.home for host in hosts], 2)
            logs.start()
            figures = asyncio.run(measure(hosts))
            logs.end()
        finally:
            for host in hosts:
                left = [*command(host)[:-1], "-S", f"{host.folder}/master", "-O", "exit", host.host]
                subprocess.run(left, check=False, stderr=subprocess.DEVNULL)
                host.end()
    for what, value in figures.items():
        print(f"{what:<32} {value * 1000:7.1f} ms")
    for what in ("first listing after connect", "refresh"):
        for peer in ("one ssh process a host", "one ssh process, kept master"):
            print(f"{what} / {peer:<30} {figures[what] / figures[peer]:5.2f}")
    good = figures["sessions and runs, cold"] <= 0.3 and figures["sessions and runs, kept"] <= 0.05
    print("cold <= 300 ms, kept <= 50 ms:", "met" if good else "NOT met")
    return good


if __name__ == "__main__":
    sys.exit(not main())
