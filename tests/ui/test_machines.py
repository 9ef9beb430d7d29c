from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from textual import events
from textual.widgets import Input
from textual.widgets._toast import Toast

from cloudtui.core.events import InventoryState
from cloudtui.model.errors import CloudtuiError, CredentialsProblem, Unreachable
from cloudtui.model.finding import Identity
from cloudtui.model.place import Place
from cloudtui.model.tunnel import TunnelPhase, TunnelState
from cloudtui.ui.screens.dialogs import Choose
from cloudtui.ui.screens.machines import MachinesScreen, regions_words
from cloudtui.ui.screens.sessions import SessionsScreen
from tests.ui.fakes import FLEET, Console, console, listed, machine


def screen_of(ui: Console) -> MachinesScreen:
    assert isinstance(ui.app.screen, MachinesScreen)
    return ui.app.screen


async def test_it_says_that_it_lists_before_the_first_answer() -> None:
    async with console(InventoryState(loading=True, regions=("us-east-1",))) as ui:
        assert "Listing the instances of us-east-1 …" in ui.text
        assert ui.bench.inventory.started == 1


async def test_rows_have_state_as_glyph_and_word() -> None:
    async with console(listed(), size=(140, 34)) as ui:
        row = next(line for line in ui.text.splitlines() if "jupyter-lab" in line)
        for word in ("● running", "i-0000…0003", "t3.medium", "us-east-1a", "54.174.93.3"):
            assert word in row
        assert "spot" in next(line for line in ui.text.splitlines() if "llm-sweep" in line)


async def test_no_instances_says_where_and_what_next() -> None:
    async with console(listed([], regions=("us-east-1",))) as ui:
        assert "No instances in us-east-1." in ui.text
        assert "cloudtui --region all" in ui.text
        assert "cloudtui demo" in ui.text


async def test_a_failure_with_no_rows_shows_reason_and_next_step() -> None:
    error = Unreachable("Cannot list instances: timed out.", "ec2.us-east-1", "Check the network.")
    async with console(InventoryState(errors=((Place("", "us-east-1"), error),))) as ui:
        for words in ("× Cannot list instances: timed out.", "ec2.us-east-1", "Check the network."):
            assert words in ui.text
        assert "Ctrl-r" in ui.text


async def test_a_failure_keeps_old_rows_dimmed_with_their_age() -> None:
    async with console(listed()) as ui:
        normal = ui.text.splitlines()[3]
        cell = screen_of(ui).table.get_cell(FLEET[0].id, "name")
        ui.bench.inventory.show(
            listed={Place("", "us-east-1"): datetime.now(UTC) - timedelta(minutes=3, seconds=2)},
            errors=((Place("", "us-east-1"), Unreachable("Cannot list us-east-1.")),),
        )
        await ui.settle()
        assert normal in ui.text
        assert "× Cannot list us-east-1. Dimmed rows are from 3m 02s ago." in ui.text
        assert "1 of 3 regions failed" in ui.text
        assert screen_of(ui).table.get_cell(FLEET[0].id, "name").style != cell.style
        assert ui.said == ["Cannot list us-east-1."]


async def test_only_rows_of_the_failed_region_are_dimmed() -> None:
    far = machine(9, "far", region="eu-west-1")
    async with console(listed([*FLEET, far])) as ui:
        ui.bench.inventory.show(
            errors=((Place("", "eu-west-1"), Unreachable("Cannot list eu-west-1.")),)
        )
        await ui.settle()
        table = screen_of(ui).table
        styles = {key: table.get_cell(key, "name").style for key in (FLEET[0].id, far.id)}
        assert styles[far.id] != styles[FLEET[0].id]


async def test_without_credentials_it_says_where_it_looked_and_what_to_do() -> None:
    error = CredentialsProblem("No AWS credentials were found.", "Looked at ~/.aws/credentials.")
    async with console(InventoryState(errors=((Place(), error),))) as ui:
        for words in (
            "No AWS credentials were found.",
            "Looked at ~/.aws/credentials.",
            "cloudtui demo",
            "AWS_PROFILE=NAME cloudtui",
            "aws sso login",
        ):
            assert words in ui.text
        await ui.press("ctrl+r")
        assert ui.bench.inventory.refreshed == 1


async def test_rows_that_come_after_a_failure_replace_it_and_take_the_focus() -> None:
    async with console(InventoryState(errors=((Place(), CloudtuiError("No.")),))) as ui:
        ui.bench.inventory.show(instances=FLEET, errors=(), updated=datetime.now(UTC))
        await ui.settle()
        assert "bert-gpu" in ui.text
        assert ui.app.focused is screen_of(ui).table


async def test_the_header_tells_account_regions_running_and_age() -> None:
    async with console(listed()) as ui:
        header = ui.text.splitlines()[0]
        for words in ("cloudtui", "nlp-lab@123456789012", "us-east-1 +2", "3 running", "updated"):
            assert words in header
        ui.bench.inventory.show(identities={"": Identity("1", "arn:aws:iam::1:root")})
        await ui.settle()
        assert "root@1" in ui.text.splitlines()[0]


async def test_the_filter_narrows_stays_and_is_cleared() -> None:
    async with console(listed()) as ui:
        await ui.press("slash", *"bert state:r")
        assert screen_of(ui).table.keys_shown == [FLEET[0].id]
        await ui.press("enter")
        assert ui.app.focused is screen_of(ui).table
        assert "bert state:r" in ui.text
        await ui.press("escape")
        assert len(screen_of(ui).table.keys_shown) == len(FLEET)
        assert not screen_of(ui).query_one(Input).display


async def test_letters_go_to_the_filter_while_it_is_open() -> None:
    async with console(listed()) as ui:
        await ui.press("slash", "q", "J", "s")
        assert screen_of(ui).query_one(Input).value == "qJs"
        assert "No machine matches qJs." in ui.text


async def test_near_names_are_said_and_shown_when_nothing_matches() -> None:
    async with console(listed()) as ui:
        await ui.press("slash", *"btgpu")
        assert "No machine matches btgpu; near: bert-gpu, bert-gpu-2" in ui.text
        assert set(screen_of(ui).table.keys_shown) == {FLEET[0].id, FLEET[1].id}
        await ui.press("escape")
        assert "near:" not in ui.text
        assert len(screen_of(ui).table.keys_shown) == len(FLEET)


async def test_a_filter_word_that_does_not_exist_is_explained() -> None:
    async with console(listed()) as ui:
        await ui.press("slash", *"stat:running")
        assert "There is no filter word stat:. state: is meant, perhaps." in ui.text
        await ui.press("escape", "slash", *"state:running")
        assert "There is no filter word" not in ui.text
        await ui.press("escape", "slash", *"state:runing")
        assert "No machine has state:runing. state:running is meant, perhaps." in ui.text


async def test_a_toast_covers_no_more_than_its_words_need() -> None:
    async with console(listed(), size=(80, 24)) as ui:
        await ui.settle()
        ui.app.say("bert-gpu is running.")
        ui.app.say("Tunnel localhost:8888 lost its connection; connecting again. It stays open.")
        async with asyncio.timeout(30):
            while [t.size.width > 0 for t in ui.app.screen.query(Toast)] != [True, True]:
                await ui.settle()
        short, long = ui.app.screen.query(Toast)
        assert short.size.width == len("bert-gpu is running.")
        assert (long.size.height, long.outer_size.width <= 64) == (2, True)


async def test_what_is_typed_right_after_the_filter_key_goes_into_the_filter() -> None:
    async with console(listed()) as ui:
        for key, character in (("slash", "/"), ("s", "s"), ("slash", "/"), ("J", "J")):
            ui.app.post_message(events.Key(key, character))
        await ui.settle()
        assert isinstance(ui.app.screen, MachinesScreen)
        assert screen_of(ui).query_one(Input).value == "s/J"


async def test_arrows_move_the_cursor_while_the_filter_is_open() -> None:
    async with console(listed()) as ui:
        await ui.press("slash", *"bert", "down")
        assert screen_of(ui).table.key == FLEET[1].id


async def test_the_filter_holds_for_rows_that_come_later() -> None:
    async with console(listed()) as ui:
        await ui.press("slash", *"bert")
        ui.bench.inventory.show(instances=(*FLEET, machine(9, "other")))
        await ui.settle()
        assert len(screen_of(ui).table.keys_shown) == 2


async def test_a_greyed_key_says_why() -> None:
    async with console(listed()) as ui:
        stopped = FLEET[3]
        screen_of(ui).table.select(stopped.id)
        await ui.settle()
        greyed = {entry.action for entry in screen_of(ui).footer_keys() if entry.greyed}
        assert greyed == {
            f"machine.{word}" for word in ("sessions", "shell", "jupyter", "stop", "files", "run")
        }
        await ui.press("s")
        assert ui.said == [f"{stopped.label} is stopped."]
        assert f"{stopped.label} is stopped." in ui.text
        assert isinstance(ui.app.screen, MachinesScreen)


async def test_with_no_machine_every_machine_key_says_so() -> None:
    async with console(listed([])) as ui:
        await ui.press("enter")
        await ui.press("c")
        assert ui.said == ["No machine is selected."] * 2


async def test_enter_and_a_second_click_open_the_sessions() -> None:
    async with console(listed()) as ui:
        await ui.press("enter")
        assert isinstance(ui.app.screen, SessionsScreen)
        await ui.press("escape")
        await ui.pilot.click("MachinesTable", offset=(5, 4))
        assert screen_of(ui).table.key == LAB.id
        await ui.pilot.click("MachinesTable", offset=(5, 4))
        await ui.settle()
        assert isinstance(ui.app.screen, SessionsScreen)
        assert ui.app.screen.instance == LAB


LAB = FLEET[2]


async def test_details_show_whole_values_and_tunnels() -> None:
    async with console(listed(), size=(120, 40)) as ui:
        screen_of(ui).table.select(LAB.id)
        up = TunnelState(LAB.id, "Jupyter", 8890, 8888, TunnelPhase.UP, datetime.now(UTC))
        ui.bench.tunnels.show(up)
        await ui.settle()
        for words in (LAB.id, LAB.public_dns, "team=nlp", "nlp-ssh", "localhost:8890 → "):
            assert words in ui.text


async def test_details_come_and_go_with_their_key_and_the_height() -> None:
    async with console(listed(), size=(120, 20)) as ui:
        assert FLEET[0].id not in ui.text
        await ui.press("d")
        assert FLEET[0].id in ui.text
        await ui.press("d")
        assert FLEET[0].id not in ui.text


@pytest.mark.parametrize(
    ("choice", "copied"),
    [
        ("id", LAB.id),
        ("public", LAB.public_ip),
        ("ssh", f"ssh -i ~/.ssh/team-nlp.pem ubuntu@{LAB.public_ip}"),
    ],
)
async def test_copy_asks_what_and_copies_it_whole(choice: str, copied: str) -> None:
    async with console(listed()) as ui:
        screen_of(ui).table.select(LAB.id)
        await ui.do("machine.copy")
        dialog = ui.app.screen
        assert isinstance(dialog, Choose)
        assert LAB.label in ui.text
        dialog.dismiss(choice)
        await ui.app.workers.wait_for_complete()
        await ui.settle()
        assert ui.app.clipboard == copied
        assert ui.said == [f"Copied {copied}"]


async def test_copy_keeps_to_the_machine_it_was_asked_for() -> None:
    async with console(listed()) as ui:
        screen_of(ui).table.select(LAB.id)
        await ui.do("machine.copy")
        ui.bench.inventory.show(instances=FLEET[:1])
        await ui.press("enter")
        await ui.app.workers.wait_for_complete()
        assert ui.app.clipboard == LAB.id


async def test_a_stopped_machine_offers_no_ssh_command() -> None:
    async with console(listed()) as ui:
        screen_of(ui).table.select(FLEET[3].id)
        await ui.do("machine.copy")
        assert "ssh command" not in ui.text
        assert "10.0.1.4" in ui.text


@pytest.mark.parametrize(
    ("regions", "words"),
    [
        ((), ""),
        (("a",), "a"),
        (("a", "b"), "a and b"),
        (("a", "b", "c"), "a and 2 more regions"),
    ],
)
def test_regions_in_words(regions: tuple[str, ...], words: str) -> None:
    assert regions_words(replace(InventoryState(), regions=regions)) == words


async def test_a_narrow_footer_still_tells_how_to_leave() -> None:
    async with console(listed(), size=(70, 24)) as ui:
        last = ui.text.splitlines()[-1]
        assert "q quit" in last
        assert last.endswith("? help")
        assert "order" not in last
