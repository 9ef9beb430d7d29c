"""Samples of what a machine is doing, from what `host/vitals.sh` prints there: text of /proc, df
and nvidia-smi."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from cloudtui.model.answers import number, whole
from cloudtui.model.vitals import Disk, Gpu, Process, Sample

GPU_SILENT = 20.0
"""Seconds after which nvidia-smi counts as hanging."""
NO_NVIDIA_SMI = "no nvidia-smi"

_SECTOR = 512
_MIB = 1 << 20
_COMMANDS_KEPT = 400
_LONGEST_LINE = 4096

_Counters = Mapping[str, tuple[float, ...]]


class Reader:
    """Makes samples of what the script prints, in pieces of any length."""

    def __init__(self) -> None:
        self.problem = ""
        """Why the script ended by itself."""
        self._rest = b""
        self._hz, self._page = 100.0, 4096.0
        self._open: dict[str, list[str]] = {}
        """The lines of the sample under way, by the letter they begin with."""
        self._now = 0.0
        self._before: tuple[float, _Counters] | None = None
        self._disks: tuple[Disk, ...] = ()
        self._disk_lines: list[str] = []
        self._gpus: tuple[Gpu, ...] = ()
        self._gpu_lines: list[str] = []
        self._gpu_note = "nvidia-smi is asked"
        self._gpus_at: float | None = None
        self._slices: dict[int, tuple[str, ...]] = {}
        self._on_gpu: dict[int, int] = {}
        self._ticks: dict[int, tuple[float, float]] = {}
        """Uptime and ticks of the processes on GPUs, of the time before."""
        self._measured: dict[int, tuple[float, int]] = {}
        self._who: dict[int, tuple[str, str]] = {}
        self._processes: tuple[Process, ...] = ()

    def feed(self, data: bytes, now: float) -> list[Sample]:
        """The samples that this piece completed; `now` is this computer's clock."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[-_LONGEST_LINE:]
        found = []
        for line in lines:
            sample = self._line(line.decode(errors="replace"), now)
            if sample is not None:
                found.append(sample)
        return found

    def _line(self, line: str, now: float) -> Sample | None:
        head, _, rest = line.partition(" ")
        if head == "@":
            self._open = {"@": [rest]}
        elif head == ".":
            return self._sample(now)
        elif head == "vitals":
            told = _numbers(rest)
            right = len(told) == 3 and min(told) > 0
            _, self._hz, self._page = told if right else (1.0, 100.0, 4096.0)
        elif head == "error":
            self.problem = rest
        elif head == "disks":
            self._disk_lines = []
        elif head == "disks.":
            self._disks = parse_df(self._disk_lines)
        elif head == "d":
            self._disk_lines.append(rest)
        elif head == "gpus":
            self._gpu_lines = [line]
        elif head in ("g", "a", "s", "L"):
            self._gpu_lines.append(line)
        elif head == "c":
            self._named(rest)
        if head == "gpus." or line == "gpus none":
            self._graphics(now)
        elif head in ("l", "cpu", "n", "m", "b", "i", "p"):
            self._open.setdefault(head, []).append(rest)
        return None

    def _named(self, rest: str) -> None:
        pid, _, rest = rest.partition(" ")
        user, _, command = rest.partition(" ")
        known = whole(pid)
        if known is not None:
            if len(self._who) > _COMMANDS_KEPT:
                self._who = dict(list(self._who.items())[_COMMANDS_KEPT // 2 :])
            self._who[known] = (user, _printable(command))

    def _graphics(self, now: float) -> None:
        heads = [line.partition(" ") for line in self._gpu_lines]
        status = heads[0][2] if heads else ""
        told = [rest for head, _, rest in heads if head == "g"]
        listed = [rest for head, _, rest in heads if head == "L"]
        self._gpus_at = now
        if status == "none":
            self._gpu_note = NO_NVIDIA_SMI
            return
        if listed:
            self._slices = parse_slices(listed)
        if status != "0":
            self._gpu_note = (
                "nvidia-smi gave no answer in 10 s"
                if status in ("124", "137", "143")
                else " ".join(told)[:200] or f"nvidia-smi ended with {status}"
            )
            self._gpus, self._on_gpu = (), {}
            return
        found = parse_gpus(told)
        self._gpus = tuple(replace(g, slices=self._slices.get(g.index, ())) for g in found)
        self._gpu_note = ""
        self._on_gpu = parse_compute_apps(rest for head, _, rest in heads if head == "a")
        self._measure([rest for head, _, rest in heads if head == "s"])

    def _measure(self, lines: Sequence[str]) -> None:
        """What the processes on GPUs use, of lines of /proc/PID/stat that the uptime precedes."""
        ticks: dict[int, tuple[float, float]] = {}
        self._measured = {}
        for line in lines:
            begin, _, end = line.rpartition(")")
            first, fields = begin.split(maxsplit=2), end.split()
            pid = whole(first[1]) if len(first) > 1 else None
            if pid is None or len(fields) < 22:
                continue
            at = number(first[0]) or 0.0
            spent = (number(fields[11]) or 0.0) + (number(fields[12]) or 0.0)
            ticks[pid] = (at, spent)
            before = self._ticks.get(pid)
            cpu = 0.0
            if before and at > before[0] and spent >= before[1]:
                cpu = (spent - before[1]) / self._hz / (at - before[0])
            self._measured[pid] = (cpu, int((number(fields[21]) or 0.0) * self._page))
        self._ticks = ticks

    def _sample(self, now: float) -> Sample | None:
        lines, self._open = self._open, {}
        uptime = _numbers(*lines.get("@", ()))[:1]
        if not uptime:
            return None
        counters: _Counters = {
            "cpu": tuple(_numbers(*lines.get("cpu", ()))),
            "disk": disk_bytes(lines.get("b", ())),
            "net": net_bytes(lines.get("i", ())),
        }
        before, self._before = self._before, (uptime[0], counters)
        if "p" in lines:
            self._processes = self._running(lines["p"])
        memory = parse_meminfo(lines.get("m", ()))
        total = memory.get("MemTotal")
        cores = _numbers(*lines.get("n", ()))
        sample = Sample(
            now,
            cores=int(cores[0]) if cores else 0,
            load=(_numbers(*lines.get("l", ())) or [0.0])[0],
            memory_total=total,
            memory_used=None if total is None else max(0, total - _available(memory)),
            swap_total=memory.get("SwapTotal", 0),
            swap_used=memory.get("SwapTotal", 0) - memory.get("SwapFree", 0),
            disks=self._disks,
            gpus=self._gpus,
            gpu_note=self._gpu_note,
            processes=self._processes,
        )
        if self._gpus_at is None or now - self._gpus_at > GPU_SILENT:
            sample = self._without_answer(sample, now)
        return sample if before is None else _with_rates(sample, before, self._before)

    def _without_answer(self, sample: Sample, now: float) -> Sample:
        if self._gpu_note == NO_NVIDIA_SMI:
            return sample
        if self._gpus_at is None:
            self._gpus_at = now  # it has so long to answer for the first time
            return sample
        silent = f"nvidia-smi has not answered for {now - self._gpus_at:.0f} s"
        return replace(sample, gpus=(), gpu_note=silent)

    def _running(self, lines: Sequence[str]) -> tuple[Process, ...]:
        found: dict[int, Process] = {}
        for line in lines:
            parts = line.split(" ", 3)
            pid = whole(parts[0])
            if len(parts) < 4 or pid is None:
                continue
            cpu, pages = number(parts[1]), number(parts[2])
            user, command = self._who.get(pid, ("", ""))
            found[pid] = Process(
                pid,
                user,
                max(0.0, cpu or 0.0),
                int((pages or 0) * self._page),
                self._on_gpu.get(pid),
                command or f"[{_printable(parts[3])}]",
            )
        for pid, held in self._on_gpu.items():
            if pid not in found:
                user, command = self._who.get(pid, ("", ""))
                found[pid] = Process(pid, user, *self._measured.get(pid, (0.0, 0)), held, command)
        return tuple(
            sorted(found.values(), key=lambda p: (-p.cpu, -(p.gpu_memory or 0), -p.memory))
        )


def _with_rates(
    sample: Sample, before: tuple[float, _Counters], after: tuple[float, _Counters]
) -> Sample:
    span = after[0] - before[0]
    if span <= 0:  # it was booted anew
        return sample
    ticks = [b - a for a, b in zip(before[1]["cpu"], after[1]["cpu"], strict=False)]
    # user nice system idle iowait irq softirq steal; guests are in user and nice already.
    whole = sum(ticks[:8])
    if len(ticks) >= 5 and whole > 0 and min(ticks[:8]) >= -1:
        busy = whole - ticks[3] - ticks[4]
        sample = replace(
            sample,
            cpu=min(1.0, max(0.0, busy / whole)),
            iowait=min(1.0, max(0.0, ticks[4] / whole)),
        )
    disk = [
        max(0.0, b - a) / span for a, b in zip(before[1]["disk"], after[1]["disk"], strict=True)
    ]
    net = [max(0.0, b - a) / span for a, b in zip(before[1]["net"], after[1]["net"], strict=True)]
    return replace(sample, disk_read=disk[0], disk_write=disk[1], net_in=net[0], net_out=net[1])


# Parsers of single texts


def parse_meminfo(lines: Sequence[str]) -> dict[str, int]:
    """Bytes by name, of lines of /proc/meminfo."""
    found = {}
    for line in lines:
        name, _, rest = line.partition(":")
        numbers = _numbers(rest)
        if numbers:
            found[name] = int(numbers[0]) * (1024 if rest.rstrip().endswith("kB") else 1)
    return found


def _available(memory: Mapping[str, int]) -> int:
    if "MemAvailable" in memory:
        return memory["MemAvailable"]
    return sum(memory.get(name, 0) for name in ("MemFree", "Buffers", "Cached"))


def disk_bytes(lines: Sequence[str]) -> tuple[float, float]:
    """Bytes read and written so far by whole disks, of lines of /proc/diskstats."""
    found: dict[str, tuple[float, float]] = {}
    for line in lines:
        parts = line.split()
        if len(parts) < 10:
            continue
        read, written = whole(parts[5]), whole(parts[9])
        if read is not None and written is not None:
            found[parts[2]] = (read * _SECTOR, written * _SECTOR)
    disks = [name for name in found if _parent(name) not in found]
    return sum(found[n][0] for n in disks), sum(found[n][1] for n in disks)


_PARTITION = re.compile(r"(?P<disk>.*\d)p\d+|(?P<letters>.*[a-z])\d+")


def _parent(name: str) -> str:
    """The disk of a partition: `nvme0n1` of `nvme0n1p1`, `xvda` of `xvda1`; else empty."""
    found = _PARTITION.fullmatch(name)
    return (found["disk"] or found["letters"]) if found else ""


_CARDS = ("eth", "en", "ib", "wl", "bond")


def net_bytes(lines: Sequence[str]) -> tuple[float, float]:
    """Bytes received and sent so far by cards, of lines of /proc/net/dev; what goes over a bridge
    or a tunnel goes over a card too."""
    cards = [line for line in lines if line.lstrip().startswith(_CARDS)] or lines
    received = sent = 0.0
    for line in cards:
        numbers = line.partition(":")[2].split()
        if len(numbers) >= 9:
            received += whole(numbers[0]) or 0
            sent += whole(numbers[8]) or 0
    return received, sent


def parse_df(lines: Sequence[str]) -> tuple[Disk, ...]:
    """The file systems of `df -Pk`, each device once, at its shortest mount point."""
    found: dict[str, Disk] = {}
    for line in lines:
        parts = line.split(None, 5)
        size, used, free = map(whole, parts[1:4]) if len(parts) == 6 else (None,) * 3
        if not size or used is None or free is None:
            continue
        disk = Disk(parts[5], parts[0], used * 1024, free * 1024)
        known = found.get(disk.device)
        if known is None or len(disk.mount) < len(known.mount):
            found[disk.device] = disk
    small = {"/boot", "/boot/efi", "/efi"}
    return tuple(sorted((d for d in found.values() if d.mount not in small), key=lambda d: d.mount))


def parse_gpus(lines: Sequence[str]) -> tuple[Gpu, ...]:
    """Lines of nvidia-smi: index, uuid, name, utilization.gpu, memory.used, memory.total,
    temperature.gpu, power.draw, power.limit; `[N/A]` and its like are None."""
    found = []
    for line in lines:
        parts = [part.strip() for part in line.split(",")]
        index = whole(parts[0])
        if len(parts) != 9 or index is None:
            continue
        used, total = number(parts[4]), number(parts[5])
        percent = number(parts[3])
        found.append(
            Gpu(
                index,
                _printable(parts[2].removeprefix("NVIDIA ")),
                parts[1],
                None if percent is None else min(1.0, max(0.0, percent / 100)),
                None if used is None else int(used * _MIB),
                None if total is None else int(total * _MIB),
                number(parts[6]),
                number(parts[7]),
                number(parts[8]),
            )
        )
    return tuple(found)


def parse_compute_apps(lines: Iterable[str]) -> dict[int, int]:
    """Bytes of GPU memory by process id, of `pid, gpu_uuid, used_memory`; 0 where not told."""
    found: dict[int, int] = {}
    for line in lines:
        parts = [part.strip() for part in line.split(",")]
        pid = whole(parts[0])
        if len(parts) == 3 and pid is not None:
            found[pid] = found.get(pid, 0) + int((number(parts[2]) or 0) * _MIB)
    return found


_LISTED = re.compile(r"GPU (\d+):")
_SLICE = re.compile(r"\s*MIG (\S+)\s+Device\s+\d+:")


def parse_slices(lines: Sequence[str]) -> dict[int, tuple[str, ...]]:
    """The MIG devices of each GPU, of `nvidia-smi -L`."""
    found: dict[int, tuple[str, ...]] = {}
    index = None
    for line in lines:
        if gpu := _LISTED.match(line):
            index = whole(gpu[1])
        elif (part := _SLICE.match(line)) and index is not None:
            found[index] = (*found.get(index, ()), part[1])
    return found


def _numbers(*texts: str) -> list[float]:
    """The numbers at the beginning of the first text."""
    found: list[float] = []
    for word in texts[0].split() if texts else ():
        value = number(word)
        if value is None:
            break
        found.append(value)
    return found


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "·" for c in text).strip()
