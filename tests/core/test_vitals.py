"""Samples of a machine over a real sshd; its nvidia-smi is a script, as no GPU is here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from cloudtui.core.events import VitalsState
from cloudtui.core.vitals import Vitals
from cloudtui.core.workbench import Workbench
from tests.lab import Lab
from tests.sshd import MARK, _environment, _processes

NVIDIA_SMI = """\
#!/bin/sh
case $1 in
-L) echo 'GPU 0: NVIDIA A10G (UUID: GPU-5c9b)' ;;
--query-gpu=*) echo '0, GPU-5c9b, NVIDIA A10G, 93, 14201, 23028, 61, 212.33, 300.00' ;;
--query-compute-apps=*) echo "$PPID, GPU-5c9b, 14190" ;;
esac
"""


@asynccontextmanager
async def vitals_of(bench: Workbench) -> AsyncIterator[Vitals]:
    room = Vitals(bench.connections, bench._events, every=0.1, first_pause=0.05)
    try:
        yield room
    finally:
        await room.close()


async def until(room: Vitals, key: str, wanted: Callable[[VitalsState], bool]) -> VitalsState:
    async with asyncio.timeout(30):
        while not wanted(room.state(key)):
            await asyncio.sleep(0.02)
    return room.state(key)


def left_over(lab: Lab) -> list[int]:
    mark = f"{MARK}={lab.sshd.folder}".encode()
    return [pid for pid in _processes() if mark in _environment(pid)]


async def test_a_machine_is_watched_over_a_cut_until_nobody_looks(lab: Lab) -> None:
    lab.sshd.script("nvidia-smi", NVIDIA_SMI)
    driver = lab.sshd.home / "driver"
    driver.mkdir()
    (lab.sshd.bin / "nvidia-smi").rename(driver / "nvidia-smi")
    for name in (".profile", ".zprofile"):  # only the login shell has it on its PATH
        (lab.sshd.home / name).write_text("PATH=$PATH:$HOME/driver\n")
    async with lab.bench() as bench:
        await bench.inventory.load()
        gpu = bench.all_sessions.hosts[0].instance
        async with vitals_of(bench) as room:
            first, second = room.watch(gpu), room.watch(gpu)
            state = await until(room, gpu.id, lambda s: bool(s.samples and s.samples[-1].cpu))
            now = state.samples[-1]
            assert state.live
            assert now.memory_total
            assert now.net_in is not None
            assert (now.gpus[0].name, now.gpu) == ("A10G", 0.93)
            assert sum(p.gpu_memory == 14190 << 20 for p in now.processes) == 1
            assert any(p.user and p.command for p in now.processes)
            assert state.samples[0].processes == () or len(state.samples) == 1
            lab.sshd.cut()
            await until(room, gpu.id, lambda s: s.error is not None)
            count = len(room.state(gpu.id).samples)
            state = await until(room, gpu.id, lambda s: s.live and len(s.samples) > count)
            assert state.error is None
            second.close()
            second.close()
            assert room._keepers
            first.close()
            await until(room, gpu.id, lambda s: not s.live)
            assert room.state(gpu.id).samples
            async with asyncio.timeout(30):
                while left_over(lab):
                    await asyncio.sleep(0.02)


async def test_what_hangs_there_holds_up_nothing_else(lab: Lab) -> None:
    lab.sshd.script("nvidia-smi", "#!/bin/sh\nsleep 60\n")
    lab.sshd.script("df", "#!/bin/sh\nsleep 60\n")
    async with lab.bench() as bench:
        await bench.inventory.load()
        gpu = bench.all_sessions.hosts[0].instance
        async with vitals_of(bench) as room:
            watch = room.watch(gpu)
            state = await until(room, gpu.id, lambda s: len(s.samples) >= 3)
            assert (state.samples[-1].gpus, state.samples[-1].disks) == ((), ())
            assert state.samples[-1].gpu_note == "nvidia-smi is asked"
            watch.close()


async def test_a_machine_without_awk_says_so(lab: Lab) -> None:
    lab.sshd.env["PATH"] = str(lab.sshd.bin)
    for name in ("sh", "cat", "sleep"):
        (lab.sshd.bin / name).symlink_to(f"/bin/{name}")
    lab.sshd.restart()
    async with lab.bench() as bench:
        await bench.inventory.load()
        gpu = bench.all_sessions.hosts[0].instance
        async with vitals_of(bench) as room:
            watch = room.watch(gpu)
            state = await until(room, gpu.id, lambda s: s.error is not None)
            assert state.error
            assert state.error.title == f"{gpu.label} cannot tell what it is doing."
            assert state.error.detail == "no /proc or no awk"
            watch.close()
