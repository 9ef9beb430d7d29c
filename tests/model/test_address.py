"""Elastic IPs: what they cost, whom a name means, and what a move would lose."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from cloudtui.model.address import (
    Address,
    association,
    cost_words,
    disassociation,
    hourly,
    monthly,
    release,
    resolve,
)
from cloudtui.model.errors import Ambiguous, NotFound, Refused, UsageError
from cloudtui.model.instance import Instance, State
from cloudtui.model.price import Price, Source
from cloudtui.model.security_group import Interface

IDLE = Address("54.1.1.1", "us-east-1", "eipalloc-1", tags={"Name": "spare"})
HELD = Address(
    "54.2.2.2", "us-east-1", "eipalloc-2", association_id="eipassoc-2", instance_id="i-2"
)
GATEWAY = Address(
    "54.3.3.3",
    "us-east-1",
    "eipalloc-3",
    association_id="eipassoc-3",
    interface_id="eni-3",
    holder="NAT gateway nat-3",
)
BERT = Instance("i-1", "us-east-1", State.RUNNING, "bert", public_ip="52.9.9.9", private_ip="10.1")
LAB = Instance("i-2", "us-east-1", State.RUNNING, "lab", public_ip="54.2.2.2", private_ip="10.2")
ALL = {i.id: i for i in (BERT, LAB)}


def test_every_address_costs_used_or_not() -> None:
    assert cost_words(hourly(IDLE)) == cost_words(hourly(HELD)) == "$0.005/h, $3.65 a month"
    read = Price(0.006, date(2027, 1, 1), Source.PAGE)
    assert monthly(read) == "4.38"
    assert hourly(IDLE, read) is read
    assert cost_words(hourly(replace(IDLE, pool="ipv4pool-ec2-0f"))) == "free"
    assert cost_words(hourly(replace(IDLE, region="cn-north-1"))) == "price unknown"


@pytest.mark.parametrize("name", ["54.1.1.1", "eipalloc-1", "spare", "spa", "54.1"])
def test_a_name_is_an_address_an_id_a_tag_or_a_beginning(name: str) -> None:
    assert resolve(name, [HELD, IDLE, GATEWAY]) is IDLE


def test_a_name_of_several_or_of_none() -> None:
    with pytest.raises(Ambiguous) as several:
        resolve("54", [IDLE, HELD])
    assert len(several.value.candidates) == 2
    with pytest.raises(NotFound) as none:
        resolve("nosuch", [IDLE])
    assert "spare (54.1.1.1)" in none.value.detail
    with pytest.raises(NotFound):
        resolve("", [])


def test_the_present_address_is_lost_and_connections_break() -> None:
    plan = association(IDLE, BERT, ALL)
    assert plan.cautions == (
        "bert loses its present public address 52.9.9.9 for good. AWS gives that to somebody else.",
        "Connections to it break: open panes and tunnels connect again.",
    )
    assert plan.sentence == "Associate spare (54.1.1.1) with bert (i-1)"


def test_taking_it_from_another_names_that() -> None:
    plan = association(HELD, BERT, ALL)
    assert (plan.taken_from, plan.taken_from_id) == ("lab (i-2)", "i-2")
    assert plan.cautions[0].startswith("lab (i-2) has it now and loses it")


def test_the_machines_other_elastic_ip_comes_off_and_is_kept() -> None:
    plan = association(IDLE, LAB, ALL, others=(IDLE, HELD))
    assert plan.replaces == HELD
    assert "54.2.2.2 comes off lab. It stays yours and costs" in plan.cautions[0]
    assert "for good" not in " ".join(plan.cautions)


def test_a_stopped_machine_pays_all_the_same() -> None:
    stopped = replace(BERT, state=State.STOPPED, public_ip="")
    assert association(IDLE, stopped, ALL).cautions == (
        "bert is stopped: the address costs $0.005/h, $3.65 a month all the same.",
    )


@pytest.mark.parametrize(
    ("address", "machine", "words"),
    [
        (IDLE, replace(BERT, region="eu-west-1"), "in us-east-1 and the machine in eu-west-1"),
        (IDLE, replace(BERT, state=State.PENDING), "is pending"),
        (IDLE, replace(BERT, state=State.TERMINATED), "is terminated"),
        (GATEWAY, BERT, "NAT gateway nat-3 has it"),
        (HELD, LAB, "has 54.2.2.2 already"),
        (replace(IDLE, managed="nlb"), BERT, "the AWS service nlb manages it"),
    ],
)
def test_what_stands_against_it(address: Address, machine: Instance, words: str) -> None:
    with pytest.raises(Refused) as caught:
        association(address, machine, ALL)
    assert words in caught.value.title


def test_several_interfaces_get_it_on_the_primary_one_unless_named() -> None:
    own = (
        Interface("eni-0", "i-1", 0, private_ip="10.1", public_ip="52.9.9.9"),
        Interface("eni-1", "i-1", 1, private_ip="10.11"),
    )
    plan = association(IDLE, BERT, ALL, own)
    assert plan.interface is own[0]
    assert "the address goes to eni-0 (10.1, device 0)" in plan.cautions[-1]
    other = association(IDLE, BERT, ALL, own, interface_id="eni-1")
    assert other.interface is own[1]
    assert "loses its present" not in " ".join(other.cautions)
    with pytest.raises(UsageError, match="no network interface eni-9"):
        association(IDLE, BERT, ALL, own, interface_id="eni-9")
    assert association(IDLE, BERT, ALL, own[:1]).interface is None


def test_what_is_in_use_is_not_released_and_the_holder_is_named() -> None:
    with pytest.raises(Refused) as caught:
        release(HELD, ALL)
    assert caught.value.title == "Cannot release 54.2.2.2: lab (i-2) has it."
    assert caught.value.hint == "Take it off first: cloudtui ip disassociate 54.2.2.2"
    with pytest.raises(Refused, match="NAT gateway nat-3 has it"):
        release(GATEWAY, ALL)
    assert "goes back to AWS" in release(IDLE, ALL).cautions[0]


def test_taking_it_off() -> None:
    assert disassociation(HELD, ALL).holder == "lab (i-2)"
    stopped = {"i-2": replace(LAB, state=State.STOPPED)}
    assert "after its start" in disassociation(HELD, stopped).cautions[0]
    assert disassociation(replace(HELD, instance_id="i-gone"), {}).holder == "i-gone"
    for address, words in ((IDLE, "nothing to disassociate"), (GATEWAY, "NAT gateway nat-3")):
        with pytest.raises(Refused, match=words):
            disassociation(address, ALL)
