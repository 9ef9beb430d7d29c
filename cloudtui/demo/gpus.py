"""Pretend GPUs: what nvidia-smi says on a demo's host, busy while a training runs there."""

from __future__ import annotations

import re
from dataclasses import dataclass

FOLDER = "gpu"
"""In TMPDIR: a file per process on a GPU, its name the pid, its text `GPU MIB`."""


@dataclass(frozen=True, slots=True)
class Card:
    """A kind of GPU, with MiB and watts."""

    name: str
    memory: int
    power: int


_A10G, _T4, _L4 = (
    Card("NVIDIA A10G", 23028, 300),
    Card("Tesla T4", 15360, 70),
    Card("NVIDIA L4", 23034, 72),
)
_V100 = Card("Tesla V100-SXM2-16GB", 16384, 300)
_A100 = Card("NVIDIA A100-SXM4-40GB", 40960, 400)
_H100 = Card("NVIDIA H100 80GB HBM3", 81559, 700)
_FAMILIES = {"g5": _A10G, "g4dn": _T4, "g6": _L4, "p3": _V100, "p4d": _A100, "p5": _H100}
_COUNTS = {
    "g5.12xlarge": 4, "g5.24xlarge": 4, "g5.48xlarge": 8, "g4dn.12xlarge": 4, "g4dn.metal": 8,
    "g6.12xlarge": 4, "g6.24xlarge": 4, "g6.48xlarge": 8, "p3.8xlarge": 4, "p3.16xlarge": 8,
    "p4d.24xlarge": 8, "p5.48xlarge": 8,
}  # fmt: skip

_PROGRAM = """\
#!/bin/sh
# A pretend nvidia-smi: its GPUs are busy while a pretend training runs.
folder="$TMPDIR/{folder}"
held=
for file in "$folder"/*; do
    pid=${{file##*/}}
    if kill -0 "$pid" 2>/dev/null; then
        read -r gpu mib <"$file" && held="$held $pid:$gpu:$mib"
    else
        rm -f "$file"
    fi
done
PATH={path}
awk -v held="$held" -v asked="$*" -v now="$(date +%s)" '
BEGIN {{
    count = {count}; name = "{name}"; memory = {memory}; limit = {power}
    srand(now + PROCINFO["pid"])
    parts = split(held, all, " ")
    for (n = 1; n <= parts; n++) {{
        split(all[n], one, ":")
        gpu = one[2] % count
        used[gpu] += one[3]
        app[n] = sprintf("%d, GPU-%08d, %d", one[1], gpu, one[3])
    }}
    for (gpu = 0; gpu < count; gpu++) {{
        busy = (gpu in used)
        # Between batches of a training the next ones are loaded, now and then for long.
        load = !busy ? 0 : now % 47 < 3 ? 20 + 30 * rand() : 91 + 7 * rand()
        heat = busy ? 61 + 3 * sin(now / 60 + gpu) : 31 + gpu % 3
        watts = limit * (busy ? 0.18 + 0.006 * load + 0.02 * rand() : 0.06)
        line[gpu] = sprintf("%d, GPU-%08d, %s, %d, %d, %d, %d, %.2f, %.2f", gpu, gpu, name, load,
            busy ? used[gpu] + 11 : 3, memory, heat, watts, limit)
        table[gpu] = sprintf("| %3d  %-34s |\\n| N/A  %3dC   P%d", gpu, name, heat, busy ? 0 : 8)
        table[gpu] = table[gpu] sprintf("  %4dW / %4dW | %6dMiB / %6dMiB | %4d%% |", watts, limit,
            busy ? used[gpu] + 11 : 3, memory, load)
    }}
    if (asked ~ /^-L/)
        for (gpu = 0; gpu < count; gpu++) printf "GPU %d: %s (UUID: GPU-%08d)\\n", gpu, name, gpu
    else if (asked ~ /query-gpu/) for (gpu = 0; gpu < count; gpu++) print line[gpu]
    else if (asked ~ /query-compute-apps/) for (n = 1; n <= parts; n++) print app[n]
    else {{
        print "NVIDIA-SMI 570.133.20   Driver Version: 570.133.20   CUDA Version: 12.8   (pretend)"
        for (gpu = 0; gpu < count; gpu++) print table[gpu]
        for (n = 1; n <= parts; n++) print "|  " app[n] "MiB"
    }}
}}'
"""


def card_of(type: str) -> tuple[Card, int] | None:
    """The GPUs of an instance type, and how many; None for one without."""
    card = _FAMILIES.get(type.partition(".")[0])
    return (card, _COUNTS.get(type, 1)) if card else None


def nvidia_smi(type: str, path: str) -> str:
    """The program for the PATH of a host of that type; empty for one without GPUs."""
    found = card_of(type)
    if not found or not re.fullmatch(r"[\w./:-]+", path):
        return ""
    card, count = found
    return _PROGRAM.format(
        folder=FOLDER, path=path, count=count, name=card.name, memory=card.memory, power=card.power
    )
