"""EC2: instances, regions and images as the model's nouns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING

from cloudtui.aws.clients import Amazon
from cloudtui.aws.errors import translated
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance, State

if TYPE_CHECKING:
    from types_aiobotocore_ec2.type_defs import DescribeInstancesResultTypeDef, InstanceTypeDef

PAGE_SIZE = 1000
"""The most instances EC2 puts on a page."""

_FILTER_VALUES = 200
"""The most values EC2 takes for one filter."""


async def list_instances(amazon: Amazon, region: str) -> AsyncIterator[tuple[Instance, ...]]:
    """The instances of a region, a page of at most 1,000 at a time; an empty region gives one
    empty page.

    Raises:
        CloudtuiError: AWS was not reached, refused, or answered something else.
    """
    token = ""
    while True:
        with translated("list instances", region, amazon.profile):
            client = await amazon.client("ec2", region)
            if token:
                page = await client.describe_instances(MaxResults=PAGE_SIZE, NextToken=token)
            else:
                page = await client.describe_instances(MaxResults=PAGE_SIZE)
        yield await asyncio.to_thread(_instances, page, region)
        token = page.get("NextToken", "")
        if not token:
            return


async def enabled_regions(amazon: Amazon) -> tuple[str, ...]:
    """The names of the regions that the account can use, sorted."""
    home = amazon.home_region
    with translated("list regions", home, amazon.profile):
        client = await amazon.client("ec2", home)
        answer = await client.describe_regions()
    return tuple(sorted(region["RegionName"] for region in answer.get("Regions", ())))


async def image_names(
    amazon: Amazon, region: str, image_ids: Iterable[str]
) -> dict[str, tuple[str, str]]:
    """Name and description of each image by id; images that are gone or not shared are left out."""
    ids = sorted(set(image_ids) - {""})
    found: dict[str, tuple[str, str]] = {}
    for start in range(0, len(ids), _FILTER_VALUES):
        wanted = ids[start : start + _FILTER_VALUES]
        with translated("look up images", region, amazon.profile):
            client = await amazon.client("ec2", region)
            # A filter, because ImageIds fails as a whole when one image is gone.
            answer = await client.describe_images(
                Filters=[{"Name": "image-id", "Values": wanted}], IncludeDeprecated=True
            )
        for image in answer.get("Images", ()):
            found[image["ImageId"]] = (image.get("Name", ""), image.get("Description", ""))
    return found


def _instances(page: DescribeInstancesResultTypeDef, region: str) -> tuple[Instance, ...]:
    return tuple(
        _instance(raw, region)
        for reservation in page.get("Reservations", ())
        for raw in reservation.get("Instances", ())
    )


def _instance(raw: InstanceTypeDef, region: str) -> Instance:
    tags = {tag.get("Key", ""): tag.get("Value", "") for tag in raw.get("Tags", ())}
    ipv6 = raw.get("Ipv6Address", "") or next(
        (
            address.get("Ipv6Address", "")
            for interface in raw.get("NetworkInterfaces", ())
            for address in interface.get("Ipv6Addresses", ())
        ),
        "",
    )
    return Instance(
        id=raw["InstanceId"],
        region=region,
        state=_state(raw),
        name=tags.get("Name", ""),
        type=raw.get("InstanceType", ""),
        zone=raw.get("Placement", {}).get("AvailabilityZone", ""),
        public_ip=raw.get("PublicIpAddress", ""),
        public_dns=raw.get("PublicDnsName", ""),
        private_ip=raw.get("PrivateIpAddress", ""),
        ipv6=ipv6,
        key_name=raw.get("KeyName", ""),
        image_id=raw.get("ImageId", ""),
        platform=raw.get("Platform", "").lower(),
        lifecycle=raw.get("InstanceLifecycle", ""),
        launched=raw.get("LaunchTime"),
        vpc_id=raw.get("VpcId", ""),
        subnet_id=raw.get("SubnetId", ""),
        iam_profile=raw.get("IamInstanceProfile", {}).get("Arn", "").rpartition("/")[2],
        security_groups=tuple(
            (group.get("GroupId", ""), group.get("GroupName", ""))
            for group in raw.get("SecurityGroups", ())
        ),
        volume_ids=tuple(
            mapping["Ebs"]["VolumeId"]
            for mapping in raw.get("BlockDeviceMappings", ())
            if mapping.get("Ebs", {}).get("VolumeId")
        ),
        tags=tags,
        state_reason=raw.get("StateReason", {}).get("Message", "")
        or raw.get("StateTransitionReason", ""),
    )


def _state(raw: InstanceTypeDef) -> State:
    word = raw.get("State", {}).get("Name", "")
    try:
        return State(word)
    except ValueError:
        raise CloudtuiError(
            f"AWS says that {raw['InstanceId']} is {word!r}, which is no state cloudtui knows.",
            "Answered by DescribeInstances.",
            "Check AWS_ENDPOINT_URL; a newer cloudtui may know the state.",
        ) from None
