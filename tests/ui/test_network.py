"""Security groups and Elastic IPs in the console."""

from __future__ import annotations

from dataclasses import replace

from cloudtui.core.events import InventoryState
from cloudtui.model.access import Closing, GroupChange, Opening
from cloudtui.model.address import Address
from cloudtui.model.errors import QuotaReached, Refused, Unreachable
from cloudtui.model.place import Place
from cloudtui.ui.screens.addresses import AddressesScreen
from cloudtui.ui.screens.machines import MachinesScreen
from cloudtui.ui.screens.plan import PlanQuestion
from cloudtui.ui.screens.security_groups import SecurityGroupsScreen
from cloudtui.ui.widgets.keyed_table import KeyedTable
from tests.ui.fake_network import MY_ADDRESS, NLP, OPEN
from tests.ui.fakes import FLEET, NOW, Console, console, listed

BERT, LAB, PREP = FLEET[0], FLEET[2], FLEET[3]
IDLE = Address("54.1.2.3", "us-east-1", "eipalloc-1", tags={"Name": "old-notebook"})
HELD = Address(
    "54.4.5.6", "us-east-1", "eipalloc-2", association_id="eipassoc-2", instance_id=LAB.id
)
GATEWAY = Address(
    "54.7.8.9",
    "us-east-1",
    "eipalloc-3",
    association_id="eipassoc-3",
    interface_id="eni-3",
    holder="NAT gateway nat-3",
)


async def done(made: Console) -> None:
    """Wait until what was begun by keys has come to rest."""
    await made.app.workers.wait_for_complete()
    await made.settle()
    await made.settle()  # a table that was hidden is laid out first


async def asked(made: Console) -> PlanQuestion[object]:
    """The question in front, filled."""
    while not isinstance(made.app.screen, PlanQuestion):
        await made.settle()
    question = made.app.screen
    while "Asking AWS" in made.text:
        await made.settle()
    await made.settle()
    return question


def words(made: Console) -> str:
    """What is painted, without the ends of lines and the edge of a dialog."""
    return " ".join(made.text.replace("▌", " ").split())


def made_table(made: Console) -> KeyedTable:
    return made.app.screen.query_one(KeyedTable)


def fleet() -> InventoryState:
    return listed(listed={Place("", "us-east-1"): NOW})


async def test_rules_are_told_in_plain_words_and_whose_they_are() -> None:
    async with console(listed(), size=(140, 34)) as made:
        await made.press("F")
        await done(made)
        assert isinstance(made.app.screen, SecurityGroupsScreen)
        assert "Security groups  bert-gpu" in made.text
        assert "SSH (tcp 22)" in made.text
        assert "me, laptop, added 12 days ago, an old address" in made.text
        assert "members of nlp-ssh" in made.text
        assert f"Your address {MY_ADDRESS}: SSH is not open to you: a opens it." in made.text
        assert "nlp-ssh is also of jupyter-lab" in made.text


async def test_the_title_is_whole_on_eighty_columns_and_on_sixty() -> None:
    for columns, areas in ((80, "1 Machines  2 Sessions"), (60, "1   2   3   4   5   7")):
        async with console(listed(), size=(columns, 24)) as made:
            await made.press("K" if columns == 80 else "F")
            await done(made)
            line = made.text.splitlines()[1]
            assert areas in line
            assert ("Key pairs" if columns == 80 else "Security groups  bert-gpu") in line


async def test_one_key_lets_me_in_and_replaces_my_old_rule() -> None:
    async with console(listed(), size=(140, 34)) as made:
        groups = made.bench.security_groups
        await made.press("a")
        await asked(made)
        assert "Open SSH (tcp 22) of bert-gpu" in made.text
        assert f"+ SSH (tcp 22) from {MY_ADDRESS}/32" in made.text
        assert "81.2.69.7/32" in made.text
        assert "jupyter-lab: the rule is for them too" in words(made)
        await made.press("enter")  # Cancel has the focus
        await done(made)
        assert groups.done == []
        await made.press("a")
        await asked(made)
        await made.press("y")
        await done(made)
        (plan,) = groups.done
        assert isinstance(plan, Opening)
        assert [rule.source for rule in plan.add] == [f"{MY_ADDRESS}/32"]
        assert "is open to 81.2.69.142/32, by nlp-ssh" in made.said[-1]


async def test_what_is_open_already_is_only_told() -> None:
    async with console(listed(), size=(140, 34)) as made:
        made.bench.security_groups.addresses = ("203.0.113.9",)
        made.bench.security_groups.groups = (
            replace(made.bench.security_groups.groups[0], inbound=NLP.inbound[:1]),
        )
        await made.press("a")
        question = await asked(made)
        assert "Open already: SSH (tcp 22) from 203.0.113.0/24 — office" in made.text
        assert question.plan is None
        await made.press("y")
        assert made.app.screen is question


async def test_an_unknown_address_is_a_reason_with_a_next_step() -> None:
    async with console(listed(), size=(140, 34)) as made:
        made.bench.security_groups.unknown = Unreachable(
            "Your public address is not known: x did not answer.", hint="Give it with --from."
        )
        await made.press("a")
        await asked(made)
        assert "Your public address is not known" in made.text
        await made.press("escape", "F")
        await done(made)
        assert "Your public address is not known" in made.text


async def test_a_rule_is_closed_and_what_ends_with_it_is_said() -> None:
    async with console(listed(), size=(140, 34)) as made:
        groups = made.bench.security_groups
        groups.addresses = ("203.0.113.9",)
        await made.press("F")
        await done(made)
        await made.press("x")
        await asked(made)
        assert "from your address 203.0.113.9 ends with it" in words(made)
        await made.press("y")
        await done(made)
        (plan,) = groups.done
        assert isinstance(plan, Closing)
        assert plan.rules[0][1].source == "203.0.113.0/24"
        assert "203.0.113.0/24" not in "".join(str(row) for row in made_table(made).keys_shown)


async def test_ssh_open_to_the_world_stands_out() -> None:
    async with console(listed(), size=(140, 34)) as made:
        made.bench.security_groups.groups = (OPEN,)
        await made.press("F")
        await done(made)
        assert "▲ SSH is open to the whole world" in made.text
        assert "anywhere (0.0.0.0/0)" in made.text


async def test_another_port_is_opened_for_a_network() -> None:
    async with console(listed(), size=(140, 34)) as made:
        await made.press("F")
        await done(made)
        await made.press("p", *"80-90", "enter", *"10.0.0.7/8", "enter")
        await asked(made)
        await made.press("y")
        await done(made)
        (plan,) = made.bench.security_groups.done
        assert isinstance(plan, Opening)
        assert (plan.first, plan.last, plan.add[0].source) == (80, 90, "10.0.0.0/8")
        await made.press("p", *"no", "enter", "enter")
        await made.settle()
        assert "'no' is no port." in made.said[-1]


async def test_groups_are_chosen_and_at_least_one_stays() -> None:
    async with console(listed(), size=(140, 34)) as made:
        await made.press("F")
        await done(made)
        await made.press("e")
        await made.press("down", "space", "enter")
        await asked(made)
        assert "+ quick (sg-0fedcba9876543210)" in made.text
        assert "quick (sg-0fedcba9876543210) opens SSH to the whole world." in made.text
        await made.press("y")
        await done(made)
        (plan,) = made.bench.security_groups.done
        assert isinstance(plan, GroupChange)
        assert [group.name for group in plan.after] == ["nlp-ssh", "quick"]
        await made.press("e", "space", "down", "space", "enter")
        await asked(made)
        assert "needs at least one security group" in made.text


async def test_read_only_opens_and_moves_nothing() -> None:
    async with console(fleet(), size=(140, 34)) as made:
        made.bench.read_only = True
        made.bench.addresses.held = (IDLE,)
        await made.press("a")
        assert isinstance(made.app.screen, MachinesScreen)
        assert "read-only" in made.said[-1]
        await made.press("I")
        await done(made)
        for key in ("enter", "n", "x", "ctrl+d"):
            count = len(made.said)
            await made.press(key)
            assert "read-only" in made.said[count]
        assert isinstance(made.app.screen, AddressesScreen)


async def test_a_group_that_cannot_be_looked_up_fails_with_its_reason() -> None:
    async with console(listed(), size=(140, 34)) as made:
        groups = made.bench.security_groups
        groups.refusal = Refused("The credentials do not allow DescribeSecurityGroups.")
        await made.press("F")
        await done(made)
        assert "do not allow DescribeSecurityGroups" in made.text
        groups.refusal = None
        await made.press("ctrl+r")
        await done(made)
        assert "SSH (tcp 22)" in made.text


async def test_elastic_ips_say_who_has_them_and_what_they_cost() -> None:
    async with console(fleet(), size=(140, 34)) as made:
        made.bench.addresses.held = (IDLE, HELD, GATEWAY)
        await made.press("I")
        await done(made)
        assert "Nothing uses 1 address: $3.65 a month." in made.text
        lines = {line.split()[0]: line for line in made.text.splitlines() if line.strip()}
        assert "old-notebook" in lines["54.1.2.3"]
        assert "nothing" in lines["54.1.2.3"]
        assert "0.005" in lines["54.1.2.3"]
        assert f"● jupyter-lab ({LAB.id})" in lines["54.4.5.6"]
        assert "NAT gateway nat-3" in lines["54.7.8.9"]


async def test_addresses_of_a_region_that_is_listed_later_come_in() -> None:
    async with console(listed(), size=(140, 34)) as made:
        await made.press("I")
        await done(made)
        assert "Listing the Elastic IPs" in made.text
        made.bench.addresses.held = (IDLE,)
        made.bench.inventory.show(listed={Place("", "us-east-1"): NOW})
        await done(made)
        assert "54.1.2.3" in made.text


async def test_an_address_is_given_to_the_machine_that_had_the_cursor() -> None:
    async with console(fleet(), size=(140, 34)) as made:
        made.bench.addresses.held = (IDLE,)
        await made.press("I")
        await done(made)
        await made.press("enter", "enter")
        await asked(made)
        assert "Associate old-notebook (54.1.2.3) with bert-gpu" in made.text
        assert f"loses its present public address {BERT.public_ip} for good" in made.text
        await made.press("enter")  # Cancel has the focus
        await done(made)
        assert made.bench.addresses.done == []
        await made.press("enter", "enter")
        await asked(made)
        await made.press("y")
        await done(made)
        assert made.bench.addresses.done == [("associate", "bert-gpu")]
        assert "is at 54.1.2.3 now." in made.said[-1]


async def test_taking_an_address_from_another_is_asked_and_said() -> None:
    async with console(fleet(), size=(140, 34)) as made:
        made.bench.addresses.held = (HELD,)
        await made.press("I")
        await done(made)
        await made.press("enter", *"prep", "enter")
        await asked(made)
        assert f"jupyter-lab ({LAB.id}) has it now and loses it" in words(made)
        assert "data-prep is stopped: the address costs $0.005/h" in words(made)


async def test_what_is_in_use_is_not_released() -> None:
    async with console(fleet(), size=(140, 34)) as made:
        made.bench.addresses.held = (HELD,)
        await made.press("I")
        await done(made)
        await made.press("ctrl+d")
        assert isinstance(made.app.screen, AddressesScreen)
        assert f"jupyter-lab ({LAB.id}) has 54.4.5.6: take it off first, with x." in made.said[-1]
        await made.press("x")
        await asked(made)
        await made.press("y")
        await done(made)
        assert made.bench.addresses.done == [("disassociate", "54.4.5.6")]
        await made.press("ctrl+d")
        await asked(made)
        assert "goes back to AWS" in made.text
        await made.press("y")
        await done(made)
        assert made.bench.addresses.done[-1] == ("release", "54.4.5.6")
        assert "No Elastic IP in the regions in view." in made.text


async def test_a_full_quota_is_told_with_what_to_do() -> None:
    async with console(fleet(), size=(140, 34)) as made:
        made.bench.addresses.change_refusal = QuotaReached(
            "Cannot allocate an Elastic IP in us-east-1: the account has 5 there."
        )
        await made.press("I")
        await done(made)
        await made.press("n", "enter")
        await done(made)
        assert "the account has 5 there" in made.said[-1]
        made.bench.addresses.change_refusal = None
        await made.press("n", *"web", "enter")
        await done(made)
        assert made.bench.addresses.done == [("allocate", "web")]
        assert "web (54.9.9.9) is yours now, for $0.005/h, $3.65 a month" in made.said[-1]
