"""By which names the settings may call an action."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from difflib import get_close_matches

from cloudtui.ui.action import Action


def names(actions: Iterable[Action]) -> dict[str, str]:
    """Action id by name: the id itself, its last part and its words, where only one has them."""
    meant: dict[str, set[str]] = defaultdict(set)
    ids = [action.id for action in actions]
    for action in actions:
        for name in (action.id.rpartition(".")[2], action.words.replace(" ", "_"), action.words):
            meant[name].add(action.id)
    found = {name: next(iter(which)) for name, which in meant.items() if len(which) == 1}
    return found | {action_id: action_id for action_id in ids}


def unknown(name: str, actions: Iterable[Action]) -> str:
    """What to say of a name that no action has, or that several have."""
    tail = name.rpartition(".")[2]
    several = sorted(a.id for a in actions if name in (a.id.rpartition(".")[2], a.words))
    near = several or get_close_matches(tail, names(actions), 3, 0.6)
    if several:
        return f"Several actions are called {name!r}: {', '.join(near)}."
    hint = f" Near: {', '.join(near)}." if near else ""
    return f"There is no action {name!r}.{hint} The names are in the README, under Keys."
