"""Starting and stopping from the list: what is asked, what agrees, and what is said after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from textual.widgets import Button, Input

from cloudtui.model.errors import CloudtuiError, NotFound, Refused
from cloudtui.model.instance import State
from cloudtui.model.lifecycle import Facts, Verb, Volume
from cloudtui.ui.screens.lifecycle import ChangeMachines
from cloudtui.ui.screens.machines import MachinesScreen
from tests.ui.fakes import FLEET, Console, console, listed
from tests.ui.test_attached import until

GPU, PENDING, LAB, PREP = FLEET[:4]


def asking(ui: Console) -> ChangeMachines:
    assert isinstance(ui.app.screen, ChangeMachines)
    return ui.app.screen


def cursor_on(ui: Console, key: str) -> None:
    screen = ui.app.screen
    assert isinstance(screen, MachinesScreen)
    screen.table.select(key)


def filled(ui: Console) -> Callable[[], bool]:
    return lambda: isinstance(ui.app.screen, ChangeMachines) and ui.app.screen.plan is not None


async def ask(ui: Console, key: str, machine_id: str = GPU.id) -> None:
    cursor_on(ui, machine_id)
    await ui.press(key)
    await until(ui, filled(ui))
    await ui.settle()


async def test_stop_names_the_machine_and_what_is_lost_and_y_agrees() -> None:
    async with console(listed()) as ui:
        ui.bench.lifecycle.facts["bert-gpu"] = Facts(local_disks=450, elastic_ips=())
        await ask(ui, "x")
        for words in (f"Stop {GPU.label}?", "450 GB of instance store", "54.174.93.1 is given up"):
            assert words in ui.text
        assert ui.app.focused is asking(ui).query_one("#cancel", Button)
        await ui.press("y")
        await until(ui, lambda: f"{GPU.label} is stopped after 34 s." in ui.said)
        assert [p.verb for p in ui.bench.lifecycle.performed] == [Verb.STOP]


@pytest.mark.parametrize("key", ["enter", "escape"])
async def test_neither_enter_nor_escape_agrees(key: str) -> None:
    async with console(listed()) as ui:
        await ask(ui, "x")
        await ui.press("x", key)
        assert isinstance(ui.app.screen, MachinesScreen)
        assert ui.bench.lifecycle.performed == []


async def test_a_key_that_opens_it_never_confirms_it() -> None:
    from cloudtui.files.settings import Settings

    keys = Settings(keys={"machine.stop": "y"})
    async with console(listed(), settings=keys) as ui:
        await ask(ui, "y")
        await ui.press("y")
        assert ui.bench.lifecycle.performed == []
        await ui.press("o")
        await until(ui, lambda: bool(ui.bench.lifecycle.performed))


async def test_the_question_opens_before_ec2_has_answered_and_cannot_be_agreed_to_yet() -> None:
    async with console(listed()) as ui:
        ui.bench.lifecycle.hold.clear()
        cursor_on(ui, GPU.id)
        await ui.press("x")
        assert f"Asking EC2 about {GPU.label} …" in ui.text
        await ui.press("y")
        assert asking(ui).plan is None
        ui.bench.lifecycle.hold.set()
        await until(ui, filled(ui))
        assert ui.bench.lifecycle.performed == []


async def test_terminate_wants_the_name_typed_and_its_own_key() -> None:
    async with console(listed()) as ui:
        root = Volume("vol-1", 200, "/dev/sda1", deleted=True)
        ui.bench.lifecycle.facts["bert-gpu"] = Facts(volumes=(root,))
        await ask(ui, "ctrl+d")
        assert "Deleted with it, for good: vol-1 (/dev/sda1, 200 GiB)." in ui.text
        assert ui.app.focused is asking(ui).query_one(Input)
        await ui.press("ctrl+t", *"bert", "ctrl+t", "enter")
        assert not asking(ui).agreed
        await ui.press(*"-gpu", "enter", "ctrl+d")
        assert asking(ui).agreed
        assert "Ctrl-t terminates bert-gpu" in ui.text
        assert ui.bench.lifecycle.performed == []
        await ui.press("ctrl+t")
        await until(ui, lambda: bool(ui.bench.lifecycle.performed))


async def test_many_marked_are_one_question_and_their_number_is_typed() -> None:
    async with console(listed()) as ui:
        screen = ui.app.screen
        assert isinstance(screen, MachinesScreen)
        screen.table.marks = frozenset({GPU.id, LAB.id, PREP.id})
        ui.bench.lifecycle.facts["data-prep"] = Facts(termination_protected=True)
        ui.bench.lifecycle.refusals["jupyter-lab"] = Refused("Cannot terminate jupyter-lab: no.")
        await ask(ui, "ctrl+d")
        assert "Terminate 2 machines?" in ui.text
        assert "--no-disable-api-termination" in ui.text
        await ui.press(*"terminate", "space", "2", "ctrl+t")
        await until(ui, lambda: f"{GPU.label} is terminated after 34 s." in ui.said)
        assert "Cannot terminate jupyter-lab: no." in ui.said


async def test_leaving_the_dialog_leaves_the_work_going() -> None:
    async with console(listed()) as ui:
        ui.bench.lifecycle.arrive.clear()
        await ask(ui, "x")
        await ui.press("y")
        assert isinstance(ui.app.screen, MachinesScreen)
        await ui.press("tilde")
        ui.bench.lifecycle.arrive.set()
        await until(ui, lambda: f"{GPU.label} is stopped after 34 s." in ui.said)


async def test_a_key_that_cannot_help_says_why() -> None:
    async with console(listed()) as ui:
        cursor_on(ui, PREP.id)
        await ui.press("x")
        assert ui.said == [f"{PREP.label} is stopped already."]
        cursor_on(ui, GPU.id)
        await ui.press("H")
        assert "cannot hibernate" in ui.said[-1]
        ui.bench.read_only = True
        await ui.press("ctrl+d")
        assert "read-only" in ui.said[-1]
        assert isinstance(ui.app.screen, MachinesScreen)


async def test_a_machine_that_is_gone_is_said_in_the_question() -> None:
    async with console(listed()) as ui:
        ui.bench.lifecycle.refusal = NotFound(f"{GPU.label} is gone.")
        cursor_on(ui, GPU.id)
        await ui.press("x")
        await until(ui, lambda: "is gone." in ui.text)
        await ui.press("y", "escape")
        assert isinstance(ui.app.screen, MachinesScreen)


async def test_one_time_spot_is_explained_and_there_is_nothing_to_agree_to() -> None:
    spot = replace(GPU, lifecycle="spot")
    async with console(listed([spot])) as ui:
        ui.bench.lifecycle.facts["bert-gpu"] = Facts(spot_persistent=False)
        await ask(ui, "x")
        assert "one-time" in ui.text
        await ui.press("y")
        assert ui.bench.lifecycle.performed == []
        assert not asking(ui).query_one("#agree").display


async def test_the_row_shows_the_change() -> None:
    async with console(listed()) as ui:
        ui.bench.lifecycle.arrive.clear()
        await ask(ui, "x")
        await ui.press("y")
        rows = [replace(i, state=State.STOPPING) if i.id == GPU.id else i for i in FLEET]
        ui.bench.inventory.show(instances=tuple(rows))
        await ui.settle()
        assert "◑ stopping" in ui.text
        ui.bench.lifecycle.arrive.set()


async def test_a_refusal_of_the_whole_is_said() -> None:
    async with console(listed()) as ui:
        ui.bench.lifecycle.refusals["bert-gpu"] = CloudtuiError("Cannot stop bert-gpu: broken.")
        await ask(ui, "x")
        await ui.press("y")
        await until(ui, lambda: "Cannot stop bert-gpu: broken." in ui.said)
