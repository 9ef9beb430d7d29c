"""Panes side by side and one above the other: a tree of splits, replaced and never edited.

A node is a pane (its name) or a `Split`, whose parts share its length by weight.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

SMALLEST = (12, 3)
"""Columns and rows below which a pane is not made smaller."""


class Axis(StrEnum):
    """How the parts of a split lie."""

    ROW = "row"
    """Side by side."""
    COLUMN = "column"
    """One above the other."""


class Way(StrEnum):
    """Where to."""

    LEFT = "left"
    RIGHT = "right"
    UP = "up"
    DOWN = "down"

    @property
    def axis(self) -> Axis:
        return Axis.ROW if self in (Way.LEFT, Way.RIGHT) else Axis.COLUMN

    @property
    def forward(self) -> bool:
        return self in (Way.RIGHT, Way.DOWN)


class Box(NamedTuple):
    """A rectangle of cells."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Split:
    """Parts along an axis; none of them is a split along the same one."""

    axis: Axis
    parts: tuple[Node, ...]
    weights: tuple[float, ...]


Node = str | Split


def panes(node: Node) -> tuple[str, ...]:
    """The panes, from left to right and top to bottom."""
    if isinstance(node, str):
        return (node,)
    return tuple(name for part in node.parts for name in panes(part))


def boxes(node: Node, box: Box) -> dict[str, Box]:
    """Where each pane lies; together they fill the box without gaps."""
    if isinstance(node, str):
        return {node: box}
    row = node.axis is Axis.ROW
    found: dict[str, Box] = {}
    at = box.x if row else box.y
    for part, length in zip(
        node.parts, _lengths(node, box.width if row else box.height), strict=True
    ):
        inner = Box(at, box.y, length, box.height) if row else Box(box.x, at, box.width, length)
        found |= boxes(part, inner)
        at += length
    return found


def _lengths(split: Split, length: int) -> list[int]:
    whole = sum(split.weights)
    ends: list[int] = []
    done = 0.0
    for weight in split.weights:
        done += weight
        ends.append(round(length * done / whole))
    return [end - start for start, end in zip([0, *ends], ends, strict=False)]


def split(node: Node, at: str, new: str, axis: Axis) -> Node:
    """`new` beside (or under) `at`, each with half of its room."""
    if isinstance(node, str):
        return Split(axis, (node, new), (1.0, 1.0)) if node == at else node
    if node.axis is axis and at in node.parts:
        place = node.parts.index(at)
        half = node.weights[place] / 2
        return Split(
            axis,
            (*node.parts[: place + 1], new, *node.parts[place + 1 :]),
            (*node.weights[:place], half, half, *node.weights[place + 1 :]),
        )
    return Split(node.axis, tuple(split(part, at, new, axis) for part in node.parts), node.weights)


def without(node: Node, name: str) -> Node | None:
    """The others take the room of that pane; None when it was the last."""
    if isinstance(node, str):
        return None if node == name else node
    left: list[tuple[Node, float]] = []
    for part, weight in zip(node.parts, node.weights, strict=True):
        kept = without(part, name)
        if kept is None:
            continue
        if isinstance(kept, Split) and kept.axis is node.axis:
            whole = sum(kept.weights)
            left += [(p, weight * w / whole) for p, w in zip(kept.parts, kept.weights, strict=True)]
        else:
            left.append((kept, weight))
    if len(left) < 2:
        return left[0][0] if left else None
    return Split(node.axis, tuple(p for p, _ in left), tuple(w for _, w in left))


def renamed(node: Node, names: Mapping[str, str]) -> Node:
    """The same layout with other names; a name that is not in `names` stays."""
    if isinstance(node, str):
        return names.get(node, node)
    return Split(node.axis, tuple(renamed(part, names) for part in node.parts), node.weights)


def swapped(node: Node, one: str, other: str) -> Node:
    """The two panes in each other's place."""
    return renamed(node, {one: other, other: one})


def neighbour(node: Node, name: str, way: Way, box: Box) -> str:
    """The nearest pane that way, that shares most of the edge; itself when there is none."""
    places = boxes(node, box)
    here = places[name]
    best, best_rank = name, (0, 0)
    for other, there in places.items():
        gap, shared = _facing(here, there, way)
        if gap < 0 or shared <= 0:
            continue
        rank = (-gap, shared)
        if best == name or rank > best_rank:
            best, best_rank = other, rank
    return best


def _facing(here: Box, there: Box, way: Way) -> tuple[int, int]:
    """Cells between the two that way (negative: not that way), and cells of shared edge."""
    if way.axis is Axis.ROW:
        shared = min(here.y + here.height, there.y + there.height) - max(here.y, there.y)
        ahead, behind = there.x - (here.x + here.width), here.x - (there.x + there.width)
    else:
        shared = min(here.x + here.width, there.x + there.width) - max(here.x, there.x)
        ahead, behind = there.y - (here.y + here.height), here.y - (there.y + there.height)
    return (ahead if way.forward else behind), shared


def resized(node: Node, name: str, way: Way, cells: int, box: Box) -> Node:
    """The pane's border moved that way by so many cells, as far as the smallest size allows.

    The border after the pane moves, or the one before it when it is the last along that axis.
    """
    if isinstance(node, str) or name not in panes(node):
        return node
    row = node.axis is Axis.ROW
    lengths = _lengths(node, box.width if row else box.height)
    place = next(i for i, part in enumerate(node.parts) if name in panes(part))
    start = (box.x if row else box.y) + sum(lengths[:place])
    inner = (
        Box(start, box.y, lengths[place], box.height)
        if row
        else Box(box.x, start, box.width, lengths[place])
    )
    part = node.parts[place]
    deeper = resized(part, name, way, cells, inner)
    if deeper != part:
        parts = (*node.parts[:place], deeper, *node.parts[place + 1 :])
        return Split(node.axis, parts, node.weights)
    if way.axis is not node.axis:
        return node
    first = min(place, len(lengths) - 2)
    step = cells if way.forward else -cells
    least = SMALLEST[0] if row else SMALLEST[1]
    room = lengths[first] - least if step < 0 else lengths[first + 1] - least
    moved = max(0, min(abs(step), room)) * (1 if step > 0 else -1)
    lengths[first] += moved
    lengths[first + 1] -= moved
    return Split(node.axis, node.parts, tuple(float(max(length, 1)) for length in lengths))
