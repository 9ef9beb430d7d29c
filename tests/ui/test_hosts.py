"""The screen of the ssh config's entries: real files, real `ssh -G`, machines of the fake fleet."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from textual.widgets import Input, Label, Static

from cloudtui.files.settings import Settings
from cloudtui.model.instance import Instance, State
from cloudtui.ui.screens.dialogs import Ask
from cloudtui.ui.screens.host_dialogs import HostForm, SaveChange
from cloudtui.ui.screens.hosts import HostsScreen
from cloudtui.ui.screens.machines import MachinesScreen
from tests.ui.fakes import FLEET, Console, console, listed

BERT = next(i for i in FLEET if i.name == "bert-gpu")


@pytest.fixture(autouse=True)
def ssh_folder(cut_off: Path) -> Path:
    assert shutil.which("ssh")
    return cut_off / ".ssh"


def own(folder: Path) -> str:
    file = folder / "config.d/cloudtui.conf"
    return file.read_text() if file.exists() else ""


def entry_of(instance: Instance, address: str, folder: Path) -> None:
    (folder / "config.d").mkdir(mode=0o700)
    (folder / "config").write_text("Include config.d/cloudtui.conf\n")
    (folder / "config.d/cloudtui.conf").write_text(
        f"Host bert-gpu\n    HostName {address}\n    User ubuntu\n    HostKeyAlias {instance.id}\n"
    )


async def comes(ui: Console, screen: type) -> None:
    """Wait for a dialog or a screen that a worker opens."""
    while not isinstance(ui.app.screen, screen):
        await ui.settle()
    await ui.painted()


async def said(ui: Console, words: str) -> None:
    while not any(words in text for text in ui.said):
        await ui.settle()


async def at_hosts(ui: Console) -> HostsScreen:
    await ui.press("5")
    screen = ui.app.screen
    assert isinstance(screen, HostsScreen)
    while not ui.bench.hosts.state.looked:
        await ui.settle()
    await ui.settle()
    return screen


async def on_bert(ui: Console) -> None:
    assert isinstance(ui.app.screen, MachinesScreen)
    ui.app.screen.table.select(BERT.id)
    await ui.settle()


async def test_without_entries_the_screen_says_what_it_is_for(ssh_folder: Path) -> None:
    async with console(listed()) as ui:
        await at_hosts(ui)
        assert "No entry for a single host in ~/.ssh/config." in ui.text
        assert "add a machine" in ui.text
        await ui.press("1")
        assert isinstance(ui.app.screen, MachinesScreen)


async def test_a_machine_is_added_after_a_look_at_the_lines(ssh_folder: Path) -> None:
    async with console(listed()) as ui:
        await on_bert(ui)
        await ui.press("h")
        await comes(ui, HostForm)
        form = ui.app.screen
        assert form.query_one("#HostName", Input).value == BERT.public_ip
        await ui.press("enter")
        await comes(ui, SaveChange)
        assert f"+    HostKeyAlias {BERT.id}" in ui.text
        await ui.press("enter")  # Cancel has the focus
        await comes(ui, MachinesScreen)
        assert own(ssh_folder) == ""
        await ui.press("h")
        await comes(ui, HostForm)
        await ui.press("enter")
        await comes(ui, SaveChange)
        await ui.press("y")
        await said(ui, "ssh bert-gpu works in any terminal now.")
        assert f"HostName {BERT.public_ip}" in own(ssh_folder)
        assert ui.bench.ways.met == ["bert-gpu"]


async def test_the_name_and_a_jump_host_are_chosen_in_the_form(ssh_folder: Path) -> None:
    async with console(listed()) as ui:
        await on_bert(ui)
        await ui.press("h")
        await comes(ui, HostForm)
        form = ui.app.screen
        form.query_one("#alias", Input).value = "b:d"
        await ui.settle()
        assert "scp" in str(form.query_one("#hint", Label).render())
        await ui.press("enter")
        assert ui.app.screen is form
        form.query_one("#alias", Input).value = "b"
        form.query_one("#Port", Input).value = "99999"
        await ui.settle()
        assert "65535" in str(form.query_one("#hint", Label).render())
        form.query_one("#Port", Input).value = "2022"
        form.query_one("#ProxyJump", Input).value = "ann@bastion"
        await ui.press("enter")
        await comes(ui, SaveChange)
        await ui.press("y")
        await said(ui, "ssh b works")
        assert "Host b\n" in own(ssh_folder)
        assert "ProxyJump ann@bastion" in own(ssh_folder)
        assert "Port 2022" in own(ssh_folder)


async def test_another_name_for_a_machine_that_has_one_is_an_entry_of_its_own(
    ssh_folder: Path,
) -> None:
    entry_of(BERT, BERT.public_ip, ssh_folder)
    async with console(listed()) as ui:
        await on_bert(ui)
        await ui.press("h")
        await comes(ui, HostForm)
        ui.app.screen.query_one("#alias", Input).value = "b"
        await ui.press("enter")
        await comes(ui, SaveChange)
        await ui.press("y")
        await said(ui, "ssh b works")
        _, _, added = own(ssh_folder).partition("Host b\n")
        assert f"HostName {BERT.public_ip}\n" in added
        assert f"HostKeyAlias {BERT.id}\n" in added


async def test_a_machine_without_public_address_gets_its_private_one_and_a_word(
    ssh_folder: Path,
) -> None:
    hidden = replace(BERT, public_ip="", public_dns="", ipv6="", private_ip="10.1.2.3")
    async with console(listed([hidden])) as ui:
        await ui.press("h")
        await comes(ui, HostForm)
        assert ui.app.screen.query_one("#HostName", Input).value == "10.1.2.3"
        note = str(ui.app.screen.query_one("#note", Static).render())
        assert "no public address" in note
        assert "jump host" in note


@pytest.mark.parametrize("state", [State.STOPPED, State.TERMINATED])
async def test_a_machine_without_any_address_is_said(ssh_folder: Path, state: State) -> None:
    off = replace(BERT, state=state, public_ip="", public_dns="", ipv6="")
    async with console(listed([off])) as ui:
        await ui.press("h")
        await said(ui, state.value)
        assert isinstance(ui.app.screen, MachinesScreen)


async def test_a_changed_address_is_marked_and_brought_in_step(ssh_folder: Path) -> None:
    entry_of(BERT, "203.0.113.9", ssh_folder)
    async with console(listed(), settings=Settings(heal_hosts="ask")) as ui:
        await at_hosts(ui)
        assert "! address changed" in ui.text
        told = str(ui.app.screen.query_one("#told", Static).render())
        assert f"is at {BERT.public_ip} now; HostName is 203.0.113.9." in told
        await ui.press("enter")
        await ui.settle()
        await ui.press("escape", "y")
        await comes(ui, SaveChange)
        assert "-    HostName 203.0.113.9" in ui.text
        await ui.press("y")
        await said(ui, "Saved")
        await comes(ui, HostsScreen)
        assert f"HostName {BERT.public_ip}\n" in own(ssh_folder)
        assert "address changed" not in ui.text
        await ui.press("y")
        await said(ui, "bert-gpu is in step.")
        await ui.press("u")
        await comes(ui, SaveChange)
        await ui.press("y")
        while "203.0.113.9" not in own(ssh_folder):
            await ui.settle()


async def test_while_the_console_is_open_an_entry_of_ours_follows_by_itself(
    ssh_folder: Path,
) -> None:
    entry_of(BERT, BERT.public_ip, ssh_folder)
    async with console(listed()) as ui:
        await at_hosts(ui)
        assert "address changed" not in ui.text
        moved = [replace(i, public_ip="54.9.9.9") if i.id == BERT.id else i for i in FLEET]
        ui.bench.inventory.show(instances=tuple(moved))
        await said(ui, "has the address 54.9.9.9 now")
        assert "HostName 54.9.9.9" in own(ssh_folder)


async def test_an_entry_of_a_terminated_machine_is_offered_for_removal(ssh_folder: Path) -> None:
    entry_of(BERT, BERT.public_ip, ssh_folder)
    gone = [replace(i, state=State.TERMINATED) if i.id == BERT.id else i for i in FLEET]
    async with console(listed(gone)) as ui:
        await said(ui, "its ssh entry bert-gpu can be removed.")
        await at_hosts(ui)
        assert "! instance gone" in ui.text
        await ui.press("Y")
        await comes(ui, SaveChange)
        assert "is terminated. Remove the entry" in " ".join(ui.text.split())
        await ui.press("y")
        while "bert-gpu" in own(ssh_folder):
            await ui.settle()


async def test_the_users_own_entry_is_edited_where_it_stands_and_removed(ssh_folder: Path) -> None:
    text = "# mine\nHost box   # a box\n\tHostName box.example.com\n\tUser ann\n"
    (ssh_folder / "config").write_text(text)
    async with console(listed()) as ui:
        await at_hosts(ui)
        await ui.press("e")
        await comes(ui, HostForm)
        ui.app.screen.query_one("#User", Input).value = "bob"
        await ui.press("enter")
        await comes(ui, SaveChange)
        assert "~/.ssh/config" in ui.text
        await ui.press("y")
        await said(ui, "Saved")
        assert (ssh_folder / "config").read_text() == text.replace("ann", "bob")
        await comes(ui, HostsScreen)
        await ui.press("e")
        await comes(ui, HostForm)
        await ui.press("enter")
        await said(ui, "Nothing was changed.")
        await ui.press("s")
        await said(ui, "In a terminal: ssh box")
        await ui.press("enter")
        await comes(ui, Ask)
        assert "HostName box.example.com" in ui.text
        await ui.press("c")
        await said(ui, "Copied ssh box")
        ui.bench.notes.clear()
        await ui.press("c")
        await said(ui, "Copied ssh box")
        await ui.press("x")
        await comes(ui, SaveChange)
        await ui.press("y")
        while "Host box" in (ssh_folder / "config").read_text():
            await ui.settle()
        assert (ssh_folder / "config").read_text().startswith("# mine\n")


async def test_read_only_changes_nothing(ssh_folder: Path) -> None:
    entry_of(BERT, "203.0.113.9", ssh_folder)
    async with console(listed()) as ui:
        ui.bench.read_only = True
        await on_bert(ui)
        await ui.press("h")
        await at_hosts(ui)
        for key in ("y", "Y", "n", "e", "x", "u"):
            await ui.press(key)
            assert isinstance(ui.app.screen, HostsScreen)
        assert len([text for text in ui.said if "read-only" in text]) == 7


async def test_another_machine_is_chosen_from_the_list(ssh_folder: Path) -> None:
    async with console(listed([BERT])) as ui:
        await at_hosts(ui)
        await ui.press("n")
        await ui.settle()
        await ui.press("enter")
        await comes(ui, HostForm)
        assert BERT.label in ui.text


async def test_words_filter_the_entries(ssh_folder: Path) -> None:
    (ssh_folder / "config").write_text(
        "Host box\n  HostName box.example.com\nHost other\n  HostName other.example.com\n"
    )
    async with console(listed()) as ui:
        screen = await at_hosts(ui)
        await ui.press("slash", *"box")
        assert screen.table.keys_shown == ["box"]
        await ui.press(*"zzz")
        assert "No entry matches the filter." in ui.text
