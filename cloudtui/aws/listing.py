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


def next_token(body: bytes) -> str:
    """The token of the next page, cut from an answer that is not parsed yet; empty when there is
    none, or only a parser can tell it."""
    start = body.rfind(b"<nextToken>")
    end = body.find(b"</nextToken>", start)
    token = body[start + 11 : end] if 0 <= start < end else b""
    return token.decode("ascii", "ignore") if token.isascii() and b"&" not in token else ""


def trimmed(body: bytes) -> bytes:
    """The body without the large blocks that hold nothing for a row; at memory's speed.

    `<` stands in XML text for nothing but itself, and EC2 sends neither CDATA nor comments: a body
    that has any is left whole.
    """
    if b"!" in body and (b"<![" in body or b"<!-" in body):
        return body
    for name, kept in ((b"networkInterfaceSet", b"<ipv6Address>"), (b"metadataOptions", b"")):
        body = _without(body, name, kept)
    return body


def _without(body: bytes, name: bytes, kept: bytes) -> bytes:
    """The body without the elements of a name, but those that have `kept` inside."""
    opening, closing = b"<" + name + b">", b"</" + name + b">"
    parts: list[bytes] = []
    done = at = 0
    while (start := body.find(opening, at)) >= 0:
        at = body.find(closing, start)
        if at < 0:
            return body
        if kept and body.find(kept, start, at) >= 0:
            continue
        parts.append(body[done:start])
        done = at + len(closing)
    return b"".join([*parts, body[done:]]) if parts else body


def read_page(body: bytes) -> Page:
    """The fields that cloudtui shows, from EC2's XML.

    Raises:
        ResponseParserError: the body is not an answer to DescribeInstances.
    """
    reader = _Reader()
    try:
        reader.read(trimmed(body))
    except ExpatError as error:
        raise ResponseParserError(f"{error}: {_excerpt(body)}") from None
    return reader.page


class _Reader:
    """expat's handlers over `_PAGE`; elements outside it are stepped over.

    Both run for each of 100,000 elements a page: what they do is what a listing costs.
    """

    def __init__(self) -> None:
        self.page = Page()

    def read(self, body: bytes) -> None:
        parser = ParserCreate()
        parser.buffer_text = True
        rows, path = self.page.rows, []
        here = _PAGE
        find: Callable[[str], Any] = _PAGE.get
        row: Fields = {}
        pair: list[str] = ["", ""]
        leaf = ""
        skipped = 0
        text: list[str] = []
        nowhere: _Tree = {}
        nothing: Callable[[str], Any] = nowhere.get

        def start(name: str, attributes: object) -> None:
            nonlocal here, find, leaf, row, skipped
            if skipped:
                skipped += 1
                return
            below = find(name)
            if below is None:
                if here is _PAGE:
                    raise ResponseParserError(f"<{name}> in place of instances: {_excerpt(body)}")
                skipped = 1
            elif below.__class__ is str:
                leaf, find = below, nothing
                parser.CharacterDataHandler = text.append
            else:
                path.append(here)
                here, find = below, below.get
                if below is _INSTANCE:
                    row = {"tags": {}, "groups": [], "volumes": [], "interface_ipv6": []}
                    rows.append(row)

        def end(name: str) -> None:
            nonlocal here, find, leaf, skipped
            if skipped:
                skipped -= 1
            elif leaf:
                parser.CharacterDataHandler = None
                value = text[0] if len(text) == 1 else "".join(text)
                text.clear()
                if here is _INSTANCE:
                    row[leaf] = value
                else:
                    take(leaf, value)
                leaf, find = "", here.get
            else:
                if here is _TAG:
                    row["tags"][pair[0]] = pair[1]
                    pair[:] = "", ""
                elif here is _GROUP:
                    row["groups"].append((pair[0], pair[1]))
                    pair[:] = "", ""
                here = path.pop()
                find = here.get

        def take(name: str, value: str) -> None:
            match name[0]:
                case "+":
                    pair[0] = value
                case "=":
                    pair[1] = value
                case "*":
                    row[name[1:]].append(value)
                case _ if here is _BODY:
                    self.page.next_token = value
                case _:
                    row[name] = value

        parser.StartElementHandler = start
        parser.EndElementHandler = end
        parser.Parse(body, True)


_BODY: _Tree = _PAGE["DescribeInstancesResponse"]
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
