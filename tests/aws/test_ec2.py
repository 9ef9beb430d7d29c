"""Instances, regions, images and identity from a moto server, and from answers moto cannot give."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cloudtui.aws.clients import Amazon
from cloudtui.aws.ec2 import enabled_regions, image_names, list_instances
from cloudtui.aws.identity import caller
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance, State
from tests.moto_child import StubEndpoint


async def _all(amazon: Amazon, region: str = "us-east-1") -> list[Instance]:
    return [i async for page in list_instances(amazon, region) for i in page]


async def test_instances_of_a_real_api(aws_env: str) -> None:
    async with Amazon() as amazon:
        client = await amazon.client("ec2", "us-east-1")
        images = (await client.describe_images())["Images"]
        await client.create_key_pair(KeyName="lab")
        groups = (await client.describe_security_groups())["SecurityGroups"]
        answer = await client.run_instances(
            ImageId=images[0]["ImageId"],
            InstanceType="g5.2xlarge",
            KeyName="lab",
            SecurityGroupIds=[groups[0]["GroupId"]],
            MinCount=2,
            MaxCount=2,
            TagSpecifications=[
                {
                    "ResourceType": "instance",
                    "Tags": [{"Key": "Name", "Value": "bert-gpu"}, {"Key": "team", "Value": "nlp"}],
                }
            ],
        )
        stopped, running = (i["InstanceId"] for i in answer["Instances"])
        await client.stop_instances(InstanceIds=[stopped])
        found = {i.id: i for i in await _all(amazon)}
        assert set(found) == {stopped, running}
        one = found[running]
        assert (one.name, one.type, one.key_name, one.state) == (
            "bert-gpu",
            "g5.2xlarge",
            "lab",
            State.RUNNING,
        )
        assert one.region == "us-east-1"
        assert one.zone.startswith("us-east-1")
        assert one.public_ip
        assert one.private_ip
        assert one.image_id == images[0]["ImageId"]
        assert one.tags["team"] == "nlp"
        assert one.security_groups == ((groups[0]["GroupId"], groups[0]["GroupName"]),)
        assert one.volume_ids
        assert one.launched is not None
        assert abs((datetime.now(UTC) - one.launched).total_seconds()) < 3600
        assert found[stopped].state is State.STOPPED
        assert found[stopped].state_reason
        assert await _all(amazon, "eu-west-1") == []


async def test_an_empty_region_is_one_empty_page(aws_env: str) -> None:
    async with Amazon() as amazon:
        assert [page async for page in list_instances(amazon, "eu-west-2")] == [()]


async def test_regions(aws_env: str) -> None:
    async with Amazon() as amazon:
        regions = await enabled_regions(amazon)
    assert "us-east-1" in regions
    assert list(regions) == sorted(regions)


async def test_names_of_images_and_none_for_what_is_gone(aws_env: str) -> None:
    async with Amazon() as amazon:
        client = await amazon.client("ec2", "us-east-1")
        image = (await client.describe_images())["Images"][0]
        names = await image_names(amazon, "us-east-1", [image["ImageId"], "ami-0gone", ""])
    assert names == {image["ImageId"]: (image["Name"], image.get("Description", ""))}


async def test_no_images_need_no_question(stub_endpoint: StubEndpoint) -> None:
    async with Amazon() as amazon:
        assert await image_names(amazon, "us-east-1", []) == {}
    assert stub_endpoint.requests == []


async def test_many_images_are_asked_in_portions(stub_endpoint: StubEndpoint) -> None:
    stub_endpoint.answer(
        200,
        "<DescribeImagesResponse xmlns='http://ec2.amazonaws.com/doc/2016-11-15/'><imagesSet/>"
        "</DescribeImagesResponse>",
    )
    async with Amazon() as amazon:
        await image_names(amazon, "us-east-1", [f"ami-{n:04x}" for n in range(450)])
    assert len(stub_endpoint.requests) == 3
    assert all("IncludeDeprecated=true" in body for _, body, *_ in stub_endpoint.requests)


async def test_who_is_asking(aws_env: str) -> None:
    async with Amazon() as amazon:
        identity = await caller(amazon)
    assert identity.account == "123456789012"
    assert identity.arn.startswith("arn:aws:")


def _answer(*rows: str, token: str = "") -> str:
    items = "".join(f"<item><instancesSet><item>{r}</item></instancesSet></item>" for r in rows)
    following = f"<nextToken>{token}</nextToken>" if token else ""
    return (
        "<DescribeInstancesResponse xmlns='http://ec2.amazonaws.com/doc/2016-11-15/'>"
        f"<reservationSet>{items}</reservationSet>{following}</DescribeInstancesResponse>"
    )


def _row(n: int, state: str = "running", more: str = "") -> str:
    return (
        f"<instanceId>i-{n:017x}</instanceId><instanceState><code>16</code><name>{state}</name>"
        f"</instanceState>{more}"
    )


async def test_pages_are_followed_one_by_one(stub_endpoint: StubEndpoint) -> None:
    stub_endpoint.answer_in_turn(
        (200, _answer(_row(1), _row(2), token="T1")),
        (200, _answer(token="T2")),
        (200, _answer(_row(3))),
    )
    async with Amazon() as amazon:
        pages = [page async for page in list_instances(amazon, "us-east-1")]
    assert [len(page) for page in pages] == [2, 0, 1]
    bodies = [request.body for request in stub_endpoint.requests]
    assert all("MaxResults=1000" in body for body in bodies)
    assert ["NextToken" in body for body in bodies] == [False, True, True]
    assert "NextToken=T2" in bodies[2]


async def test_a_page_that_fails_ends_the_list_with_its_sentence(
    stub_endpoint: StubEndpoint,
) -> None:
    refusal = (
        "<Response><Errors><Error><Code>AuthFailure</Code><Message>No.</Message></Error></Errors>"
        "</Response>"
    )
    stub_endpoint.answer_in_turn((200, _answer(_row(1), token="T1")), (401, refusal))
    async with Amazon() as amazon:
        pages = aiter(list_instances(amazon, "us-east-1"))
        assert len(await anext(pages)) == 1
        with pytest.raises(CloudtuiError, match="does not accept"):
            await anext(pages)


async def test_spot_ipv6_profile_windows_and_reason(stub_endpoint: StubEndpoint) -> None:
    more = (
        "<instanceLifecycle>spot</instanceLifecycle><platform>Windows</platform>"
        "<iamInstanceProfile><arn>arn:aws:iam::1:instance-profile/team/trainer</arn>"
        "</iamInstanceProfile>"
        "<networkInterfaceSet><item><ipv6AddressesSet><item><ipv6Address>2600::1</ipv6Address>"
        "</item></ipv6AddressesSet></item></networkInterfaceSet>"
        "<stateReason><code>Server.SpotInstanceTermination</code>"
        "<message>Server.SpotInstanceTermination: taken back</message></stateReason>"
        "<reason>Server.Spot (2026)</reason>"
    )
    stub_endpoint.answer(200, _answer(_row(1, "shutting-down", more)))
    async with Amazon() as amazon:
        (one,) = await _all(amazon)
    assert one.spot
    assert one.state is State.SHUTTING_DOWN
    assert (one.ipv6, one.iam_profile, one.platform) == ("2600::1", "trainer", "windows")
    assert one.state_reason == "Server.SpotInstanceTermination: taken back"


async def test_a_bare_instance(stub_endpoint: StubEndpoint) -> None:
    stub_endpoint.answer(200, _answer(_row(7, "terminated")))
    async with Amazon() as amazon:
        (one,) = await _all(amazon)
    assert one == Instance(id=f"i-{7:017x}", region="us-east-1", state=State.TERMINATED)


async def test_a_state_that_ec2_does_not_have(stub_endpoint: StubEndpoint) -> None:
    stub_endpoint.answer(200, _answer(_row(1, "dancing")))
    async with Amazon() as amazon:
        with pytest.raises(CloudtuiError, match="'dancing'"):
            await _all(amazon)
