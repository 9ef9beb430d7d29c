"""Elastic IPs against moto, and EC2's refusals from an endpoint that gives them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import boto3
import pytest

from cloudtui.aws import addresses as calls
from cloudtui.aws.clients import Amazon
from cloudtui.core.events import AddressesChanged, Event
from cloudtui.core.workbench import Workbench
from cloudtui.files.settings import Settings
from cloudtui.model.address import Address, Association
from cloudtui.model.errors import CloudtuiError, NotFound, QuotaReached, Refused
from cloudtui.model.instance import Instance, State
from cloudtui.model.place import Place
from cloudtui.model.security_group import Interface
from tests.core.test_lifecycle import Account
from tests.lab import Lab, Person
from tests.moto_child import Answer, Request, StubEndpoint

HERE = Place("", "us-east-1")
BERT = Instance("i-0f3c", "us-east-1", State.RUNNING, "bert-gpu", private_ip="10.0.0.7")
IDLE = Address("54.1.1.1", "us-east-1", "eipalloc-1", tags={"Name": "spare"})


@pytest.fixture
def account(aws_env: str) -> Account:
    made = Account()
    made.launch("bert-gpu")
    made.launch("jupyter-lab")
    return made


@asynccontextmanager
async def opened(*regions: str, **more: Any) -> AsyncIterator[Workbench]:
    async with Workbench(Settings(), Person(), regions=regions, **more) as bench:
        await bench.inventory.load()
        yield bench


def allocated(account: Account, name: str = "", region: str = "us-east-1") -> str:
    tags = [{"ResourceType": "elastic-ip", "Tags": [{"Key": "Name", "Value": name}]}]
    ec2: Any = boto3.client("ec2", region_name=region)
    made = ec2.allocate_address(Domain="vpc", TagSpecifications=tags if name else [])
    return str(made["PublicIp"])


async def test_an_address_goes_its_way_and_the_list_follows(account: Account) -> None:
    async with opened() as bench:
        heard: list[Event] = []
        bench.listen(heard.append)
        made = await bench.addresses.allocate(HERE, "old-notebook")
        assert (made.name, made.idle) == ("old-notebook", True)
        assert isinstance(heard[-1], AddressesChanged)
        bert = await bench.inventory.find("bert-gpu")
        plan = await bench.addresses.plan_associate(made, bert)
        assert bert.public_ip in plan.cautions[0]
        await bench.addresses.associate(plan)
        held = await bench.addresses.find("old-notebook")
        assert bench.addresses.holder(held) == bert.label
        assert bench.addresses.seen[bert.id].public_ip == made.ip
        while (now := bench.inventory.by_id(bert.id)) is None or now.public_ip != made.ip:
            await asyncio.sleep(0.01)  # the list tells it in a moment
        await bench.addresses.disassociate(await bench.addresses.plan_disassociate(held))
        free = await bench.addresses.find("old-notebook")
        assert free.idle
        await bench.addresses.release(await bench.addresses.plan_release(free))
        assert bench.addresses.state.addresses == ()
        with pytest.raises(NotFound):
            await bench.addresses.find("old-notebook")


async def test_what_is_in_use_is_not_released_though_the_endpoint_would(account: Account) -> None:
    ip = allocated(account)
    async with opened() as bench:
        idle = await bench.addresses.find(ip)
        plan = await bench.addresses.plan_release(idle)
        bert = await bench.inventory.find("bert-gpu")
        # Somebody else gives it away between the question and the answer.
        account.ec2.associate_address(AllocationId=idle.allocation_id, InstanceId=bert.id)
        with pytest.raises(Refused) as caught:
            await bench.addresses.release(plan)
        assert bert.label in caught.value.title
    assert [a["PublicIp"] for a in account.ec2.describe_addresses()["Addresses"]] == [ip]


async def test_an_address_that_was_given_away_meanwhile_is_not_taken(account: Account) -> None:
    ip = allocated(account)
    async with opened() as bench:
        bert, lab = [await bench.inventory.find(n) for n in ("bert-gpu", "jupyter-lab")]
        plan = await bench.addresses.plan_associate(await bench.addresses.find(ip), bert)
        account.ec2.associate_address(AllocationId=plan.address.allocation_id, InstanceId=lab.id)
        with pytest.raises(Refused, match="in the meantime"):
            await bench.addresses.associate(plan)
        again = await bench.addresses.plan_associate(plan.address, bert)
        assert again.taken_from == lab.label
        await bench.addresses.associate(again)
        assert bench.addresses.holder(await bench.addresses.find(ip)) == bert.label


async def test_several_regions_and_one_that_fails(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = allocated(account, "here"), allocated(account, "there", "eu-west-1")
    async with opened("us-east-1", "eu-west-1") as bench:
        state = await bench.addresses.load()
        assert {(a.ip, a.region) for a in state.addresses} == {
            (here, "us-east-1"),
            (there, "eu-west-1"),
        }
        bert = await bench.inventory.find("bert-gpu")
        with pytest.raises(Refused, match="in eu-west-1 and the machine in us-east-1"):
            await bench.addresses.plan_associate(await bench.addresses.find("there"), bert)
        listed = calls.addresses

        async def failing(amazon: Amazon, region: str) -> tuple[Address, ...]:
            if region == "eu-west-1":
                raise Refused("Cannot list Elastic IPs in eu-west-1: not allowed.")
            return await listed(amazon, region)

        monkeypatch.setattr(calls, "addresses", failing)
        state = await bench.addresses.load()
        assert [place.region for place, _ in state.errors] == ["eu-west-1"]
        assert {a.ip for a in state.addresses} == {here, there}  # the old rows stay
        with pytest.raises(Refused, match="not allowed"):
            await bench.addresses.find("nosuch")


async def test_read_only_moves_nothing(account: Account) -> None:
    ip = allocated(account)
    async with opened(read_only=True) as bench:
        address = await bench.addresses.find(ip)
        bert = await bench.inventory.find("bert-gpu")
        plan = Association(address, bert)
        for asked in (
            bench.addresses.allocate(HERE),
            bench.addresses.plan_associate(address, bert),
            bench.addresses.associate(plan),
            bench.addresses.plan_disassociate(address),
            bench.addresses.plan_release(address),
        ):
            with pytest.raises(Refused) as caught:
                await asked
            assert caught.value.exit_code == 4
    assert not account.ec2.describe_addresses()["Addresses"][0].get("InstanceId")


async def test_a_connection_to_an_address_that_moved_is_given_up(lab: Lab) -> None:
    async with lab.bench() as bench:
        await bench.inventory.load()
        gpu = await bench.inventory.find("bert-gpu")
        here = replace(gpu, public_ip=lab.sshd.host)
        rows = bench.inventory.state
        bench.inventory.state = replace(rows, instances=(here,))
        held = await bench.connections.get(here)
        lost = asyncio.Event()
        held.on_lost(lambda _: lost.set())
        bench.connections.follow([here])
        stopping = replace(here, state=State.STOPPING, public_ip="")
        bench.connections.follow([stopping])
        assert bench.connections.peek(here) is held
        moved = replace(here, public_ip="54.9.9.9")
        bench.connections.follow([moved])
        assert lost.is_set()
        assert held.lost is not None
        assert "54.9.9.9" in held.lost.detail
        assert bench.connections.peek(here) is None
        again = await bench.connections.get(here)
        assert again is not held
        bench.inventory.state = replace(rows, instances=(moved,))
        assert await bench.connections.get(moved) is not again  # also without an event


async def test_an_answer_that_is_behind_is_asked_again(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    ip = allocated(account)
    async with opened() as bench:
        bert = await bench.inventory.find("bert-gpu")
        plan = await bench.addresses.plan_associate(await bench.addresses.find(ip), bert)
        look, behind, slept = bench.inventory.look, 2, list[float]()

        async def late(place: Place, ids: Iterable[str]) -> dict[str, Instance]:
            nonlocal behind
            behind -= 1
            return {bert.id: bert} if behind >= 0 else await look(place, ids)

        async def sleep(seconds: float) -> None:
            slept.append(seconds)

        monkeypatch.setattr(bench.inventory, "look", late)
        bench.addresses._sleep = sleep
        await bench.addresses.associate(plan)
        assert (bench.addresses.seen[bert.id].public_ip, len(slept)) == (ip, 2)


async def test_an_address_of_another_account_is_refused(account: Account) -> None:
    ip = allocated(account)
    async with opened() as bench:
        bert = await bench.inventory.find("bert-gpu")
        address = replace(await bench.addresses.find(ip), profile="prod")
        with pytest.raises(Refused, match="machines of its own account") as caught:
            await bench.addresses.plan_associate(address, bert)
        assert "prod" in caught.value.title
        state = bench.inventory.state
        same = {"prod": state.identities[""], **state.identities}
        bench.inventory.state = replace(state, identities=same)
        bench.addresses._same_account(address, bert)


# What moto does not do as EC2 does


def error(code: str, message: str = "EC2's own words") -> Answer:
    return (
        400,
        f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error>"
        "</Errors><RequestID>1</RequestID></Response>",
        "text/xml",
    )


def addresses_set(*items: str) -> Answer:
    inner = "".join(f"<item>{item}</item>" for item in items)
    return (
        200,
        f"<DescribeAddressesResponse><addressesSet>{inner}</addressesSet>"
        "</DescribeAddressesResponse>",
        "text/xml",
    )


def spoken(request: Request) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(request.body).items()}


@asynccontextmanager
async def amazon() -> AsyncIterator[Amazon]:
    async with Amazon(regions=["us-east-1"]) as made:
        yield made


@pytest.mark.parametrize(
    ("code", "message", "kind", "words"),
    [
        ("Gateway.NotAttached", "Network vpc-1", Refused, "no internet gateway"),
        ("Resource.AlreadyAssociated", "x", Refused, "in the meantime"),
        ("InvalidInstanceID", "There are multiple interfaces attached", Refused, "several network"),
        ("InvalidInstanceID", "The pending instance 'i-1' is not valid", Refused, "not ready"),
        ("InvalidInstanceID.NotFound", "x", NotFound, "the machine is gone"),
        ("InvalidAllocationID.NotFound", "x", NotFound, "not the account's any more"),
        ("AuthFailure", "The address '54.1.1.1' does not belong to you.", NotFound, "any more"),
        ("InvalidAddress.Locked", "x", Refused, "locked"),
        ("OperationNotPermitted", "x", Refused, "AWS service"),
        ("Unheard.Of", "x", CloudtuiError, "AWS answered Unheard.Of"),
    ],
)
async def test_each_refusal_is_a_sentence(
    stub_endpoint: StubEndpoint, code: str, message: str, kind: type[CloudtuiError], words: str
) -> None:
    stub_endpoint.answer_error(400, code, message)
    async with amazon() as aws:
        with pytest.raises(CloudtuiError) as caught:
            await calls.associate(aws, Association(IDLE, BERT))
    assert type(caught.value) is kind
    assert caught.value.title.startswith("Cannot associate spare (54.1.1.1) with bert-gpu (i-0f3c)")
    assert words in caught.value.title
    assert message in caught.value.detail or kind is CloudtuiError


async def test_an_address_is_taken_only_when_that_was_agreed_to(
    stub_endpoint: StubEndpoint,
) -> None:
    good = "<AssociateAddressResponse><associationId>eipassoc-9</associationId>"
    stub_endpoint.answer(200, f"{good}</AssociateAddressResponse>")
    second = Interface("eni-2", "i-0f3c", 1, private_ip="10.0.0.8")
    async with amazon() as aws:
        assert await calls.associate(aws, Association(IDLE, BERT)) == "eipassoc-9"
        await calls.associate(aws, Association(IDLE, BERT, taken_from="etl-box"))
        await calls.associate(aws, Association(IDLE, BERT, replaces=IDLE))
        await calls.associate(aws, Association(IDLE, BERT, second))
    plain, taken, replaced, other = [spoken(request) for request in stub_endpoint.requests]
    assert (plain["AllowReassociation"], plain["InstanceId"]) == ("false", "i-0f3c")
    assert taken["AllowReassociation"] == replaced["AllowReassociation"] == "true"
    assert (other["NetworkInterfaceId"], other["PrivateIpAddress"]) == ("eni-2", "10.0.0.8")
    assert "InstanceId" not in other


async def test_a_full_quota_says_how_many_there_are_and_what_to_do(
    stub_endpoint: StubEndpoint,
) -> None:
    def answer(request: Request) -> Answer:
        action = spoken(request)["Action"]
        if action == "AllocateAddress":
            return error("AddressLimitExceeded", "The maximum number of addresses")
        if action == "DescribeAccountAttributes":
            value = "<attributeValue>3</attributeValue>"
            return (
                200,
                "<DescribeAccountAttributesResponse><accountAttributeSet><item><attributeName>"
                "vpc-max-elastic-ips</attributeName><attributeValueSet><item>"
                f"{value}</item></attributeValueSet></item></accountAttributeSet>"
                "</DescribeAccountAttributesResponse>",
                "text/xml",
            )
        held = "<publicIp>54.2.2.{}</publicIp><associationId>a</associationId>"
        idle = "<publicIp>54.1.1.1</publicIp><allocationId>eipalloc-1</allocationId>"
        return addresses_set(held.format(1), held.format(2), idle)

    stub_endpoint.answer_by(answer)
    async with Workbench(Settings(), Person()) as bench:
        with pytest.raises(QuotaReached) as caught:
            await bench.addresses.allocate(HERE)
    assert "the account has 3 there, and its quota is 3. Nothing uses 1 of them." in str(
        caught.value
    )
    assert "cloudtui ip release 54.1.1.1" in caught.value.hint
    assert "--quota-code L-0263D0A3 --desired-value 8 --region us-east-1" in caught.value.hint


async def test_a_gateways_address_says_whose_it_is_also_when_that_is_denied(
    stub_endpoint: StubEndpoint,
) -> None:
    gateway = (
        "<publicIp>54.3.3.3</publicIp><allocationId>eipalloc-3</allocationId>"
        "<associationId>eipassoc-3</associationId><networkInterfaceId>eni-3</networkInterfaceId>"
        "<publicIpv4Pool>ipv4pool-ec2-0f</publicIpv4Pool><serviceManaged>nlb</serviceManaged>"
    )
    found = (
        200,
        "<DescribeNetworkInterfacesResponse><networkInterfaceSet><item><networkInterfaceId>eni-3"
        "</networkInterfaceId><description>Interface for NAT Gateway nat-0f</description>"
        "<interfaceType>nat_gateway</interfaceType></item></networkInterfaceSet>"
        "</DescribeNetworkInterfacesResponse>",
        "text/xml",
    )
    told = [found, error("UnauthorizedOperation", "not authorized")]
    stub_endpoint.answer_by(
        lambda request: (
            addresses_set(gateway)
            if spoken(request)["Action"] == "DescribeAddresses"
            else told.pop(0)
        )
    )
    async with amazon() as aws:
        (first,) = await calls.addresses(aws, "us-east-1")
        (second,) = await calls.addresses(aws, "us-east-1")
    assert (first.holder, first.pool, first.managed) == (
        "NAT gateway nat-0f",
        "ipv4pool-ec2-0f",
        "nlb",
    )
    assert (second.holder, second.interface_id) == ("", "eni-3")


async def test_an_address_that_is_gone_before_the_question_is_said(
    stub_endpoint: StubEndpoint,
) -> None:
    stub_endpoint.answer_by(lambda _: addresses_set())
    async with Workbench(Settings(), Person()) as bench:
        with pytest.raises(NotFound, match="not the account's any more"):
            await bench.addresses.plan_release(IDLE)
        with pytest.raises(NotFound):
            await bench.addresses.plan_disassociate(IDLE)
