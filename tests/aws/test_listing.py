"""The one-pass reader of DescribeInstances against botocore's own parser."""

from __future__ import annotations

import asyncio
import gzip
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import EC2QueryParser, ResponseParserError
from hypothesis import given
from hypothesis import strategies as st

from cloudtui.aws import ec2
from cloudtui.aws.clients import Amazon
from cloudtui.aws.ec2 import list_instances
from cloudtui.aws.listing import Page, instances, next_token, read_page, trimmed, unpacked
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


@given(page_xml())
def test_blocks_that_hold_no_row_are_cut_away(body: bytes) -> None:
    cut = trimmed(body)
    assert len(cut) <= len(body)
    assert by_botocore(cut, "eu-west-1") == by_botocore(body, "eu-west-1")


@pytest.mark.parametrize(
    ("body", "left"),
    [
        (b"<a><networkInterfaceSet>x</networkInterfaceSet>b</a>", b"<a>b</a>"),
        (b"<a><networkInterfaceSet>x", b"<a><networkInterfaceSet>x"),
        (
            b"<networkInterfaceSet><ipv6Address>::1</ipv6Address></networkInterfaceSet>"
            b"<networkInterfaceSet>y</networkInterfaceSet>c",
            b"<networkInterfaceSet><ipv6Address>::1</ipv6Address></networkInterfaceSet>c",
        ),
        (
            b"<v><![CDATA[<networkInterfaceSet>]]></v><networkInterfaceSet></networkInterfaceSet>",
            b"<v><![CDATA[<networkInterfaceSet>]]></v><networkInterfaceSet></networkInterfaceSet>",
        ),
        (b"<v>ready!</v><metadataOptions>on</metadataOptions>", b"<v>ready!</v>"),
    ],
)
def test_what_cutting_leaves(body: bytes, left: bytes) -> None:
    assert trimmed(body) == left


@given(page_xml())
def test_the_next_token_is_known_before_the_page_is_parsed(body: bytes) -> None:
    assert next_token(body) in ("", read_page(body).next_token)


@pytest.mark.parametrize(
    ("body", "token"),
    [
        (b"<a><nextToken>eyJ2=</nextToken></a>", "eyJ2="),
        (b"<a><nextToken>a&amp;b</nextToken></a>", ""),
        (b"<a><nextToken>a", ""),
        (b"<a><nextToken></nextToken></a>", ""),
        (b"<a></nextToken></a>", ""),
        ("<a><nextToken>ü</nextToken></a>".encode(), ""),
    ],
)
def test_a_token_is_cut_only_when_it_needs_no_parser(body: bytes, token: str) -> None:
    assert next_token(body) == token


def pages(count: int, token: str = "page-{}") -> list[tuple[int, str]]:
    """Answers of one instance each; `token` names the next one."""
    answers = []
    for number in range(count):
        more = f"<nextToken>{token.format(number + 1)}</nextToken>" if number + 1 < count else ""
        answers.append(
            (
                200,
                "<DescribeInstancesResponse><reservationSet><item><instancesSet><item>"
                f"<instanceId>i-{number}</instanceId>"
                "<instanceState><name>running</name></instanceState></item></instancesSet></item>"
                f"</reservationSet>{more}</DescribeInstancesResponse>",
            )
        )
    return answers


@pytest.mark.parametrize("token", ["page-{}", "a&amp;b-{}"])
async def test_every_page_is_asked_for_once_and_in_order(
    stub_endpoint: StubEndpoint, token: str
) -> None:
    stub_endpoint.answer_in_turn(*pages(4, token))
    async with Amazon() as amazon:
        found = [page async for page in list_instances(amazon, "us-east-1")]
    assert [i.id for page in found for i in page] == ["i-0", "i-1", "i-2", "i-3"]
    asked = [parse_qs(request.body).get("NextToken", [""])[0] for request in stub_endpoint.requests]
    plain = token.replace("&amp;", "&")
    assert asked == ["", *(plain.format(number) for number in (1, 2, 3))]


async def test_the_next_page_is_asked_for_while_one_is_parsed(
    stub_endpoint: StubEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub_endpoint.answer_in_turn(*pages(2))
    asked: list[int] = []

    def slow(body: bytes) -> Page:
        deadline = time.monotonic() + 30
        while len(stub_endpoint.requests) < 2 and time.monotonic() < deadline:
            time.sleep(0.001)
        asked.append(len(stub_endpoint.requests))
        return read_page(body)

    monkeypatch.setattr(ec2, "read_page", slow)
    async with Amazon() as amazon:
        assert len([page async for page in list_instances(amazon, "us-east-1")]) == 2
    assert asked == [2, 2]


async def test_a_listing_that_is_given_up_leaves_no_request_behind(
    stub_endpoint: StubEndpoint,
) -> None:
    stub_endpoint.answer_in_turn(*pages(9))
    before = asyncio.all_tasks()
    async with Amazon() as amazon:
        listing = list_instances(amazon, "us-east-1")
        assert await anext(listing)
        await listing.aclose()  # type: ignore[attr-defined]
        assert asyncio.all_tasks() == before


async def test_rows_before_a_failing_page_are_given(stub_endpoint: StubEndpoint) -> None:
    stub_endpoint.answer_in_turn(pages(2)[0], (200, "<html/>"))
    async with Amazon() as amazon:
        listing = list_instances(amazon, "us-east-1")
        rows = await anext(listing)
        with pytest.raises(CloudtuiError, match="what answered is not AWS"):
            await anext(listing)
    assert [i.id for i in rows] == ["i-0"]


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
