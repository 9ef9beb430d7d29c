from __future__ import annotations

from dataclasses import replace

import pytest

from cloudtui.core.tags import TagFailure
from cloudtui.model.details import Checks, ConsoleOutput, UserData
from cloudtui.model.errors import CloudtuiError, NotFound, Refused, Unreachable
from cloudtui.model.instance import State
from cloudtui.model.price import Bill
from cloudtui.model.security_group import Group, Rule
from cloudtui.model.tags import TagChange
from cloudtui.ui.screens import machines
from tests.ui.fake_details import ANSWER
from tests.ui.fakes import FLEET, Console, console, listed, machine

WORLD = Group("sg-1", "open", (Rule("tcp", 22, 22, "0.0.0.0/0"),))


async def rest(made: Console) -> None:
    """Wait until the cursor has rested and the details are in."""
    while not made.bench.details.asked:
        await made.pilot.pause(0.02)
    await made.app.workers.wait_for_complete()
    await made.settle()


async def test_the_panel_shows_what_ec2_says_of_the_row() -> None:
    async with console(listed(), size=(120, 40)) as made:
        await rest(made)
        assert "3/3 ok" in made.text
        assert "200 GiB gp3, 500 GiB gp3 not encrypted" in made.text
        assert "nlp-ssh (tcp 22, tcp 8888)" in made.text
        assert "$1.21/h" in made.text
        assert "ubuntu" in made.text


async def test_ssh_open_to_the_world_is_marked() -> None:
    async with console(listed(), size=(120, 40)) as made:
        made.bench.details.answer = replace(ANSWER, groups=(WORLD,))
        await rest(made)
        assert "SSH is open to the whole world" in made.text


async def test_running_down_the_list_asks_for_the_last_row_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with console(listed(), size=(120, 40)) as made:
        await rest(made)
        monkeypatch.setattr(machines, "REST_SECONDS", 1.0)  # on a slow machine keys take their time
        made.bench.details.asked.clear()
        for _ in range(3):  # at once: between keys a slow machine takes as long as a rest
            made.app.screen.table.action_cursor_down()  # type: ignore[attr-defined]
        await rest(made)
        assert made.bench.details.asked == [made.app.screen.instance.id]  # type: ignore[attr-defined]


async def test_moving_on_cancels_what_is_under_way() -> None:
    async with console(listed(), size=(120, 40)) as made:
        made.bench.details.hold.clear()
        while not made.bench.details.asked:
            await made.pilot.pause(0.02)
        first = made.bench.details.asked[0]
        await made.press("down")
        while not made.bench.details.cancelled:
            await made.pilot.pause(0.02)
        assert made.bench.details.cancelled == [first]
        made.bench.details.hold.set()


async def test_a_hidden_panel_asks_for_nothing() -> None:
    async with console(listed(), size=(120, 24)) as made:
        await made.pilot.pause(0.4)
        assert made.bench.details.asked == []


async def test_everything_about_a_machine_is_on_its_screen() -> None:
    async with console(listed(), size=(120, 60)) as made:
        made.bench.details.answer = replace(
            ANSWER, groups=(WORLD,), checks=Checks("ok", "impaired", "ok", ("2026-12-01: retire",))
        )
        await made.press("D")
        await made.app.workers.wait_for_complete()
        await made.settle()
        text = made.text
        for words in (
            "Status checks",
            "impaired",
            "2026-12-01: retire",
            "vol-0f3c9a7b1d2e4f5a6  encrypted, deleted with the machine",
            "vol-0aa91c2d3e4f5a6b7  6000 IOPS  250 MiB/s  not encrypted, kept when it ends",
            "not encrypted, kept when it ends",
            "from 0.0.0.0/0",
            "SSH is open to the whole world: 1 rule with 0.0.0.0/0.",
            "login user   ubuntu",
            "table in cloudtui, as of 2026-07-20",
        ):
            assert words in text
        await made.press("escape")
        assert made.app.screen is made.app.screen_stack[0]


async def test_a_part_that_failed_says_why_and_hides_no_other() -> None:
    async with console(listed(), size=(120, 60)) as made:
        made.bench.details.answer = replace(
            ANSWER, volumes=Refused("Cannot look up volumes: not allowed.", "", "Ask the owner.")
        )
        await made.press("D")
        await made.app.workers.wait_for_complete()
        await made.settle()
        assert "Cannot look up volumes: not allowed." in made.text
        assert "nlp-ssh" in made.text


async def test_an_unknown_price_says_why() -> None:
    async with console(listed([machine(1, "a", region="eu-west-1")]), size=(120, 60)) as made:
        await made.press("D")
        await made.settle()
        assert "unknown: no table has g5.2xlarge in eu-west-1" in made.text


async def test_console_output_opens_at_its_end_and_is_searched() -> None:
    async with console(listed(), size=(120, 40)) as made:
        lines = tuple(f"line {n}" for n in range(500))
        made.bench.details.console = ConsoleOutput(lines, None, False)
        await made.press("D", "o")
        await made.app.workers.wait_for_complete()
        await made.settle()
        assert "line 499" in made.text
        assert "EC2's own copy" in made.text
        await made.press("slash", *"line 7", "enter")
        await made.settle()
        assert "11 of 11 found" in made.text
        assert "line 79" in made.text
        await made.press("n")
        await made.settle()
        assert "1 of 11 found" in made.text
        assert "line 7\n" in made.text
        await made.press("escape")
        assert "found" not in made.text
        await made.press("escape")
        assert "Console output" not in made.text


async def test_console_output_that_cannot_be_had_says_why_and_is_asked_again() -> None:
    async with console(listed(), size=(120, 40)) as made:
        made.bench.details.console = Unreachable("EC2 does not answer.")
        await made.press("D", "o")
        await made.app.workers.wait_for_complete()
        await made.settle()
        assert "EC2 does not answer." in made.text
        made.bench.details.console = ConsoleOutput((), None, True)
        await made.press("ctrl+r")
        await made.app.workers.wait_for_complete()
        await made.settle()
        assert "no console output of this machine yet" in made.text


async def test_user_data_is_on_the_screen_and_nowhere_else() -> None:
    async with console(listed(), size=(120, 40)) as made:
        made.bench.details.data = UserData("#!/bin/bash\nexport TOKEN=hunter2 [bold]", 40)
        await made.press("D", "u")
        await made.app.workers.wait_for_complete()
        await made.settle()
        assert "export TOKEN=hunter2 [bold]" in made.text
        assert "may hold secrets" in made.text
        assert not any("hunter2" in str(note) for note in made.bench.notes)


@pytest.mark.parametrize(
    ("data", "words"),
    [(UserData(), "without user data"), (UserData(size=9000, binary=True), "binary (9,000 bytes)")],
)
async def test_user_data_without_text_says_so(data: UserData, words: str) -> None:
    async with console(listed(), size=(120, 40)) as made:
        made.bench.details.data = data
        await made.press("D", "u")
        await made.app.workers.wait_for_complete()
        await made.settle()
        assert words in made.text


async def test_the_bill_says_what_it_knows_and_what_not() -> None:
    fleet = (machine(1, "a"), machine(2, "b", region="eu-west-1"), machine(3, "c", State.STOPPED))
    async with console(listed(fleet), size=(120, 40)) as made:
        made.bench.prices.extra = Bill(storage=0.02, storage_gib=200, storage_unknown=30, idle=1)
        await made.press("dollar_sign")
        await made.app.workers.wait_for_complete()
        await made.settle()
        assert made.bench.prices.surveyed == 1
        for words in ("$1.21/h", "200 GiB", "$1.23/h", "2026-07-20"):
            assert words in made.text
        assert "Not known: 1 running machine, 30 GiB of volumes." in made.text
        assert "1 × no table has g5.2xlarge in eu-west-1" in made.text


async def test_a_bill_that_is_closed_before_all_is_known_stays_closed() -> None:
    async with console(listed()) as made:
        made.bench.prices.hold.clear()
        await made.press("dollar_sign")
        await made.press("escape")
        made.bench.prices.hold.set()
        await made.app.workers.wait_for_complete()
        await made.settle()
        assert not made.app.last_words


async def test_the_web_console_opens_or_its_address_is_copied() -> None:
    async with console(listed(), size=(120, 40)) as made:
        await made.press("W")
        await made.app.workers.wait_for_complete()
        page = made.bench.browsed[0]
        assert page.startswith("https://us-east-1.console.aws.amazon.com/ec2/home?region=us-east-1")
        assert page.endswith(made.app.screen.instance.id)  # type: ignore[attr-defined]
        made.bench.browser_works = False
        await made.press("W")
        await made.app.workers.wait_for_complete()
        assert made.app.clipboard == page


async def open_tags(made: Console) -> None:
    await made.press("e")
    await made.settle()


async def test_a_tag_is_edited_added_and_removed_after_a_look_at_the_change() -> None:
    async with console(listed(), size=(120, 40)) as made:
        await open_tags(made)
        assert "Name" in made.text
        await made.press("enter", *"-2", "enter")
        await made.press("a", *"owner", "enter", *"ada", "enter")
        await made.press("k", "x")
        await made.settle()
        assert "3 changed" in made.text
        await made.press("s")
        await made.settle()
        for line in ("~ Name = bert-gpu-2   was bert-gpu", "+ owner = ada", "- team = nlp"):
            assert line in made.text
        await made.press("enter")
        assert made.bench.tags.changes == []
        await made.press("s", "s")
        await made.app.workers.wait_for_complete()
        await made.settle()
        change = TagChange({"Name": "bert-gpu-2", "owner": "ada"}, frozenset({"team"}))
        assert made.bench.tags.changes == [((FLEET[0].id,), change)]
        assert "Changed 3 tags of bert-gpu" in made.said[-1]


async def test_the_tags_of_marked_machines_are_changed_together() -> None:
    fleet = (machine(1, "a", tags={"team": "nlp"}), machine(2, "b", tags={"team": "cv", "x": "1"}))
    async with console(listed(fleet), size=(120, 40)) as made:
        await made.press("asterisk", "e")
        await made.settle()
        assert "Tags of 2 machines" in made.text
        assert "2 values" in made.text
        assert "on 1 of 2" in made.text
        await made.press("enter", *"ml", "enter", "s", "s")
        await made.app.workers.wait_for_complete()
        ids, change = made.bench.tags.changes[0]
        assert set(ids) == {fleet[0].id, fleet[1].id}
        assert change == TagChange({"team": "ml"})


async def test_a_tag_that_ec2_refused_is_named() -> None:
    async with console(listed(), size=(120, 40)) as made:
        error = CloudtuiError("Cannot set tags.", "TagPolicyViolation")
        made.bench.tags.failures = (TagFailure("owner", (FLEET[0],), error),)
        await open_tags(made)
        await made.press("a", *"owner", "enter", *"ada", "enter", "s", "s")
        await made.app.workers.wait_for_complete()
        assert f"The tag owner of {FLEET[0].label} was not changed." in made.said
        assert not any(words.startswith("Changed") for words in made.said)


async def test_keys_and_values_that_ec2_does_not_take_are_refused_in_words() -> None:
    async with console(listed(), size=(120, 40)) as made:
        await open_tags(made)
        await made.press("a", *"aws:x", "enter", "enter")
        await made.settle()
        assert "Keys that begin with aws: are AWS's own." in made.text


async def test_leaving_edited_tags_asks_first() -> None:
    async with console(listed(), size=(120, 40)) as made:
        await open_tags(made)
        await made.press("x", "escape")
        await made.settle()
        assert "Leave without saving" in made.text
        await made.press("t")
        await made.app.workers.wait_for_complete()
        await made.settle()
        assert made.app.screen is made.app.screen_stack[0]
        assert made.bench.tags.changes == []


async def test_tags_of_a_machine_that_is_gone_are_not_edited() -> None:
    async with console(listed(), size=(120, 40)) as made:
        made.bench.tags.gone = NotFound("bert-gpu (i-1) is gone.")
        await open_tags(made)
        assert made.app.screen is made.app.screen_stack[0]
        assert "bert-gpu (i-1) is gone." in made.said[-1]


async def test_read_only_refuses_to_edit_tags() -> None:
    async with console(listed(), size=(120, 40)) as made:
        made.bench.read_only = True
        await made.press("e")
        assert "read-only" in made.said[-1]


async def test_inside_an_outer_tmux_a_copy_passes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from cloudtui.ui.widgets import pane_clipboard

    told: list[str] = []

    async def tell(text: str) -> None:
        told.append(text)

    monkeypatch.setattr(pane_clipboard, "_tell_tmux", tell)
    async with console(listed(), size=(120, 40)) as made:
        monkeypatch.setenv("TMUX", "/tmp/tmux-0/default,1,0")
        made.app.copy_to_clipboard("i-1")
        await made.app.workers.wait_for_complete()
        assert told == ["i-1"]
