from __future__ import annotations

import random
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from textual import events

from cloudtui.model.instance import Instance, State
from cloudtui.ui.screens.machines import MachinesScreen
from cloudtui.ui.widgets.machines_table import MachinesTable
from cloudtui.ui.widgets.table_view import TableView, fitted
from tests.ui.fakes import FLEET, Console, console, listed, machine


def table_of(ui: Console) -> MachinesTable:
    screen = ui.app.screen
    assert isinstance(screen, MachinesScreen)
    return screen.table


def names(ui: Console) -> list[str]:
    by_id = {i.id: i.name for i in ui.bench.inventory.state.instances}
    return [by_id[key] for key in table_of(ui).keys_shown]


def in_view(ui: Console) -> list[str]:
    return re.findall(r"m\d\d", ui.text)


LAB = FLEET[2]


async def show(ui: Console, *instances: Instance) -> None:
    ui.bench.inventory.show(instances=instances)
    await ui.settle()


async def test_the_cursor_stays_on_its_machine_when_rows_before_it_come_and_go() -> None:
    async with console(listed()) as ui:
        table_of(ui).select(LAB.id)
        await show(ui, *FLEET[2:])
        assert table_of(ui).key == LAB.id
        await show(ui, machine(9, "aaa-first"), machine(8, "aab"), *FLEET)
        assert table_of(ui).key == LAB.id


async def test_the_first_listing_leaves_the_cursor_on_top_until_it_was_moved() -> None:
    filling = listed([FLEET[2]], updated=None, loading=True)
    async with console(filling) as ui:
        await show(ui, *FLEET)
        assert table_of(ui).cursor_row == 0
        assert table_of(ui).key != LAB.id
        table_of(ui).select(LAB.id)
        await show(ui, machine(9, "aaa-first"), *FLEET)
        assert table_of(ui).key == LAB.id
    async with console(listed([FLEET[2]])) as ui:
        await show(ui, *FLEET)
        assert table_of(ui).key == LAB.id


async def test_the_rows_that_end_the_first_listing_leave_the_cursor_on_top() -> None:
    async with console(listed([FLEET[2]], updated=None, loading=True)) as ui:
        ui.bench.inventory.show(instances=FLEET, loading=False, updated=datetime.now(UTC))
        await ui.settle()
        assert table_of(ui).cursor_row == 0
        await show(ui, machine(9, "aaa-first"), *FLEET)
        assert table_of(ui).cursor_row == 1


async def test_the_cursor_stays_on_its_machine_through_every_order() -> None:
    async with console(listed(), size=(160, 40)) as ui:
        table = table_of(ui)
        table.select(LAB.id)
        for _ in range(2):
            for column in table.columns_shown:
                table.order(column, descending=not table.descending)
                await ui.settle()
                assert table.key == LAB.id


async def test_the_cursor_goes_to_the_neighbour_when_its_machine_is_gone() -> None:
    async with console(listed()) as ui:
        table_of(ui).select(LAB.id)
        place = table_of(ui).cursor_row
        await show(ui, *(i for i in FLEET if i is not LAB))
        assert table_of(ui).cursor_row == place
        assert table_of(ui).key is not None
        await show(ui, FLEET[0])
        assert table_of(ui).key == FLEET[0].id


async def test_the_cursor_survives_a_random_walk_of_refreshes() -> None:
    dice = random.Random(7)
    fleet = [machine(n, f"m{n:02}") for n in range(1, 40)]
    async with console(listed(fleet)) as ui:
        kept = fleet[20]
        table_of(ui).select(kept.id)
        for _ in range(15):
            others = dice.sample(fleet, dice.randint(0, 39))
            rows = [replace(i, state=dice.choice(list(State))) for i in {*others, kept}]
            await show(ui, *rows)
            assert table_of(ui).key == kept.id
            assert sorted(table_of(ui).keys_shown) == sorted(i.id for i in rows)


async def test_a_refresh_leaves_what_is_in_view_where_it_is() -> None:
    fleet = [machine(n, f"m{n:02}") for n in range(1, 60)]
    async with console(listed(fleet), size=(100, 20)) as ui:
        table_of(ui).select(fleet[40].id)
        await ui.settle()
        before = in_view(ui)
        await show(ui, *reversed(fleet))
        assert in_view(ui) == before
        await show(ui, *(i for i in fleet if i.name != "m01"))
        assert table_of(ui).key == fleet[40].id
        assert in_view(ui) == before


async def test_a_view_that_was_scrolled_away_from_the_cursor_stays_there() -> None:
    fleet = [machine(n, f"m{n:02}") for n in range(1, 60)]
    async with console(listed(fleet), size=(100, 20)) as ui:
        table = table_of(ui)
        table.scroll(30)
        await ui.settle()
        before = ui.text.splitlines()[3:10]
        assert "m31" in before[0]
        await show(ui, *(replace(i, state=State.STOPPING) for i in fleet))
        assert "m31" in ui.text.splitlines()[3]
        await ui.press("j")
        assert "m02" in ui.text.splitlines()[3]


async def test_a_changed_state_changes_its_cell() -> None:
    async with console(listed()) as ui:
        await show(ui, replace(FLEET[0], state=State.STOPPING), *FLEET[1:])
        assert table_of(ui).get_cell(FLEET[0].id, "state").plain == "◑ stopping"
        assert "◑ stopping" in ui.text


async def test_orders_go_by_value_with_the_missing_last_both_ways() -> None:
    async with console(listed(), size=(160, 40)) as ui:
        table = table_of(ui)
        table.order("name")
        assert names(ui) == ["bert-gpu", "bert-gpu-2", "data-prep", "jupyter-lab", "llm-sweep", ""]
        table.order("name", descending=True)
        assert names(ui) == ["llm-sweep", "jupyter-lab", "data-prep", "bert-gpu-2", "bert-gpu", ""]
        table.order("type")
        types = [table.get_cell(key, "type").plain for key in table.keys_shown]
        assert types == [
            "c6i.12xlarge",
            "g5.2xlarge",
            "g5.2xlarge",
            "g5.12xlarge",
            "t3.micro",
            "t3.medium",
        ]
        table.order("up")
        assert names(ui)[0] == "bert-gpu-2"
        assert names(ui)[-2:] == ["data-prep", ""] or names(ui)[-2:] == ["", "data-prep"]


async def test_the_heading_shows_the_order_and_a_click_turns_it() -> None:
    async with console(listed()) as ui:
        assert "Name ▲" in ui.text
        await ui.pilot.click(MachinesTable, offset=(16, 0))
        await ui.settle()
        assert "Name ▼" in ui.text
        assert names(ui)[0] == "llm-sweep"
        await ui.press("O")
        assert "Name ▲" in ui.text


async def test_the_order_key_goes_to_the_next_column() -> None:
    async with console(listed()) as ui:
        await ui.press("o")
        assert "Id ▲" in ui.text


async def test_less_needed_columns_go_on_a_narrow_screen_and_come_back() -> None:
    async with console(listed(), size=(150, 30)) as ui:
        table_of(ui).select(LAB.id)
        everything = ("State", "Name", "Id", "Type", "Zone", "Address", "Up", "Launched", "Key")
        heading = ui.text.splitlines()[2]
        assert all(word in heading for word in everything)
        await ui.pilot.resize_terminal(60, 30)
        await ui.settle()
        heading = ui.text.splitlines()[2]
        assert all(word in heading for word in ("State", "Name", "Address", "Up"))
        assert "Launched" not in heading
        assert "Id" not in heading
        assert table_of(ui).key == LAB.id
        await ui.pilot.resize_terminal(150, 30)
        await ui.settle()
        assert "Launched" in ui.text.splitlines()[2]
        assert table_of(ui).key == LAB.id


async def test_the_uptime_runs_on_without_a_refresh() -> None:
    young = machine(1, "young", launched=datetime.now(UTC) - timedelta(seconds=20))
    async with console(listed([young])) as ui:
        table = table_of(ui)
        before = table.get_cell(young.id, "up").plain
        later = datetime.now(UTC) + timedelta(minutes=2, seconds=45)
        table.clock = lambda: later
        table.tick()
        await ui.settle()
        assert before[-1] == "s"
        assert "3m 05s" in ui.text


async def test_hostile_names_are_shown_as_they_are() -> None:
    odd = machine(1, "[b]x[/b] [/red] [@click=app.leave]y[/]")
    long = machine(2, "n" * 200)
    async with console(listed([odd, long])) as ui:
        assert "[b]x[/b] [/red]" in ui.text
        assert "nnn…" in ui.text


async def test_keys_move_the_cursor() -> None:
    fleet = [machine(n, f"m{n:02}") for n in range(1, 60)]
    async with console(listed(fleet), size=(100, 20)) as ui:
        places = []
        for key in (
            "j",
            "down",
            "k",
            "up",
            "G",
            "g",
            "ctrl+f",
            "ctrl+b",
            "pagedown",
            "home",
            "end",
        ):
            await ui.press(key)
            places.append(table_of(ui).cursor_row)
        assert places[:6] == [1, 2, 1, 0, 58, 0]
        assert places[6] > 5
        assert places[7] == 0
        assert places[8] == places[6]
        assert places[9:] == [0, 58]


async def test_a_filter_that_hides_all_gives_the_cursor_back_to_its_row() -> None:
    async with console(listed()) as ui:
        table_of(ui).select(LAB.id)
        await ui.press("slash", *"zzz")
        assert table_of(ui).key is None
        await ui.press("escape")
        assert table_of(ui).key == LAB.id


async def drag(ui: Console, start: tuple[int, int], end: tuple[int, int]) -> None:
    """With the mouse, from one cell of the list to another."""
    await ui.pilot.mouse_down(MachinesTable, offset=start)
    await ui.pilot.hover(MachinesTable, offset=end)
    ended = [events.MouseUp, events.Click]  # as Textual has it wherever the drag ends
    await ui.pilot._post_mouse_events(ended, MachinesTable, offset=end, button=1)
    await ui.settle()


async def test_text_is_selected_with_the_mouse_and_copied_and_nothing_is_opened() -> None:
    async with console(listed(), size=(120, 34)) as ui:
        line = ui.text.splitlines()[6]
        begin = line.index("jupyter-lab")
        await drag(ui, (begin, 4), (begin + len("jupyter-lab") - 1, 4))
        assert isinstance(ui.app.screen, MachinesScreen)
        assert table_of(ui).cursor_row == 0
        assert ui.app.screen.get_selected_text() == "jupyter-lab"
        await ui.press("ctrl+c")
        assert ui.app.clipboard == "jupyter-lab"


async def test_a_selection_of_many_lines_has_wide_letters_whole_and_no_margins() -> None:
    fleet = [machine(1, "日本語"), machine(2, "plain")]
    async with console(listed(fleet), size=(120, 34)) as ui:
        names_begin = ui.text.splitlines()[2].index("Name")
        await drag(ui, (0, 1), (names_begin + 6, 2))
        rows = (ui.app.screen.get_selected_text() or "").splitlines()
        assert [row.split()[:3] for row in rows] == [
            ["●", "running", "plain"],
            ["●", "running", "日本語"],
        ]
        assert all(row == row.rstrip() for row in rows)


async def test_other_rows_end_the_selection_that_was_in_the_old_ones() -> None:
    async with console(listed(), size=(120, 34)) as ui:
        await drag(ui, (2, 2), (20, 3))
        assert ui.app.screen.get_selected_text()
        await show(ui, *FLEET)
        assert ui.app.screen.get_selected_text()
        await show(ui, *FLEET[:4])
        assert ui.app.screen.get_selected_text() is None


async def test_the_wheel_moves_the_view_and_leaves_the_cursor() -> None:
    fleet = [machine(n, f"m{n:02}") for n in range(1, 60)]
    async with console(listed(fleet), size=(100, 20)) as ui:
        for _ in range(3):
            await ui.pilot._post_mouse_events(
                [events.MouseScrollDown], MachinesTable, offset=(10, 5)
            )
        await ui.settle()
        assert table_of(ui).cursor_row == 0
        assert table_of(ui).scroll_offset.y > 0
        assert "m01" not in ui.text.splitlines()[3]
        assert "Name" in ui.text.splitlines()[2]
        top = table_of(ui).scroll_offset.y
        await ui.pilot.click(MachinesTable, offset=(5, 2))
        assert table_of(ui).cursor_row == top + 1


async def test_the_row_under_the_mouse_is_lit_and_only_that() -> None:
    async with console(listed(), size=(120, 34)) as ui:
        table = table_of(ui)
        await ui.pilot.hover(MachinesTable, offset=(5, 3))
        await ui.settle()
        kinds = {place: kind for place, kind in table._lines if kind != "row"}
        assert kinds == {0: "cursor", 2: "hover"}


async def test_it_gets_its_room_when_no_resize_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TableView, "on_resize", lambda _: None)
    async with console(listed(), size=(70, 20)) as ui:
        assert "Launched" not in ui.text
        assert "Address" in ui.text
        await ui.pilot.resize_terminal(160, 20)
        await ui.settle()
        assert "Launched" in ui.text


@pytest.mark.parametrize("name", ["a\x1b[2Jb", "a\nb", "a\tb", "a\u202eb", "a\x9bb"])
async def test_what_would_move_the_terminals_cursor_is_a_dot(name: str) -> None:
    async with console(listed([machine(1, name)])) as ui:
        line = ui.text.splitlines()[3]
        assert "a·" in line
        assert line.isprintable()


def test_a_cell_is_cut_and_filled_to_its_cells() -> None:
    assert fitted("日本語", 5) == "日本…"
    assert fitted("日本語", 7) == "日本語 "
    assert fitted("1.21", 6, right=True) == "  1.21"
    assert fitted("abc", 1) == "…"
