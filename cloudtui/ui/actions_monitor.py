"""The actions of the panel that shows what a machine is doing."""

from __future__ import annotations

from cloudtui.ui.action import Action, Group, Where

_W = (Where.MONITOR,)

MONITOR_ACTIONS: tuple[Action, ...] = (
    Action(
        "machine.monitor",
        ("M",),
        "monitor",
        "What the machine is doing: GPUs, processors, memory, disks, network, runs and processes.",
        "open_monitor",
        (Where.MACHINES, Where.ALL_SESSIONS, Where.SESSIONS, Where.DETAILS, Where.RUNS),
        Group.MACHINE,
        rule="shell",
    ),
    Action(
        "monitor.zoom",
        ("z",),
        "time",
        "Show the last 2, 5 or 15 minutes.",
        "zoom",
        _W,
        Group.MACHINE,
        footer=True,
    ),
    Action(
        "monitor.order",
        ("o",),
        "order",
        "Order the processes by CPU, memory or GPU memory.",
        "next_order",
        _W,
        Group.MACHINE,
        footer=True,
    ),
)
