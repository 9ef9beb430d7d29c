"""The instances of the demo, made through the API like any user's, with ages of their own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from cloudtui.demo import groups, looks, machine_changes
from cloudtui.demo.ec2 import DEEP_LEARNING, SERVER, Ec2

KEY_PAIR = "demo"


@dataclass(frozen=True, slots=True)
class Machine:
    """One instance to begin with."""

    name: str
    type: str
    zone: str
    image: str
    hours: float
    """Hours since its launch."""
    disk: int
    """GiB of its root volume."""
    tags: tuple[tuple[str, str], ...] = ()
    spot: bool = False
    stopped_hours: float = 0.0
    """Hours since it was stopped; 0 for a running one."""
    protected: bool = False
    """From being terminated."""
    hibernates: bool = False
    groups: tuple[str, ...] = (groups.SSH,)
    """Its security groups, by name."""
    data_disk: int = 0
    """GiB of a volume that is kept when the machine is terminated; 0 for none."""

    @property
    def region(self) -> str:
        return self.zone[:-1]


FLEET = (
    Machine(
        "bert-gpu",
        "g5.2xlarge",
        "us-east-1a",
        DEEP_LEARNING,
        27.4,
        200,
        (("team", "nlp"), ("project", "bert")),
        groups=(groups.SSH, groups.CLUSTER),
    ),
    Machine(
        "jupyter-lab",
        "t3.xlarge",
        "us-east-1b",
        SERVER,
        6.2,
        80,
        (("team", "nlp"), ("project", "notebooks")),
        groups=(groups.NOTEBOOKS,),
        hibernates=True,
    ),
    Machine(
        "etl-box",
        "m5.xlarge",
        "us-east-1c",
        SERVER,
        213.0,
        120,
        (("team", "data"), ("project", "corpus")),
        stopped_hours=38.5,
        protected=True,
        data_disk=500,
    ),
    Machine(
        "spot-trainer",
        "g4dn.xlarge",
        "us-east-1d",
        DEEP_LEARNING,
        1.7,
        150,
        (("team", "nlp"), ("project", "sweeps")),
        groups=(groups.SSH, groups.CLUSTER),
        spot=True,
    ),
    Machine(
        "paper-eu",
        "c5.2xlarge",
        "eu-west-1a",
        SERVER,
        121.6,
        60,
        (("team", "research"), ("project", "paper")),
        groups=(groups.QUICK,),
    ),
)


def seed(ec2: Ec2, public_key: str) -> None:
    """Make key pair, security groups, instances and one Elastic IP that nothing uses."""
    import base64

    for region in sorted({machine.region for machine in FLEET}):
        material = base64.b64encode(public_key.encode()).decode()
        ec2.call(region, "ImportKeyPair", KeyName=KEY_PAIR, PublicKeyMaterial=material)
        made = groups.seed(ec2, region)
        for machine in FLEET:
            if machine.region == region:
                _launch(ec2, machine, [made[name] for name in machine.groups])
    ec2.call(
        "us-east-1",
        "AllocateAddress",
        Domain="vpc",
        TagSpecification__1__ResourceType="elastic-ip",
        TagSpecification__1__Tag__1__Key="Name",
        TagSpecification__1__Tag__1__Value="old-notebook",
    )


def _launch(ec2: Ec2, machine: Machine, group_ids: list[str]) -> None:
    parameters = {
        "ImageId": machine.image,
        "InstanceType": machine.type,
        "KeyName": KEY_PAIR,
        "MinCount": "1",
        "MaxCount": "1",
        "Placement.AvailabilityZone": machine.zone,
        "BlockDeviceMapping.1.DeviceName": "/dev/sda1",
        "BlockDeviceMapping.1.Ebs.VolumeSize": str(machine.disk),
        "BlockDeviceMapping.1.Ebs.VolumeType": "gp3",
        "BlockDeviceMapping.1.Ebs.Encrypted": str(groups.QUICK not in machine.groups).lower(),
        "UserData": looks.user_data(machine.name),
        "BlockDeviceMapping.1.Ebs.DeleteOnTermination": "true",
        "TagSpecification.1.ResourceType": "instance",
    }
    for number, (key, value) in enumerate((("Name", machine.name), *machine.tags), 1):
        parameters[f"TagSpecification.1.Tag.{number}.Key"] = key
        parameters[f"TagSpecification.1.Tag.{number}.Value"] = value
    for number, group in enumerate(group_ids, 1):
        parameters[f"SecurityGroupId.{number}"] = group
    if machine.spot:
        parameters["InstanceMarketOptions.MarketType"] = "spot"
    if machine.hibernates:
        parameters["HibernationOptions.Configured"] = "true"
    if machine.data_disk:
        parameters["BlockDeviceMapping.2.DeviceName"] = "/dev/sdf"
        parameters["BlockDeviceMapping.2.Ebs.VolumeSize"] = str(machine.data_disk)
        parameters["BlockDeviceMapping.2.Ebs.VolumeType"] = "gp3"
        parameters["BlockDeviceMapping.2.Ebs.DeleteOnTermination"] = "false"
    answer = ec2.call(machine.region, "RunInstances", **parameters)
    instance_id = answer.findtext(".//instanceId", "")
    instance = ec2.backend(machine.region).get_instance(instance_id)
    instance.disable_api_termination = machine.protected
    if machine.spot:
        machine_changes.request_spot(ec2.backend(machine.region), instance)
    _age(instance, machine.hours)
    if machine.stopped_hours:
        ec2.call(machine.region, "StopInstances", InstanceId__1=instance_id)
        at = instance.launch_time + timedelta(hours=machine.hours - machine.stopped_hours)
        instance._reason = f"User initiated ({at:%Y-%m-%d %H:%M:%S} GMT)"


def _age(instance: Any, hours: float) -> None:
    """Move launch and attachments into the past."""
    launched = instance.launch_time - timedelta(hours=hours)
    instance.launch_time = launched
    for interface in instance.nics.values():
        interface.attach_time = launched
    for device in instance.block_device_mapping.values():
        device.attach_time = launched
