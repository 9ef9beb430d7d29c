"""DescribeInstances, the one answer that is large: read in one pass, without the tree between."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pyexpat import ExpatError, ParserCreate
from typing import Any

from botocore.parsers import ResponseParserError

from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance, State

GZIP = b"\x1f\x8b"

Fields = dict[str, Any]
_Tree = dict[str, Any]
"""Children by element name: a tree, or the name of the field that the element's text fills."""

_LEAVES = {
    "instanceId": "id",
    "instanceType": "type",
    "ipAddress": "public_ip",
    "dnsName": "public_dns",
    "privateIpAddress": "private_ip",
    "ipv6Address": "ipv6",
    "keyName": "key_name",
    "imageId": "image_id",
    "platform": "platform",
    "instanceLifecycle": "lifecycle",
    "launchTime": "launched",
    "vpcId": "vpc_id",
    "subnetId": "subnet_id",
    "reason": "transition",
    "rootDeviceType": "root_device",
    "spotInstanceRequestId": "spot_request_id",
    "architecture": "architecture",
    "platformDetails": "platform_details",
}
_INSTANCE: _Tree = {
    **_LEAVES,
    "instanceState": {"name": "state"},
    "placement": {"availabilityZone": "zone", "tenancy": "tenancy"},
    "iamInstanceProfile": {"arn": "iam_profile"},
    "hibernationOptions": {"configured": "hibernation"},
    "stateReason": {"message": "reason"},
    "tagSet": {"item": {"key": "+tag", "value": "=tag"}},
    "groupSet": {"item": {"groupId": "+group", "groupName": "=group"}},
    "blockDeviceMapping": {"item": {"ebs": {"volumeId": "*volumes"}}},
    "networkInterfaceSet": {
        "item": {"ipv6AddressesSet": {"item": {"ipv6Address": "*interface_ipv6"}}}
    },
}
_PAGE: _Tree = {
    "DescribeInstancesResponse": {
        "nextToken": "next_token",
        "reservationSet": {"item": {"instancesSet": {"item": _INSTANCE}}},
    }
}


@dataclass(slots=True)
class Page:
    """What one answer holds: the fields of each instance, and the token of the next page."""

    rows: list[Fields] = field(default_factory=list)
    next_token: str = ""


def unpacked(body: bytes) -> bytes:
    """The body as it was before gzip, if it is gzipped.

    Raises:
        ResponseParserError: it was cut off or damaged on its way.
    """
    if not body.startswith(GZIP):
        return body
    try:
        return gzip.decompress(body)
    except (EOFError, OSError, zlib.error) as error:
        raise ResponseParserError(f"a damaged gzip body: {error}") from None


def read_page(body: bytes) -> Page:
    """The fields that cloudtui shows, from EC2's XML.

    Raises:
        ResponseParserError: the body is not an answer to DescribeInstances.
    """
    reader = _Reader()
    try:
        reader.read(body)
    except ExpatError as error:
        raise ResponseParserError(f"{error}: {_excerpt(body)}") from None
    return reader.page


class _Reader:
    """expat's handlers over `_PAGE`; elements outside it are stepped over."""

    def __init__(self) -> None:
        self.page = Page()
        self._row: Fields = {}
        self._pair: list[str] = ["", ""]

    def read(self, body: bytes) -> None:
        parser = ParserCreate()
        parser.buffer_text = True
        path: list[_Tree] = []
        here: Any = _PAGE
        skipped = 0
        text: list[str] = []

        def start(name: str, attributes: object) -> None:
            nonlocal here, skipped
            if skipped:
                skipped += 1
                return
            below = here.get(name) if here.__class__ is dict else None
            if below is None:
                if not path:
                    raise ResponseParserError(f"<{name}> in place of instances: {_excerpt(body)}")
                skipped = 1
                return
            path.append(here)
            here = below
            if below is _INSTANCE:
                self._row = {"tags": {}, "groups": [], "volumes": [], "interface_ipv6": []}
                self.page.rows.append(self._row)
            elif below.__class__ is str:
                parser.CharacterDataHandler = text.append

        def end(name: str) -> None:
            nonlocal here, skipped
            if skipped:
                skipped -= 1
                return
            if here.__class__ is str:
                parser.CharacterDataHandler = None
                self._take(here, "".join(text))
                text.clear()
            elif here is _TAG:
                self._row["tags"][self._pair[0]] = self._pair[1]
                self._pair = ["", ""]
            elif here is _GROUP:
                self._row["groups"].append((self._pair[0], self._pair[1]))
                self._pair = ["", ""]
            here = path.pop()

        parser.StartElementHandler = start
        parser.EndElementHandler = end
        parser.Parse(body, True)

    def _take(self, name: str, value: str) -> None:
        mark = name[0]
        if mark == "+":
            self._pair[0] = value
        elif mark == "=":
            self._pair[1] = value
        elif mark == "*":
            self._row[name[1:]].append(value)
        elif name == "next_token":
            self.page.next_token = value
        else:
            self._row[name] = value


_TAG: _Tree = _INSTANCE["tagSet"]["item"]
_GROUP: _Tree = _INSTANCE["groupSet"]["item"]


def instances(page: Page, region: str, profile: str = "") -> tuple[Instance, ...]:
    """The page's rows as the model's noun, as `profile` sees them.

    Raises:
        CloudtuiError: a state that EC2 does not have.
    """
    return tuple(_instance(row, region, profile) for row in page.rows)


def _instance(row: Fields, region: str, profile: str) -> Instance:
    get: Callable[..., str] = row.get
    tags = row["tags"]
    launched = get("launched", "")
    return Instance(
        id=row["id"],
        region=region,
        state=_state(row),
        name=tags.get("Name", ""),
        type=get("type", ""),
        zone=get("zone", ""),
        public_ip=get("public_ip", ""),
        public_dns=get("public_dns", ""),
        private_ip=get("private_ip", ""),
        ipv6=get("ipv6", "") or next(iter(row["interface_ipv6"]), ""),
        key_name=get("key_name", ""),
        image_id=get("image_id", ""),
        platform=get("platform", "").lower(),
        lifecycle=get("lifecycle", ""),
        launched=datetime.fromisoformat(launched) if launched else None,
        vpc_id=get("vpc_id", ""),
        subnet_id=get("subnet_id", ""),
        iam_profile=get("iam_profile", "").rpartition("/")[2],
        security_groups=tuple(row["groups"]),
        volume_ids=tuple(volume for volume in row["volumes"] if volume),
        tags=tags,
        state_reason=get("reason", "") or get("transition", ""),
        profile=profile,
        root_device=get("root_device", ""),
        hibernation=get("hibernation", "") == "true",
        spot_request_id=get("spot_request_id", ""),
        architecture=get("architecture", ""),
        tenancy=get("tenancy", ""),
        platform_details=get("platform_details", ""),
    )


def _state(row: Fields) -> State:
    word = row.get("state", "")
    try:
        return State(word)
    except ValueError:
        raise CloudtuiError(
            f"AWS says that {row['id']} is {word!r}, which is no state cloudtui knows.",
            "Answered by DescribeInstances.",
            "Check AWS_ENDPOINT_URL; a newer cloudtui may know the state.",
        ) from None


def _excerpt(body: bytes) -> str:
    text = " ".join(body[:2000].decode("utf-8", "replace").split())
    return text if len(text) <= 160 else text[:160] + "…"
