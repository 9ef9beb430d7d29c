from __future__ import annotations

from cloudtui.model.errors import CloudtuiError
from cloudtui.ui.screens.machines import MachinesScreen
from cloudtui.ui.widgets.keyed_table import MARK
from tests.ui.fakes import FLEET, Console, console, listed
from tests.ui.test_attached import until


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


async def test_what_was_done_loses_its_mark_and_what_failed_keeps_it() -> None:
    async with console(listed()) as ui:
        ui.bench.lifecycle.refusals["jupyter-lab"] = CloudtuiError("Cannot stop jupyter-lab.")
        for number in (0, 2, 4):
            screen_of(ui).table.select(FLEET[number].id)
            await ui.press("space")
        await ui.press("x")
        await until(ui, lambda: getattr(ui.app.screen, "plan", None) is not None)
        await ui.settle()
        await ui.press("y")
        await until(ui, lambda: len(screen_of(ui).table.marks) == 1)
        assert chosen(ui) == {"jupyter-lab"}
        await until(ui, lambda: "Cannot stop jupyter-lab." in ui.said)


async def test_a_change_that_is_not_agreed_to_leaves_the_marks() -> None:
    async with console(listed()) as ui:
        await ui.press("space", "x")
        await until(ui, lambda: getattr(ui.app.screen, "plan", None) is not None)
        await ui.press("escape")
        await ui.app.workers.wait_for_complete()
        assert chosen(ui) == {"bert-gpu"}
