"""Regions and profiles: chosen by typing and marking; what the header says of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import OptionList

from cloudtui.core.events import InventoryState
from cloudtui.files import last_places
from cloudtui.files.settings import Settings
from cloudtui.model.errors import CredentialsProblem, Throttled
from cloudtui.model.finding import Identity
from cloudtui.model.place import Place
from cloudtui.ui.widgets.frame import Header
from cloudtui.ui.widgets.machines_table import MachinesTable
from tests.ui.fakes import FLEET, Console, console, listed, machine

HERE = Place("", "us-east-1")
TWO = [
    machine(1, "mine", profile="lab"),
    machine(2, "theirs", region="eu-west-1", profile="prod-1"),
]


def header(ui: Console) -> str:
    return ui.text.splitlines()[0]


async def typed(ui: Console, text: str) -> None:
    await ui.press(*("minus" if c == "-" else c for c in text))


async def test_rows_of_the_last_run_are_dimmed_with_their_age_until_they_are_true() -> None:
    before = datetime.now(UTC) - timedelta(hours=2, minutes=5)
    old = listed(
        updated=None,
        loading=True,
        snapshot=before,
        unconfirmed=frozenset({HERE}),
        listed={HERE: before},
        identities={},
    )
    async with console(old) as ui:
        table = ui.app.screen.query_one(MachinesTable)
        dim = table.get_cell(FLEET[0].id, "name").style
        assert "listing; rows from 2h 05m ago" in header(ui)
        assert "bert-gpu" in ui.text
        ui.bench.inventory.show(
            unconfirmed=frozenset(), snapshot=None, loading=False, updated=datetime.now(UTC)
        )
        await ui.settle()
        assert table.get_cell(FLEET[0].id, "name").style != dim
        assert "updated 0 s ago" in header(ui)
        assert "rows from" not in header(ui)


async def test_throttling_is_told_with_the_time_of_the_next_look() -> None:
    state = listed(
        slowed=(HERE,),
        next_look=datetime.now(UTC) + timedelta(hours=2, minutes=5, seconds=30),
        errors=((HERE, Throttled("Cannot list: too many requests.")),),
    )
    async with console(state) as ui:
        assert "AWS asks to slow down, next look in 2h 05m" in header(ui)


async def test_the_root_user_and_production_stand_out() -> None:
    root = {"": Identity("123456789012", "arn:aws:iam::123456789012:root")}
    async with console(listed(identities=root)) as ui:
        assert "root@123456789012 root user" in header(ui)
    identities = {
        name: Identity("123456789012", f"arn:aws:iam::123456789012:user/{name}")
        for name in ("lab", "prod-1")
    }
    state = listed(TWO, profiles=("lab", "prod-1"), identities=identities)
    async with console(state) as plain:
        calm = plain.app.screen.query_one(Header).render()
        assert "lab@123456789012 +1" in header(plain)
    async with console(state, settings=Settings(warn_profiles=("prod*",))) as ui:
        warned = ui.app.screen.query_one(Header).render()
        assert "lab@123456789012 +1" in header(ui)
        assert str(warned.spans) != str(calm.spans)


async def test_a_read_only_console_says_so() -> None:
    async with console(listed()) as ui:
        assert "read-only" not in header(ui)
        ui.bench.read_only = True
        ui.app.screen.query_one(Header).refresh()
        await ui.settle()
        assert "cloudtui   read-only   nlp-lab@" in header(ui)


async def test_regions_are_found_by_letters_and_marked() -> None:
    async with console(listed()) as ui:
        ui.bench.inventory.enabled = ("ap-south-1", "eu-west-1", "us-east-1", "us-west-2")
        await ui.press("R")
        assert "✓ us-east-1" in ui.text
        assert "every enabled region" in ui.text
        assert "6 machines" in ui.text
        await typed(ui, "ap")
        await ui.press("space", "enter")
        assert ui.bench.inventory.regions_shown == [
            ("ap-south-1", "eu-west-1", "us-east-1", "us-west-2")
        ]
        assert last_places.regions([""]) == ("ap-south-1", "eu-west-1", "us-east-1", "us-west-2")


@pytest.mark.parametrize(
    "changes",
    [
        {"errors": ((Place("", ""), CredentialsProblem("No credentials.")),)},
        {"errors": ((Place("", "us-east-1"), Throttled("Too many requests.")),)},
        {"updated": None, "loading": True},
    ],
)
async def test_a_region_that_was_not_listed_is_not_said_to_be_empty(changes: Any) -> None:
    async with console(listed([], regions=("us-east-1",), **changes)) as ui:
        await ui.press("R")
        assert "not listed" in ui.text
        assert "no machine" not in ui.text


async def test_a_region_alone_takes_no_mark() -> None:
    async with console(listed()) as ui:
        await ui.press("R")
        await typed(ui, "eu-w")
        await ui.press("enter")
        assert ui.bench.inventory.regions_shown == [("eu-west-1",)]
        assert ui.said == ["Showing eu-west-1"]


async def test_every_region_is_one_mark() -> None:
    async with console(listed()) as ui:
        await ui.press("R")
        await typed(ui, "every")
        await ui.press("space")
        dialog = ui.app.screen
        (line,) = (line for line in ui.text.splitlines() if "✓" in line)
        assert "✓ all" in line
        await ui.press("enter")
        assert ui.bench.inventory.regions_shown == [("all",)]
        assert dialog is not ui.app.screen


async def test_letters_that_fit_nothing_choose_nothing() -> None:
    async with console(listed()) as ui:
        await ui.press("R")
        await typed(ui, "mars")
        assert "Nothing of that name." in ui.text
        await ui.press("space", "enter")
        assert ui.app.screen.query(OptionList)
        await ui.press("escape")
        assert ui.bench.inventory.regions_shown == []


PROFILES = """\
[default]
region = us-east-1
[profile lab]
sso_session = corp
region = eu-west-1
[profile prod]
role_arn = arn:aws:iam::999999999999:role/x
source_profile = lab
"""


@pytest.fixture
def profiles(cut_off: Path) -> None:
    (cut_off / ".aws").mkdir()
    (cut_off / ".aws/config").write_text(PROFILES)


async def test_profiles_are_chosen_with_what_they_are(profiles: None) -> None:
    async with console(listed()) as ui:
        await ui.press("P")
        while not ui.app.screen.query(OptionList):
            await ui.settle()
        assert "✓ default" in ui.text
        assert "IAM Identity Center eu-west-1" in ui.text
        await typed(ui, "lab")
        await ui.press("space", "enter")
        assert ui.bench.inventory.profiles_shown == [("default", "lab")]
        assert last_places.profiles() == ("default", "lab")


async def test_keys_of_the_environment_are_a_choice_too(
    profiles: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    async with console(listed()) as ui:
        await ui.press("P")
        while not ui.app.screen.query(OptionList):
            await ui.settle()
        assert "✓ AWS_ACCESS_KEY_ID" in ui.text
        assert "✓ default" not in ui.text
        await ui.press("enter")
        assert ui.bench.inventory.profiles_shown == [("",)]
        assert "Showing 1 profile: AWS_ACCESS_KEY_ID" in ui.said


async def test_without_profiles_it_says_how_to_make_one() -> None:
    async with console(listed()) as ui:
        await ui.press("P")
        await ui.app.workers.wait_for_complete()
        assert "aws configure --profile NAME" in ui.said[0]


async def test_a_log_in_that_nothing_wants_is_said() -> None:
    async with console(InventoryState(loading=True)) as ui:
        await ui.press("l")
        assert "No profile in view needs a log in" in ui.said[0]


def test_regions_are_remembered_for_each_profile(
    cut_off: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    last_places.remember_regions(["lab"], ["eu-west-1", "us-east-1"])
    last_places.remember_regions([""], ["all"])
    assert last_places.regions(["lab"]) == ("eu-west-1", "us-east-1")
    assert last_places.regions([]) == ("all",)
    monkeypatch.setenv("AWS_PROFILE", "lab")
    assert last_places.regions([]) == ("eu-west-1", "us-east-1")
    monkeypatch.delenv("AWS_PROFILE")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    assert last_places.regions([]) == ()
    last_places.remember_regions([], ["us-west-2"])
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    assert last_places.regions([]) == ("all",)


def test_profiles_are_remembered_unless_the_environment_names_one(
    cut_off: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    last_places.remember_profiles(["lab", "prod"])
    assert last_places.profiles() == ("lab", "prod")
    monkeypatch.setenv("AWS_PROFILE", "other")
    assert last_places.profiles() == ()
    monkeypatch.delenv("AWS_PROFILE")
    last_places.remember_profiles([""])
    assert last_places.profiles() == ()
