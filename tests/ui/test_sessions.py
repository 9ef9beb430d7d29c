from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from textual.widgets import Input

from cloudtui.core.events import InventoryState
from cloudtui.files.settings import Settings
from cloudtui.model.errors import CloudtuiError, Refused, Unreachable
from cloudtui.model.instance import State, next_step
from cloudtui.model.preview import Preview
from cloudtui.model.session import Program, Session, SessionList
from cloudtui.ui.screens.machines import MachinesScreen
from cloudtui.ui.screens.session_dialogs import NewSession
from cloudtui.ui.screens.sessions import SessionsScreen
from cloudtui.ui.screens.workspace import WorkspaceScreen
from tests.ui.fakes import FLEET, LISTING, SESSIONS, Console, console, listed, machine
from tests.ui.test_attached import until


@asynccontextmanager
async def sessions(
    answer: SessionList | CloudtuiError = LISTING, state: InventoryState | None = None
) -> AsyncIterator[Console]:
    """The console on the sessions of bert-gpu."""
    async with console(state or listed()) as ui:
        ui.bench.sessions.answer = answer
        await ui.do("machine.sessions")
        yield ui


def screen_of(ui: Console) -> SessionsScreen:
    assert isinstance(ui.app.screen, SessionsScreen)
    return ui.app.screen


async def test_tmux_and_screen_are_one_list() -> None:
    async with sessions() as ui:
        assert screen_of(ui).table.keys_shown == ["tmux:$4", "tmux:$0", "screen:4711.prep"]
        row = next(line for line in ui.text.splitlines() if "train" in line).split()
        assert row[:-2] == ["tmux", "train", "python3", "$0", "3", "●", "attached"]
        assert row[-2] == "9h"
        assert "2 Sessions  bert-gpu" in ui.text


async def test_it_says_that_it_asks_and_escape_stops_it() -> None:
    async with console(listed()) as ui:
        ui.bench.sessions.hold.clear()
        await ui.do("machine.sessions")
        assert f"Asking {FLEET[0].label} for its sessions …" in ui.text
        await ui.press("escape")
        assert isinstance(ui.app.screen, MachinesScreen)


async def test_no_session_says_what_one_is_for_and_the_key_that_makes_one() -> None:
    async with sessions(SessionList((), "tmux 3.3a", "")) as ui:
        assert f"No session runs on {FLEET[0].label}." in ui.text
        assert "Installed: tmux." in ui.text
        assert "n  make a new session" in ui.text


async def test_neither_program_is_said_and_a_shell_is_offered() -> None:
    async with sessions(SessionList()) as ui:
        assert f"Neither tmux nor screen is installed on {FLEET[0].label}." in ui.text
        await ui.press("n")
        said = "Neither tmux nor screen is installed on bert-gpu. Press s for a plain shell."
        assert ui.said == [said]
        await ui.press("s")
        assert isinstance(ui.app.screen, WorkspaceScreen)


async def test_a_failure_shows_its_reason_and_next_step() -> None:
    error = Unreachable("Cannot reach bert-gpu: timed out.", "port 22", "Open port 22.")
    async with sessions(error) as ui:
        for words in ("× Cannot reach bert-gpu: timed out.", "port 22", "Open port 22.", "Ctrl-r"):
            assert words in ui.text
        ui.bench.sessions.answer = LISTING
        await ui.press("ctrl+r")
        await ui.app.workers.wait_for_complete()
        await ui.settle()
        assert "train" in ui.text


async def test_what_to_type_next_is_a_key_in_the_console() -> None:
    stopped = replace(FLEET[0], name="it's mine", state=State.STOPPED)
    hint = next_step(stopped)
    assert "cloudtui start " in hint
    async with sessions(Refused("It is stopped.", hint=hint)) as ui:
        ui.app.fail(Refused("It is stopped.", hint=hint))
        await ui.settle()
        assert ui.text.count("Start it first: press u on the machine") == 2
        assert "cloudtui start" not in ui.text
    rebound = Settings(keys={"machine.start": "f9"})
    async with console(listed(), settings=rebound) as ui:
        ui.app.say(f"It is stopped. {hint}")
        assert ui.said == ["It is stopped. Start it first: press F9 on the machine"]


async def test_a_failure_keeps_the_old_rows_dimmed() -> None:
    async with sessions() as ui:
        fresh = screen_of(ui).table.get_cell("tmux:$0", "name").style
        ui.bench.sessions.answer = Unreachable("Cannot reach bert-gpu.")
        await ui.press("ctrl+r")
        await ui.app.workers.wait_for_complete()
        await ui.settle()
        assert "× Cannot reach bert-gpu. Dimmed rows are old." in ui.text
        assert screen_of(ui).table.get_cell("tmux:$0", "name").style != fresh


async def test_only_a_look_that_the_user_wants_may_ask_something() -> None:
    async with console(listed()) as ui:
        ui.bench.sessions.hold.clear()
        await ui.do("machine.sessions")
        screen_of(ui)._refresh_in_front()
        await ui.settle()
        assert ui.bench.sessions.asking == [True], "it is not given up for one that may not ask"
        ui.bench.sessions.hold.set()
        await ui.app.workers.wait_for_complete()
        screen_of(ui)._refresh_in_front()
        await ui.app.workers.wait_for_complete()
        await ui.press("ctrl+r")
        await ui.app.workers.wait_for_complete()
        assert ui.bench.sessions.asking == [True, False, True]


async def test_the_cursor_stays_on_its_session() -> None:
    async with sessions() as ui:
        screen_of(ui).table.select("tmux:$0")
        early = Session(Program.TMUX, "$9", "aaa")
        ui.bench.sessions.answer = SessionList((early, *SESSIONS[:1], SESSIONS[2]), "tmux 3.3a")
        await ui.press("ctrl+r")
        await ui.app.workers.wait_for_complete()
        await ui.settle()
        assert screen_of(ui).table.key == "tmux:$0"
        assert screen_of(ui).session == SESSIONS[0]


async def test_enter_attaches_the_session_under_the_cursor() -> None:
    async with sessions() as ui:
        await ui.press("down", "enter")
        assert isinstance(ui.app.screen, WorkspaceScreen)
        assert "train tmux on bert-gpu" in ui.text


async def test_a_dead_screen_says_why_it_cannot_be_attached() -> None:
    dead = Session(Program.SCREEN, "99.old", "old", dead=True)
    async with sessions(SessionList((dead,), "", "4.09")) as ui:
        assert "× dead" in ui.text
        await ui.press("enter")
        assert ui.said == ["The screen session old is dead: its process is gone."]


async def test_a_new_session_is_named_made_and_attached() -> None:
    async with sessions() as ui:
        await ui.press("n")
        dialog = ui.app.screen
        assert isinstance(dialog, NewSession)
        assert FLEET[0].label in ui.text
        field = dialog.query_one(Input)
        assert field.value == "work"
        field.value = "train"
        await ui.press("enter")
        assert ui.app.screen is dialog
        assert "There is a tmux session train already." in ui.text
        await ui.press("ctrl+t", "enter")
        await ui.settle()
        assert ui.bench.sessions.made == [(Program.SCREEN, "train")]
        assert isinstance(ui.app.screen, WorkspaceScreen)


@pytest.mark.parametrize(("name", "problem"), [("a.b", "no . in it"), ("", "needs a name")])
async def test_a_name_that_cannot_be_is_said_while_it_is_typed(name: str, problem: str) -> None:
    async with sessions() as ui:
        await ui.press("n")
        ui.app.screen.query_one(Input).value = name
        await ui.press("enter")
        assert isinstance(ui.app.screen, NewSession)
        assert problem in ui.text


async def test_a_refused_new_session_says_why() -> None:
    async with sessions() as ui:
        ui.bench.sessions.refusal = Refused("A session of that name runs.", "", "Choose another.")
        await ui.press("n", "enter")
        await ui.settle()
        assert isinstance(ui.app.screen, SessionsScreen)
        assert ui.said == ["A session of that name runs."]
        assert ui.bench.notes[0].detail == "Choose another."


async def test_keys_are_greyed_when_the_machine_stops_meanwhile() -> None:
    async with sessions() as ui:
        stopped = machine(1, "bert-gpu", State.STOPPED)
        ui.bench.inventory.show(instances=(stopped,))
        await ui.press("enter")
        assert ui.said == [f"{stopped.label} is stopped."]


async def test_one_key_goes_back_to_the_machines_from_anywhere() -> None:
    async with sessions() as ui:
        await ui.do("go.log")
        await ui.press("escape")
        await ui.press("1")
        assert isinstance(ui.app.screen, MachinesScreen)
        assert len(ui.app.screen_stack) == 1


async def test_the_list_is_asked_again_on_the_way_back_from_a_pane() -> None:
    async with sessions() as ui:
        asked = ui.bench.sessions.listed
        await ui.press("enter")
        ui.app.pop_screen()
        while ui.bench.sessions.listed == asked:
            await ui.settle()


async def test_a_preview_that_comes_before_the_layout_fills_the_panel() -> None:
    async with console(listed()) as ui:
        lines = tuple(f"line {number}" for number in range(40))
        ui.bench.sessions.pictures["eval"] = Preview(lines, 80, 40, "window 0 bash")
        await ui.do("machine.sessions")
        await until(ui, lambda: "line 39" in ui.text)
        assert ui.text.count("line ") > 8
        await ui.pilot.resize_terminal(120, 50)
        await until(ui, lambda: ui.text.count("line ") > 16)


async def test_a_long_line_of_a_preview_is_broken_once_and_the_last_stays_in_sight() -> None:
    async with console(listed(), size=(80, 24)) as ui:
        lines = (*("x" * 100 for _ in range(30)), "two words " * 15 + "end")
        ui.bench.sessions.pictures["eval"] = Preview(lines, 80, 24, "window 0 bash")
        await ui.do("machine.sessions")
        await until(ui, lambda: "end" in ui.text)
        (row,) = (row for row in ui.text.splitlines() if "end" in row)
        assert row.strip() == ("two words " * 15 + "end")[78:]


async def test_a_preview_tells_what_a_training_run_is_doing() -> None:
    async with console(listed()) as ui:
        lines = [f"{{'loss': {1 - n / 10}, 'epoch': {n}}}" for n in range(5)]
        lines.append(" 21%|████▋      | 4018/18750 [31:26<1:55:16, 2.13it/s]")
        ui.bench.sessions.pictures["eval"] = Preview(tuple(lines), 80, 24)
        await ui.do("machine.sessions")
        await until(ui, lambda: "loss 0.6" in ui.text)
        assert "█▇▅▂▁  loss 0.6   step 4,018 of 18,750  21 %   1h 55m left" in ui.text
        ui.bench.sessions.pictures["eval"] = Preview(("$ ls",), 80, 24)
        await ui.press("ctrl+r")
        await until(ui, lambda: "$ ls" in ui.text)
        assert "loss" not in ui.text
