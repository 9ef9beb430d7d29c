from __future__ import annotations

from cloudtui.ui.screens.machines import MachinesScreen
from cloudtui.ui.widgets.keyed_table import MARK
from tests.ui.fakes import FLEET, Console, console, listed


def screen_of(ui: Console) -> MachinesScreen:
    assert isinstance(ui.app.screen, MachinesScreen)
    return ui.app.screen


def chosen(ui: Console) -> set[str]:
    return {instance.name for instance in screen_of(ui).chosen}


def marked_lines(ui: Console) -> list[str]:
    return [line[1:].split()[2] for line in ui.text.splitlines() if line.startswith(MARK)]


async def test_without_marks_the_machine_under_the_cursor_is_chosen() -> None:
    async with console(listed()) as ui:
        assert chosen(ui) == {"bert-gpu"}
    async with console(listed([])) as ui:
        assert chosen(ui) == set()


async def test_space_marks_and_goes_down_and_again_takes_the_mark_away() -> None:
    async with console(listed()) as ui:
        await ui.press("space", "space")
        assert chosen(ui) == {"bert-gpu", "bert-gpu-2"}
        assert screen_of(ui).table.cursor_row == 2
        assert marked_lines(ui) == ["bert-gpu", "bert-gpu-2"]
        assert "2 marked" in ui.text.splitlines()[-1]
        await ui.press("k", "space")
        assert chosen(ui) == {"bert-gpu"}
        assert marked_lines(ui) == ["bert-gpu"]


async def test_inverting_marks_the_rows_shown_and_leaves_hidden_ones() -> None:
    async with console(listed()) as ui:
        screen_of(ui).table.select(FLEET[2].id)
        await ui.press("space", "slash", *"bert", "enter", "asterisk")
        assert chosen(ui) == {"bert-gpu", "bert-gpu-2", "jupyter-lab"}
        assert "3 marked, 1 hidden" in ui.text.splitlines()[-1]
        await ui.press("asterisk")
        assert chosen(ui) == {"jupyter-lab"}


async def test_escape_clears_the_filter_first_and_then_the_marks() -> None:
    async with console(listed()) as ui:
        await ui.press("slash", *"bert", "enter", "asterisk")
        await ui.press("escape")
        assert len(screen_of(ui).table.keys_shown) == len(FLEET)
        assert chosen(ui) == {"bert-gpu", "bert-gpu-2"}
        await ui.press("escape")
        assert screen_of(ui).table.marks == frozenset()
        assert marked_lines(ui) == []
        assert "marked" not in ui.text.splitlines()[-1]


async def test_a_machine_that_is_gone_is_marked_no_more() -> None:
    async with console(listed()) as ui:
        await ui.press("space", "space")
        ui.bench.inventory.show(instances=FLEET[1:])
        await ui.settle()
        assert chosen(ui) == {"bert-gpu-2"}
        ui.bench.inventory.show(instances=FLEET)
        await ui.settle()
        assert chosen(ui) == {"bert-gpu-2"}


async def test_a_mark_stays_with_its_machine_through_orders_and_refreshes() -> None:
    async with console(listed()) as ui:
        screen_of(ui).table.select(FLEET[4].id)
        await ui.press("space")
        await ui.do("list.reverse")
        assert marked_lines(ui) == ["llm-sweep"]
        ui.bench.inventory.show(instances=FLEET[3:])
        await ui.settle()
        assert marked_lines(ui) == ["llm-sweep"]
