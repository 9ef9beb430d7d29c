"""Security groups and Elastic IPs of the demo: as EC2 has them, and the hosts follow."""

from __future__ import annotations

import urllib.request

import pytest
from botocore.exceptions import ClientError
from types_aiobotocore_ec2.client import EC2Client
from types_aiobotocore_ec2.type_defs import InstanceTypeDef

from cloudtui.aws.clients import Amazon
from cloudtui.aws.security_groups import groups_of, interfaces
from cloudtui.demo import groups
from cloudtui.demo.launch import Demo
from cloudtui.files import settings
from cloudtui.model.security_group import exposed, read_mark
from tests.demo.conftest import Site, instances, name, until


def test_the_settings_lead_to_a_page_that_says_my_address(shared_demo: Demo) -> None:
    told = settings.load(shared_demo.plan.config_home / "cloudtui" / "settings.yaml")
    (url,) = told.address_urls
    with urllib.request.urlopen(url) as answer:
        assert answer.read().decode().strip() == groups.MY_ADDRESS


@pytest.fixture
def within(shared_demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment that the console has in the demo."""
    for key, value in shared_demo.environment.items():
        monkeypatch.setenv(key, value)


async def test_groups_are_as_one_finds_them(within: None, ec2: EC2Client) -> None:
    wanted = {
        g["GroupId"]: g["GroupName"]
        for g in (await ec2.describe_security_groups())["SecurityGroups"]
    }
    async with Amazon(regions=["us-east-1"]) as amazon:
        found = {g.name: g for g in await groups_of(amazon, "us-east-1", wanted)}
    assert {"ssh", "notebooks", "cluster", "quick", "default"} <= found.keys()
    assert exposed([found["quick"]])
    assert not exposed([found["ssh"], found["notebooks"], found["cluster"]])
    mine = [read_mark(rule.description) for rule in found["ssh"].inbound]
    assert sum(each is not None for each in mine) == 1
    sources = {rule.source[:3] for group in found.values() for rule in group.inbound}
    assert {"sg-", "pl-", "0.0", "200"} <= sources


async def test_groups_of_a_machine_are_those_of_its_interface(
    within: None, ec2: EC2Client, site: Site
) -> None:
    box = site.ids["etl-box"]
    before = [g["GroupId"] for g in (await machine(ec2, "etl-box"))["SecurityGroups"]]
    known = (await ec2.describe_security_groups(GroupNames=["cluster"]))["SecurityGroups"]
    try:
        await ec2.modify_instance_attribute(InstanceId=box, Groups=[known[0]["GroupId"]])
        async with Amazon(regions=["us-east-1"]) as amazon:
            (own,) = await interfaces(amazon, "us-east-1", "attachment.instance-id", [box])
        assert [group for _, group in own.groups] == ["cluster"]
    finally:
        await ec2.modify_instance_attribute(InstanceId=box, Groups=before)


async def test_an_elastic_ip_moves_the_host_and_goes_from_one_to_another(
    ec2: EC2Client, site: Site
) -> None:
    spot, lab = site.ids["spot-trainer"], site.ids["jupyter-lab"]
    before = (await machine(ec2, "spot-trainer"))["PublicIpAddress"]
    address = await ec2.allocate_address(Domain="vpc")
    ip, allocation = address["PublicIp"], address["AllocationId"]
    try:
        await ec2.associate_address(AllocationId=allocation, InstanceId=spot)
        await until(lambda: site.ssh(ip, "true").returncode == 0, "the SSH server")
        assert (await machine(ec2, "spot-trainer"))["PublicIpAddress"] == ip
        with pytest.raises(ClientError, match=r"Resource\.AlreadyAssociated"):
            await ec2.associate_address(
                AllocationId=allocation, InstanceId=lab, AllowReassociation=False
            )
        await ec2.associate_address(
            AllocationId=allocation, InstanceId=lab, AllowReassociation=True
        )
        freed = (await machine(ec2, "spot-trainer"))["PublicIpAddress"]
        assert freed not in (ip, before)
        assert (await machine(ec2, "jupyter-lab"))["PublicIpAddress"] == ip
        await until(lambda: site.ssh(freed, "true").returncode == 0, "the SSH server")
        second = await ec2.allocate_address(Domain="vpc")
        await ec2.associate_address(AllocationId=second["AllocationId"], InstanceId=lab)
        held = (await ec2.describe_addresses(AllocationIds=[allocation]))["Addresses"][0]
        assert not held.get("AssociationId")
        found = await ec2.describe_addresses(AllocationIds=[second["AllocationId"]])
        await ec2.disassociate_address(AssociationId=found["Addresses"][0]["AssociationId"])
        await ec2.release_address(AllocationId=second["AllocationId"])
    finally:
        await ec2.release_address(AllocationId=allocation)


async def machine(ec2: EC2Client, wanted: str) -> InstanceTypeDef:
    return next(i for i in await instances(ec2) if name(i) == wanted)
