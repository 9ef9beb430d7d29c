"""Security groups against moto, and what moto does not do from an endpoint that does."""

from __future__ import annotations

import getpass
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from cloudtui.aws import security_groups as calls
from cloudtui.aws.clients import Amazon
from cloudtui.aws.my_address import my_addresses
from cloudtui.core.connections import _explain_reach
from cloudtui.core.workbench import Workbench
from cloudtui.files.settings import Settings
from cloudtui.model.access import Access
from cloudtui.model.errors import (
    CloudtuiError,
    NotFound,
    QuotaReached,
    Refused,
    Timeout,
    Unreachable,
    UsageError,
)
from cloudtui.model.instance import Instance, State
from cloudtui.model.remote import Route
from cloudtui.model.security_group import Group, Rule, mark, who
from cloudtui.ssh.connect import SECURITY_GROUP
from tests.core.test_lifecycle import Account
from tests.lab import Person
from tests.moto_child import Answer, Request, StubEndpoint

ME = who(getpass.getuser(), socket.gethostname())
LONG_AGO = date.today() - timedelta(days=12)
BERT = Instance("i-0f3c", "us-east-1", State.RUNNING, "bert-gpu", public_ip="54.1.2.3")
NLP = Group("sg-1", "nlp")
SSH = Rule("tcp", 22, 22, "203.0.113.7/32", mark("ada@laptop", date(2026, 11, 21)))


class Fenced(Account):
    """Machines whose security groups can be changed."""

    def group(self, name: str, *rules: tuple[int, str, str]) -> str:
        vpc = self.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        made = self.ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)
        for port, source, description in rules:
            family, key = ("Ipv6Ranges", "CidrIpv6") if ":" in source else ("IpRanges", "CidrIp")
            self.ec2.authorize_security_group_ingress(
                GroupId=made["GroupId"],
                IpPermissions=[
                    {
                        "IpProtocol": "tcp",
                        "FromPort": port,
                        "ToPort": port,
                        family: [{key: source, "Description": description}],
                    }
                ],
            )
        return str(made["GroupId"])

    def put(self, name: str, *groups: str) -> str:
        made = self.ec2.run_instances(
            ImageId=self.image,
            MinCount=1,
            MaxCount=1,
            InstanceType="t3.micro",
            SecurityGroupIds=list(groups),
            TagSpecifications=[
                {"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": name}]}
            ],
        )
        return str(made["Instances"][0]["InstanceId"])

    def sources(self, group: str) -> set[str]:
        found = self.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]
        return {
            entry.get("CidrIp") or entry.get("CidrIpv6")
            for rule in found["IpPermissions"]
            for entry in (*rule["IpRanges"], *rule.get("Ipv6Ranges", ()))
        }


@pytest.fixture
def account(aws_env: str) -> Fenced:
    return Fenced()


@pytest.fixture
def my_page() -> Iterator[StubEndpoint]:
    """A page that tells an address."""
    stub = StubEndpoint()
    stub.answer(200, "203.0.113.7\n", "text/plain")
    yield stub
    stub.close()


@asynccontextmanager
async def opened(page: StubEndpoint | None = None, **more: Any) -> AsyncIterator[Workbench]:
    urls = (page.url,) if page else ()
    async with Workbench(Settings(address_urls=urls), Person(), **more) as bench:
        await bench.inventory.load()
        yield bench


async def test_my_own_rule_is_made_kept_replaced_and_closed(
    account: Fenced, my_page: StubEndpoint
) -> None:
    group = account.group(
        "nlp",
        (22, "198.51.100.9/32", mark(ME, LONG_AGO)),
        (22, "198.51.100.8/32", mark("ben@desk", LONG_AGO)),
    )
    account.put("bert-gpu", group)
    account.put("etl-box", group)
    async with opened(my_page) as bench:
        bert = await bench.inventory.find("bert-gpu")
        await bench.details.load(bert)
        plan = await bench.security_groups.plan_open(bert)
        assert plan.group.id == group
        assert any("also the group of etl-box" in caution for caution in plan.cautions)
        changed = await bench.security_groups.open(plan)
        assert [rule.source for rule in changed.added] == ["203.0.113.7/32"]
        assert [rule.source for rule in changed.removed] == ["198.51.100.9/32"]
        assert account.sources(group) == {"203.0.113.7/32", "198.51.100.8/32"}
        shown = bench.details.known(bert).groups
        assert isinstance(shown, tuple)
        assert "203.0.113.7/32" in {rule.source for rule in shown[0].inbound}
        again = await bench.security_groups.plan_open(bert)
        assert (again.add, again.remove) == ((), ())
        assert bench.security_groups.viewer().whose(again.already[0][1]).startswith("me, ")
        await bench.security_groups.close(await bench.security_groups.plan_close(bert))
        assert account.sources(group) == {"198.51.100.8/32"}
        with pytest.raises(NotFound, match=f"that cloudtui made for {ME}"):
            await bench.security_groups.plan_close(bert)


async def test_a_named_source_is_opened_and_only_its_rules_are_closed(
    account: Fenced, my_page: StubEndpoint
) -> None:
    group = account.group("nlp", (443, "0.0.0.0/0", ""), (22, "0.0.0.0/0", ""))
    account.put("bert-gpu", group)
    async with opened(my_page) as bench:
        bert = await bench.inventory.find("bert-gpu")
        rooms = bench.security_groups
        await rooms.open(await rooms.plan_open(bert, (8000, 8100), source="10.1.2.3/16"))
        await rooms.open(await rooms.plan_open(bert, source="2001:db8::/64"))
        assert account.sources(group) == {"0.0.0.0/0", "10.1.0.0/16", "2001:db8::/64"}
        assert my_page.requests == []
        plan = await rooms.plan_close(bert, (22, 22), source="0.0.0.0/0")
        assert [(rule.first, rule.source) for _, rule in plan.rules] == [(22, "0.0.0.0/0")]
        await rooms.close(plan)
        access = await rooms.access(bert)
        assert [r.first for _, r in access.rules() if r.world and not r.outbound] == [443]
        with pytest.raises(UsageError, match="no address and no network"):
            await rooms.plan_open(bert, source="everyone")
        with pytest.raises(UsageError, match="has no security group 'web'"):
            await rooms.plan_open(bert, group="web")


async def test_a_rule_that_somebody_else_took_away_or_made_is_no_failure(
    account: Fenced, my_page: StubEndpoint
) -> None:
    group = account.group("nlp", (22, "198.51.100.9/32", mark(ME, LONG_AGO)))
    account.put("bert-gpu", group)
    async with opened(my_page) as bench:
        rooms = bench.security_groups
        bert = await bench.inventory.find("bert-gpu")
        plan = await rooms.plan_open(bert)
        access: Any = plan.access
        await rooms.close(await rooms.plan_close_rule(access, plan.group, plan.remove[0][1]))
        changed = await rooms.open(plan)
        assert [rule.source for rule in changed.gone] == ["198.51.100.9/32"]
        assert (await rooms.open(plan)).added == ()  # it is there by now


async def test_the_groups_of_a_machine(account: Fenced, my_page: StubEndpoint) -> None:
    one, two = account.group("one"), account.group("two", (22, "0.0.0.0/0", ""))
    bert = account.put("bert-gpu", one)
    async with opened(my_page) as bench:
        rooms = bench.security_groups
        machine = await bench.inventory.find("bert-gpu")
        assert {g.name for g in await rooms.candidates(machine)} >= {"one", "two", "default"}
        plan = await rooms.plan_groups(machine, ["two", one])
        assert [group.name for group in plan.added] == ["two"]
        await rooms.set_groups(plan)
        with pytest.raises(UsageError, match="at least one"):
            await rooms.plan_groups(machine, [])
    found = account.ec2.describe_instances(InstanceIds=[bert])["Reservations"][0]["Instances"][0]
    assert {g["GroupId"] for g in found["SecurityGroups"]} == {one, two}


async def test_several_interfaces_are_refused_until_one_is_named(
    account: Fenced, my_page: StubEndpoint
) -> None:
    one, two = account.group("one"), account.group("two")
    bert = account.put("bert-gpu", one)
    subnet = account.ec2.describe_instances(InstanceIds=[bert])["Reservations"][0]["Instances"][0][
        "SubnetId"
    ]
    second = account.ec2.create_network_interface(SubnetId=subnet, Groups=[one])
    eni = second["NetworkInterface"]["NetworkInterfaceId"]
    account.ec2.attach_network_interface(NetworkInterfaceId=eni, InstanceId=bert, DeviceIndex=1)
    async with opened(my_page) as bench:
        rooms = bench.security_groups
        machine = await bench.inventory.find("bert-gpu")
        with pytest.raises(Refused, match="2 network interfaces"):
            await rooms.plan_groups(machine, [two])
        await rooms.set_groups(await rooms.plan_groups(machine, [two], interface_id=eni))
    found = account.ec2.describe_network_interfaces(NetworkInterfaceIds=[eni])
    # moto adds the groups of the machine.
    assert two in [g["GroupId"] for g in found["NetworkInterfaces"][0]["Groups"]]


async def test_read_only_and_terminated_machines_are_refused(
    account: Fenced, my_page: StubEndpoint
) -> None:
    group = account.group("nlp")
    account.put("bert-gpu", group)
    async with opened(my_page, read_only=True) as bench:
        rooms = bench.security_groups
        bert = await bench.inventory.find("bert-gpu")
        access = await rooms.access(bert)  # looking is free
        for asked in (
            rooms.plan_open(bert),
            rooms.plan_close(bert),
            rooms.plan_close_rule(access, NLP, SSH),
            rooms.plan_groups(bert, [group]),
        ):
            with pytest.raises(Refused) as caught:
                await asked
            assert caught.value.exit_code == 4
        assert "read-only" in bench.why_not("groups.change", bert)
        with pytest.raises(Refused, match="is terminated"):
            await rooms.access(replace(bert, state=State.TERMINATED))


@pytest.mark.parametrize(
    ("port", "said"),
    [(22, "cloudtui hosts open 'bert gpu'"), (2222, "cloudtui hosts open 'bert gpu' --port 2222")],
)
def test_a_port_that_does_not_answer_leads_to_the_rule_that_opens_it(port: int, said: str) -> None:
    error = Timeout("54.1.2.3 did not answer.", hint=SECURITY_GROUP.format(port=port))
    route = Route("bert", "54.1.2.3", port=port, user="ubuntu")
    told = _explain_reach(error, replace(BERT, name="bert gpu"), route)
    assert isinstance(told, Timeout)
    assert told.hint.endswith(said)
    through = replace(route, jumps=(route,))
    assert _explain_reach(error, BERT, through) is error


async def test_a_machine_behind_a_jump_host_is_said(
    account: Fenced, my_page: StubEndpoint, cut_off: Path
) -> None:
    account.put("bert-gpu", account.group("nlp"))
    (cut_off / ".ssh/config").write_text("Host bert-gpu\n    ProxyJump gate.example.com\n")
    async with opened(my_page) as bench:
        bert = await bench.inventory.find("bert-gpu")
        plan = await bench.security_groups.plan_open(bert)
        assert "goes through gate.example.com" in plan.cautions[-1]
        named = await bench.security_groups.plan_open(bert, source="10.0.0.7")
        assert named.cautions == ()


# The user's own address


async def test_pages_are_asked_in_order_until_one_tells(my_page: StubEndpoint) -> None:
    assert await my_addresses([my_page.url]) == ("203.0.113.7",)
    assert await my_addresses(["http://127.0.0.1:1/", my_page.url]) == ("203.0.113.7",)


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (200, "<html>Log in to the hotel</html>", "is no address"),
        (200, "", "is no address"),
        (200, "203.0.113.7" + " " * 300, "is no address"),
        (200, b"\xff\xfe", "is no address"),
        (302, "203.0.113.7", "is no address"),
        (200, "0.0.0.0", "is no address"),
    ],
)
async def test_what_is_no_address_is_refused(
    my_page: StubEndpoint, status: int, body: str | bytes, words: str
) -> None:
    my_page.answer(status, body, "text/plain")
    with pytest.raises(Unreachable) as caught:
        await my_addresses([my_page.url])
    assert words in caught.value.title
    assert "--from ADDRESS" in caught.value.hint


async def test_a_page_that_leads_elsewhere_is_not_followed(my_page: StubEndpoint) -> None:
    my_page.answer_in_turn((302, ""), (200, "203.0.113.7"), Location="/login")
    with pytest.raises(Unreachable):
        await my_addresses([my_page.url])


async def test_no_page_and_no_answer_are_told() -> None:
    with pytest.raises(Unreachable, match="was not reached"):
        await my_addresses(["http://127.0.0.1:1/"])
    with pytest.raises(CloudtuiError, match="no page that tells it is set"):
        await my_addresses([])


async def test_a_proxy_is_not_asked(my_page: StubEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert await my_addresses([my_page.url]) == ("203.0.113.7",)


# What moto does not do as EC2 does


def error(code: str, message: str = "EC2's own words") -> Answer:
    return (
        400,
        f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error>"
        "</Errors><RequestID>1</RequestID></Response>",
        "text/xml",
    )


def fine(action: str, inner: str = "<return>true</return>") -> Answer:
    return (200, f"<{action}Response>{inner}</{action}Response>", "text/xml")


def spoken(request: Request) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(request.body).items()}


@asynccontextmanager
async def amazon() -> AsyncIterator[Amazon]:
    async with Amazon(regions=["us-east-1"]) as made:
        yield made


async def test_a_default_vpc_tells_of_an_unknown_rule_only_by_the_way(
    stub_endpoint: StubEndpoint,
) -> None:
    unknown = (
        "<return>true</return><unknownIpPermissionSet><item><ipProtocol>tcp</ipProtocol>"
        "<fromPort>22</fromPort><toPort>22</toPort></item></unknownIpPermissionSet>"
    )
    status, body, *_ = fine("RevokeSecurityGroupIngress", unknown)
    stub_endpoint.answer(status, body)
    async with amazon() as aws:
        with pytest.raises(NotFound, match="the rule is gone already"):
            await calls.revoke(aws, "us-east-1", NLP, SSH)
        stub_endpoint.answer_error(400, "InvalidPermission.NotFound", "no such rule")
        with pytest.raises(NotFound, match="the rule is gone already"):
            await calls.revoke(aws, "us-east-1", NLP, SSH)
    assert "Description" not in stub_endpoint.requests[0].body


@pytest.mark.parametrize(
    ("rule", "sent"),
    [
        (Rule("tcp", 22, 22, "10.0.0.0/8"), {"IpRanges.1.CidrIp": "10.0.0.0/8", "FromPort": "22"}),
        (Rule("tcp", 1, 2, "::/0"), {"Ipv6Ranges.1.CidrIpv6": "::/0", "ToPort": "2"}),
        (Rule("-1", -1, -1, "sg-2"), {"Groups.1.GroupId": "sg-2", "IpProtocol": "-1"}),
        (Rule("udp", 53, 53, "pl-2"), {"PrefixListIds.1.PrefixListId": "pl-2"}),
        (Rule("icmp", 8, -1, "0.0.0.0/0"), {"FromPort": "8", "ToPort": "-1"}),
        (Rule("50", -1, -1, "0.0.0.0/0"), {"IpProtocol": "50"}),
    ],
)
async def test_a_rule_of_any_kind_is_revoked_as_it_is(
    stub_endpoint: StubEndpoint, rule: Rule, sent: dict[str, str]
) -> None:
    async with amazon() as aws:
        for way, each in (("Ingress", rule), ("Egress", replace(rule, outbound=True))):
            status, body, *_ = fine(f"RevokeSecurityGroup{way}")
            stub_endpoint.answer(status, body)
            await calls.revoke(aws, "us-east-1", NLP, each)
            asked = spoken(stub_endpoint.requests[-1])
            assert asked["Action"] == f"RevokeSecurityGroup{way}"
            assert {k: asked[f"IpPermissions.1.{k}"] for k in sent} == sent
            if rule.protocol in ("-1", "50"):
                assert "IpPermissions.1.FromPort" not in asked


@pytest.mark.parametrize(
    ("code", "message", "kind", "words"),
    [
        ("RulesPerSecurityGroupLimitExceeded", "x", QuotaReached, "as many rules as"),
        ("InvalidGroup.NotFound", "x", NotFound, "no such group any more"),
        ("InvalidPermission.Malformed", "x", UsageError, "does not take such a rule"),
        ("OperationNotPermitted", "x", Refused, "AWS service"),
        ("Unheard.Of", "x", CloudtuiError, "AWS answered Unheard.Of"),
    ],
)
async def test_each_refusal_of_a_rule_is_a_sentence(
    stub_endpoint: StubEndpoint, code: str, message: str, kind: type[CloudtuiError], words: str
) -> None:
    stub_endpoint.answer_error(400, code, message)
    async with amazon() as aws:
        with pytest.raises(CloudtuiError) as caught:
            await calls.authorize(aws, "us-east-1", NLP, SSH)
        assert type(caught.value) is kind
        assert caught.value.title.startswith("Cannot open SSH (tcp 22) in group nlp (sg-1)")
        assert words in caught.value.title
        stub_endpoint.answer_error(400, "InvalidPermission.Duplicate", "exists")
        assert await calls.authorize(aws, "us-east-1", NLP, SSH) is False


@pytest.mark.parametrize(
    ("code", "message", "words"),
    [
        ("InvalidInstanceID", "There are multiple interfaces attached", "several network"),
        ("SecurityGroupsPerInterfaceLimitExceeded", "x", "room for 5 groups"),
        ("IncorrectInstanceState", "x", "state does not allow it"),
    ],
)
async def test_each_refusal_of_other_groups_is_a_sentence(
    stub_endpoint: StubEndpoint, code: str, message: str, words: str
) -> None:
    stub_endpoint.answer_error(400, code, message)
    async with amazon() as aws:
        with pytest.raises(CloudtuiError) as caught:
            await calls.set_groups(aws, BERT, ["sg-1"])
    assert words in caught.value.title
    assert "bert-gpu (i-0f3c)" in caught.value.title


async def test_a_full_group_has_room_once_the_old_rule_is_gone(
    stub_endpoint: StubEndpoint,
) -> None:
    old = Rule("tcp", 22, 22, "198.51.100.9/32", mark(ME, LONG_AGO))
    full = replace(NLP, inbound=(old,))
    rules = {old.source}
    room = 1

    def answer(request: Request) -> Answer:
        asked = spoken(request)
        action, source = asked["Action"], asked.get("IpPermissions.1.IpRanges.1.CidrIp", "")
        if action == "AuthorizeSecurityGroupIngress":
            if len(rules) >= room:
                return error("RulesPerSecurityGroupLimitExceeded")
            rules.add(source)
        elif action == "RevokeSecurityGroupIngress":
            rules.discard(source)
        return fine(action)

    stub_endpoint.answer_by(answer)
    page = StubEndpoint()
    page.answer(200, "203.0.113.7", "text/plain")
    try:
        async with Workbench(Settings(address_urls=(page.url,)), Person()) as bench:
            from cloudtui.model.access import opening

            await bench.security_groups.my_addresses()
            viewer = bench.security_groups.viewer()
            plan = opening(Access(BERT, (full,)), viewer, ["203.0.113.7/32"])
            changed = await bench.security_groups.open(plan)
            assert [rule.source for rule in changed.removed] == [old.source]
            assert rules == {"203.0.113.7/32"}
            room = 0
            rules.clear()
            with pytest.raises(QuotaReached):
                await bench.security_groups.open(plan)
    finally:
        page.close()


async def test_of_a_group_that_thousands_have_one_page_is_read(
    stub_endpoint: StubEndpoint,
) -> None:
    item = "<item><networkInterfaceId>eni-1</networkInterfaceId></item>"
    inner = f"<networkInterfaceSet>{item}</networkInterfaceSet><nextToken>more</nextToken>"
    told = [inner, inner, inner.replace("<nextToken>more</nextToken>", "")]
    stub_endpoint.answer_by(lambda _: fine("DescribeNetworkInterfaces", told.pop(0)))
    async with amazon() as aws:
        assert len(await calls.interfaces(aws, "us-east-1", "group-id", ["sg-1"], pages=1)) == 1
        assert len(await calls.interfaces(aws, "us-east-1", "group-id", ["sg-1"])) == 2
    assert spoken(stub_endpoint.requests[-1])["NextToken"] == "more"
    assert spoken(stub_endpoint.requests[-1])["MaxResults"] == "1000"


async def test_what_may_not_be_seen_hides_nothing_else(stub_endpoint: StubEndpoint) -> None:
    group = (
        "<securityGroupInfo><item><groupId>sg-1</groupId><groupName>nlp</groupName><ipPermissions>"
        "<item><ipProtocol>tcp</ipProtocol><fromPort>22</fromPort><toPort>22</toPort><ipRanges>"
        "<item><cidrIp>0.0.0.0/0</cidrIp></item></ipRanges><prefixListIds><item><prefixListId>pl-1"
        "</prefixListId><description>list</description></item></prefixListIds></item>"
        "</ipPermissions></item></securityGroupInfo>"
    )

    def answer(request: Request) -> Answer:
        action = spoken(request)["Action"]
        if action == "DescribeSecurityGroups":
            return fine(action, group)
        return error("UnauthorizedOperation", "You are not authorized")

    stub_endpoint.answer_by(answer)
    mine = replace(BERT, security_groups=(("sg-1", "nlp"), ("sg-gone", "gone")))
    other = replace(BERT, id="i-2", name="etl-box", security_groups=(("sg-1", "nlp"),))
    async with Workbench(Settings(), Person()) as bench:
        bench.inventory.state = replace(bench.inventory.state, instances=(mine, other))
        access = await bench.security_groups.access(mine)
    assert [g.id for g in access.groups] == ["sg-1", "sg-gone"]
    assert {r.source for r in access.groups[0].inbound} == {"0.0.0.0/0", "pl-1"}
    assert access.members["sg-1"] == ("etl-box",)
    assert "do not allow" in access.problems[0]
