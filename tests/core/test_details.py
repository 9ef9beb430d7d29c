from __future__ import annotations

import base64
import gzip
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtui.aws.details import decoded
from cloudtui.core.events import DetailsChanged, Event
from cloudtui.core.workbench import Workbench
from cloudtui.files.settings import Settings
from cloudtui.model.details import (
    Checks,
    Protection,
    plain_lines,
)
from cloudtui.model.errors import CloudtuiError, Refused, UsageError
from cloudtui.model.instance import Instance, State
from cloudtui.model.security_group import Group, Rule, exposed
from cloudtui.model.tags import TagChange, changed, diff, key_problem, shared, value_problem
from cloudtui.model.web_console import instance_page
from tests.moto_child import StubEndpoint
from tests.ui.fakes import machine

SCRIPT = "#!/bin/bash\necho hello\n"


class NoPrompts:
    pass


@pytest.fixture
async def bench(aws_env: str) -> AsyncIterator[Workbench]:
    async with Workbench(Settings(regions=("us-east-1",)), NoPrompts()) as made:  # type: ignore[arg-type]
        yield made


async def launched(bench: Workbench, count: int = 1) -> list[Instance]:
    amazon = await bench.inventory.amazon()
    client: Any = await amazon.client("ec2", "us-east-1")
    group = await client.create_security_group(GroupName="open", Description="x")
    await client.authorize_security_group_ingress(
        GroupId=group["GroupId"],
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": 22,
                "ToPort": 22,
                "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "inside"}],
                "Ipv6Ranges": [{"CidrIpv6": "::/0"}],
            }
        ],
    )
    await client.run_instances(
        ImageId="ami-12c6146b",
        InstanceType="t3.micro",
        MinCount=count,
        MaxCount=count,
        UserData=SCRIPT,
        SecurityGroupIds=[group["GroupId"]],
        BlockDeviceMappings=[
            {
                "DeviceName": "/dev/sda1",
                "Ebs": {"VolumeSize": 30, "VolumeType": "gp3", "Encrypted": True},
            }
        ],
        TagSpecifications=[
            {
                "ResourceType": "instance",
                "Tags": [{"Key": "Name", "Value": "one"}, {"Key": "team", "Value": "nlp"}],
            }
        ],
    )
    state = await bench.inventory.load()
    return list(state.instances)


async def test_every_part_is_asked_of_ec2_and_kept_a_while(bench: Workbench) -> None:
    (one,) = await launched(bench)
    heard: list[Event] = []
    bench.listen(heard.append)
    assert bench.details.known(one).volumes is None
    found = await bench.details.load(one)
    assert isinstance(found.volumes, tuple)
    assert [(v.size, v.type, v.encrypted, v.device) for v in found.volumes] == [
        (30, "gp3", True, "/dev/sda1")
    ]
    assert isinstance(found.groups, tuple)
    ports = found.groups[0].inbound
    assert {(p.words, p.source, p.exposed) for p in ports} == {
        ("tcp 22", "10.0.0.0/8", False),
        ("tcp 22", "::/0", True),
    }
    assert isinstance(found.checks, Checks)
    assert (found.checks.system, found.checks.instance) == ("ok", "ok")
    assert found.protection == Protection(False, False)
    assert heard.count(DetailsChanged(one.id)) == 5
    heard.clear()
    assert await bench.details.load(one) is found
    assert heard == []
    await bench.details.load(one, fresh=True)
    assert len(heard) == 5


async def test_user_data_and_console_output_are_read_and_not_kept(bench: Workbench) -> None:
    (one,) = await launched(bench)
    assert (await bench.details.user_data(one)).text == SCRIPT.rstrip("\n")
    output = await bench.details.console_output(one)
    assert output.lines[0].startswith("Linux version")
    assert output.latest


async def test_a_part_that_ec2_refuses_hides_no_other(stub_endpoint: StubEndpoint) -> None:
    stub_endpoint.answer_error(403, "UnauthorizedOperation", "You are not authorized")
    async with Workbench(Settings(), NoPrompts()) as bench:  # type: ignore[arg-type]
        found = await bench.details.load(machine(1, "a"))
        for part in (found.volumes, found.groups, found.checks, found.protection):
            assert isinstance(part, CloudtuiError)
            assert "do not allow" in part.title
        assert not isinstance(found.image, CloudtuiError)


async def test_a_terminated_machine_is_not_asked_about(stub_endpoint: StubEndpoint) -> None:
    async with Workbench(Settings(), NoPrompts()) as bench:  # type: ignore[arg-type]
        await bench.details.load(machine(1, "a", State.TERMINATED))
        assert stub_endpoint.requests == []


async def test_console_output_of_an_old_machine_is_ec2s_copy(stub_endpoint: StubEndpoint) -> None:
    text = base64.b64encode(b"login: \r\n").decode()
    stub_endpoint.answer_in_turn(
        (
            400,
            "<Response><Errors><Error><Code>UnsupportedOperation</Code><Message>no</Message>"
            "</Error></Errors></Response>",
        ),
        (200, f"<GetConsoleOutputResponse><output>{text}</output></GetConsoleOutputResponse>"),
    )
    async with Workbench(Settings(), NoPrompts()) as bench:  # type: ignore[arg-type]
        output = await bench.details.console_output(machine(1, "a"))
    assert (output.lines, output.latest) == (("login:",), False)


async def test_tags_are_changed_on_many_and_show_at_once(bench: Workbench) -> None:
    machines = await launched(bench, 2)
    change = TagChange({"Name": "two", "owner": "ada"}, frozenset({"team"}))
    assert await bench.tags.change(machines, change) == ()
    wanted = {"Name": "two", "owner": "ada"}
    assert [dict(i.tags) for i in bench.inventory.state.instances] == [wanted, wanted]
    assert [i.name for i in bench.inventory.state.instances] == ["two", "two"]
    state = await bench.inventory.load()
    assert [dict(i.tags) for i in state.instances] == [wanted, wanted]


async def test_read_only_changes_no_tag(aws_env: str) -> None:
    async with Workbench(Settings(), NoPrompts(), read_only=True) as bench:  # type: ignore[arg-type]
        with pytest.raises(Refused):
            await bench.tags.change([machine(1, "a")], TagChange({"a": "b"}))


async def test_what_ec2_would_not_take_is_not_sent(stub_endpoint: StubEndpoint) -> None:
    full = machine(1, "a", tags={f"k{n}": "" for n in range(50)})
    async with Workbench(Settings(), NoPrompts()) as bench:  # type: ignore[arg-type]
        for change in (
            TagChange({"aws:x": "1"}),
            TagChange({"x": "v" * 257}),
            TagChange({"one more": ""}),
        ):
            with pytest.raises(UsageError):
                await bench.tags.change([full], change)
    assert stub_endpoint.requests == []


async def test_each_tag_that_ec2_refuses_is_told_for_itself(stub_endpoint: StubEndpoint) -> None:
    refusal = (
        400,
        "<Response><Errors><Error><Code>TagPolicyViolation</Code><Message>bad</Message>"
        "</Error></Errors></Response>",
    )
    fine = (200, "<CreateTagsResponse><return>true</return></CreateTagsResponse>")
    stub_endpoint.answer_in_turn(refusal, fine, refusal)
    async with Workbench(Settings(), NoPrompts()) as bench:  # type: ignore[arg-type]
        failures = await bench.tags.change([machine(1, "a")], TagChange({"good": "1", "bad": "2"}))
    assert [f.key for f in failures] == ["bad"]
    assert "TagPolicyViolation" in failures[0].error.detail


async def test_an_endpoint_of_its_own_has_no_web_console(bench: Workbench) -> None:
    with pytest.raises(Refused):
        await bench.web_console(machine(1, "a"))


@pytest.mark.parametrize(
    ("region", "start"),
    [
        ("eu-west-1", "https://eu-west-1.console.aws.amazon.com/ec2/home?region=eu-west-1#"),
        ("cn-north-1", "https://cn-north-1.console.amazonaws.cn/ec2/home?region=cn-north-1#"),
        ("us-gov-west-1", "https://us-gov-west-1.console.amazonaws-us-gov.com/ec2/home?"),
    ],
)
def test_the_web_console_is_the_partitions_own(region: str, start: str) -> None:
    page = instance_page(machine(1, "a", region=region))
    assert page.startswith(start)
    assert page.endswith(f"#InstanceDetails:instanceId={machine(1, 'a').id}")


@pytest.mark.parametrize(
    ("port", "words", "open_to_all"),
    [
        (Rule("tcp", 22, 22, "0.0.0.0/0"), "tcp 22", True),
        (Rule("tcp", 0, 65535, "::/0"), "tcp all ports", True),
        (Rule("-1", -1, -1, "0.0.0.0/0"), "all traffic", True),
        (Rule("tcp", 20, 30, "::0/0"), "tcp 20-30", True),
        (Rule("tcp", 443, 443, "0.0.0.0/0"), "tcp 443", False),
        (Rule("udp", 22, 22, "0.0.0.0/0"), "udp 22", False),
        (Rule("tcp", 22, 22, "0.0.0.0/1"), "tcp 22", False),
        (Rule("tcp", 22, 22, "sg-1"), "tcp 22", False),
        (Rule("icmp", -1, -1, "0.0.0.0/0"), "icmp", False),
        (Rule("icmpv6", 128, -1, "::/0"), "icmpv6 type 128", False),
    ],
)
def test_ssh_open_to_the_world_is_seen(port: Rule, words: str, open_to_all: bool) -> None:
    assert port.words == words
    assert bool(exposed([Group("sg", "", (port,))])) is open_to_all


@given(st.text())
def test_what_a_machine_printed_cannot_steer_the_terminal(text: str) -> None:
    for line in plain_lines(text):
        assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in line)


def test_a_console_line_is_shown_as_it_ended() -> None:
    text = "\x1b[32m  OK  \x1b[0m started\r\n 10%\r 50%\r100%\r\n\x1b]0;title\x07\tx\n\n"
    assert plain_lines(text) == ("  OK   started", "100%", "        x")


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["C"]), max_size=300))
def test_user_data_reads_the_same_gzipped(text: str) -> None:
    plain = decoded(base64.b64encode(text.encode()).decode())
    packed = decoded(base64.b64encode(gzip.compress(text.encode())).decode())
    assert packed.text == plain.text
    assert packed.packed


@given(st.binary(max_size=300))
def test_no_user_data_crashes_the_reader(data: bytes) -> None:
    found = decoded(base64.b64encode(data).decode())
    assert found.size == len(data)


@given(
    st.dictionaries(st.text(min_size=1, max_size=3), st.text(max_size=3), max_size=5),
    st.dictionaries(st.text(min_size=1, max_size=3), st.text(max_size=3), max_size=5),
    st.frozensets(st.text(min_size=1, max_size=3), max_size=3),
)
def test_a_change_sets_what_it_puts_and_lacks_what_it_removes(
    tags: dict[str, str], put: dict[str, str], removed: frozenset[str]
) -> None:
    change = TagChange(put, removed - put.keys())
    after = changed(tags, change)
    assert put.items() <= after.items()
    assert not change.removed & after.keys()
    assert {k: v for k, v in after.items() if k not in put} == {
        k: v for k, v in tags.items() if k not in put and k not in change.removed
    }
    assert len(diff([machine(1, "a", tags=tags)], change)) == len(put) + len(change.removed)


def test_limits_of_tags_are_said_in_words() -> None:
    assert key_problem("k" * 128) == value_problem("v" * 256) == ""
    assert key_problem("k" * 129) == "The key has 129 characters; EC2 takes 128."
    assert value_problem("v" * 257) == "The value has 257 characters; EC2 takes 256."
    assert "AWS's own" in key_problem("AWS:x")
    assert key_problem("")
    assert "printed" in value_problem("a\x1bb")


def test_tags_of_many_are_gathered() -> None:
    found = shared(
        [machine(1, "a", tags={"x": "1", "Name": "a"}), machine(2, "b", tags={"x": "2"})]
    )
    assert [(t.key, t.value, t.count) for t in found] == [("Name", "a", 1), ("x", None, 2)]
