"""Editing an ssh config, judged by `ssh -G`: `python -m benchmarks.ssh_config [--quick]`.

Seventeen nasty samples, random configs with a random edit each, and how long an edit of a file of
1,000 hosts takes. Every file is written below a HOME of its own.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

from benchmarks import ssh_config_peers
from cloudtui.core.ssh_entries import SshEntries
from cloudtui.files.ssh_tree import PROBE, affected, read_tree
from cloudtui.model.errors import NotFound, Refused
from tests.ssh_configs import (
    SAMPLES,
    contents,
    mutated,
    option,
    others,
    random_edit,
    random_files,
    resolved,
    write,
)

HOSTS = 1000
ROUNDS = 9
EDIT, SAVE = 0.050, 1.0
"""Seconds that an edit may take without and with ssh's word."""


async def samples(home: Path) -> Counter[str]:
    """How many samples stay as they are, take a new address, and take a new host."""
    good: Counter[str] = Counter()
    for files in SAMPLES.values():
        entries = SshEntries(write(home, files))
        same = [
            await entries.put(e.alias, {k: e.get(k) for k, _ in e.values})
            for e in await entries.entries()
        ]
        good["no-op"] += all(change.empty for change in same)
        for what, alias in (("set", "web"), ("add", "fresh")):
            rest = others(files, alias)
            before = resolved(entries.config_file, rest)
            await entries.save(await entries.put(alias, {"HostName": "203.0.113.7"}))
            after = resolved(entries.config_file, [*rest, alias])
            told = option(after.pop(alias), "hostname")
            good[what] += told == ["203.0.113.7"] and after == before
    return good


async def random_edits(home: Path, count: int) -> Counter[str]:
    """What became of one random edit in each of `count` configs."""
    found: Counter[str] = Counter()
    for seed in range(count):
        random = Random(seed)
        files = random_files(random)
        alias, values = random_edit(random)
        entries = SshEntries(write(home, files))
        rest = others(files, alias)
        before = resolved(entries.config_file, rest)
        try:
            change = await (entries.remove(alias) if values is None else entries.put(alias, values))
            await entries.save(change)
        except (NotFound, Refused) as error:
            found[type(error).__name__] += 1
            found["not as it was after a refusal"] += contents(home) != dict(files)
            continue
        after = resolved(entries.config_file, rest)
        found["saved"] += not change.empty
        found["other hosts changed"] += sum(before[host] != after[host] for host in rest)
    return found


def reach(home: Path, count: int) -> Counter[str]:
    """Hosts that lines changed at random reach, by ssh and by the rule of `affected`."""
    found: Counter[str] = Counter()
    for seed in range(count):
        random = Random(seed)
        first = random_files(random)
        then = mutated(random, first)
        old, new = read_tree(write(home, first)), read_tree(write(home, then))
        names = [name.decode() for name in old.names() | new.names()]
        after = resolved(new.main, names)
        before = resolved(write(home, first), names)
        if any(told[PROBE.decode()].startswith("refused") for told in (before, after)):
            continue
        changed = {name for name in names if before[name] != after[name]}
        rule = {name.decode() for name in affected(old, new, b"")}
        found["hosts"] += len(names)
        found["changed"] += len(changed)
        found["asked about"] += len(rule)
        found["missed"] += len(changed - rule)
    return found


def big(ending: str) -> bytes:
    """A config of 1,000 hosts with five lines each."""
    blocks = (
        f"# machine {i}\nHost h{i}\n  HostName 10.0.{i // 250}.{i % 250}\n  User ubuntu\n"
        f"  IdentityFile ~/.ssh/k{i % 7}.pem\n  Port {22 + i % 3}\n\n"
        for i in range(HOSTS)
    )
    return ("".join(blocks) + "Host *\n  ServerAliveInterval 30\n" + ending).encode()


_FRESH = """
import asyncio, sys, time
from pathlib import Path
from benchmarks import ssh_config_peers
from cloudtui.core.ssh_entries import SshEntries
entries = SshEntries(Path(sys.argv[1]))
start, used = time.perf_counter(), time.process_time()
asyncio.run(entries.put("h500", {"HostName": "203.0.113.7"}))
print(time.perf_counter() - start, time.process_time() - used)
"""


def fresh(main: Path) -> tuple[float, float]:
    """Seconds of the first edit of a new process, without ssh's word; and those of the CPU."""
    command = [sys.executable, "-c", _FRESH, str(main)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    taken, used = map(float, told.split())
    return taken, used


async def timed(home: Path, ending: str, rounds: int) -> dict[str, list[float]]:
    """Seconds of the plan and of ssh's word with the save, for each kind of edit."""
    entries = SshEntries(write(home, {"config": big(ending)}))
    await entries.save(await entries.put("first", {"HostName": "203.0.113.1"}))
    found: dict[str, list[float]] = {}
    for i in range(rounds):
        values = {"HostName": f"203.0.113.{i + 9}", "HostKeyAlias": f"i-0{i}"}
        for what in ("change", "add", "remove"):
            start = time.perf_counter()
            if what == "remove":
                change = await entries.remove(f"new{i}")
            else:
                change = await entries.put("h500" if what == "change" else f"new{i}", values)
            planned = time.perf_counter()
            await entries.save(change)
            found.setdefault(what, []).append(planned - start)
            found.setdefault(f"{what}, saved", []).append(time.perf_counter() - start)
    return found


def main(quick: bool = False) -> bool:
    """Print the figures; whether all hold."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        os.environ |= {"HOME": name, "XDG_STATE_HOME": f"{name}/state"}
        return _figures(home, quick)


def _figures(home: Path, quick: bool) -> bool:
    sampled = asyncio.run(samples(home))
    print(f"no-op/set/add on {len(SAMPLES)} nasty configs: {_marks(sampled)}")
    good = set(sampled.values()) == {len(SAMPLES)}
    program = None if quick else ssh_config_peers.python()
    for name, script in ssh_config_peers.PEERS.items() if program else ():
        assert program
        print(f"  {name}: {_marks(ssh_config_peers.samples(home, program, script))}")

    count = 100 if quick else 2000
    edited = asyncio.run(random_edits(home, count))
    print(f"{count} random configs, one edit each: " + _told(edited))
    good &= not edited["other hosts changed"] and not edited["not as it was after a refusal"]

    found = reach(home, count // 4)
    print(f"{count // 4} configs changed at random lines: " + _told(found))
    good &= not found["missed"]

    for ending, what in (("", "plain"), ("Match final all\n  Compression no\n", "Match final")):
        path = write(home, {"config": big(ending)})
        first = [fresh(path) for _ in range(3 if quick else ROUNDS)]
        used = statistics.median(cpu for _, cpu in first) * 1000
        print(f"{HOSTS:,} hosts, {what}: the first edit uses the CPU for {used:.1f} ms")
        rows = {"first edit": [taken for taken, _ in first]} | asyncio.run(
            timed(home, ending, 3 if quick else ROUNDS)
        )
        for row, seconds in rows.items():
            bar = SAVE if row.endswith("saved") else EDIT
            middle = statistics.median(seconds)
            good &= middle < bar
            print(
                f"{HOSTS:,} hosts, {what}: {row:15} {middle * 1000:6.1f} ms"
                f"  (worst {max(seconds) * 1000:.0f}, must be under {bar * 1000:.0f})"
            )
    return good


def _marks(sampled: Counter[str]) -> str:
    return "/".join(str(sampled[what]) for what in ("no-op", "set", "add"))


def _told(found: Counter[str]) -> str:
    return ", ".join(f"{number} {what}" for what, number in sorted(found.items()))


if __name__ == "__main__":
    sys.exit(0 if main("--quick" in sys.argv) else 1)
