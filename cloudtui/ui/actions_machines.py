"""The rows of the table of actions that change a machine's state."""

from __future__ import annotations

from cloudtui.model.lifecycle import Verb
from cloudtui.ui.action import Action, Group, Where

_MARKED = "the machine, or every marked one"

MACHINE_ACTIONS: tuple[Action, ...] = tuple(
    Action(
        f"machine.{verb.value}",
        (key,),
        verb.value,
        help,
        f"{verb.value}_machines",
        (Where.MACHINES,),
        Group.MACHINE,
        rule=f"lifecycle.{verb.value}",
        footer=verb in (Verb.START, Verb.STOP),
    )
    for verb, key, help in (
        (Verb.START, "u", f"Start {_MARKED}, after a question."),
        (
            Verb.STOP,
            "x",
            f"Stop {_MARKED}, after a question that names what ends and what is lost.",
        ),
        (
            Verb.HIBERNATE,
            "H",
            f"Hibernate {_MARKED}: a stop that keeps the memory. Only for machines launched so.",
        ),
        (Verb.REBOOT, "b", f"Reboot {_MARKED}, after a question."),
        (
            Verb.TERMINATE,
            "ctrl+d",
            f"Terminate {_MARKED} for good. Its name, or how many there are, has to be typed.",
        ),
    )
)

VERBS = {f"machine.{verb.value}": verb for verb in Verb}
"""What the actions above ask for, by action id."""
