"""The rows of the table of actions about the entries of the ssh config."""

from __future__ import annotations

from cloudtui.ui.action import Action, Group, Where

_M, _D, _H = Where.MACHINES, Where.DETAILS, Where.HOSTS

_OTHERS = (
    Where.MONITOR,
    Where.TUNNELS,
    Where.GROUPS,
    Where.ADDRESSES,
    Where.KEYS,
    Where.RUNS,
    Where.NOTEBOOKS,
)

HOST_ACTIONS: tuple[Action, ...] = (
    Action(
        "machine.host_entry",
        ("h",),
        "ssh entry",
        "Add the machine to the ssh config, or bring its entry up to date: plain ssh, scp, rsync "
        "and VS Code know it then. The change is shown first.",
        "add_host",
        (_M, _D),
        Group.MACHINE,
        rule="hosts.change",
    ),
    Action(
        "host.show",
        ("enter",),
        "show",
        "What the entry says, what is wrong with it, and what would be changed.",
        "show_host",
        (_H,),
        Group.HOST,
        footer=True,
    ),
    Action(
        "host.sync",
        ("y",),
        "bring in step",
        "Write the address that the machine has now, or remove the entry of a machine that is "
        "gone. The change is shown first.",
        "sync_host",
        (_H,),
        Group.HOST,
        footer=True,
    ),
    Action(
        "host.sync_all",
        ("Y",),
        "all in step",
        "The same for every entry that needs it, one after the other.",
        "sync_hosts",
        (_H,),
        Group.HOST,
    ),
    Action(
        "host.add",
        ("n",),
        "add",
        "Choose a machine to add to the ssh config.",
        "choose_host",
        (_H,),
        Group.HOST,
        footer=True,
    ),
    Action(
        "host.edit",
        ("e",),
        "edit",
        "Change the address, user, port, key or jump host of the entry; the change is shown first.",
        "edit_host",
        (_H,),
        Group.HOST,
        footer=True,
    ),
    Action(
        "host.remove",
        ("x",),
        "remove",
        "Remove the entry, after a question that shows the lines.",
        "remove_host",
        (_H,),
        Group.HOST,
        footer=True,
    ),
    Action(
        "host.undo",
        ("u",),
        "undo",
        "Take the last change of the ssh config back; it is shown first.",
        "undo_host",
        (_H,),
        Group.HOST,
    ),
    Action(
        "host.copy",
        ("c",),
        "copy",
        "Copy `ssh NAME` to the clipboard.",
        "copy",
        (_H,),
        Group.HOST,
        footer=True,
    ),
    Action(
        "go.hosts",
        ("5",),
        "hosts",
        "Go to the entries of the ssh config.",
        "open_hosts",
        (
            _M,
            Where.ALL_SESSIONS,
            Where.SESSIONS,
            Where.FILES,
            Where.COPIES,
            Where.JUPYTER,
            _D,
            _H,
            *_OTHERS,
        ),
        Group.EVERYWHERE,
    ),
)
