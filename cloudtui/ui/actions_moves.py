"""The actions that move through a list or a text."""

from __future__ import annotations

from cloudtui.ui.action import Action, Group, Where


def moves(where: tuple[Where, ...]) -> tuple[Action, ...]:
    """Rows, pages and ends, on the screens given."""
    return (
        Action(
            "move.down",
            ("j", "down"),
            "down",
            "One row down.",
            "row_down",
            where,
            Group.MOVE,
            palette=False,
        ),
        Action(
            "move.up",
            ("k", "up"),
            "up",
            "One row up.",
            "row_up",
            where,
            Group.MOVE,
            palette=False,
        ),
        Action(
            "move.page_down",
            ("ctrl+f", "pagedown"),
            "page down",
            "One page down.",
            "page_down",
            where,
            Group.MOVE,
            palette=False,
        ),
        Action(
            "move.page_up",
            ("ctrl+b", "pageup"),
            "page up",
            "One page up.",
            "page_up",
            where,
            Group.MOVE,
            palette=False,
        ),
        Action(
            "move.first",
            ("g", "home"),
            "first",
            "The first row.",
            "first_row",
            where,
            Group.MOVE,
            palette=False,
        ),
        Action(
            "move.last",
            ("G", "end"),
            "last",
            "The last row.",
            "last_row",
            where,
            Group.MOVE,
            palette=False,
        ),
    )
