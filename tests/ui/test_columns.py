from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from cloudtui.core.events import PricesChanged
from cloudtui.files import view
from cloudtui.model.instance import Instance
from cloudtui.model.price import Price
from cloudtui.ui.screens.columns import NONE_LEFT, ChooseColumns
from cloudtui.ui.screens.machines import MachinesScreen
from cloudtui.ui.widgets.machine_columns import COLUMNS, USUAL, headings, offered, words
from tests.ui.fakes import FLEET, Console, console, listed, machine

WIDE = (220, 34)


def screen_of(ui: Console) -> MachinesScreen:
    assert isinstance(ui.app.screen, MachinesScreen)
    return ui.app.screen


def prices(ui: Console, monkeypatch: pytest.MonkeyPatch, **by_name: float) -> None:
    def price(instance: Instance) -> Price | None:
        found = by_name.get(instance.name.replace("-", "_"))
        return None if found is None else Price(found, date(2026, 11, 1))

    monkeypatch.setattr(ui.bench.prices, "price", price)
    ui.app.workbench.prices._events.emit(PricesChanged())


def column(ui: Console, key: str) -> dict[str, str]:
    table = screen_of(ui).table
    by_id = {i.id: i.name for i in ui.bench.inventory.state.instances}
    return {by_id[row]: table.get_cell(row, key).plain for row in table.keys_shown}


async def test_the_price_of_an_hour_is_shown_and_unknown_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with console(listed(), size=WIDE) as ui:
        prices(ui, monkeypatch, bert_gpu=1.212, jupyter_lab=0.0416, data_prep=2.04)
        await ui.settle()
        shown = column(ui, "price")
        assert shown["bert-gpu"] == "1.21"
        assert shown["jupyter-lab"] == "0.042"
        assert shown["llm-sweep"] == "?"
        assert shown[""] == "-"
        line = next(line for line in ui.text.splitlines() if "jupyter-lab" in line)
        heading = next(line for line in ui.text.splitlines() if "$/h" in line)
        assert line.index("0.042") + len("0.042") == heading.index("$/h") + len("$/h")
        assert shown["data-prep"] == "-"
        table = screen_of(ui).table
        table.order("price", descending=True)
        assert list(column(ui, "price").values())[:3] == ["1.21", "0.042", "?"]


async def test_the_profile_has_a_column_where_there_are_several() -> None:
    both = [replace(FLEET[0], profile="lab"), replace(FLEET[2], profile="")]
    async with console(listed(both, profiles=("", "lab")), size=WIDE) as ui:
        assert column(ui, "profile") == {"bert-gpu": "lab", "jupyter-lab": "default"}
        ui.bench.inventory.show(profiles=("",))
        await ui.settle()
        assert "profile" not in screen_of(ui).table.columns_shown


async def test_columns_are_chosen_moved_and_remembered() -> None:
    async with console(listed(), size=WIDE) as ui:
        await ui.press("C")
        assert isinstance(ui.app.screen, ChooseColumns)
        await ui.press("space", "j", "J", "j", "space", "enter")
        await ui.app.workers.wait_for_complete()
        expected = ["id", "name", *USUAL[3:]]
        expected.remove("type")
        assert list(screen_of(ui).table.columns_shown) == expected
        assert list(view.recall("columns")) == expected
    async with console(listed(), size=WIDE) as ui:
        assert list(screen_of(ui).table.columns_shown) == expected
        await ui.press("C", "u")
        await ui.app.workers.wait_for_complete()
        assert screen_of(ui).table.columns_shown == USUAL
        assert view.recall("columns") == ()


async def test_the_last_column_cannot_be_hidden() -> None:
    async with console(listed()) as ui:
        screen_of(ui).table.choose(("name",))
        screen_of(ui).paint()
        await ui.press("C", "space")
        assert NONE_LEFT in ui.text
        await ui.press("enter")
        await ui.app.workers.wait_for_complete()
        assert screen_of(ui).table.columns_shown == ("name",)


async def test_a_tag_is_a_column_that_can_be_ordered_by() -> None:
    fleet = [machine(1, "a", tags={"owner": "zoe"}), machine(2, "b"), FLEET[2]]
    async with console(listed(fleet), size=WIDE) as ui:
        assert "tag:owner" in offered((), fleet)
        screen_of(ui).table.choose(("name", "tag:owner", "tag:team"))
        screen_of(ui).paint()
        assert column(ui, "tag:owner") == {"a": "zoe", "b": "-", "jupyter-lab": "-"}
        screen_of(ui).table.order("tag:team", descending=True)
        assert list(column(ui, "tag:team")) == ["jupyter-lab", "b", "a"]


async def test_the_order_is_remembered() -> None:
    async with console(listed()) as ui:
        await ui.press("o", "O")
    async with console(listed()) as ui:
        table = screen_of(ui).table
        assert (table.order_by, table.descending) == ("id", True)
        assert "Id ▼" in ui.text


async def test_what_the_file_of_the_view_should_not_hold_is_left_out() -> None:
    view.remember(columns=("nonsense", "name", "name", "tag:"), order=("nonsense",))
    async with console(listed()) as ui:
        assert screen_of(ui).table.columns_shown == ("name",)
        assert screen_of(ui).table.order_by == "name"


@pytest.mark.parametrize("heading", COLUMNS, ids=lambda heading: heading.key)
def test_every_column_has_words_for_every_machine(heading: object) -> None:
    key = getattr(heading, "key")  # noqa: B009
    bare = Instance("i-1", "us-east-1", FLEET[0].state)
    for instance in (*FLEET, bare):
        text, _ = words(instance, key, datetime.now(UTC), lambda _: None)
        assert "\n" not in text


def test_the_usual_columns_leave_room_for_the_rest() -> None:
    assert [heading.key for heading in headings(())] == list(USUAL)
    assert set(USUAL) < {heading.key for heading in COLUMNS}
