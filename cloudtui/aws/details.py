"""EC2's answers about one machine: volumes, groups, checks, console output, user data."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import AsyncIterator
from typing import Any

from botocore.exceptions import ClientError

from cloudtui.aws.clients import Amazon
from cloudtui.aws.errors import translated
from cloudtui.aws.security_groups import groups_of
from cloudtui.model.details import (
    Checks,
    ConsoleOutput,
    Protection,
    UserData,
    Volume,
    plain_lines,
)
from cloudtui.model.instance import Instance
from cloudtui.model.security_group import Group

_PAGE_SIZE = 500
_UNPACKED_LIMIT = 1024 * 1024
"""Bytes of gzipped user data that are unpacked."""


async def _ec2(amazon: Amazon, region: str) -> Any:
    return await amazon.client("ec2", region)


async def volumes(amazon: Amazon, instance: Instance) -> tuple[Volume, ...]:
    """The EBS volumes attached to the machine, by device name."""
    with translated("look up volumes", instance.region, amazon.profile):
        client = await _ec2(amazon, instance.region)
        answer = await client.describe_volumes(
            Filters=[{"Name": "attachment.instance-id", "Values": [instance.id]}]
        )
    found = [_volume(raw, instance.id) for raw in answer.get("Volumes", ())]
    return tuple(sorted(found, key=lambda volume: (volume.device, volume.id)))


async def region_volumes(amazon: Amazon, region: str) -> AsyncIterator[tuple[Volume, ...]]:
    """Every volume of a region, a page at a time."""
    token = ""
    while True:
        with translated("list volumes", region, amazon.profile):
            client = await _ec2(amazon, region)
            more = {"NextToken": token} if token else {}
            answer = await client.describe_volumes(MaxResults=_PAGE_SIZE, **more)
        yield tuple(_volume(raw, "") for raw in answer.get("Volumes", ()))
        token = answer.get("NextToken", "")
        if not token:
            return


def _volume(raw: dict[str, Any], instance_id: str) -> Volume:
    attached: dict[str, Any] = next(
        (a for a in raw.get("Attachments", ()) if instance_id in ("", a.get("InstanceId"))), {}
    )
    return Volume(
        id=raw["VolumeId"],
        size=int(raw.get("Size", 0)),
        type=raw.get("VolumeType", ""),
        encrypted=bool(raw.get("Encrypted")),
        device=attached.get("Device", ""),
        delete_on_termination=bool(attached.get("DeleteOnTermination")),
        iops=int(raw.get("Iops") or 0),
        throughput=int(raw.get("Throughput") or 0),
        state=raw.get("State", ""),
        instance_id=attached.get("InstanceId", ""),
    )


async def idle_addresses(amazon: Amazon, region: str) -> int:
    """How many Elastic IPs of a region belong to no machine or network interface."""
    with translated("list Elastic IPs", region, amazon.profile):
        client = await _ec2(amazon, region)
        answer = await client.describe_addresses()
    return sum(not address.get("AssociationId") for address in answer.get("Addresses", ()))


async def groups(amazon: Amazon, instance: Instance) -> tuple[Group, ...]:
    """The machine's security groups with their rules."""
    names = dict(instance.security_groups)
    found = {g.id: g for g in await groups_of(amazon, instance.region, names)}
    return tuple(found.get(group, Group(group, name)) for group, name in instance.security_groups)


async def checks(amazon: Amazon, instance: Instance) -> Checks:
    """EC2's status checks of the machine, and what AWS plans for it."""
    with translated("look up status checks", instance.region, amazon.profile):
        client = await _ec2(amazon, instance.region)
        answer = await client.describe_instance_status(
            InstanceIds=[instance.id], IncludeAllInstances=True
        )
    raw: dict[str, Any] = next(iter(answer.get("InstanceStatuses", ())), {})

    def status(key: str) -> str:
        return str((raw.get(key) or {}).get("Status", ""))

    events = []
    for event in raw.get("Events", ()):
        if event.get("Description", "").startswith(("[Completed]", "[Canceled]")):
            continue
        day = f"{event['NotBefore']:%Y-%m-%d}: " if event.get("NotBefore") else ""
        events.append(f"{day}{event.get('Description') or event.get('Code', '')}")
    return Checks(
        status("SystemStatus"),
        status("InstanceStatus"),
        status("AttachedEbsStatus"),
        tuple(events),
    )


async def protection(amazon: Amazon, instance: Instance) -> Protection:
    """Whether EC2 refuses to terminate or stop the machine."""
    with translated("look up its protection", instance.region, amazon.profile):
        client = await _ec2(amazon, instance.region)
        terminate = await client.describe_instance_attribute(
            InstanceId=instance.id, Attribute="disableApiTermination"
        )
        stop = await client.describe_instance_attribute(
            InstanceId=instance.id, Attribute="disableApiStop"
        )
    return Protection(
        bool(terminate.get("DisableApiTermination", {}).get("Value")),
        bool(stop.get("DisableApiStop", {}).get("Value")),
    )


async def console_output(
    amazon: Amazon, instance: Instance, *, latest: bool = True
) -> ConsoleOutput:
    """The serial console's last 64 KiB; as they are now on machines that can tell (Nitro).

    Without `latest` EC2's own copy, taken some time after the last start.
    """
    with translated("read the console output", instance.region, amazon.profile):
        client = await _ec2(amazon, instance.region)
        try:
            answer = await client.get_console_output(InstanceId=instance.id, Latest=latest)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "UnsupportedOperation" or not latest:
                raise
            latest = False
            answer = await client.get_console_output(InstanceId=instance.id)
    return ConsoleOutput(
        plain_lines(answer.get("Output") or ""),
        answer.get("Timestamp"),
        latest,
    )


async def user_data(amazon: Amazon, instance: Instance) -> UserData:
    """The machine's user data as text. It may hold secrets: it belongs on the screen only."""
    with translated("read the user data", instance.region, amazon.profile):
        client = await _ec2(amazon, instance.region)
        answer = await client.describe_instance_attribute(
            InstanceId=instance.id, Attribute="userData"
        )
    return decoded(answer.get("UserData", {}).get("Value") or "")


def decoded(value: str) -> UserData:
    """User data as EC2 gives it: base64, of text or of gzipped text."""
    try:
        data = base64.b64decode(value, validate=False)
    except (binascii.Error, ValueError):
        data = value.encode()
    size, packed = len(data), data.startswith(b"\x1f\x8b")
    if packed:
        unpack = zlib.decompressobj(wbits=31)
        try:
            data = unpack.decompress(data, _UNPACKED_LIMIT)
        except zlib.error:
            return UserData(size=size, packed=True, binary=True)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return UserData(size=size, packed=packed, binary=True)
    if "\0" in text:
        return UserData(size=size, packed=packed, binary=True)
    return UserData("\n".join(plain_lines(text)), size, packed)
