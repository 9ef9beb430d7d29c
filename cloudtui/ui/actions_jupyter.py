"""The actions of the screen that opens Jupyter."""

from __future__ import annotations

from cloudtui.ui.action import Action, Group, Where

_J = Where.JUPYTER

JUPYTER_ACTIONS: tuple[Action, ...] = (
    Action(
        "jupyter.copy",
        ("c",),
        "copy address",
        "Copy the whole address, token included.",
        "copy",
        (_J,),
        Group.NOTEBOOK,
        footer=True,
    ),
    Action(
        "jupyter.browser",
        ("o",),
        "open browser",
        "Open the address in the browser once more.",
        "browse",
        (_J,),
        Group.NOTEBOOK,
        footer=True,
    ),
    Action(
        "jupyter.token",
        ("v",),
        "show token",
        "Show or hide the token in the address.",
        "toggle_token",
        (_J,),
        Group.NOTEBOOK,
        footer=True,
    ),
    Action(
        "jupyter.again",
        ("r",),
        "try again",
        "Open Jupyter once more after a failure.",
        "again",
        (_J,),
        Group.NOTEBOOK,
        footer=True,
    ),
    Action(
        "jupyter.close",
        ("x",),
        "close tunnel",
        "Close the tunnel. The server on the machine goes on running.",
        "close_tunnel",
        (_J,),
        Group.NOTEBOOK,
        footer=True,
    ),
)
