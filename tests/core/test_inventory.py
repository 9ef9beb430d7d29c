"""The list of machines: old rows first, then the truth, each region by itself."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cloudtui.core import telling as telling_module
from cloudtui.core import watched as watched_module
from cloudtui.core.tags import Tags
from cloudtui.files import paths
from cloudtui.model.errors import (
    CloudtuiError,
    CredentialsProblem,
    NotFound,
    Refused,
    Throttled,
    UsageError,
)
from cloudtui.model.place import Place
from tests.core.pretend_aws import Cloud, row, watching

HERE = Place("", "us-east-1")


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATESTING")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    made = Cloud()
    made.put_on(monkeypatch)
    made.regions[""] = ("ap-south-1", "eu-west-1", "us-east-1")
    return made


def snapshot_files() -> list[Path]:
    return sorted((paths.cache_dir() / "instances").glob("*"))


async def listed_before(cloud: Cloud, *regions: str) -> None:
    """A console ran, and ended, before."""
    async with watching(cloud, *regions) as seen:
        seen.inventory.start()
        await seen.settled()


async def test_the_home_region_is_asked_first_and_told_while_others_are_waited_for(
    cloud: Cloud,
) -> None:
    cloud.machines("us-east-1", "home")
    cloud.machines("eu-west-1", "far")
    held = cloud.hold("eu-west-1")
    async with watching(cloud, "all") as seen:
        loading = asyncio.create_task(seen.inventory.load())
        await seen.shows("home")
        assert cloud.asked[0] == "us-east-1"
        assert seen.state.loading
        held.set()
        state = await loading
    assert [i.name for i in state.instances] == ["home", "far"]
    assert state.regions == ("us-east-1", "ap-south-1", "eu-west-1")
    assert not state.loading
    assert state.updated


async def test_rows_of_the_last_run_are_shown_before_aws_is_asked(cloud: Cloud) -> None:
    cloud.machines("us-east-1", "kept", "gone")
    await listed_before(cloud)
    cloud.machines("us-east-1", "new", "kept")
    held = cloud.hold("us-east-1")
    cloud.asked.clear()
    async with watching(cloud) as seen:
        seen.inventory.recall()
        await seen.shows("kept", "gone")
        assert cloud.opened == [("", ())]  # by the run before
        assert seen.dimmed == ["kept", "gone"]
        assert seen.state.snapshot is not None
        assert abs((datetime.now(UTC) - seen.state.snapshot).total_seconds()) < 30
        seen.inventory.start()
        held.set()
        await seen.shows("new", "kept")
        await seen.settled()
        assert seen.dimmed == []
        assert seen.state.snapshot is None


async def test_the_file_of_rows_is_private_and_holds_no_secret(cloud: Cloud) -> None:
    cloud.machines("us-east-1", "kept")
    await listed_before(cloud)
    (file,) = snapshot_files()
    assert file.stat().st_mode & 0o777 == 0o600
    assert "AKIATESTING" not in file.read_text()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_ACCESS_KEY_ID", "AKIAOTHER"),
        ("AWS_PROFILE", "other"),
        ("AWS_ENDPOINT_URL", "http://localhost:1"),
        ("AWS_REGION", "eu-west-1"),
    ],
)
async def test_rows_of_another_account_are_not_shown(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    cloud.machines("us-east-1", "theirs")
    await listed_before(cloud)
    monkeypatch.setenv(name, value)
    if name == "AWS_REGION":
        cloud.homes[""] = value
    async with watching(cloud) as seen:
        seen.inventory.recall()
        cloud.machines("eu-west-1", "mine", profile=seen.state.profiles[0])
        cloud.machines("us-east-1", "mine", profile=seen.state.profiles[0])
        cloud.holds.clear()
        await seen.inventory.load()
        assert all("theirs" not in [i.name for i in state.instances] for state in seen.states)


async def test_rows_go_when_aws_says_that_the_account_is_another(cloud: Cloud) -> None:
    cloud.machines("us-east-1", "theirs")
    await listed_before(cloud)
    cloud.accounts[""] = "999999999999"
    cloud.hold("us-east-1")
    async with watching(cloud) as seen:
        seen.inventory.start()
        await seen.shows("theirs")
        await seen.shows()


async def test_a_broken_file_of_rows_is_set_aside_and_said(cloud: Cloud) -> None:
    cloud.machines("us-east-1", "kept")
    await listed_before(cloud)
    (file,) = snapshot_files()
    file.write_bytes(file.read_bytes()[:-40])
    async with watching(cloud) as seen:
        seen.inventory.start()
        await seen.shows("kept")
        await seen.settled()
    assert "their file is broken" in seen.notes[0].text
    assert len(seen.notes) == 1
    assert [f.suffix for f in snapshot_files()] == [".broken", ".jsonl"]


async def test_a_full_disk_is_said_once(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cloudtui.files.snapshots.write_atomically", full)
    cloud.machines("us-east-1", "one")
    async with watching(cloud) as seen:
        seen.inventory.start()
        await seen.settled()
        cloud.machines("us-east-1", "one", "two")
        seen.inventory.refresh()
        await seen.shows("one", "two")
    assert [note.text for note in seen.notes] == [
        "The list of machines cannot be kept for the next start: No space left on device."
    ]


async def test_a_failed_region_hides_no_other_and_keeps_its_rows(cloud: Cloud) -> None:
    cloud.machines("us-east-1", "home")
    cloud.machines("eu-west-1", "far")
    async with watching(cloud, "all") as seen:
        await seen.inventory.load()
        cloud.failures["", "eu-west-1"] = Refused("Cannot list instances in eu-west-1: denied.")
        cloud.machines("us-east-1", "home", "new")
        state = await seen.inventory.load()
    assert [i.name for i in state.instances] == ["home", "new", "far"]
    assert seen.dimmed == ["far"]
    assert [(place, str(error)) for place, error in state.errors] == [
        (Place("", "eu-west-1"), "Cannot list instances in eu-west-1: denied.")
    ]
    assert state.updated
    assert state.listed[Place("", "eu-west-1")] < state.listed[HERE]


async def test_credentials_that_no_region_takes_are_one_failure(cloud: Cloud) -> None:
    for region in cloud.regions[""]:
        cloud.failures["", region] = CredentialsProblem(f"Cannot list instances in {region}.")
    async with watching(cloud, "all") as seen:
        state = await seen.inventory.load()
    assert [place for place, _ in state.errors] == [Place("")]


async def test_a_refused_list_of_regions_leaves_the_home_region(cloud: Cloud) -> None:
    cloud.failures["", "all"] = Refused("Cannot list regions in us-east-1: denied.")
    cloud.machines("us-east-1", "home")
    async with watching(cloud, "all") as seen:
        state = await seen.inventory.load()
    assert seen.names == ["home"]
    assert seen.dimmed == []
    assert [place for place, _ in state.errors] == [Place("", "all")]


async def test_no_region_is_asked_twice_at_a_time(cloud: Cloud) -> None:
    cloud.machines("us-east-1", "home", state="pending")
    held = cloud.hold("us-east-1")
    async with watching(cloud) as seen:
        seen.inventory.start()
        await cloud.page_asked.wait()
        seen.inventory.refresh()
        loading = asyncio.create_task(seen.inventory.load())
        await asyncio.sleep(0.05)
        held.set()
        await loading
        await seen.shows("home")
    assert cloud.most_at_once["us-east-1"] == 1


async def test_many_regions_are_told_in_a_few_changes(cloud: Cloud) -> None:
    cloud.regions[""] = tuple(f"xx-west-{number}" for number in range(38))
    for region in cloud.regions[""]:
        cloud.rows["", region] = [[row(f"{region}-{p}-{n}") for n in range(3)] for p in range(3)]
    async with watching(cloud, "all") as seen:
        began = asyncio.get_running_loop().time()
        await seen.inventory.load()
        took = asyncio.get_running_loop().time() - began
    assert len(seen.names) == 38 * 9
    assert len(seen.states) <= 4 + took / telling_module.SHOWN_SECONDS


async def test_rows_of_home_are_told_before_other_regions_are_asked(cloud: Cloud) -> None:
    cloud.regions[""] = tuple(f"xx-west-{number}" for number in range(5))
    cloud.machines("us-east-1", "home")
    asked_by_then: list[list[str]] = []
    held = cloud.hold("us-east-1")
    async with watching(cloud, "all") as seen:
        seen.inventory._events.listen(
            lambda _: asked_by_then.append(list(cloud.asked)) if seen.names else None
        )
        seen.inventory.start()
        await cloud.page_asked.wait()
        for _ in range(20):  # the list of regions is in by then
            await asyncio.sleep(0)
        held.set()
        await seen.shows("home")
        await seen.settled()
    assert asked_by_then[0] == ["us-east-1"]
    assert len(cloud.asked) == 6


async def test_a_home_region_that_is_slow_holds_up_no_other(cloud: Cloud) -> None:
    cloud.regions[""] = ("eu-west-1", "us-east-1")
    cloud.machines("eu-west-1", "far")
    held = cloud.hold("us-east-1")
    async with watching(cloud, "all") as seen, asyncio.timeout(30):
        seen.inventory.start()
        await seen.shows("far")
        held.set()


async def test_the_very_first_rows_are_told_at_once(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling_module, "SHOWN_SECONDS", 300.0)
    monkeypatch.setattr(telling_module, "SHOWN_SECONDS_MOST", 300.0)
    cloud.regions[""] = ("eu-west-1", "us-east-1")
    cloud.machines("us-east-1", "home")
    held = cloud.hold("eu-west-1")
    async with watching(cloud, "all") as seen, asyncio.timeout(30):
        seen.inventory.start()
        await seen.shows("home")
        held.set()


async def test_only_regions_where_something_changes_are_looked_at_often(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched_module, "CHANGING_SECONDS", 0.02)
    cloud.machines("us-east-1", "still")
    cloud.machines("eu-west-1", "starting", state="pending")
    async with watching(cloud, "us-east-1", "eu-west-1") as seen:
        seen.inventory.start()
        while cloud.asked.count("eu-west-1") < 4:
            cloud.page_asked.clear()
            await cloud.page_asked.wait()
        cloud.machines("eu-west-1", "starting")
        await seen.settled()
        while seen.state.changing:
            await asyncio.sleep(0.01)
        looks = cloud.asked.count("eu-west-1")
        await asyncio.sleep(0.1)
    assert cloud.asked.count("us-east-1") == 1
    assert cloud.asked.count("eu-west-1") == looks


async def test_a_followed_machine_is_looked_at_until_it_has_changed(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched_module, "CHANGING_SECONDS", 0.02)
    cloud.machines("us-east-1", "box", state="stopped")
    async with watching(cloud) as seen:
        seen.inventory.start()
        await seen.settled()
        assert cloud.asked == ["us-east-1"]
        seen.inventory.follow(["i-box"])
        while len(cloud.asked) < 4:
            await asyncio.sleep(0.01)
        cloud.machines("us-east-1", "box", state="running")
        while seen.state.instances[0].state.value != "running":
            await asyncio.sleep(0.01)
        looks = len(cloud.asked)
        await asyncio.sleep(0.1)
    assert len(cloud.asked) == looks


async def test_what_somebody_else_looks_at_is_not_listed_often(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched_module, "CHANGING_SECONDS", 0.02)
    cloud.machines("us-east-1", "box", "still")
    async with watching(cloud) as seen:
        seen.inventory.start()
        await seen.settled()
        with seen.inventory.in_hand(["i-box"]):
            cloud.machines("us-east-1", "box", "still", state="stopping")
            seen.inventory.refresh()
            while seen.state.instances[1].state.value != "stopping":
                await asyncio.sleep(0.01)
            listed = len(cloud.asked)
            while len(cloud.asked) == listed:  # `still` is nobody else's
                await asyncio.sleep(0.01)
            cloud.machines("us-east-1", "box", state="stopping")
            await seen.shows("box")
            listed = len(cloud.asked)
            cloud.machines("us-east-1", "box", state="stopped")
            found = await seen.inventory.look(HERE, ["i-box"])
            assert found["i-box"].state.value == "stopped"
            while seen.state.changing:
                await asyncio.sleep(0.01)
            cloud.machines("us-east-1", "box", state="stopping")
            await seen.inventory.look(HERE, ["i-box"])
            await asyncio.sleep(0.1)
            assert len(cloud.asked) == listed
        while len(cloud.asked) < listed + 3:  # left alone while it changes
            await asyncio.sleep(0.01)


async def test_throttling_is_waited_out_and_told(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.machines("us-east-1", "home")
    async with watching(cloud, refresh_seconds=0.05) as seen:
        seen.inventory.start()
        await seen.settled()
        cloud.failures["", "us-east-1"] = Throttled("AWS gets too many requests.")
        while not seen.state.slowed:
            await asyncio.sleep(0.01)
        looks = len(cloud.asked)
        await asyncio.sleep(0.2)  # some rounds long
        assert len(cloud.asked) == looks
        assert seen.state.slowed == (HERE,)
        assert seen.state.next_look is not None
        left = (seen.state.next_look - datetime.now(UTC)).total_seconds()
        assert 5 < left <= watched_module.SLOW_SECONDS + 1
        assert seen.dimmed == ["home"]
        cloud.failures.clear()
        seen.inventory.refresh()  # whoever asks is answered
        while seen.state.slowed:
            await asyncio.sleep(0.01)
        assert seen.state.next_look is None


async def test_several_profiles_are_one_list(cloud: Cloud) -> None:
    cloud.machines("us-east-1", "mine", "shared", profile="lab")
    cloud.machines("eu-west-1", "theirs", profile="prod")
    cloud.rows["prod", "eu-west-1"][0].append(row("shared"))
    cloud.homes["prod"] = "eu-west-1"
    cloud.rows["prod", "us-east-1"] = [[row("never")]]
    async with watching(cloud, profiles=["lab", "prod"]) as seen:
        state = await seen.inventory.load()
        assert [(i.name, i.profile) for i in state.instances] == [
            ("mine", "lab"),
            ("shared", "lab"),
            ("theirs", "prod"),
        ]
        theirs = state.instances[2]
        assert (await seen.inventory.amazon_for(theirs)).profile == "prod"
        assert set(state.identities) == {"lab", "prod"}
        assert cloud.opened == [("lab", ()), ("prod", ())]


async def test_profiles_and_regions_are_changed_in_the_middle(cloud: Cloud) -> None:
    cloud.machines("us-east-1", "mine")
    cloud.machines("eu-west-1", "far")
    cloud.machines("us-east-1", "theirs", profile="prod")
    async with watching(cloud) as seen:
        seen.inventory.start()
        await seen.shows("mine")
        seen.inventory.show_regions(["us-east-1", "eu-west-1"])
        await seen.shows("mine", "far")
        seen.inventory.show_regions(["eu-west-1"])
        await seen.shows("far")
        seen.inventory.show_regions([])
        await seen.shows("mine")
        seen.inventory.show_profiles(["prod"])
        await seen.shows("theirs")
        state = await seen.settled()
        assert state.profiles == ("prod",)
        assert set(state.identities) == {"prod"}


async def test_a_missing_region_is_one_failure(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_REGION")
    cloud.failures["", ""] = UsageError("No AWS region is set.")
    cloud.machines("eu-west-1", "far")
    async with watching(cloud) as seen:
        seen.inventory.start()
        state = await seen.settled()
        assert [(place, error.title) for place, error in state.errors] == [
            (Place(), "No AWS region is set.")
        ]
        cloud.failures.clear()
        seen.inventory.show_regions(["eu-west-1"])
        await seen.shows("far")
        await seen.settled()
        assert cloud.opened[-1] == ("", ("eu-west-1",))
        assert not seen.state.errors


async def test_a_row_of_the_last_run_is_confirmed_before_it_is_acted_on(cloud: Cloud) -> None:
    cloud.machines("us-east-1", "kept", "gone")
    await listed_before(cloud)
    cloud.rows["", "us-east-1"] = [[row("kept", "stopped")]]
    async with watching(cloud) as seen:
        seen.inventory.recall()
        await seen.shows("kept", "gone")
        kept, gone = seen.state.instances
        fresh = await seen.inventory.confirmed(kept)
        assert fresh.state.value == "stopped"
        assert cloud.asked.count("us-east-1") == 2
        with pytest.raises(NotFound, match="gone"):
            await seen.inventory.confirmed(gone)
        assert await seen.inventory.confirmed(fresh) is fresh
        assert cloud.asked.count("us-east-1") == 2
        cloud.failures["", "us-east-1"] = CloudtuiError("Cannot list.")
        await seen.inventory.load()
        with pytest.raises(CloudtuiError, match="Cannot list"):
            await seen.inventory.confirmed(fresh)


async def test_tags_of_a_row_of_the_last_run_are_read_before_they_are_edited(cloud: Cloud) -> None:
    cloud.machines("us-east-1", "box")
    async with watching(cloud) as seen:
        seen.inventory.start()
        await seen.settled()
    cloud.rows["", "us-east-1"] = [[replace(row("box"), tags={"Name": "box", "team": "nlp"})]]
    held = cloud.hold("us-east-1")
    async with watching(cloud) as seen:
        seen.inventory.start()
        await seen.shows("box")
        assert "team" not in seen.state.instances[0].tags
        asked = asyncio.create_task(Tags(seen.inventory).confirmed(seen.state.instances))
        await asyncio.sleep(0)
        held.set()
        assert (await asked)[0].tags["team"] == "nlp"


async def test_rows_that_did_not_change_are_the_very_same(cloud: Cloud) -> None:
    cloud.rows["", "us-east-1"] = [[row("a"), row("b")], [row("c")]]
    async with watching(cloud) as seen:
        before = (await seen.inventory.load()).instances
        after = (await seen.inventory.load()).instances
        assert after is before
        cloud.rows["", "us-east-1"][1][0] = row("c", "stopped")
        after = (await seen.inventory.load()).instances
        assert after[0] is before[0]
        assert after[2].state.value == "stopped"


async def test_tags_changed_here_are_shown_at_once(cloud: Cloud) -> None:
    cloud.machines("us-east-1", "a", "b")
    async with watching(cloud) as seen:
        await seen.inventory.load()
        seen.inventory.retag("i-a", {"Name": "z", "team": "nlp"})
        await seen.shows("z", "b")
