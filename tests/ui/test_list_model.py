"""The list of machines against a naive one: sort everything, filter everything, show the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextvars import copy_context
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudtui.model.filter import Filter
from cloudtui.model.instance import Instance, State
from cloudtui.ui.screens.machines import MachinesScreen
from cloudtui.ui.widgets import machine_rows, machines_table
from cloudtui.ui.widgets.keyed_table import MARK
from cloudtui.ui.widgets.machine_columns import rank
from cloudtui.ui.widgets.machine_rows import NAMELESS, MachineRows
from tests.ui.fakes import NOW, Console, console, listed, machine

SLOW = settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
COLUMNS = ("state", "name", "type", "address", "up", "zone", "spot", "tag:team")


def naive(
    instances: Sequence[Instance], column: str, descending: bool, query: str
) -> list[Instance]:
    """What should be shown, from top to bottom."""
    there = list({i.id: i for i in instances}.values())
    there.sort(key=lambda i: (i.name.casefold() or NAMELESS, i.id))
    known = [i for i in there if rank(i, column, lambda _: None) is not None]
    known.sort(key=lambda i: rank(i, column, lambda _: None))
    if descending:
        ties = [i for i in reversed(there) if i in known]
        known = sorted(ties, key=lambda i: rank(i, column, lambda _: None), reverse=True)
    missing = [i for i in there if rank(i, column, lambda _: None) is None]
    return Filter(query).rows([*known, *missing])


@st.composite
def machines(draw: st.DrawFn) -> Instance:
    number = draw(st.integers(1, 30))
    made = machine(
        number,
        draw(st.sampled_from(("", "bert", "Bert-2", "gpu", "bert-gpu", "日本", "zoe"))),
        draw(st.sampled_from(list(State))),
    )
    return replace(
        made,
        type=draw(st.sampled_from(("g5.xlarge", "g5.2xlarge", "t3.nano", ""))),
        lifecycle=draw(st.sampled_from(("", "spot"))),
        launched=draw(st.sampled_from((None, NOW, NOW - timedelta(days=3)))),
        tags=draw(st.sampled_from(({}, {"team": "nlp"}, {"team": "vision"}))),
    )


FLEETS = st.lists(machines(), max_size=30, unique_by=lambda i: i.id)
QUERIES = st.sampled_from(
    ("", "bert", "brt", "state:running", "-bert", "type:g5* spot:no", "tag:team=nlp", "qqq", "2")
)


@given(st.lists(st.tuples(FLEETS, st.sampled_from(COLUMNS), st.booleans(), QUERIES), max_size=6))
def test_rows_are_those_of_the_naive_list_whatever_was_shown_before(
    views: list[tuple[list[Instance], str, bool, str]],
) -> None:
    rows, before = MachineRows(), list[Instance]()
    for fleet, column, descending, query in views:
        mixed = [*fleet, *(i for i in before if i.id not in {j.id for j in fleet})][:35]
        for steps in (
            rows.take(mixed, lambda i: i.state is State.STOPPED),
            rows.arrange(column, descending, lambda _: None),
            rows.find(Filter(query)),
        ):
            for _ in steps:
                pass
        assert [r.instance for r in rows.found] == naive(mixed, column, descending, query)
        assert all(r.dim == (r.instance.state is State.STOPPED) for r in rows.found)
        before = mixed


def test_what_was_found_out_is_kept_for_as_long_as_the_machine_is_the_same() -> None:
    rows, fleet = MachineRows(), [machine(n, f"m{n}") for n in range(1, 5)]
    for again in (fleet, [replace(i) for i in fleet]):
        list(rows.take(again, lambda _: False))
    kept = dict(rows.by_id)
    changed = [replace(fleet[0], state=State.STOPPED), *fleet[1:]]
    list(rows.take(changed, lambda _: False))
    assert [key for key in kept if rows.by_id[key] is not kept[key]] == [fleet[0].id]
    assert rows.by_id[fleet[0].id].instance.state is State.STOPPED


KEYS = ("j", "k", "g", "G", "pagedown", "pageup", "space", "asterisk", "o", "O")
STEPS = st.lists(
    st.one_of(
        FLEETS.map(lambda fleet: ("fleet", fleet)),
        QUERIES.map(lambda query: ("filter", query)),
        st.sampled_from(KEYS).map(lambda key: ("key", key)),
    ),
    max_size=10,
)


@pytest.fixture(scope="module")
def run() -> Iterator[Callable[..., None]]:
    """Runs a coroutine on one console that stays open."""
    loop, context = asyncio.new_event_loop(), copy_context()

    def run_in_it(work: Coroutine[None, None, Any]) -> Any:
        return loop.run_until_complete(loop.create_task(work, context=context))

    opened = console(listed([machine(1, "first")]), size=(90, 18))
    ui = run_in_it(opened.__aenter__())
    yield lambda work, *words: run_in_it(work(ui, *words))
    run_in_it(opened.__aexit__(None, None, None))
    loop.close()


@pytest.mark.parametrize("at_once", [1_000, 2], ids=["at once", "in pieces"])
def test_the_list_shows_what_the_naive_one_does_after_any_keys_and_edits(
    run: Callable[..., None], at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machines_table, "AT_ONCE", at_once)
    monkeypatch.setattr(machine_rows, "STRIDE", 4)
    monkeypatch.setattr(machines_table, "SLICE", 0.0)

    @SLOW
    @given(FLEETS, STEPS)
    def walk(fleet: list[Instance], steps: list[tuple[str, object]]) -> None:
        run(walked, fleet, steps)

    walk()


async def done(ui: Console) -> None:
    table = ui.app.screen.query_one(machines_table.MachinesTable)
    await ui.settle()
    while table.busy:
        await ui.settle()
    await ui.settle()


async def walked(ui: Console, fleet: list[Instance], steps: list[tuple[str, object]]) -> None:
    screen = ui.app.screen
    assert isinstance(screen, MachinesScreen)
    table, field = screen.table, screen.query_one("Input")
    field.value = ""  # type: ignore[attr-defined]
    table.order("name")
    table.keep_marks()
    ui.bench.inventory.show(instances=tuple(fleet))
    await done(ui)
    query, marks = "", set[str]()
    for what, given_ in steps:
        key, place, shown = table.key, table.cursor_row, table.keys_shown
        if what == "fleet":
            fleet = list(given_)  # type: ignore[call-overload]
            ui.bench.inventory.show(instances=tuple(fleet))
        elif what == "filter":
            query = str(given_)
            field.value = query  # type: ignore[attr-defined]
        else:
            table.focus()
            await ui.settle()
            await ui.press(str(given_))
            if given_ == "space" and key:
                marks ^= {key}
            elif given_ == "asterisk":
                marks ^= set(shown)
        await done(ui)
        marks &= {i.id for i in fleet}
        wanted = [i.id for i in naive(fleet, table.order_by, table.descending, query)]
        assert table.keys_shown == wanted
        assert table.marks == marks
        stays = what != "key" or given_ in ("asterisk", "o", "O")
        if stays and key in wanted:
            assert table.key == key
        elif what == "key" and wanted:
            moved = {"j": 1, "space": 1, "k": -1, "g": -99, "G": 99}.get(str(given_))
            if moved is not None:
                assert table.cursor_row == max(0, min(place + moved, len(wanted) - 1))
        if wanted:
            in_view(ui, table, {i.id: i for i in fleet}, wanted)


def in_view(
    ui: Console,
    table: machines_table.MachinesTable,
    by_id: dict[str, Instance],
    wanted: list[str],
) -> None:
    """The lines painted are those rows, each with its mark."""
    top = table.scroll_offset.y
    lines = ui.text.splitlines()[table.region.y + 1 : table.region.bottom]
    rows = wanted[top : top + len(lines)]
    for line, key in zip(lines, rows, strict=False):
        assert by_id[key].name in line
        assert f"{by_id[key].state.glyph} {by_id[key].state.value}" in line
        assert (line[0] == MARK) == (key in table.marks)
    assert all(not line.strip(" ▁▂▃▄▅▆▇█▔") for line in lines[len(rows) :])
