"""One demo for most tests of the room, and OpenSSH's own client to reach its hosts."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiobotocore.session import get_session
from types_aiobotocore_ec2.client import EC2Client
from types_aiobotocore_ec2.type_defs import InstanceTypeDef

from cloudtui.demo.launch import Demo


@dataclass
class Site:
    """A demo with its instances by name, as they were when it began."""

    demo: Demo
    addresses: dict[str, str] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)

    def ssh(
        self,
        target: str,
        *command: str,
        options: tuple[str, ...] = (),
        stdin: bytes = b"",
        timeout: float = 60,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run OpenSSH on the demo's config file; `target` is a name of the fleet or an address."""
        address = self.addresses.get(target, target)
        argv = ["ssh", "-F", str(self.demo.ssh_config), *options, address, *command]
        return subprocess.run(argv, input=stdin, capture_output=True, timeout=timeout, check=False)

    def attach(self, address: str) -> subprocess.Popen[bytes]:
        """A client on the training run's tmux session, its output thrown away."""
        return subprocess.Popen(
            ["ssh", "-tt", "-F", str(self.demo.ssh_config), address, "tmux attach -t bert"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def say(self, target: str, command: str) -> str:
        """What a command that must succeed prints."""
        answer = self.ssh(target, command)
        assert answer.returncode == 0, answer.stderr.decode()
        return answer.stdout.decode()


@pytest.fixture(scope="package")
def shared_demo() -> Iterator[Demo]:
    with Demo(phase_seconds=0.6) as demo:
        demo.wait_booted(120)
        yield demo


@pytest.fixture
async def ec2(shared_demo: Demo) -> AsyncIterator[EC2Client]:
    async with client(shared_demo, "us-east-1") as made:
        yield made


@pytest.fixture
async def site(shared_demo: Demo, ec2: EC2Client) -> Site:
    found = Site(shared_demo)
    for instance in await instances(ec2):
        found.ids[name(instance)] = instance["InstanceId"]
        found.addresses[name(instance)] = instance.get("PublicIpAddress", "")
    return found


@asynccontextmanager
async def client(demo: Demo, region: str) -> AsyncIterator[EC2Client]:
    """An EC2 client with the settings that the demo's environment would give it."""
    environment = demo.environment
    async with get_session().create_client(
        "ec2",
        region_name=region,
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    ) as made:
        yield made


async def instances(ec2: EC2Client, *ids: str) -> list[InstanceTypeDef]:
    answer = await ec2.describe_instances(InstanceIds=list(ids))
    return [i for reservation in answer["Reservations"] for i in reservation["Instances"]]


def name(instance: InstanceTypeDef) -> str:
    return next(tag["Value"] for tag in instance["Tags"] if tag["Key"] == "Name")


async def state(ec2: EC2Client, instance_id: str) -> str:
    return (await instances(ec2, instance_id))[0]["State"]["Name"]


async def reaches(ec2: EC2Client, instance_id: str, wanted: str) -> InstanceTypeDef:
    """Wait for a state and return the instance as it is then."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        instance = (await instances(ec2, instance_id))[0]
        if instance["State"]["Name"] == wanted:
            return instance
        await asyncio.sleep(0.05)
    raise AssertionError(f"{instance_id} never became {wanted}")


async def until(holds: Callable[[], object], what: str, seconds: float = 30) -> None:
    """Wait for something outside this process."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"{what} never came to be"
        await asyncio.sleep(0.05)
