"""The rows of the table of actions about looking at one machine, its tags and what it costs."""

from __future__ import annotations

from cloudtui.ui.action import Action, Group, Where

_M, _D, _V = Where.MACHINES, Where.DETAILS, Where.VIEWER
_TEXT = (_V, Where.RUN_LOG, Where.KERNEL_LOG)

DETAIL_ACTIONS: tuple[Action, ...] = (
    Action(
        "machine.everything",
        ("D",),
        "all details",
        "The machine in full: volumes, open ports, checks, image, tags, console output, user data.",
        "open_machine",
        (_M,),
        Group.MACHINE,
        rule="look",
    ),
    Action(
        "machine.tags",
        ("e",),
        "tags",
        "Edit, add and remove tags, of all marked machines at once.",
        "edit_tags",
        (_M, _D),
        Group.MACHINE,
        rule="tags",
        footer=True,
    ),
    Action(
        "machine.console_output",
        ("o",),
        "console output",
        "What the machine printed on its serial console: boot messages, kernel and cloud-init.",
        "open_console_output",
        (_D,),
        Group.MACHINE,
        rule="look",
        footer=True,
    ),
    Action(
        "machine.user_data",
        ("u",),
        "user data",
        "What the machine is told at its first start. It may hold secrets.",
        "open_user_data",
        (_D,),
        Group.MACHINE,
        rule="look",
        footer=True,
    ),
    Action(
        "machine.web",
        ("W",),
        "web console",
        "Open the machine in the AWS web console; without a browser the address is copied.",
        "open_web_console",
        (_M, _D),
        Group.MACHINE,
        rule="look",
    ),
    Action(
        "go.bill",
        ("dollar_sign",),
        "cost",
        "What everything costs an hour, what is not known of it, and as of which day.",
        "open_bill",
        (_M, _D),
        Group.EVERYWHERE,
    ),
    Action(
        "text.find",
        ("slash",),
        "find",
        "Find a word in the text.",
        "start_filter",
        _TEXT,
        Group.FIND,
        footer=True,
        at_once=True,
    ),
    Action("text.next", ("n",), "next", "The next place found.", "next_hit", _TEXT, Group.FIND,
           footer=True),
    Action("text.previous", ("N",), "previous", "The place found before.", "previous_hit", _TEXT,
           Group.FIND),
    Action("text.copy", ("c",), "copy", "Copy the whole text.", "copy", _TEXT, Group.FIND,
           footer=True),
)  # fmt: skip
