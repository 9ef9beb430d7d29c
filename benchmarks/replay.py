"""AWS as the benchmarks see it: DescribeInstances pages replayed from memory in another process.

    with Replay({"us-east-1": 1000}, latency=0.08, bandwidth=20e6) as replay:
        subprocess.run(command, env=replay.environment(home))

Pages hold what EC2 sends for a usual instance (one interface, one volume, five tags), indented as
EC2 does it: 9 kB each (275 bytes gzipped), 1,000 a page. The replies of one connection share its
bandwidth.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import os
import random
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs

ACCOUNT = "123456789012"
PAGE = 1000
"""The most instances EC2 puts on a page, and what it sends when nothing is said."""
REGIONS = (
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "cn-north-1",
    "cn-northwest-1",
    "us-gov-east-1",
    "us-gov-west-1",
)
"""38 names; the first 17 are what a long-lived account has switched on."""


def spread(total: int, regions: tuple[str, ...] = REGIONS, home: int = 0) -> dict[str, int]:
    """`total` instances over the regions; the first one has `home`, or its share."""
    if not home:
        home = total - total // len(regions) * (len(regions) - 1)
    rest, each = total - home, max(1, len(regions) - 1)
    counts = [rest // each + (n < rest % each) for n in range(len(regions) - 1)]
    return dict(zip(regions, [home, *counts], strict=True))


class Replay:
    """The endpoint in a child process; `fleet` is the number of instances of each region.

    `latency` is seconds before each reply, `bandwidth` bits a second of each connection (0: all).
    """

    def __init__(
        self, fleet: Mapping[str, int], *, latency: float = 0.0, bandwidth: float = 0.0
    ) -> None:
        self._words = json.dumps({"fleet": dict(fleet), "latency": latency, "bandwidth": bandwidth})
        self._home = next(iter(fleet))
        self.url = ""

    def __enter__(self) -> Self:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.replay", self._words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parent.parent,
        )
        assert self._child.stdout is not None
        port = self._child.stdout.readline().strip()
        if not port:
            raise RuntimeError(f"the replay ended with status {self._child.wait()}")
        self.url = f"http://127.0.0.1:{port}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._child.kill()
        self._child.wait()
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe:
                pipe.close()

    def environment(self, home: Path) -> dict[str, str]:
        """A process's environment with this AWS, a fresh HOME and nothing else of AWS."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "BOTO_", "CLOUDTUI_", "XDG_"))
        }
        return kept | {
            "HOME": str(home),
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": self._home,
            "AWS_DEFAULT_REGION": self._home,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
        }

    def requests(self) -> list[str]:
        """`Action region` of each request since the last time this was asked."""
        with urllib.request.urlopen(f"{self.url}/requests") as answer:
            said: list[str] = json.load(answer)
        return said


# ------------------------------------------------------------------ what EC2 would send


_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<{action}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">\n'
    "    <requestId>0f3c77aa-1111-2222-3333-444455556666</requestId>\n"
)


_Value = Mapping[str, Any] | Sequence[Any] | str
"""Elements by name; a list's members are `<item>`s; None leaves an element out."""


def _xml(value: _Value, depth: int) -> str:
    pad = "    " * depth
    pairs = value.items() if isinstance(value, Mapping) else [("item", inner) for inner in value]
    lines = []
    for name, inner in pairs:
        if isinstance(inner, str):
            lines.append(f"{pad}<{name}>{inner}</{name}>\n")
        elif inner is not None:
            lines.append(f"{pad}<{name}>\n{_xml(inner, depth + 1)}{pad}</{name}>\n")
    return "".join(lines)


def _hex(dice: random.Random, digits: int = 17) -> str:
    return f"{dice.getrandbits(4 * digits):0{digits}x}"


_TYPES = ("g5.xlarge", "g5.12xlarge", "p4d.24xlarge", "m6i.large", "c7g.4xlarge", "t3.micro")
_TAGS = {
    "team": ("nlp", "vision", "speech", "platform"),
    "project": ("bert-pretraining", "retrieval", "diffusion-v2", "labelling-tool"),
    "owner": ("ada@example.com", "grace@example.com", "linus@example.com"),
    "cost-center": ("4711", "4712", "0815"),
}


def instance(number: int, region: str) -> _Value:
    """One reservation; the same number gives the same."""
    dice = random.Random(f"{region} {number}")
    running = dice.random() < 0.6
    a, b, c = dice.randrange(256), dice.randrange(256), dice.randrange(1, 255)
    private, public = f"10.{a}.{b}.{c}", f"54.{b}.{c}.{a}" if running else None
    inner_dns = f"ip-10-{a}-{b}-{c}.{region}.compute.internal"
    outer_dns = f"ec2-54-{b}-{c}-{a}.{region}.compute.amazonaws.com" if running else ""
    kind, attached = dice.choice(_TYPES), "2026-11-02T08:15:31.000Z"
    network = {
        "subnetId": f"subnet-0{dice.randrange(9):016x}",
        "vpcId": f"vpc-0{dice.randrange(3):016x}",
    }
    groups = [{"groupId": f"sg-0{dice.randrange(12):016x}", "groupName": "ssh-and-jupyter"}]
    association = {"publicIp": public, "publicDnsName": outer_dns, "ipOwnerId": "amazon"}
    unmanaged = {"managed": "false"}
    tags = {"Name": f"{dice.choice(('bert', 'gpt', 'worker', 'notebook'))}-{number:05d}"}
    tags |= {key: dice.choice(values) for key, values in _TAGS.items()}
    disk = {"status": "attached", "attachTime": attached, "deleteOnTermination": "true"}
    interface = {
        "networkInterfaceId": f"eni-{_hex(dice)}",
        **network,
        "description": "Primary network interface",
        "ownerId": ACCOUNT,
        "status": "in-use",
        "macAddress": ":".join(_hex(dice, 2) for _ in range(6)),
        "privateIpAddress": private,
        "privateDnsName": inner_dns,
        "sourceDestCheck": "true",
        "groupSet": groups,
        "attachment": {
            "attachmentId": f"eni-attach-{_hex(dice)}",
            "deviceIndex": "0",
            "networkCardIndex": "0",
            **disk,
        },
        "association": association if running else None,
        "privateIpAddressesSet": [
            {
                "privateIpAddress": private,
                "privateDnsName": inner_dns,
                "primary": "true",
                "association": association if running else None,
            }
        ],
        "ipv6AddressesSet": "",
        "interfaceType": "interface",
        "operator": unmanaged,
    }
    inside = {
        "instanceId": f"i-{_hex(dice)}",
        "imageId": f"ami-0{dice.randrange(7):016x}",
        "instanceState": {"code": "16", "name": "running"}
        if running
        else {"code": "80", "name": "stopped"},
        "privateDnsName": inner_dns,
        "dnsName": outer_dns,
        "reason": "" if running else "User initiated (2026-11-20 18:02:11 GMT)",
        "keyName": dice.choice(("lab", "ada", "ci")),
        "amiLaunchIndex": "0",
        "productCodes": "",
        "instanceType": kind,
        "launchTime": f"2026-11-{dice.randrange(1, 21):02d}T09:{dice.randrange(60):02d}:00.000Z",
        "placement": {
            "availabilityZone": region + dice.choice("abc"),
            "groupName": "",
            "tenancy": "default",
        },
        "monitoring": {"state": "disabled"},
        **network,
        "privateIpAddress": private,
        "ipAddress": public,
        "sourceDestCheck": "true",
        "groupSet": groups,
        "architecture": "arm64" if "g." in kind else "x86_64",
        "rootDeviceType": "ebs",
        "rootDeviceName": "/dev/xvda",
        "blockDeviceMapping": [
            {"deviceName": "/dev/xvda", "ebs": {"volumeId": f"vol-{_hex(dice)}", **disk}}
        ],
        "virtualizationType": "hvm",
        "clientToken": f"{_hex(dice, 8)}-{_hex(dice, 4)}-4{_hex(dice, 3)}-{_hex(dice, 12)}",
        "tagSet": [{"key": key, "value": value} for key, value in tags.items()],
        "hypervisor": "xen",
        "networkInterfaceSet": [interface],
        "iamInstanceProfile": {
            "arn": f"arn:aws:iam::{ACCOUNT}:instance-profile/training",
            "id": "AIPAJQABLZS4A3QDU576Q",
        },
        "ebsOptimized": "false",
        "enaSupport": "true",
        "cpuOptions": {"coreCount": "2", "threadsPerCore": "2"},
        "capacityReservationSpecification": {"capacityReservationPreference": "open"},
        "hibernationOptions": {"configured": "false"},
        "enclaveOptions": {"enabled": "false"},
        "metadataOptions": {
            "state": "applied",
            "httpTokens": "required",
            "httpPutResponseHopLimit": "2",
            "httpEndpoint": "enabled",
            "httpProtocolIpv6": "disabled",
            "instanceMetadataTags": "disabled",
        },
        "platformDetails": "Linux/UNIX",
        "usageOperation": "RunInstances",
        "usageOperationUpdateTime": attached,
        "maintenanceOptions": {"autoRecovery": "default"},
        "currentInstanceBootMode": "uefi",
        "privateDnsNameOptions": {
            "hostnameType": "ip-name",
            "enableResourceNameDnsARecord": "false",
            "enableResourceNameDnsAAAARecord": "false",
        },
        "operator": unmanaged,
        "stateReason": None
        if running
        else {
            "code": "Client.UserInitiatedShutdown",
            "message": "Client.UserInitiatedShutdown: User initiated shutdown",
        },
    }
    return {
        "reservationId": f"r-{_hex(dice)}",
        "ownerId": ACCOUNT,
        "groupSet": "",
        "instancesSet": [inside],
    }


def page(region: str, start: int, end: int, token: str) -> bytes:
    """The body of one DescribeInstances answer."""
    rows = [instance(number, region) for number in range(start, end)]
    inner = _xml({"reservationSet": rows, "nextToken": token or None}, 1)
    return (
        f"{_HEAD.format(action='DescribeInstances')}{inner}</DescribeInstancesResponse>\n".encode()
    )


class Pages:
    """Every answer, built and packed before the first request."""

    def __init__(self, fleet: Mapping[str, int]) -> None:
        self._fleet = fleet
        for region, count in fleet.items():
            for start in range(0, max(count, 1), PAGE):
                self._instances(region, start, PAGE)

    def answer(self, words: Mapping[str, list[str]], region: str, packed: bool) -> bytes:
        """The body for a query's words, gzipped if `packed`."""
        action = words["Action"][0]
        if action == "DescribeInstances":
            size = min(int(words.get("MaxResults", [str(PAGE)])[0]), PAGE)
            start = int(words.get("NextToken", ["0"])[0].rpartition("-")[2])
            return self._instances(region, start, size)[packed]
        body = self._other(action)
        return gzip.compress(body) if packed else body

    @cache  # noqa: B019 - lives as long as the process
    def _instances(self, region: str, start: int, size: int) -> tuple[bytes, bytes]:
        end = min(start + size, self._fleet.get(region, 0))
        token = f"eyJ2IjoiMiJ9-{end}" if end < self._fleet.get(region, 0) else ""
        body = page(region, start, end, token)
        return body, gzip.compress(body, 6)

    def _other(self, action: str) -> bytes:
        if action == "DescribeRegions":
            names = "".join(
                f"<item><regionName>{name}</regionName>"
                f"<regionEndpoint>ec2.{name}.amazonaws.com</regionEndpoint>"
                "<optInStatus>opt-in-not-required</optInStatus></item>"
                for name in self._fleet
            )
            inner = f"<regionInfo>{names}</regionInfo>"
        elif action == "GetCallerIdentity":
            inner = (
                f"<GetCallerIdentityResult><Arn>arn:aws:iam::{ACCOUNT}:user/ada</Arn>"
                f"<UserId>AIDA</UserId><Account>{ACCOUNT}</Account></GetCallerIdentityResult>"
            )
        else:
            inner = ""
        return f"{_HEAD.format(action=action)}{inner}</{action}Response>\n".encode()


class _Server:
    def __init__(self, pages: Pages, latency: float, bandwidth: float) -> None:
        self._pages = pages
        self._latency = latency
        self._bandwidth = bandwidth
        self._asked: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while head := await _head(reader):
                length = int(head.get("content-length", "0"))
                body = (await reader.readexactly(length)).decode()
                if "requests" in head["_line"]:
                    said, self._asked = json.dumps(self._asked).encode(), []
                    await self._send(writer, said, "application/json", False, 0)
                    continue
                words = parse_qs(body)
                region = head.get("authorization", "////").split("/")[2]
                self._asked.append(f"{words['Action'][0]} {region}")
                packed = "gzip" in head.get("accept-encoding", "")
                answer = self._pages.answer(words, region, packed)
                await asyncio.sleep(self._latency)
                await self._send(writer, answer, "text/xml;charset=UTF-8", packed, self._bandwidth)
        writer.close()

    async def _send(
        self, writer: asyncio.StreamWriter, body: bytes, kind: str, packed: bool, bandwidth: float
    ) -> None:
        encoding = "Content-Encoding: gzip\r\n" if packed else ""
        head = (
            f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
            f"{encoding}\r\n"
        ).encode()
        for sent in _paced(head + body, bandwidth):
            writer.write(sent[0])
            await writer.drain()
            if sent[1]:
                await asyncio.sleep(sent[1])


def _paced(data: bytes, bandwidth: float) -> Iterator[tuple[memoryview, float]]:
    """Pieces, each with the seconds that the line needs until the next may be sent."""
    view = memoryview(data)
    if not bandwidth:
        yield view, 0.0
        return
    clock = asyncio.get_running_loop().time
    began, size = clock(), 16_384
    for start in range(0, len(view), size):
        piece = view[start : start + size]
        due = began + (start + len(piece)) * 8 / bandwidth
        yield piece, max(0.0, due - clock())


async def _head(reader: asyncio.StreamReader) -> dict[str, str]:
    """The request's line as `_line` and its headers in lower case; empty at the end."""
    try:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    except asyncio.IncompleteReadError:
        return {}
    pairs = (line.partition(":") for line in lines[1:] if line)
    return {"_line": lines[0]} | {name.lower(): value.strip() for name, _, value in pairs}


async def _run(words: str) -> None:
    asked = json.loads(words)
    server = _Server(Pages(asked["fleet"]), asked["latency"], asked["bandwidth"])
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    print(listener.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)  # ends with the parent


if __name__ == "__main__":
    asyncio.run(_run(sys.argv[1]))
