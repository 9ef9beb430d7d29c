"""What a machine is doing, read from text that real ones print."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtui.model.vitals import Disk, Gpu, Level, Sample, idle_for, summary, warnings
from cloudtui.model.vitals_reader import (
    Reader,
    disk_bytes,
    net_bytes,
    parse_compute_apps,
    parse_df,
    parse_gpus,
    parse_slices,
)

MIB = 1 << 20

SYSTEM = """\
@ {uptime} 33212.72
l 1.80 1.39 1.13 3/134 10810
cpu  {user} 0 100 {idle} 50 0 0 0 0 0
n 8
m MemTotal:       32000000 kB
m MemFree:         1000000 kB
m MemAvailable:   24000000 kB
m SwapTotal:       2000000 kB
m SwapFree:        1500000 kB
b  259       0 nvme0n1 1 0 {read} 0 1 0 4000 0 0 0 0
b  259       1 nvme0n1p1 1 0 {read} 0 1 0 4000 0 0 0 0
i   ens5: {net} 49038 0 0 0 0 0 0 1000 32624 0 0 0 0 0 0
"""
GPUS = """\
gpus 0
g 0, GPU-5c9b1f0e, NVIDIA A10G, 93, 14201, 23028, 61, 212.33, 300.00
L GPU 0: NVIDIA A10G (UUID: GPU-5c9b1f0e)
a 4711, GPU-5c9b1f0e, 14190
gpus.
"""


def test_rates_are_of_the_time_between_two_samples() -> None:
    reader = Reader()
    reader.feed(
        f"vitals 1 100 4096\n{GPUS}disks\nd /dev/root 100 71 29 71% /\ndisks.\n".encode(), 1000
    )
    first = SYSTEM.format(uptime=100, user=1000, idle=9000, read=2000, net=5000)
    (one,) = reader.feed((first + "p 4711 0 1000 python\n.\n").encode(), 1000)
    assert (one.cpu, one.net_in, one.disk_read) == (None, None, None)
    second = SYSTEM.format(uptime=102, user=1750, idle=9250, read=6000, net=25000)
    text = f"{second}p 4711 1.502 2000 python\nc 4711 ubuntu python3 train.py --lr 2e-5\n"
    (two,) = reader.feed((text + "p 12 0.010 0 kswapd0\n.\n").encode(), 1002)
    assert two.cpu == pytest.approx(0.75)
    assert (two.disk_read, two.disk_write) == (4000 * 512 / 2, 0)
    assert (two.net_in, two.net_out) == (10_000, 0)
    assert (two.cores, two.load) == (8, 1.8)
    assert two.memory == pytest.approx(0.25)
    assert (two.swap_used, two.swap_total) == (500_000 * 1024, 2_000_000 * 1024)
    assert two.disks == (Disk("/", "/dev/root", 71 * 1024, 29 * 1024),)
    assert (two.gpu, two.gpu_note) == (0.93, "")
    train, kernel = two.processes
    assert (train.user, train.command) == ("ubuntu", "python3 train.py --lr 2e-5")
    assert (train.cpu, train.memory, train.gpu_memory) == (1.502, 2000 * 4096, 14190 * MIB)
    assert kernel.command == "[kswapd0]"
    assert summary(two) == "GPU 93 %  CPU 75 %  memory 25 %  disk 71 %"


def test_a_machine_that_was_booted_anew_has_no_rates_at_first() -> None:
    reader = Reader()
    reader.feed((SYSTEM.format(uptime=900, user=9, idle=9, read=9, net=9) + ".\n").encode(), 1)
    (sample,) = reader.feed(
        (SYSTEM.format(uptime=3, user=1, idle=1, read=1, net=1) + ".\n").encode(), 3
    )
    assert (sample.cpu, sample.net_in) == (None, None)


@given(st.lists(st.integers(0, 400), max_size=30))
def test_pieces_of_any_length_make_the_same_samples(cuts: list[int]) -> None:
    frames = "".join(
        SYSTEM.format(uptime=100 + n, user=1000 + n, idle=900, read=1, net=n) + ".\n"
        for n in range(4)
    )
    whole = f"vitals 1 100 4096\n{GPUS}{frames}".encode()
    reader, found, at = Reader(), [], 0
    for cut in [*cuts, len(whole)]:
        found += reader.feed(whole[at : at + cut], 5)
        at += cut
    found += reader.feed(whole[at:], 5)
    assert found == Reader().feed(whole, 5)
    assert len(found) == 4


@given(st.binary(max_size=400))
def test_any_bytes_are_survived(data: bytes) -> None:
    Reader().feed(data + b"\n@ 1\n" + data + b"\n.\n", 1)


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (
            "0, GPU-1, NVIDIA H100 80GB HBM3, 100, 71333, 81559, 58, 683.12, 700.00",
            Gpu(0, "H100 80GB HBM3", "GPU-1", 1.0, 71333 * MIB, 81559 * MIB, 58, 683.12, 700),
        ),
        (
            "0, GPU-2, Tesla T4, 0, 0, 15360, 34, 9.21, 70.00",
            Gpu(0, "Tesla T4", "GPU-2", 0.0, 0, 15360 * MIB, 34, 9.21, 70),
        ),
        (  # MIG mode: the whole GPU has no utilisation
            "3, GPU-3, NVIDIA A100-SXM4-40GB, [N/A], 14293, 40960, 33, 87.35, 400.00",
            Gpu(3, "A100-SXM4-40GB", "GPU-3", None, 14293 * MIB, 40960 * MIB, 33, 87.35, 400),
        ),
        (  # an old driver's words, and those of unified memory
            "1, GPU-4, NVIDIA GB10, [Not Supported], [N/A], [N/A], 41, [Unknown Error], N/A",
            Gpu(1, "GB10", "GPU-4", None, None, None, 41, None, None),
        ),
    ],
)
def test_gpus_of_many_kinds(line: str, wanted: Gpu) -> None:
    assert parse_gpus([line, "No devices were found", ""]) == (wanted,)


def test_mig_devices_are_named_with_their_gpu() -> None:
    listed = [
        "GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77)",
        "  MIG 3g.20gb     Device  0: (UUID: MIG-c6d4f1ef-42e4-5de3-91c7-45d71c87eb3f)",
        "  MIG 1g.5gb      Device  1: (UUID: MIG-0f6c1ff5-1ff1-5c9a-8c2b-bd4b0c3a51d5)",
        "GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-3acdd8e7-1d3b-0c2a-9b0b-3ee26f1f9ed1)",
    ]
    assert parse_slices(listed) == {0: ("3g.20gb", "1g.5gb")}


def test_a_process_on_two_gpus_has_the_memory_of_both() -> None:
    lines = ["77, GPU-1, 1024", "77, GPU-2, 2048", "78, GPU-2, [N/A]", "not a line"]
    assert parse_compute_apps(lines) == {77: 3072 * MIB, 78: 0}


def test_a_process_that_only_its_gpu_shows_is_measured_too() -> None:
    stat = "4711 (python (3)) S 1 1 1 0 -1 0 0 0 0 0 {ticks} 50 0 0 20 0 1 0 9 99 {pages} 0"
    reader = Reader()
    for at, ticks, pages in ((10.0, 100, 500), (14.0, 700, 1000)):
        line = f"s {at} {stat.format(ticks=ticks, pages=pages)}\n"
        text = GPUS.replace("gpus.\n", f"{line}gpus.\n")
        _frames(reader, at, gpus=text)
    frame = SYSTEM.format(uptime=16, user=1, idle=1, read=1, net=1)
    (sample,) = reader.feed(f"{frame}p 1 0.1 3 init\n.\n".encode(), 16)
    found = next(p for p in sample.processes if p.pid == 4711)
    assert (found.cpu, found.memory, found.gpu_memory) == (1.5, 1000 * 4096, 14190 * MIB)


def test_each_disk_counts_once() -> None:
    lines = ["202 0 xvda1 1 0 10 0 1 0 20 0 0 0 0", "259 0 nvme1n1 1 0 1 0 1 0 2 0 0 0 0"]
    assert disk_bytes([*lines, "259 1 nvme1n1p1 1 0 1 0 1 0 2 0 0 0 0"]) == (11 * 512, 22 * 512)
    found = parse_df(
        [
            "/dev/nvme0n1p1 264212084 26999324 79391588 25% /",
            "/dev/nvme0n1p1 264212084 26999324 79391588 25% /run/netns",
            "/dev/nvme0n1p15 106832 6186 100646 6% /boot/efi",
            "/dev/nvme1n1 1000 900 100 90% /my data",
        ]
    )
    assert [(d.mount, round(d.share, 2)) for d in found] == [("/", 0.25), ("/my data", 0.9)]
    bridged = ["ens5: 7 0 0 0 0 0 0 0 9 0", "ctbr0: 7 0 0 0 0 0 0 0 9 0"]
    assert net_bytes(bridged) == (7, 9)
    assert net_bytes(["venet0: 3 0 0 0 0 0 0 0 4 0"]) == (3, 4)


def _frames(reader: Reader, now: float, *, gpus: str = "") -> Sample:
    text = SYSTEM.format(uptime=now, user=now, idle=now, read=1, net=1)
    return reader.feed(f"{gpus}{text}.\n".encode(), now)[-1]


def test_nvidia_smi_that_is_missing_fails_or_hangs() -> None:
    reader = Reader()
    assert _frames(reader, 100).gpu_note == "nvidia-smi is asked"
    assert _frames(reader, 115).gpu_note == "nvidia-smi is asked"
    assert _frames(reader, 130).gpu_note == "nvidia-smi has not answered for 30 s"
    assert _frames(reader, 132, gpus=GPUS).gpus[0].name == "A10G"
    assert _frames(reader, 150).gpus[0].name == "A10G"
    silent = _frames(reader, 170)
    assert (silent.gpus, silent.gpu_note) == ((), "nvidia-smi has not answered for 38 s")
    said = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."
    failed = _frames(reader, 172, gpus=f"gpus 9\ng {said}\ngpus.\n")
    assert (failed.gpus, failed.gpu_note) == ((), said)
    assert _frames(reader, 174, gpus="gpus 124\ngpus.\n").gpu_note.endswith("no answer in 10 s")
    none = Reader()
    assert _frames(none, 1, gpus="gpus none\n").gpu_note == "no nvidia-smi"
    assert _frames(none, 90).gpu_note == "no nvidia-smi"


IDLE = Gpu(0, "T4", utilisation=0.0)


def test_a_gpu_is_idle_since_it_last_did_something_and_as_far_as_was_seen() -> None:
    busy = replace(IDLE, utilisation=0.9)
    samples = [Sample(n * 2.0, gpus=(busy if n < 10 else IDLE,)) for n in range(500)]
    assert idle_for(samples) == 489 * 2
    assert idle_for(samples[:10]) is None
    assert idle_for([]) is None
    assert idle_for([Sample(1.0)]) is None
    nobody_looked = [s for s in samples if not 500 < s.when < 700]
    assert idle_for(nobody_looked) == samples[-1].when - 700
    assert (Level.HINT, "GPU idle for 16m 18s.") in warnings(samples)
    mig = [Sample(n * 2.0, gpus=(replace(IDLE, utilisation=None),)) for n in range(300)]
    assert warnings(mig) == []


def test_what_wants_to_be_seen_comes_with_the_worst_first() -> None:
    gib = 1 << 30
    sample = Sample(
        1.0,
        memory_used=62 * gib,
        memory_total=64 * gib,
        disks=(
            Disk("/", "/dev/root", 92 * gib, 8 * gib),
            Disk("/data", "/dev/nvme1n1", 500 * gib, 0),
            Disk("/fine", "/dev/nvme2n1", 40 * gib, 60 * gib),
        ),
        gpus=(replace(IDLE, temperature=88.0),),
    )
    assert warnings([sample]) == [
        (Level.ERROR, "Disk /data is 100 % full, nothing left."),
        (Level.ERROR, "Memory is 97 % full, 2 GiB left: the kernel may kill a process."),
        (Level.WARNING, "Disk / is 92 % full, 8 GiB left."),
        (Level.WARNING, "GPU 0 is at 88 °C."),
    ]
