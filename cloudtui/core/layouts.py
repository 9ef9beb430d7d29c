"""The last layout of panes of each host, kept in the state folder."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudtui.files.atomic import write_atomically
from cloudtui.files.paths import state_dir
from cloudtui.model.layout import Axis, Node, Split, panes

MOST = 32
"""Panes of one layout; a file with more is not ours."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a pane held: a session of a host, a shell of it, or with nothing a shell here."""

    instance_id: str = ""
    program: str = ""
    session_id: str = ""
    session_name: str = ""


def keep(host: str, tree: Node, held: Mapping[str, Held]) -> None:
    """Remember a layout; a disk that takes no files is no failure."""
    data = {
        "tree": _written(tree),
        "panes": {
            name: [one.instance_id, one.program, one.session_id, one.session_name]
            for name, one in held.items()
        },
    }
    try:
        write_atomically(_file(host), json.dumps(data, ensure_ascii=False).encode())
    except OSError:
        return


def kept(host: str) -> tuple[Node, dict[str, Held]] | None:
    """The layout remembered for a host, or None when there is none that can be read."""
    try:
        data = json.loads(_file(host).read_bytes())
        tree = _read(data["tree"])
        held = {str(name): Held(*map(str, words)) for name, words in data["panes"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    names = panes(tree)
    whole = len(set(names)) == len(names) <= MOST and set(names) == set(held)
    return (tree, held) if whole else None


def _file(host: str) -> Path:
    return state_dir() / "layouts" / f"{re.sub(r'[^A-Za-z0-9-]', '_', host)}.json"


def _written(node: Node) -> Any:
    if isinstance(node, str):
        return node
    return [node.axis.value, [_written(part) for part in node.parts], list(node.weights)]


def _read(data: Any) -> Node:
    if isinstance(data, str):
        return data
    axis, parts, weights = data
    numbers = tuple(float(weight) for weight in weights)
    if len(parts) != len(numbers) or len(parts) < 2 or not all(0 < n < 1e6 for n in numbers):
        raise ValueError("not a layout")
    return Split(Axis(axis), tuple(_read(part) for part in parts), numbers)
