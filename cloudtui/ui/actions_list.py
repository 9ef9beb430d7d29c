"""The rows of the table of actions that are about the list of machines itself."""

from __future__ import annotations

from cloudtui.ui.action import Action, Group, Where

_MACHINES = (Where.MACHINES,)

LIST_ACTIONS: tuple[Action, ...] = (
    Action(
        "list.mark",
        ("space",),
        "mark",
        "Mark the machine for an action on many, or take its mark away, and go one row down.",
        "mark_row",
        _MACHINES,
        Group.FIND,
    ),
    Action(
        "list.mark_others",
        ("asterisk",),
        "invert marks",
        "Mark the rows shown that are not marked, and unmark the others; Esc unmarks all.",
        "invert_marks",
        _MACHINES,
        Group.FIND,
    ),
    Action(
        "list.columns",
        ("C",),
        "columns",
        "Choose the columns and their order; both are remembered, and so is the order of the rows.",
        "choose_columns",
        _MACHINES,
        Group.FIND,
    ),
)
