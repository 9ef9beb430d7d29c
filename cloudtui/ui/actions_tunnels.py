"""The actions about tunnels."""

from __future__ import annotations

from cloudtui.ui.action import Action, Group, Where

_M, _A, _S, _D = Where.MACHINES, Where.ALL_SESSIONS, Where.SESSIONS, Where.DETAILS
_T = (Where.TUNNELS,)

TUNNEL_ACTIONS: tuple[Action, ...] = (
    Action(
        "machine.tunnel",
        ("t",),
        "tunnel",
        "Bring a port of the machine here, or the other way; the ports that programs there listen "
        "on are offered.",
        "open_tunnel",
        (_M, _A, _S, _D, Where.RUNS),
        Group.TUNNEL,
        rule="shell",
    ),
    Action(
        "go.tunnels",
        ("3",),
        "tunnels",
        "Go to the tunnels: where from, where to, how they fare.",
        "open_tunnels",
        (
            _M,
            _A,
            _S,
            Where.FILES,
            Where.COPIES,
            Where.JUPYTER,
            Where.NOTEBOOKS,
            Where.MONITOR,
            _D,
            Where.TUNNELS,
            Where.HOSTS,
            Where.KEYS,
            Where.ADDRESSES,
            Where.GROUPS,
            Where.RUNS,
            Where.RUN_LOG,
            Where.KERNEL_LOG,
        ),
        Group.EVERYWHERE,
    ),
    Action(
        "tunnel.browser",
        ("enter",),
        "open",
        "Open the tunnel's end in the browser.",
        "browse",
        _T,
        Group.TUNNEL,
        footer=True,
    ),
    Action(
        "tunnel.copy",
        ("c",),
        "copy",
        "Copy the address of the port here.",
        "copy",
        _T,
        Group.TUNNEL,
        footer=True,
    ),
    Action(
        "tunnel.again",
        ("r",),
        "try now",
        "Connect again now, without waiting for the next attempt.",
        "again",
        _T,
        Group.TUNNEL,
        footer=True,
    ),
    Action(
        "tunnel.close",
        ("x",),
        "close",
        "Close the tunnel; asks when connections are open through it.",
        "close_tunnel",
        _T,
        Group.TUNNEL,
        footer=True,
    ),
)
