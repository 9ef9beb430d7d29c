"""The tree of splits, with layouts that nobody would think of."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from cloudtui.model.layout import (
    SMALLEST,
    Axis,
    Box,
    Node,
    Split,
    Way,
    boxes,
    neighbour,
    panes,
    resized,
    split,
    swapped,
    without,
)

BOX = Box(0, 1, 200, 60)
AXES = st.sampled_from(list(Axis))
WAYS = st.sampled_from(list(Way))


@st.composite
def layouts(draw: st.DrawFn) -> Node:
    """Made as a person makes them: split, resize, swap, close."""
    node: Node = "p0"
    for number in range(1, draw(st.integers(1, 9))):
        node = split(node, draw(st.sampled_from(panes(node))), f"p{number}", draw(AXES))
        if draw(st.booleans()):
            at = draw(st.sampled_from(panes(node)))
            node = resized(node, at, draw(WAYS), draw(st.integers(1, 30)), BOX)
    return node


def _splits(node: Node) -> list[Split]:
    if isinstance(node, str):
        return []
    return [node, *(inner for part in node.parts for inner in _splits(part))]


def _sound(node: Node) -> None:
    for each in _splits(node):
        assert len(each.parts) == len(each.weights) >= 2
        assert all(weight > 0 for weight in each.weights)
        assert all(isinstance(p, str) or p.axis is not each.axis for p in each.parts)
    assert len(set(panes(node))) == len(panes(node))


@given(layouts())
def test_the_panes_fill_the_box_and_do_not_overlap(node: Node) -> None:
    _sound(node)
    cells = [
        (x, y)
        for box in boxes(node, BOX).values()
        for x in range(box.x, box.x + box.width)
        for y in range(box.y, box.y + box.height)
    ]
    assert len(cells) == len(set(cells)) == BOX.width * BOX.height


@given(layouts(), st.data())
def test_a_closed_pane_leaves_the_others_in_their_order(node: Node, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(panes(node)))
    left = without(node, name)
    if left is None:
        assert panes(node) == (name,)
    else:
        _sound(left)
        assert panes(left) == tuple(each for each in panes(node) if each != name)


@given(layouts(), AXES, st.data())
def test_a_new_pane_takes_half_of_the_one_it_is_beside(
    node: Node, axis: Axis, data: st.DataObject
) -> None:
    at = data.draw(st.sampled_from(panes(node)))
    before, after = boxes(node, BOX), boxes(split(node, at, "new", axis), BOX)
    for name, box in before.items():
        if name != at:
            assert after[name] == box
    old, new = after[at], after["new"]
    if axis is Axis.ROW:
        assert abs(old.width - new.width) <= 1
        assert old.width + new.width == before[at].width
    else:
        assert abs(old.height - new.height) <= 1
        assert old.height + new.height == before[at].height


@given(layouts(), WAYS, st.integers(1, 40), st.data())
def test_resizing_keeps_the_panes_and_shrinks_none_below_the_smallest(
    node: Node, way: Way, cells: int, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(panes(node)))
    after = resized(node, name, way, cells, BOX)
    _sound(after)
    assert panes(after) == panes(node)
    was, now = boxes(node, BOX), boxes(after, BOX)
    index = 0 if way.axis is Axis.ROW else 1
    for each in panes(node):
        shrunk = now[each][2 + index] < was[each][2 + index]
        assert not shrunk or len(_splits(node)) > 1 or now[each][2 + index] >= SMALLEST[index]


@given(layouts(), WAYS, st.data())
def test_a_neighbour_touches_or_there_is_none(node: Node, way: Way, data: st.DataObject) -> None:
    assume(all(box.width and box.height for box in boxes(node, BOX).values()))
    name = data.draw(st.sampled_from(panes(node)))
    other = neighbour(node, name, way, BOX)
    here, there = boxes(node, BOX)[name], boxes(node, BOX)[other]
    edges = {
        Way.LEFT: here.x == 0,
        Way.RIGHT: here.x + here.width == BOX.width,
        Way.UP: here.y == BOX.y,
        Way.DOWN: here.y + here.height == BOX.y + BOX.height,
    }
    assert (other == name) is edges[way]
    if way is Way.RIGHT and other != name:
        assert there.x == here.x + here.width


@given(layouts(), st.data())
def test_swapping_twice_is_nothing(node: Node, data: st.DataObject) -> None:
    one, other = (data.draw(st.sampled_from(panes(node))) for _ in "12")
    assert swapped(swapped(node, one, other), one, other) == node


def test_resizing_moves_the_border_that_way() -> None:
    row = split("a", "a", "b", Axis.ROW)
    assert boxes(resized(row, "a", Way.RIGHT, 10, BOX), BOX)["a"].width == 110
    assert boxes(resized(row, "b", Way.RIGHT, 10, BOX), BOX)["a"].width == 110
    assert boxes(resized(row, "b", Way.LEFT, 10, BOX), BOX)["b"].width == 110
    assert boxes(resized(row, "a", Way.LEFT, 500, BOX), BOX)["a"].width == SMALLEST[0]
    assert resized(row, "a", Way.UP, 5, BOX) == row
