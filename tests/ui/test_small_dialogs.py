"""Dialogs on screens that are low, and keys that come faster than dialogs open."""

from __future__ import annotations

from typing import Any

import pytest
from textual.widgets import Input

from cloudtui.model.session import SessionList
from cloudtui.ui.screens.dialogs import Ask, Body, Dialog
from cloudtui.ui.screens.host_dialogs import HostForm
from cloudtui.ui.screens.lifecycle import ChangeMachines
from cloudtui.ui.screens.session_dialogs import NewSession
from tests.ui.fakes import FLEET, Console, console, listed

SIZES = [(120, 35), (80, 24), (60, 15)]


async def in_front(made: Console, kind: type[object]) -> None:
    while not isinstance(made.app.screen, kind):
        await made.settle()
    await made.settle()
    await made.settle()


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_a_long_question_scrolls_between_its_title_and_its_answers(
    size: tuple[int, int],
) -> None:
    async with console(listed(), size=size) as made:
        body = "\n".join(f"line {number}" for number in range(60))
        made.app.push_screen(Ask("Stop everything?", body, "Stop"))
        await in_front(made, Ask)
        assert "Stop everything?" in made.text
        assert "Cancel  Esc" in made.text
        assert "line 0" in made.text
        assert "line 59" not in made.text
        while "↓ more below   Esc cancel" not in made.text:
            await made.settle()
        for _ in range(12):
            await made.press("pagedown")
        assert "line 59" in made.text
        while "more below" in made.text:
            await made.settle()
        assert "Cancel  Esc" in made.text


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_many_machines_and_a_name_to_type_stay_in_sight(size: tuple[int, int]) -> None:
    async with console(listed(), size=size) as made:
        await made.press("asterisk", "ctrl+d")
        await in_front(made, ChangeMachines)
        assert "Cancel  Esc" in made.text or "Close  Esc" in made.text
        assert "Type terminate" in made.text
        assert made.app.screen.query_one(Body).max_scroll_y > 0 or size[1] > 30


async def test_a_short_question_is_no_taller_than_it_needs() -> None:
    async with console(listed()) as made:
        made.app.push_screen(Ask("Really?", "One line.", "Yes"))
        await in_front(made, Ask)
        assert made.app.screen.query_one(Body).size.height == 1


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("kind", [HostForm, NewSession])
async def test_every_field_of_a_form_is_in_sight_while_it_is_typed_into(
    kind: type[Dialog[Any]], size: tuple[int, int]
) -> None:
    async with console(listed(), size=size) as made:
        form: Dialog[Any]
        if kind is HostForm:
            form = HostForm("bert-gpu in the ssh config", {}, alias="bert-gpu", note="One line.")
        else:
            form = NewSession(FLEET[0], SessionList(tmux_version="tmux 3.3a"))
        made.app.push_screen(form)
        await in_front(made, kind)
        for number, field in enumerate(form.query(Input)):
            assert form.focused is field
            await made.press("Z", str(number))
            assert f"Z{number}" in made.text
            if kind is HostForm:
                assert "cancels" in made.text or "A port is a number" in made.text
            await made.press("tab")


@pytest.mark.parametrize("keys", ["ece", "xc", "cx", "ex", "x2", "bb"])
async def test_keys_typed_fast_open_one_dialog(keys: str) -> None:
    async with console(listed()) as made:
        made.bench.lifecycle.hold.clear()
        for key in keys:
            made.app.simulate_key(key)
        for _ in range(5):
            await made.settle()
        dialogs = [s for s in made.app.screen_stack if isinstance(s, Dialog)]
        assert len(dialogs) == 1
        assert made.app.screen is dialogs[0]
        made.bench.lifecycle.hold.set()


async def test_ctrl_q_leaves_from_a_dialog_too() -> None:
    async with console(listed()) as made:
        made.app.push_screen(Ask("Really?", "One line.", "Yes"))
        await in_front(made, Ask)
        await made.press("ctrl+q")
        assert made.app.return_code == 0


async def test_keys_right_after_the_filters_enter_are_the_lists() -> None:
    async with console(listed()) as made:
        for key in ("slash", "b", "e", "r", "t"):
            await made.press(key)
        for key in ("enter", "j"):
            made.app.simulate_key(key)
        for _ in range(4):
            await made.settle()
        assert made.app.screen.query_one(Input).value == "bert"
