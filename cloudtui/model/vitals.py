"""What a machine is doing: its processors, memory, disks, network, GPUs and busiest processes.

Read by `model/vitals_reader.py` from what `host/vitals.sh` prints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from cloudtui.model.words import data_size, duration

EVERY = 2
"""Seconds between two samples."""
KEPT = 15 * 60
"""Seconds of samples that are kept."""
IDLE_BELOW = 0.05
"""A GPU that is used less is idle."""
GAP = 4.0 * EVERY
"""Seconds without a sample after which what came before says nothing about the time since."""
IDLE_TOLD = 180.0
"""Seconds after which an idle GPU is worth a word."""
DISK_FULL, DISK_VERY_FULL = 0.90, 0.97
DISK_LEFT = 2 << 30
"""Bytes: a disk with less is almost full however large it is."""
MEMORY_FULL = 0.95
HOT = 85.0
"""Degrees from which on a GPU slows itself down, or is about to."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU; what it does not tell is None. Memory in bytes, power in watts."""

    index: int
    name: str
    uuid: str = ""
    utilisation: float | None = None
    """0 to 1; None in MIG mode, which nvidia-smi has no number for."""
    memory_used: int | None = None
    memory_total: int | None = None
    temperature: float | None = None
    """Degrees Celsius."""
    power: float | None = None
    power_limit: float | None = None
    slices: tuple[str, ...] = ()
    """Its MIG devices: `1g.5gb`."""


@dataclass(frozen=True, slots=True)
class Process:
    """One of the busiest, the greatest, or those on a GPU."""

    pid: int
    user: str = ""
    cpu: float = 0.0
    """Cores: 1 is one of them, fully used."""
    memory: int = 0
    """Bytes that are resident."""
    gpu_memory: int | None = None
    """Bytes on all GPUs; None when it is on none."""
    command: str = ""


@dataclass(frozen=True, slots=True)
class Disk:
    """One file system, in bytes."""

    mount: str
    device: str
    used: int
    free: int
    """What its users may still write."""

    @property
    def share(self) -> float:
        """The part that is used, 0 to 1, as df counts it."""
        whole = self.used + self.free
        return self.used / whole if whole else 0.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample. Sizes in bytes, rates in bytes a second; None is not known."""

    when: float
    """Seconds of this computer's clock."""
    cpu: float | None = None
    """0 to 1 over all cores, since the sample before."""
    iowait: float | None = None
    """The part of the time in which cores waited for disks."""
    cores: int = 0
    load: float = 0.0
    memory_used: int | None = None
    memory_total: int | None = None
    swap_used: int = 0
    swap_total: int = 0
    disk_read: float | None = None
    disk_write: float | None = None
    net_in: float | None = None
    net_out: float | None = None
    disks: tuple[Disk, ...] = ()
    gpus: tuple[Gpu, ...] = ()
    gpu_note: str = ""
    """Why there is nothing, or nothing new, of GPUs; empty when all is well."""
    processes: tuple[Process, ...] = ()
    """The busiest first."""

    @property
    def memory(self) -> float | None:
        """The part of the memory that is used, 0 to 1."""
        if self.memory_used is None or not self.memory_total:
            return None
        return self.memory_used / self.memory_total

    @property
    def gpu(self) -> float | None:
        """The mean utilisation of those GPUs that tell it, 0 to 1."""
        told = [g.utilisation for g in self.gpus if g.utilisation is not None]
        return sum(told) / len(told) if told else None


class Level(StrEnum):
    """How much a warning matters."""

    HINT = "hint"
    WARNING = "warning"
    ERROR = "error"


def idle_for(samples: Sequence[Sample]) -> float | None:
    """Seconds for which no GPU has done anything, as far as was seen; None when one does, when
    there is none, or when none of them tells."""
    since = None
    later = None
    for sample in reversed(samples):
        if later is not None and later - sample.when > GAP:
            break
        if sample.gpu is None or any((g.utilisation or 0.0) >= IDLE_BELOW for g in sample.gpus):
            break
        since = later = sample.when
    return None if since is None else samples[-1].when - since


def warnings(samples: Sequence[Sample]) -> list[tuple[Level, str]]:
    """What of the last sample wants to be seen, the worst first."""
    if not samples:
        return []
    now = samples[-1]
    found: list[tuple[Level, str]] = []
    for disk in now.disks:
        if disk.share >= DISK_FULL or disk.free < DISK_LEFT <= disk.used:
            level = Level.ERROR if disk.share >= DISK_VERY_FULL else Level.WARNING
            left = f"{data_size(disk.free)} left" if disk.free else "nothing left"
            found.append((level, f"Disk {disk.mount} is {disk.share * 100:.0f} % full, {left}."))
    if now.memory is not None and now.memory >= MEMORY_FULL:
        left = data_size((now.memory_total or 0) - (now.memory_used or 0))
        words = f"Memory is {now.memory * 100:.0f} % full, {left} left"
        found.append((Level.ERROR, f"{words}: the kernel may kill a process."))
    found += [
        (Level.WARNING, f"GPU {gpu.index} is at {gpu.temperature:.0f} °C.")
        for gpu in now.gpus
        if gpu.temperature is not None and gpu.temperature >= HOT
    ]
    idle = idle_for(samples)
    if idle is not None and idle >= IDLE_TOLD:
        whose = "GPU" if len(now.gpus) == 1 else "GPUs"
        found.append((Level.HINT, f"{whose} idle for {duration(idle)}."))
    order = list(Level)
    return sorted(found, key=lambda each: -order.index(each[0]))


def summary(sample: Sample) -> str:
    """`GPU 93 %  CPU 40 %  memory 62 %  disk 71 %`: what is known, on one line."""
    fullest = max((d.share for d in sample.disks), default=None)
    parts = (("GPU", sample.gpu), ("CPU", sample.cpu), ("memory", sample.memory),
             ("disk", fullest))  # fmt: skip
    return "  ".join(f"{name} {share * 100:.0f} %" for name, share in parts if share is not None)
