from __future__ import annotations

from datetime import UTC, datetime, timedelta

from types_aiobotocore_ec2.client import EC2Client

from cloudtui.demo.launch import Demo
from cloudtui.model.remote import login_user
from tests.demo.conftest import client, instances, name


async def test_two_regions_hold_the_fleet(shared_demo: Demo, ec2: EC2Client) -> None:
    here = {name(i): i for i in await instances(ec2)}
    async with client(shared_demo, "eu-west-1") as europe:
        there = {name(i): i for i in await instances(europe)}
    assert list(there) == ["paper-eu"]
    assert there["paper-eu"]["Placement"]["AvailabilityZone"] == "eu-west-1a"
    fleet = ("bert-gpu", "jupyter-lab", "etl-box", "spot-trainer")
    assert {n: here[n]["State"]["Name"] for n in fleet} == {
        "bert-gpu": "running",
        "jupyter-lab": "running",
        "etl-box": "stopped",
        "spot-trainer": "running",
    }
    bert = here["bert-gpu"]
    assert bert["InstanceType"] == "g5.2xlarge"
    assert bert["KeyName"] == "demo"
    assert {"Key": "team", "Value": "nlp"} in bert["Tags"]
    assert here["spot-trainer"]["InstanceLifecycle"] == "spot"
    assert "InstanceLifecycle" not in bert


async def test_launches_lie_hours_to_days_back(ec2: EC2Client) -> None:
    ages = {name(i): datetime.now(UTC) - i["LaunchTime"] for i in await instances(ec2)}
    assert timedelta(hours=1) < ages["spot-trainer"] < timedelta(hours=3)
    assert timedelta(days=8) < ages["etl-box"] < timedelta(days=10)


async def test_images_tell_the_login_user(ec2: EC2Client) -> None:
    wanted = {i["ImageId"] for i in await instances(ec2)}
    images = (await ec2.describe_images(ImageIds=sorted(wanted)))["Images"]
    assert {i["ImageId"] for i in images} == wanted
    assert {login_user(i["Name"], i["Description"]) for i in images} == {"ubuntu"}


async def test_one_elastic_address_is_unused(shared_demo: Demo) -> None:
    async with client(shared_demo, "us-east-1") as ec2:
        held = (await ec2.describe_addresses())["Addresses"]
    unused = next(a for a in held if {"Key": "Name", "Value": "old-notebook"} in a.get("Tags", ()))
    assert "AssociationId" not in unused


async def test_ssh_is_open_in_the_group(ec2: EC2Client) -> None:
    groups = (await ec2.describe_security_groups(GroupNames=["ssh"]))["SecurityGroups"]
    rule = groups[0]["IpPermissions"][0]
    assert (rule["FromPort"], rule["ToPort"]) == (22, 22)
    bert = next(i for i in await instances(ec2) if name(i) == "bert-gpu")
    assert "ssh" in {g["GroupName"] for g in bert["SecurityGroups"]}
