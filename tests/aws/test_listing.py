"""The one-pass reader of DescribeInstances against botocore's own parser."""

from __future__ import annotations

import asyncio
import gzip
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import EC2QueryParser, ResponseParserError
from hypothesis import given
from hypothesis import strategies as st

from cloudtui.aws.clients import Amazon
from cloudtui.aws.ec2 import list_instances
from cloudtui.aws.listing import Page, instances, read_page, unpacked
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance, State
from tests.moto_child import StubEndpoint

SHAPE: Any = (
    ServiceModel(Loader().load_service_model("ec2", "service-2"), "ec2")
    .operation_model("DescribeInstances")
    .output_shape
)

words = st.text(
    st.characters(
        codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"
    ),
    max_size=12,
)
optional = st.none() | words


def element(name: str, text: str | None) -> str:
    return "" if text is None else f"<{name}>{escape(text)}</{name}>"


def items(name: str, inner: list[str]) -> str:
    return f"<{name}>{''.join(f'<item>{i}</item>' for i in inner)}</{name}>"


@st.composite
def instance_xml(draw: st.DrawFn) -> str:
    """One <item> of instancesSet, with the parts cloudtui shows and some it does not."""
    state = draw(st.sampled_from(list(State)))
    parts = [
        element("instanceId", "i-" + draw(st.text("0123456789abcdef", min_size=1, max_size=17))),
        f"<instanceState><code>16</code><name>{state.value}</name></instanceState>",
        element("imageId", draw(optional)),
        element("privateDnsName", draw(optional)),
        element("dnsName", draw(optional)),
        element("keyName", draw(optional)),
        element("instanceType", draw(optional)),
        element("ipAddress", draw(optional)),
        element("privateIpAddress", draw(optional)),
        element("ipv6Address", draw(optional)),
        element("vpcId", draw(optional)),
        element("subnetId", draw(optional)),
        element("platform", draw(optional)),
        element("instanceLifecycle", draw(optional)),
        element("reason", draw(optional)),
        element("launchTime", draw(st.none() | st.just("2026-11-21T09:30:00.000Z"))),
        f"<monitoring>{element('state', 'disabled')}</monitoring>",
        f"<placement>{element('availabilityZone', draw(optional))}"
        f"{element('tenancy', draw(optional))}<affinity>x</affinity></placement>",
        element("rootDeviceType", draw(optional)),
        element("spotInstanceRequestId", draw(optional)),
        element("architecture", draw(optional)),
        element("platformDetails", draw(optional)),
    ]
    if draw(st.booleans()):
        flag = draw(st.sampled_from(["true", "false"]))
        parts.append(f"<hibernationOptions>{element('configured', flag)}</hibernationOptions>")
    if draw(st.booleans()):
        parts.append(f"<stateReason><code>c</code>{element('message', draw(words))}</stateReason>")
    if draw(st.booleans()):
        arn = "arn:aws:iam::1:instance-profile/" + draw(words)
        parts.append(f"<iamInstanceProfile>{element('arn', arn)}<id>A</id></iamInstanceProfile>")
    tags = draw(st.dictionaries(words | st.just("Name"), words, max_size=4))
    parts.append(
        items("tagSet", [element("key", k) + element("value", v) for k, v in tags.items()])
    )
    groups = draw(st.lists(st.tuples(words, words), max_size=3))
    parts.append(
        items("groupSet", [element("groupId", i) + element("groupName", n) for i, n in groups])
    )
    volumes = draw(st.lists(words, max_size=3))
    parts.append(
        items(
            "blockDeviceMapping",
            [f"<deviceName>d</deviceName><ebs>{element('volumeId', v)}</ebs>" for v in volumes],
        )
    )
    addresses = draw(st.lists(words, max_size=2))
    inner = items("ipv6AddressesSet", [element("ipv6Address", a) for a in addresses])
    decoy = items("groupSet", [element("groupId", "sg-decoy") + element("groupName", "decoy")])
    parts.append(items("networkInterfaceSet", [inner + decoy + element("vpcId", "vpc-decoy")]))
    return "".join(draw(st.permutations(parts)))


@st.composite
def page_xml(draw: st.DrawFn) -> bytes:
    reservations = [
        element("reservationId", "r-1")
        + items("groupSet", [])
        + items("instancesSet", draw(st.lists(instance_xml(), max_size=3)))
        for _ in range(draw(st.integers(0, 3)))
    ]
    token = element("nextToken", draw(st.none() | words.filter(bool)))
    gap = draw(st.sampled_from(["", "\n    "]))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
        f"{gap}<requestId>0f3c</requestId>{gap}{items('reservationSet', reservations)}{gap}{token}"
        "</DescribeInstancesResponse>"
    ).encode()


def by_botocore(body: bytes, region: str) -> tuple[tuple[Instance, ...], str]:
    """The same rows by way of botocore's parser and shapes."""
    answer: dict[str, Any] = EC2QueryParser().parse(
        {"body": body, "headers": {}, "status_code": 200}, SHAPE
    )
    rows = []
    for reservation in answer.get("Reservations", ()):
        for raw in reservation.get("Instances", ()):
            tags = {t.get("Key", ""): t.get("Value", "") for t in raw.get("Tags", ())}
            inner = [
                address.get("Ipv6Address", "")
                for interface in raw.get("NetworkInterfaces", ())
                for address in interface.get("Ipv6Addresses", ())
            ]
            rows.append(
                Instance(
                    id=raw["InstanceId"],
                    region=region,
                    state=State(raw["State"]["Name"]),
                    name=tags.get("Name", ""),
                    type=raw.get("InstanceType", ""),
                    zone=raw.get("Placement", {}).get("AvailabilityZone", ""),
                    public_ip=raw.get("PublicIpAddress", ""),
                    public_dns=raw.get("PublicDnsName", ""),
                    private_ip=raw.get("PrivateIpAddress", ""),
                    ipv6=raw.get("Ipv6Address", "") or next(iter(inner), ""),
                    key_name=raw.get("KeyName", ""),
                    image_id=raw.get("ImageId", ""),
                    platform=raw.get("Platform", "").lower(),
                    lifecycle=raw.get("InstanceLifecycle", ""),
                    launched=raw.get("LaunchTime"),
                    vpc_id=raw.get("VpcId", ""),
                    subnet_id=raw.get("SubnetId", ""),
                    iam_profile=raw.get("IamInstanceProfile", {}).get("Arn", "").rpartition("/")[2],
                    security_groups=tuple(
                        (g.get("GroupId", ""), g.get("GroupName", ""))
                        for g in raw.get("SecurityGroups", ())
                    ),
                    volume_ids=tuple(
                        m["Ebs"]["VolumeId"]
                        for m in raw.get("BlockDeviceMappings", ())
                        if m.get("Ebs", {}).get("VolumeId")
                    ),
                    tags=tags,
                    state_reason=raw.get("StateReason", {}).get("Message", "")
                    or raw.get("StateTransitionReason", ""),
                    profile="lab",
                    root_device=raw.get("RootDeviceType", ""),
                    hibernation=raw.get("HibernationOptions", {}).get("Configured", False),
                    spot_request_id=raw.get("SpotInstanceRequestId", ""),
                    architecture=raw.get("Architecture", ""),
                    platform_details=raw.get("PlatformDetails", ""),
                    tenancy=raw.get("Placement", {}).get("Tenancy", ""),
                )
            )
    return tuple(rows), answer.get("NextToken", "")


@given(page_xml())
def test_the_rows_are_botocores_rows(body: bytes) -> None:
    page = read_page(body)
    rows = instances(page, "eu-west-1", "lab")
    assert (rows, page.next_token) == by_botocore(body, "eu-west-1")


def test_a_whole_instance() -> None:
    body = (
        b"<DescribeInstancesResponse><reservationSet><item><instancesSet><item>"
        b"<instanceId>i-1</instanceId><instanceState><name>stopped</name></instanceState>"
        b"<launchTime>2026-11-21T09:30:00.000Z</launchTime>"
        b"<tagSet><item><key>Name</key><value>bert &amp; co</value></item></tagSet>"
        b"</item></instancesSet></item></reservationSet></DescribeInstancesResponse>"
    )
    (only,) = instances(read_page(body), "us-east-1")
    assert (only.name, only.state) == ("bert & co", State.STOPPED)
    assert only.launched == datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html><body>Log in</body></html>", "<html> in place of instances"),
        (b"<DescribeImagesResponse/>", "<DescribeImagesResponse> in place"),
        (b"<DescribeInstancesResponse>", "no element found"),
        (b"", "no element found"),
        (b"{}", "not well-formed"),
    ],
)
def test_what_is_no_listing_is_refused(body: bytes, said: str) -> None:
    with pytest.raises(ResponseParserError, match=said):
        read_page(body)


@given(st.binary())
def test_any_bytes_are_a_page_or_refused(body: bytes) -> None:
    try:
        assert isinstance(read_page(unpacked(body)), Page)
    except ResponseParserError:
        return


def test_a_damaged_gzip_body_is_refused() -> None:
    packed = gzip.compress(b"<DescribeInstancesResponse/>")
    assert unpacked(packed) == b"<DescribeInstancesResponse/>"
    with pytest.raises(ResponseParserError, match="damaged"):
        unpacked(packed[:-9])


def test_a_state_that_ec2_does_not_have() -> None:
    page = Page([{"id": "i-1", "state": "asleep", "tags": {}, "groups": [], "volumes": []}])
    page.rows[0]["interface_ipv6"] = []
    with pytest.raises(CloudtuiError, match="'asleep'"):
        instances(page, "us-east-1")


async def test_a_listing_is_asked_for_and_read_gzipped(stub_endpoint: StubEndpoint) -> None:
    body = (
        b"<DescribeInstancesResponse><reservationSet><item><instancesSet><item>"
        b"<instanceId>i-1</instanceId><instanceState><name>running</name></instanceState>"
        b"</item></instancesSet></item></reservationSet></DescribeInstancesResponse>"
    )
    stub_endpoint.answer(200, gzip.compress(body), Content_Encoding="gzip")
    async with Amazon() as amazon:
        pages = [page async for page in list_instances(amazon, "us-east-1")]
    assert [i.id for i in pages[0]] == ["i-1"]
    assert stub_endpoint.requests[-1].headers["Accept-Encoding"] == "gzip"


async def test_other_questions_are_not_gzipped_and_keep_botocores_shape(
    stub_endpoint: StubEndpoint,
) -> None:
    stub_endpoint.answer(200, "<DescribeRegionsResponse><regionInfo/></DescribeRegionsResponse>")
    async with Amazon() as amazon:
        client = await amazon.client("ec2", "us-east-1")
        assert (await client.describe_regions())["Regions"] == []
        assert stub_endpoint.requests[-1].headers["Accept-Encoding"] == "identity"
        stub_endpoint.answer(
            200, "<DescribeInstancesResponse><reservationSet/></DescribeInstancesResponse>"
        )
        assert (await asyncio.create_task(client.describe_instances()))["Reservations"] == []
