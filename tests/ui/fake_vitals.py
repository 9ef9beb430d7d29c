"""What machines do, in memory: samples that a test gives, and who watches."""

from __future__ import annotations

import math
from dataclasses import replace

from cloudtui.core.events import Events, VitalsChanged, VitalsState
from cloudtui.core.vitals import Watch
from cloudtui.model.instance import Instance
from cloudtui.model.vitals import Disk, Gpu, Process, Sample

GIB = 1 << 30


class FakeVitals:
    """`show` emits as core does; `watched` counts who looks, by machine."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._states: dict[str, VitalsState] = {}
        self.watched: dict[str, int] = {}

    def state(self, instance_id: str) -> VitalsState:
        return self._states.get(instance_id) or VitalsState(instance_id)

    def watch(self, instance: Instance, *, ask: bool = True) -> Watch:
        self.watched[instance.name] = self.watched.get(instance.name, 0) + 1

        def end() -> None:
            self.watched[instance.name] -= 1

        return Watch(end)

    def show(self, state: VitalsState) -> None:
        self._states[state.instance_id] = state
        self._events.emit(VitalsChanged(state))


def gpu(index: int = 0, name: str = "A10G", load: float = 0.93) -> Gpu:
    """A GPU at work."""
    return Gpu(index, name, f"GPU-{index}", load, int(13.9 * GIB), int(22.5 * GIB), 61, 212, 300)


PROCESSES = (
    Process(4711, "ubuntu", 1.02, int(5.1 * GIB), int(13.9 * GIB), "python3 train.py --epochs 3"),
    Process(4802, "ubuntu", 3.4, int(1.4 * GIB), None, "python3 -c from multiprocessing.spawn …"),
    Process(1203, "root", 0.04, 96 << 20, None, "/usr/bin/dockerd -H fd://"),
    Process(988, "ubuntu", 0.02, 61 << 20, None, "/usr/bin/python3 -m jupyterlab"),
)


def doing(instance_id: str, now: float, *, count: int = 450, gpus: int = 1) -> VitalsState:
    """A quarter of an hour of a machine that trains, waves and all."""
    found = []
    for n in range(count):
        wave = math.sin(n / 23)
        load = 0.2 if n % 90 < 4 else 0.93 + 0.05 * math.sin(n / 3)
        found.append(
            Sample(
                now - 2.0 * (count - 1 - n),
                cpu=0.42 + 0.2 * wave,
                iowait=0.0,
                cores=8,
                load=3.4,
                memory_used=int((9 + 2 * wave) * GIB),
                memory_total=32 * GIB,
                disk_read=2e6 + 1.9e6 * wave,
                disk_write=4e5 if n % 60 else 3e8,
                net_in=8e5 + 6e5 * wave,
                net_out=5e4,
                disks=(Disk("/", "/dev/root", 142 * GIB, 52 * GIB),
                       Disk("/data", "/dev/nvme1n1", 455 * GIB, 36 * GIB)),
                gpus=tuple(gpu(i, load=load) for i in range(gpus)),
            )
        )  # fmt: skip
    found[-1] = replace(found[-1], processes=PROCESSES)
    return VitalsState(instance_id, tuple(found), live=True)
