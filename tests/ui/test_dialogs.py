from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from textual import events
from textual.widgets import Button, Input

from cloudtui.model.remote import HostKey
from cloudtui.ui.screens.dialogs import Answers, Ask, Choose
from cloudtui.ui.screens.machines import MachinesScreen
from cloudtui.ui.screens.messages import MessagesScreen
from tests.ui.fakes import console, listed
from tests.ui.test_attached import until

KEY = HostKey("54.174.93.1", 2222, "ssh-ed25519", "SHA256:uNiVztksCsDhcc0u9e8BrBx4aFJ9")


@pytest.mark.parametrize(
    ("keys", "trusted"),
    [(["y"], True), (["escape"], False), (["enter"], False), (["tab", "enter"], True)],
)
async def test_first_contact_shows_the_key_and_needs_its_own_answer(
    keys: list[str], trusted: bool
) -> None:
    async with console(listed()) as ui:
        asked = asyncio.create_task(ui.bench.prompts.trust_host_key(KEY))
        await until(ui, lambda: isinstance(ui.app.screen, Ask))
        for words in ("54.174.93.1 port 2222", KEY.algorithm, KEY.fingerprint):
            assert words in ui.text
        assert ui.app.focused is ui.app.screen.query_one("#cancel", Button)
        await ui.press(*keys)
        assert await asked is trusted
        assert isinstance(ui.app.screen, MachinesScreen)


async def test_a_passphrase_is_hidden_and_given_back(cut_off: Path) -> None:
    async with console(listed()) as ui:
        key = cut_off / ".ssh" / "id_ed25519"
        asked = asyncio.create_task(ui.bench.prompts.passphrase(key, again=False))
        await until(ui, lambda: isinstance(ui.app.screen, Answers))
        assert "Passphrase of ~/.ssh/id_ed25519" in ui.text
        await ui.press(*"open sesame")
        assert "sesame" not in ui.text
        await ui.press("enter")
        assert await asked == "open sesame"


async def test_a_wrong_passphrase_is_said_and_escape_gives_up() -> None:
    async with console(listed()) as ui:
        asked = asyncio.create_task(ui.bench.prompts.passphrase(Path("/k"), again=True))
        await until(ui, lambda: isinstance(ui.app.screen, Answers))
        assert "That was not the passphrase." in ui.text
        await ui.press("escape")
        assert await asked is None


async def test_every_question_of_the_host_has_its_field() -> None:
    async with console(listed()) as ui:
        questions = (("Password: ", False), ("Code: ", True))
        asked = asyncio.create_task(ui.bench.prompts.answers("bastion", questions))
        await until(ui, lambda: isinstance(ui.app.screen, Answers))
        assert [field.password for field in ui.app.screen.query(Input)] == [True, False]
        await ui.press("a", "enter", "4", "2", "enter")
        assert await asked == ["a", "42"]


async def test_two_questions_come_one_after_the_other() -> None:
    async with console(listed()) as ui:
        first = asyncio.create_task(ui.bench.prompts.trust_host_key(KEY))
        second = asyncio.create_task(ui.bench.prompts.passphrase(Path("/k"), again=False))
        await until(ui, lambda: isinstance(ui.app.screen, Ask))
        assert len(ui.app.screen_stack) == 2
        await ui.press("y")
        await until(ui, lambda: isinstance(ui.app.screen, Answers))
        await ui.press("x", "enter")
        assert (await first, await second) == (True, "x")


async def test_a_question_goes_away_with_whoever_asked() -> None:
    async with console(listed()) as ui:
        asked = asyncio.create_task(ui.bench.prompts.trust_host_key(KEY))
        await until(ui, lambda: isinstance(ui.app.screen, Ask))
        asked.cancel()
        await until(ui, lambda: isinstance(ui.app.screen, MachinesScreen))


async def test_keys_of_the_console_do_nothing_behind_a_dialog() -> None:
    async with console(listed()) as ui:
        asked = asyncio.create_task(ui.bench.prompts.trust_host_key(KEY))
        await until(ui, lambda: isinstance(ui.app.screen, Ask))
        await ui.press("q", "s", "J")
        assert isinstance(ui.app.screen, Ask)
        await ui.press("escape")
        assert await asked is False


async def test_a_question_answered_twice_leaves_what_is_below() -> None:
    async with console(listed()) as ui:
        await ui.do("machine.sessions")
        below = ui.app.screen
        asked = asyncio.create_task(ui.bench.prompts.trust_host_key(KEY))
        await until(ui, lambda: isinstance(ui.app.screen, Ask))
        for _ in range(3):
            ui.app.post_message(events.Key("y", "y"))
        assert await asked is True
        await ui.settle()
        assert ui.app.screen is below


async def test_a_question_without_a_point_goes_from_under_another_screen() -> None:
    async with console(listed()) as ui:
        asked = asyncio.create_task(ui.bench.prompts.trust_host_key(KEY))
        await until(ui, lambda: isinstance(ui.app.screen, Ask))
        ui.app.open_log()
        await ui.settle()
        asked.cancel()
        await ui.settle()
        assert isinstance(ui.app.screen, MessagesScreen)
        await ui.press("escape")
        await until(ui, lambda: isinstance(ui.app.screen, MachinesScreen))


async def test_a_dialog_shows_its_own_keys_instead_of_the_page_s() -> None:
    async with console(listed()) as ui:
        assert "? help" in ui.text.splitlines()[-1]
        ui.app.push_screen(Choose("Which", {"1": "one", "2": "two"}))
        await until(ui, lambda: "two" in ui.text)
        assert ui.text.splitlines()[-1].strip() == "Enter choose   Esc cancel"


async def test_a_sentence_said_again_is_not_shown_twice() -> None:
    async with console(listed()) as ui:
        for _ in range(3):
            ui.app.say("Nothing runs here.")
        await until(ui, lambda: "Nothing runs here." in ui.text)
        await ui.settle()
        assert ui.text.count("Nothing runs here.") == 1
