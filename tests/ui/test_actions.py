from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtui.ui.actions import (
    ACTIONS,
    BY_ID,
    Where,
    at,
    key_table,
    key_words,
    typed_key,
    with_keys,
)
from cloudtui.ui.actions_leader import leader_keys, with_leader_keys
from cloudtui.ui.app import CloudtuiApp
from cloudtui.ui.screens.addresses import AddressesScreen
from cloudtui.ui.screens.all_sessions import AllSessionsScreen
from cloudtui.ui.screens.area import Area
from cloudtui.ui.screens.copies import CopiesScreen
from cloudtui.ui.screens.digest import DigestScreen
from cloudtui.ui.screens.files import FilesScreen
from cloudtui.ui.screens.help import HelpScreen
from cloudtui.ui.screens.hosts import HostsScreen
from cloudtui.ui.screens.jupyter import JupyterScreen
from cloudtui.ui.screens.kernel_log import KernelLogScreen
from cloudtui.ui.screens.keys import KeysScreen
from cloudtui.ui.screens.machine import MachineScreen
from cloudtui.ui.screens.machines import MachinesScreen
from cloudtui.ui.screens.messages import MessagesScreen
from cloudtui.ui.screens.monitor import MonitorScreen
from cloudtui.ui.screens.notebooks import NotebooksScreen
from cloudtui.ui.screens.run_log import RunLogScreen
from cloudtui.ui.screens.runs import RunsScreen
from cloudtui.ui.screens.security_groups import SecurityGroupsScreen
from cloudtui.ui.screens.sessions import SessionsScreen
from cloudtui.ui.screens.tunnels import TunnelsScreen
from cloudtui.ui.screens.viewer import ViewerScreen
from cloudtui.ui.screens.workspace import WorkspaceScreen
from tests.ui.fakes import console, listed
from tests.ui.test_attached import attached

SCREENS: dict[Where, type[Area]] = {
    Where.MACHINES: MachinesScreen,
    Where.SESSIONS: SessionsScreen,
    Where.ALL_SESSIONS: AllSessionsScreen,
    Where.PANE: WorkspaceScreen,
    Where.JUPYTER: JupyterScreen,
    Where.FILES: FilesScreen,
    Where.COPIES: CopiesScreen,
    Where.NOTEBOOKS: NotebooksScreen,
    Where.KERNEL_LOG: KernelLogScreen,
    Where.DETAILS: MachineScreen,
    Where.VIEWER: ViewerScreen,
    Where.GROUPS: SecurityGroupsScreen,
    Where.ADDRESSES: AddressesScreen,
    Where.TUNNELS: TunnelsScreen,
    Where.KEYS: KeysScreen,
    Where.LOG: MessagesScreen,
    Where.HOSTS: HostsScreen,
    Where.MONITOR: MonitorScreen,
    Where.HELP: HelpScreen,
    Where.RUNS: RunsScreen,
    Where.DIGEST: DigestScreen,
    Where.RUN_LOG: RunLogScreen,
}


@pytest.mark.parametrize("action", ACTIONS, ids=lambda a: a.id)
def test_every_action_has_words_help_a_key_and_a_handler_wherever_it_is(action: object) -> None:
    found = BY_ID[getattr(action, "id")]  # noqa: B009
    assert found.keys
    assert found.words
    assert found.help.endswith(".")
    places = SCREENS if Where.EVERYWHERE in found.where else found.where
    for where in places:
        screen = SCREENS[where]
        assert hasattr(screen, found.handler) or hasattr(CloudtuiApp, found.handler), where


def test_ids_are_unique() -> None:
    assert len(BY_ID) == len(ACTIONS)


@pytest.mark.parametrize("where", SCREENS, ids=str)
def test_no_key_means_two_things_on_one_screen(where: Where) -> None:
    keys = [key for action in at(where) for key in action.keys]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("where", SCREENS, ids=str)
def test_each_screen_binds_its_actions_by_their_ids(where: Where) -> None:
    bound = {getattr(binding, "id", None) for binding in SCREENS[where].BINDINGS}
    assert bound == {action.id for action in at(where)}


def test_the_key_table_has_a_row_for_every_action() -> None:
    rows = key_table().splitlines()
    assert len(rows) == len(ACTIONS) + 2
    assert any(row.startswith("| `Ctrl-r` | `go.refresh` | machines, ") for row in rows)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("ctrl+r", "Ctrl-r"),
        ("escape", "Esc"),
        ("question_mark", "?"),
        ("J", "J"),
        ("f1", "F1"),
        ("ctrl+right_square_bracket", "Ctrl-]"),
        ("ctrl+]", "Ctrl-]"),
    ],
)
def test_keys_are_written_as_people_write_them(key: str, words: str) -> None:
    assert key_words(key) == words


def test_a_user_may_give_an_action_other_keys() -> None:
    keys, problems = with_keys({"go.refresh": "f5, ctrl+l"})
    assert keys["go.refresh"] == ("f5", "ctrl+l")
    assert problems == []


@pytest.mark.parametrize(
    ("action", "key", "sentence"),
    [
        ("go.nowhere", "f5", "There is no action 'go.nowhere'"),
        ("machine.shell", "J", "is taken by machine.jupyter"),
        ("machine.shell", " ", "needs a key"),
    ],
)
def test_a_key_that_cannot_be_given_is_said(action: str, key: str, sentence: str) -> None:
    keys, problems = with_keys({action: key})
    assert [p for p in problems if sentence in p]
    assert keys["machine.shell"] == ("s",)


@pytest.mark.parametrize("place", ["machine.sessions", ""])
async def test_help_lists_every_action_with_its_keys(place: str) -> None:
    async with console(listed(), size=(140, 260)) as ui:
        if place:
            await ui.do(place)
        await ui.do("go.help")
        page = " ".join(ui.text.split())
        for action in ACTIONS:
            for key in action.keys:
                assert key_words(key) in page
            assert action.help.split()[0] in page
        text = "".join(str(widget.render()) for widget in ui.app.screen.query(".column").results())
        flat = " ".join(text.split())
        missing = [a.id for a in ACTIONS if a.help not in flat]
        assert missing == []
        assert "tag:team=nlp" in flat


async def test_help_closes_with_the_key_that_opened_it() -> None:
    async with console(listed()) as ui:
        await ui.press("question_mark")
        assert isinstance(ui.app.screen, HelpScreen)
        await ui.press("question_mark")
        assert isinstance(ui.app.screen, MachinesScreen)


async def test_the_palette_runs_an_action() -> None:
    async with console(listed()) as ui:
        await ui.press("colon")
        await ui.press(*"messages")
        await ui.app.workers.wait_for_complete()
        await ui.press("enter")
        assert isinstance(ui.app.screen, MessagesScreen)


def test_a_key_after_the_leader_may_be_another() -> None:
    keys, problems = with_leader_keys({"leader.zoom": "Z, f11", "leader.right": "%"}, "ctrl+]")
    assert problems == []
    assert (keys["leader.zoom"], keys["leader.right"]) == (("Z", "f11"), ("percent_sign",))


@pytest.mark.parametrize(
    ("action", "key", "sentence"),
    [
        ("leader.log", "z", "'z' for leader.log is taken by leader.zoom."),
        ("leader.log", "|", "'|' for leader.log is taken by leader.right."),
        ("leader.log", "d", "'d' for leader.log is taken by leader.detach."),
        ("leader.log", "3", "'3' for leader.log is taken by the tabs 1 to 9."),
        ("leader.log", "escape", "'escape' for leader.log is taken by Esc, which ends the leader."),
        ("leader.log", "Ctrl+B", "is taken by the leader itself"),
        ("leader.detach", "q", "The key of leader.detach is always d."),
        ("leader.log", ",", "needs a key"),
    ],
)
def test_a_clash_after_the_leader_is_said(action: str, key: str, sentence: str) -> None:
    keys, problems = with_leader_keys({action: key}, "ctrl+b")
    assert [p for p in problems if sentence in p]
    assert keys == leader_keys({}, "ctrl+b")


async def test_help_in_a_pane_shows_what_works_there() -> None:
    async with attached() as (ui, _):
        await ui.press("ctrl+right_square_bracket", "question_mark")
        page = "".join(str(w.render()) for w in ui.app.screen.query(".column").results())
        for words in ("In the scrollback", "With the mouse", "Ctrl-] z", "A tmux within a tmux"):
            assert words in page
        for words in ("Everywhere", "Leave cloudtui", "Words of the filter", "A machine"):
            assert words not in page


def test_an_action_is_called_by_its_id_its_last_part_or_its_words() -> None:
    keys, problems = with_keys({"refresh": "f5,ctrl+r", "bill": "$", "stop": "Ctrl-x"})
    assert problems == []
    assert keys["go.refresh"] == ("f5", "ctrl+r")
    assert keys["go.bill"] == ("dollar_sign",)
    assert keys["machine.stop"] == ("ctrl+x",)
    _, problems = with_keys({"refrsh": "f5", "copy": "f6", "qqqq": "f7"})
    assert problems[0].startswith("There is no action 'refrsh'. Near: refresh,")
    assert problems[1].startswith("Several actions are called 'copy': ")
    assert "README" in problems[2]


@given(st.text(max_size=12))
def test_any_text_is_a_key_or_stays_as_it_is(text: str) -> None:
    assert typed_key(text) in (text, typed_key(typed_key(text)))
