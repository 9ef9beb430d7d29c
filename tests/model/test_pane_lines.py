"""What a screen has got is told once, while less than a whole screen comes between two looks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cloudtui.model.pane_lines import added, lines_shown

HEIGHT = 8


@given(st.lists(st.integers(0, HEIGHT - 1), max_size=30))
def test_every_line_is_told_once_while_it_scrolls(steps: list[int]) -> None:
    printed: list[str] = []
    told: list[str] = []
    before: tuple[str, ...] = ()
    for count in steps:
        printed += [f"step {len(printed) + n}" for n in range(count)]
        now = lines_shown("\n".join(printed[-HEIGHT:]) + "\n\n")
        told += added(before, now)
        before = now
    assert told == printed


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 100)), max_size=20))
def test_a_bar_that_is_drawn_anew_is_told_anew_and_nothing_else(
    steps: list[tuple[int, int]],
) -> None:
    printed: list[str] = []
    before: tuple[str, ...] = ()
    bar = ""
    for count, percent in steps:
        lines = [f"loss {len(printed) + n}" for n in range(count)]
        printed += lines
        same, bar = not lines and bar == f"{percent} %", f"{percent} %"
        now = lines_shown("\n".join([*printed[-HEIGHT + 1 :], bar]))
        assert list(added(before, now)) == ([] if same else [*lines, bar])
        before = now


@given(st.lists(st.text("ab\n ", max_size=4)), st.lists(st.text("ab\n ", max_size=4)))
def test_the_end_of_what_is_told_is_the_end_of_the_screen(one: list[str], two: list[str]) -> None:
    before, now = lines_shown("\n".join(one)), lines_shown("\n".join(two))
    new = tuple(added(before, now))
    assert now[len(now) - len(new) :] == new
