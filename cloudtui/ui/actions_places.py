"""The actions that choose whose machines are shown, and where."""

from __future__ import annotations

from cloudtui.ui.action import Action, Group, Where

_LISTS = (Where.MACHINES, Where.ALL_SESSIONS)

PLACE_ACTIONS: tuple[Action, ...] = (
    Action(
        "places.regions",
        ("R",),
        "regions",
        "Choose the regions to show; they are remembered for the profile.",
        "choose_regions",
        _LISTS,
        Group.EVERYWHERE,
    ),
    Action(
        "places.profiles",
        ("P",),
        "profiles",
        "Choose the AWS profiles to show, one or several in one list; they are remembered.",
        "choose_profiles",
        _LISTS,
        Group.EVERYWHERE,
    ),
    Action(
        "places.login",
        ("l",),
        "log in",
        "Log in to AWS again, when the list says that it needs that.",
        "log_in",
        _LISTS,
        Group.EVERYWHERE,
    ),
)
