from __future__ import annotations

import random
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from cloudtui.model.instance import Instance, State
from cloudtui.ui.screens.machines import MachinesScreen
from cloudtui.ui.widgets.machines_table import MachinesTable
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
