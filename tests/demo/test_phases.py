"""EC2's behaviour over time: phases, addresses, refusals, and the hosts that follow."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from types_aiobotocore_ec2.client import EC2Client
from types_aiobotocore_ec2.type_defs import TagSpecificationTypeDef, TagTypeDef

from cloudtui.demo import processes
from cloudtui.demo.launch import Demo
from tests.demo.conftest import Site, client, instances, name, reaches, state, until


def mark(instance_id: str) -> str:
    return f"CLOUDTUI_DEMO_HOST={instance_id}"


async def test_stop_ends_processes_and_start_moves_the_address(site: Site, ec2: EC2Client) -> None:
    bert, address = site.ids["bert-gpu"], site.addresses["bert-gpu"]
    site.say(address, "setsid -f sleep 300 </dev/null >/dev/null 2>&1")
    attached = site.attach(address)
    assert processes.marked(mark(bert))

    await ec2.stop_instances(InstanceIds=[bert])
    assert await state(ec2, bert) == "stopping"
    await until(lambda: not processes.marked(mark(bert)), "the end of the host's processes")
    stopped = await reaches(ec2, bert, "stopped")
    assert "PublicIpAddress" not in stopped
    assert attached.wait(5) == 255
    assert site.ssh(address, "true", options=("-o", "ConnectTimeout=2")).returncode == 255

    launched = stopped["LaunchTime"]
    await ec2.start_instances(InstanceIds=[bert])
    assert await state(ec2, bert) == "pending"
    again = await reaches(ec2, bert, "running")
    moved = again["PublicIpAddress"]
    assert moved != address
    assert again["LaunchTime"] > launched
    await until(lambda: site.ssh(moved, "tmux has-session -t bert").returncode == 0, "tmux")
    await until(lambda: "train.py" in site.say(moved, "ps -eo args"), "the run")


async def test_host_key_and_home_stay_over_stop_and_start(site: Site, ec2: EC2Client) -> None:
    box, address = site.ids["jupyter-lab"], site.addresses["jupyter-lab"]
    site.say(address, "echo kept > notes.txt")
    before = key_of(site, address)
    await ec2.stop_instances(InstanceIds=[box])
    await reaches(ec2, box, "stopped")
    await ec2.start_instances(InstanceIds=[box])
    moved = (await reaches(ec2, box, "running"))["PublicIpAddress"]
    await until(lambda: site.ssh(moved, "true").returncode == 0, "the SSH server")
    assert site.say(moved, "cat notes.txt") == "kept\n"
    assert key_of(site, moved) == before


def key_of(site: Site, address: str) -> str:
    lines = (site.demo.folder / "ssh/known_hosts").read_text().splitlines()
    return next(line.split(" ", 1)[1] for line in lines if line.startswith(f"[{address}]"))


async def test_elastic_address_stays_over_stop_and_start(site: Site, ec2: EC2Client) -> None:
    box = site.ids["jupyter-lab"]
    elastic = await ec2.allocate_address(Domain="vpc")
    address, allocation = elastic["PublicIp"], elastic["AllocationId"]
    await ec2.associate_address(InstanceId=box, AllocationId=allocation)
    await until(lambda: site.ssh(address, "true").returncode == 0, "the new address")
    with pytest.raises(ClientError, match=r"InvalidIPAddress\.InUse"):
        await ec2.release_address(AllocationId=allocation)

    await ec2.stop_instances(InstanceIds=[box])
    assert (await reaches(ec2, box, "stopped"))["PublicIpAddress"] == address
    await ec2.start_instances(InstanceIds=[box])
    assert (await reaches(ec2, box, "running"))["PublicIpAddress"] == address

    described = (await ec2.describe_addresses(AllocationIds=[allocation]))["Addresses"][0]
    await ec2.disassociate_address(AssociationId=described["AssociationId"])
    moved = (await instances(ec2, box))[0]["PublicIpAddress"]
    assert moved != address
    await ec2.release_address(AllocationId=allocation)
    await until(lambda: site.ssh(moved, "true").returncode == 0, "the drawn address")


async def test_sixth_address_of_a_region_is_refused(shared_demo: Demo) -> None:
    async with client(shared_demo, "eu-west-1") as ec2:
        held = [(await ec2.allocate_address(Domain="vpc"))["AllocationId"] for _ in range(5)]
        with pytest.raises(ClientError, match="AddressLimitExceeded"):
            await ec2.allocate_address(Domain="vpc")
        for allocation in held:
            await ec2.release_address(AllocationId=allocation)


async def test_wrong_states_and_one_time_spot_are_refused(site: Site, ec2: EC2Client) -> None:
    with pytest.raises(ClientError, match="UnsupportedOperation"):
        await ec2.stop_instances(InstanceIds=[site.ids["spot-trainer"]])
    with pytest.raises(ClientError, match="IncorrectInstanceState"):
        await ec2.reboot_instances(InstanceIds=[site.ids["etl-box"]])


async def test_reboot_ends_what_ran(site: Site, ec2: EC2Client) -> None:
    spot, address = site.ids["spot-trainer"], site.addresses["spot-trainer"]
    site.say(address, "setsid -f sleep 300 </dev/null >/dev/null 2>&1")
    before = processes.marked(mark(spot))
    assert before
    await ec2.reboot_instances(InstanceIds=[spot])
    await until(lambda: not before & processes.marked(mark(spot)), "the end of what ran")
    assert await state(ec2, spot) == "running"
    await until(lambda: site.ssh(address, "true").returncode == 0, "the SSH server")


async def test_a_launched_instance_gets_a_host_and_termination_takes_it(
    site: Site, ec2: EC2Client
) -> None:
    image = (await instances(ec2, site.ids["bert-gpu"]))[0]["ImageId"]
    tags: list[TagTypeDef] = [{"Key": "Name", "Value": "fresh"}]
    wanted: TagSpecificationTypeDef = {"ResourceType": "instance", "Tags": tags}
    launched = await ec2.run_instances(
        ImageId=image,
        InstanceType="t3.micro",
        KeyName="demo",
        MinCount=1,
        MaxCount=1,
        TagSpecifications=[wanted],
    )
    fresh = launched["Instances"][0]["InstanceId"]
    assert await state(ec2, fresh) == "pending"
    running = await reaches(ec2, fresh, "running")
    assert name(running) == "fresh"
    address = running["PublicIpAddress"]
    await until(lambda: site.ssh(address, "true").returncode == 0, "the SSH server")
    assert "ubuntu@fresh" in site.say(address, "bash -ic 'echo ${PS1@P}' 2>/dev/null")

    await ec2.terminate_instances(InstanceIds=[fresh])
    assert await state(ec2, fresh) == "shutting-down"
    await reaches(ec2, fresh, "terminated")
    with pytest.raises(ClientError, match="IncorrectInstanceState"):
        await ec2.start_instances(InstanceIds=[fresh])
    assert not processes.marked(mark(fresh))


async def test_a_shutdown_on_a_host_is_the_instance_s_own(site: Site, ec2: EC2Client) -> None:
    box = site.ids["jupyter-lab"]
    now = (await instances(ec2, box))[0]["PublicIpAddress"]
    assert site.ssh(now, "sudo -n -k shutdown --help").returncode == 0
    assert "pretend" in site.say(now, "cat $(command -v who)")
    assert await state(ec2, box) == "running"
    assert site.ssh(now, "sudo -n apt install x").returncode == 1
    assert site.say(now, "sudo whoami") == site.say(now, "whoami")
    site.say(now, "sudo -n $(command -v shutdown) -h now")
    stopped = await reaches(ec2, box, "stopped")
    assert "InstanceInitiatedShutdown" in stopped["StateReason"]["Code"]
    await ec2.start_instances(InstanceIds=[box])
    await reaches(ec2, box, "running")
