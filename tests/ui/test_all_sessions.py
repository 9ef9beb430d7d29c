from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from textual.widgets import Button, Input, OptionList

from cloudtui.core.events import InventoryState
from cloudtui.model.errors import CloudtuiError, Unreachable
from cloudtui.model.place import Place
from cloudtui.model.preview import Pane, Preview
from cloudtui.model.session import Program, Session, SessionList
from cloudtui.ui.screens import all_sessions
from cloudtui.ui.screens.all_sessions import AllSessionsScreen
from cloudtui.ui.screens.machines import MachinesScreen
from cloudtui.ui.screens.session_dialogs import Destroy, NewSession, Rename, Windows
from cloudtui.ui.screens.sessions import SessionsScreen
from cloudtui.ui.widgets.preview import PreviewPanel, decoded
from tests.ui.fakes import FLEET, LISTING, NOW, Console, console, listed

HOSTS = ("bert-gpu", "jupyter-lab", "llm-sweep")
OTHER = SessionList((Session(Program.TMUX, "$0", "notes", 1, 0, NOW),), "tmux 3.4", "")
DEAD = Session(Program.SCREEN, "99.old", "old", dead=True)


@pytest.fixture(autouse=True)
def looks_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """None comes by itself, however long a test takes."""
    monkeypatch.setattr(all_sessions, "REFRESH_SECONDS", 600.0)


@asynccontextmanager
async def everything(
    connected: tuple[str, ...] = HOSTS,
    answers: dict[str, SessionList | CloudtuiError] | None = None,
    state: InventoryState | None = None,
    size: tuple[int, int] = (120, 34),
) -> AsyncIterator[Console]:
    """The console on the sessions of all machines; three of them run."""
    async with console(state or listed(), size=size) as ui:
        ui.bench.all_sessions.connected = set(connected)
        ui.bench.sessions.answers = answers or {"jupyter-lab": OTHER, "llm-sweep": SessionList()}
        await ui.do("go.sessions")
        await ui.app.workers.wait_for_complete()
        await ui.settle()
        yield ui


def screen_of(ui: Console) -> AllSessionsScreen:
    assert isinstance(ui.app.screen, AllSessionsScreen)
    return ui.app.screen


def panel_of(ui: Console) -> PreviewPanel:
    return screen_of(ui).query_one(PreviewPanel)


async def select(ui: Console, host: str, key: str = "") -> None:
    machine = next(i for i in FLEET if i.name == host)
    screen_of(ui).table.select(f"{machine.id}/{key}")
    await ui.settle()
    await ui.app.workers.wait_for_complete()
    await ui.settle()


async def test_sessions_of_every_running_machine_are_one_list() -> None:
    async with everything() as ui:
        rows = [line.split() for line in ui.text.splitlines()]
        assert ["bert-gpu", "tmux", "train", "python3", "$0", "3", "●", "attached"] in [
            row[:8] for row in rows
        ]
        assert ["jupyter-lab", "tmux", "notes"] in [row[:3] for row in rows]
        assert any(row[:2] == ["llm-sweep", "neither"] for row in rows)
        assert not any("data-prep" in row for row in rows)


@pytest.mark.parametrize("moved", [False, True])
async def test_the_cursor_is_at_the_top_while_hosts_answer_until_it_is_moved(moved: bool) -> None:
    some: dict[str, SessionList | CloudtuiError] = dict.fromkeys(HOSTS, OTHER)
    async with everything(connected=(), answers=some) as ui:
        table = screen_of(ui).table
        by_name = {each.name: each for each in FLEET}
        for name in reversed(HOSTS):
            await ui.bench.sessions.list(by_name[name])
            await ui.settle()
            if moved and name == HOSTS[-1]:
                table.select(f"{by_name[name].id}/{OTHER.sessions[0].key}")
        where = HOSTS[-1] if moved else HOSTS[0]
        assert table.key == f"{by_name[where].id}/{OTHER.sessions[0].key}"


async def test_hosts_without_a_connection_are_not_asked_by_themselves() -> None:
    async with everything(connected=("bert-gpu",)) as ui:
        assert ui.bench.sessions.listed == 1
        assert "2 hosts not asked yet: A connects to them." in ui.text
        await ui.press("ctrl+r")
        await ui.app.workers.wait_for_complete()
        assert ui.bench.sessions.listed == 2
        await ui.press("A")
        await ui.app.workers.wait_for_complete()
        await ui.settle()
        assert ui.bench.sessions.listed == 5
        assert "not asked" not in ui.text


async def test_a_host_that_was_lost_is_told_so_and_reached_again_without_a_question() -> None:
    async with everything(connected=("bert-gpu",)) as ui:
        area, sessions = screen_of(ui), ui.bench.sessions
        area._reach_in_front()
        await ui.app.workers.wait_for_complete()
        assert sessions.listed == 1, "none was lost, and the others were never reached"
        ui.bench.all_sessions.connected.clear()
        area.paint()
        await ui.settle()
        assert "1 host lost, told as last seen; tried again by itself" in ui.text
        area._reach_in_front()
        await ui.app.workers.wait_for_complete()
        await ui.settle()
        assert "lost" not in ui.text
        assert sessions.asking == [False] * 2


async def test_refresh_without_any_connection_says_which_key_connects() -> None:
    async with everything(connected=()) as ui:
        await ui.press("ctrl+r")
        assert ui.said == ["No host has an open connection. A connects to all of them."]
        assert ui.bench.sessions.listed == 0


async def test_a_host_that_fails_says_why_and_hides_no_other() -> None:
    failure = Unreachable("bert-gpu did not answer.", "port 22", "Open port 22.")
    async with everything(answers={"bert-gpu": failure, "jupyter-lab": OTHER}) as ui:
        assert "× bert-gpu did not answer." in ui.text
        assert "1 host failed; A tries again." in ui.text
        assert "notes" in ui.text
        await select(ui, "bert-gpu")
        assert "Open port 22." in ui.text


async def test_asking_all_can_be_stopped() -> None:
    async with everything(connected=()) as ui:
        ui.bench.sessions.hold.clear()
        await ui.press("A")
        assert "Asking every host …   Esc stops." in ui.text
        await ui.press("A")
        assert ui.said == ["They are being asked. Esc stops that."]
        await ui.press("escape")
        await ui.app.workers.wait_for_complete()
        await ui.settle()
        assert ui.bench.all_sessions.stopped
        assert "Asking" not in ui.text
        assert screen_of(ui)


async def test_the_list_can_be_left_while_all_are_asked() -> None:
    async with everything(connected=()) as ui:
        ui.bench.sessions.hold.clear()
        await ui.press("A")
        await ui.press("4")
        await ui.press("1")
        await ui.app.workers.wait_for_complete()
        await ui.settle()
        assert isinstance(ui.app.screen, MachinesScreen)
        assert not ui.app.last_words


async def test_the_filter_is_over_hosts_and_sessions() -> None:
    async with everything() as ui:
        await ui.press("slash", *"host:jup")
        assert screen_of(ui).table.keys_shown == [f"{FLEET[2].id}/tmux:$0"]
        await ui.press("enter")
        assert screen_of(ui).session == OTHER.sessions[0]
        await ui.press("slash", *" nothing")
        assert "No session matches the filter." in ui.text
        assert "4 sessions without it." in ui.text
        await ui.press("escape")
        assert len(screen_of(ui).table.keys_shown) == 5


async def test_the_list_can_be_ordered_by_what_runs() -> None:
    async with everything() as ui:
        screen_of(ui).table.order("command")
        await ui.settle()
        assert screen_of(ui).table.keys_shown[0] == f"{FLEET[0].id}/tmux:$0"


async def test_enter_attaches_and_on_a_hosts_own_row_opens_its_list() -> None:
    async with everything() as ui:
        await select(ui, "llm-sweep")
        await ui.press("enter")
        assert isinstance(ui.app.screen, SessionsScreen)
        assert ui.app.screen.instance.name == "llm-sweep"
        await ui.press("2")
        await select(ui, "bert-gpu", "tmux:$0")
        opened: list[tuple[str, str]] = []
        ui.app.open_session = lambda instance, session: opened.append(  # type: ignore[method-assign]
            (instance.name, session.name)
        )
        await ui.press("enter")
        assert opened == [("bert-gpu", "train")]


async def test_the_area_is_one_screen_however_often_its_key_is_pressed() -> None:
    async with everything() as ui:
        await ui.press("2")
        await select(ui, "llm-sweep")
        await ui.press("enter", "2", "2")
        assert len(ui.app.screen_stack) == 2
        await ui.press("1")
        assert isinstance(ui.app.screen, MachinesScreen)


async def test_no_machine_runs() -> None:
    async with everything(state=listed((FLEET[3],))) as ui:
        assert "No machine runs." in ui.text


class TestPreview:
    async def test_it_shows_the_selected_session_in_its_colours(self) -> None:
        async with everything() as ui:
            lines = ("loss 0.3", "\x1b[31mred", "still red\x1b[0m")
            ui.bench.sessions.pictures["train"] = Preview(lines, 80, 24, "window 0 bert")
            await select(ui, "bert-gpu", "tmux:$0")
            assert "train  tmux on bert-gpu   window 0 bert   80×24" in ui.text
            assert "loss 0.3" in ui.text
            assert "still red" in ui.text
        spans = [line.spans for line in decoded(Preview(lines))]
        assert str(spans[1][0].style) == str(spans[2][0].style) == "color(1)"

    async def test_the_last_lines_are_those_shown(self) -> None:
        async with everything() as ui:
            lines = tuple(f"line {n}." for n in range(50))
            ui.bench.sessions.pictures["train"] = Preview(lines, 80, 50)
            await select(ui, "bert-gpu", "tmux:$0")
            assert "line 49." in ui.text
            assert "line 5." not in ui.text

    async def test_one_question_at_a_time_however_fast_the_cursor_moves(self) -> None:
        async with everything() as ui:
            sessions = ui.bench.sessions
            for name in ("train", "eval", "prep", "notes"):
                sessions.pictures[name] = Preview((f"picture of {name}",), 80, 24)
            await ui.settle()
            sessions.picture_hold.clear()
            before = sessions.looks
            await ui.press("G", "k", "g", "j")
            assert screen_of(ui).session == LISTING.sessions[0]
            assert sessions.looks - before <= 1
            sessions.picture_hold.set()
            await ui.app.workers.wait_for_complete()
            await ui.settle()
            await ui.app.workers.wait_for_complete()
            await ui.settle()
            assert sessions.most_looking == 1
            assert "picture of train" in ui.text

    async def test_a_session_that_has_gone_is_said(self) -> None:
        async with everything() as ui:
            await select(ui, "bert-gpu", "tmux:$4")
            assert "The session eval has gone." in ui.text

    async def test_it_is_looked_at_again_while_it_is_selected_and_in_front(self) -> None:
        async with everything() as ui:
            ui.bench.sessions.pictures["train"] = Preview(("one",), 80, 24)
            await select(ui, "bert-gpu", "tmux:$0")
            ui.bench.sessions.pictures["train"] = Preview(("two",), 80, 24)
            screen_of(ui).look()
            await ui.app.workers.wait_for_complete()
            await ui.settle()
            assert "two" in ui.text
            area = screen_of(ui)
            await ui.do("go.help")
            before = ui.bench.sessions.looks
            area.look()
            await ui.app.workers.wait_for_complete()
            assert ui.bench.sessions.looks == before

    async def test_a_key_hides_it_and_a_low_terminal_starts_without(self) -> None:
        async with everything() as ui:
            assert panel_of(ui).display
            await ui.press("p")
            assert not panel_of(ui).display
        async with everything(size=(100, 20)) as ui:
            assert not panel_of(ui).display
            await ui.press("p")
            assert panel_of(ui).display


class TestActions:
    async def test_killing_asks_with_name_and_host_and_never_on_enter(self) -> None:
        async with everything() as ui:
            await select(ui, "bert-gpu", "tmux:$0")
            await ui.press("x")
            assert isinstance(ui.app.screen, Destroy)
            assert "Kill the session train on bert-gpu?" in ui.text
            assert FLEET[0].label in ui.text
            assert "Someone is attached to it now." in ui.text
            assert not ui.app.screen.query_one("#agree", Button).can_focus
            await ui.press("tab", "right", "enter")
            assert ui.bench.sessions.done == []
            await ui.press("x", "x", "y")
            assert isinstance(ui.app.screen, Destroy)
            await ui.press("k")
            await ui.app.workers.wait_for_complete()
            assert ui.bench.sessions.done == [("kill", "bert-gpu", "train")]
            assert ui.said == ["The session train on bert-gpu was ended."]

    async def test_renaming(self) -> None:
        async with everything() as ui:
            await select(ui, "bert-gpu", "tmux:$0")
            await ui.press("r")
            assert isinstance(ui.app.screen, Rename)
            field = ui.app.screen.query_one(Input)
            assert field.value == "train"
            field.value = "eval"
            await ui.press("enter")
            assert "There is a tmux session eval already." in ui.text
            field.value = "#(reboot)"
            await ui.press("enter")
            assert "has no # in it." in ui.text
            field.value = "run 7"
            await ui.press("enter")
            await ui.app.workers.wait_for_complete()
            assert ui.bench.sessions.done == [("rename", "bert-gpu", "train", "run 7")]

    async def test_a_new_session_has_a_folder_and_a_command(self) -> None:
        async with everything() as ui:
            await select(ui, "bert-gpu", "tmux:$0")
            opened: list[str] = []
            ui.app.open_session = lambda instance, session: opened.append(session.name)  # type: ignore[method-assign]
            await ui.press("n")
            assert isinstance(ui.app.screen, NewSession)
            ui.app.screen.query_one("#folder", Input).value = "~/data"
            ui.app.screen.query_one("#command", Input).value = "python train.py"
            await ui.press("enter")
            await ui.app.workers.wait_for_complete()
            assert ui.bench.sessions.details == [("~/data", "python train.py")]
            assert opened == ["work"]

    async def test_detaching_others_needs_someone_attached(self) -> None:
        async with everything() as ui:
            await select(ui, "bert-gpu", "tmux:$4")
            await ui.press("D")
            assert ui.said == ["Nobody is attached to eval."]
            await select(ui, "bert-gpu", "tmux:$0")
            await ui.press("D")
            await ui.app.workers.wait_for_complete()
            assert ui.bench.sessions.done == [("detach", "bert-gpu", "train")]
            assert ui.said[1] == "1 other client of train on bert-gpu was detached."

    async def test_a_window_is_chosen_before_its_session_is_attached(self) -> None:
        async with everything() as ui:
            ui.bench.sessions.windows = (
                Pane("%1", "@1", 0, "train", False, 0, "python3", 80, 24),
                Pane("%2", "@2", 1, "logs", True, 0, "tail", 80, 24),
                Pane("%3", "@2", 1, "logs", False, 1, "bash", 80, 24),
            )
            opened: list[str] = []
            ui.app.open_session = lambda instance, session: opened.append(session.name)  # type: ignore[method-assign]
            await select(ui, "bert-gpu", "tmux:$0")
            await ui.press("v")
            assert isinstance(ui.app.screen, Windows)
            assert ui.app.screen.query_one(OptionList).highlighted == 1
            assert "1 logs" in ui.text
            await ui.press("j", "enter")
            await ui.app.workers.wait_for_complete()
            assert ui.bench.sessions.done == [("choose", "bert-gpu", "train", "%3")]
            assert opened == ["train"]

    async def test_windows_of_a_screen_are_chosen_too(self) -> None:
        async with everything() as ui:
            ui.bench.sessions.windows = (
                Pane("0", "0", 0, "make", True),
                Pane("1", "1", 1, "logs", False),
            )
            opened: list[str] = []
            ui.app.open_session = lambda instance, session: opened.append(session.name)  # type: ignore[method-assign]
            await select(ui, "bert-gpu", "screen:4711.prep")
            await ui.press("v")
            assert "1 logs" in ui.text
            assert "0×0" not in ui.text
            await ui.press("j", "enter")
            await ui.app.workers.wait_for_complete()
            assert ui.bench.sessions.done == [("choose", "bert-gpu", "prep", "1")]
            assert opened == ["prep"]

    async def test_dead_screens_are_wiped_on_request(self) -> None:
        answers: dict[str, SessionList | CloudtuiError] = {
            "bert-gpu": SessionList((*LISTING.sessions, DEAD), "tmux 3.4", "4.09")
        }
        async with everything(answers=answers) as ui:
            await select(ui, "bert-gpu", "screen:99.old")
            assert "× dead" in ui.text
            assert "W removes what it left behind." in ui.text
            await ui.press("W")
            assert "Remove 1 dead socket on" in ui.text
            assert "99.old" in ui.text
            await ui.press("enter")
            assert ui.bench.sessions.done == []
            await ui.press("W", "k")
            await ui.app.workers.wait_for_complete()
            assert ui.bench.sessions.done == [("wipe", "bert-gpu", "old")]
            await select(ui, "jupyter-lab", "tmux:$0")
            await ui.press("W")
            assert ui.said[-1] == "No screen of jupyter-lab is dead."

    async def test_read_only_refuses_with_the_reason(self) -> None:
        async with everything() as ui:
            ui.bench.read_only = True
            await select(ui, "bert-gpu", "tmux:$0")
            for key in ("n", "r", "x", "D", "W"):
                await ui.press(key)
                assert screen_of(ui)
            assert [words.startswith("This is read-only mode") for words in ui.said] == [True] * 5

    async def test_a_refusal_is_said(self) -> None:
        async with everything() as ui:
            ui.bench.sessions.refusal = CloudtuiError("tmux said no.")
            await select(ui, "bert-gpu", "tmux:$0")
            await ui.press("D")
            await ui.app.workers.wait_for_complete()
            assert ui.said == ["tmux said no."]


async def test_help_says_which_hosts_are_asked_and_who_gets_the_keys() -> None:
    async with everything(size=(140, 160)) as ui:
        await ui.do("go.help")
        page = " ".join(ui.text.split())
        assert "Which hosts are asked" in page
        assert "only hosts whose connection is open" in page
        assert "A tmux within a tmux" in page
        assert "Ctrl-b twice" in page


async def test_a_listing_that_failed_is_not_said_to_be_without_machines() -> None:
    dead = Unreachable("Cannot list instances in us-east-1: nobody answers.", hint="Check it.")
    state = listed([], errors=((Place("", "us-east-1"), dead),))
    async with everything(state=state) as ui:
        assert "No machine runs" not in ui.text
        assert "Cannot list instances in us-east-1: nobody answers." in ui.text
        assert "Ctrl-r" in ui.text
    async with everything(state=listed([])) as ui:
        assert "No machine runs" in ui.text
