"""The security groups of the demo, as one finds them in an account that is used."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from cloudtui.model.security_group import mark, who

if TYPE_CHECKING:
    from cloudtui.demo.ec2 import Ec2

MY_ADDRESS = "198.51.100.23"
"""The public address that this computer seems to have; of a block kept for examples, like the
others here."""
OLD_ADDRESS = "198.51.100.201"
OFFICE = "192.0.2.0/24"
LOOPBACK = "127.0.0.0/8"
"""Where connections to the demo's hosts really come from."""

SSH, NOTEBOOKS, CLUSTER, QUICK = "ssh", "notebooks", "cluster", "quick"
_DESCRIPTIONS = {
    SSH: "SSH from known places",
    NOTEBOOKS: "JupyterLab of the team",
    CLUSTER: "Training machines among themselves",
    QUICK: "open for now",
}
_INSTANCE_CONNECT = "pl-0e4bcff02b13bef1e"


def seed(ec2: Ec2, region: str) -> dict[str, str]:
    """Make the groups of a region; returns their ids by name."""
    made = {
        name: ec2.call(
            region, "CreateSecurityGroup", GroupName=name, GroupDescription=description
        ).findtext("groupId", "")
        for name, description in _DESCRIPTIONS.items()
    }

    def mine(days: int) -> str:
        maker = who(getpass.getuser(), socket.gethostname())
        return mark(maker, date.today() - timedelta(days=days))

    for name, protocol, first, last, source, description in (
        (SSH, "tcp", 22, 22, LOOPBACK, "the demo itself"),
        (SSH, "tcp", 22, 22, f"{MY_ADDRESS}/32", mine(3)),
        (SSH, "tcp", 22, 22, OFFICE, "office"),
        (SSH, "tcp", 22, 22, _INSTANCE_CONNECT, "EC2 Instance Connect"),
        (NOTEBOOKS, "tcp", 22, 22, LOOPBACK, "the demo itself"),
        (NOTEBOOKS, "tcp", 22, 22, f"{OLD_ADDRESS}/32", mine(12)),
        (NOTEBOOKS, "tcp", 8888, 8888, OFFICE, "office"),
        (NOTEBOOKS, "icmp", 8, -1, "10.0.0.0/8", ""),
        (CLUSTER, "-1", -1, -1, made[CLUSTER], ""),
        (CLUSTER, "tcp", 2049, 2049, "172.31.0.0/16", "shared home"),
        (CLUSTER, "tcp", 8000, 8100, "2001:db8:7::/48", "dashboards"),
        (QUICK, "tcp", 22, 22, "0.0.0.0/0", ""),
        (QUICK, "tcp", 8888, 8888, OFFICE, "office"),
    ):
        ec2.call(
            region,
            "AuthorizeSecurityGroupIngress",
            GroupId=made[name],
            IpPermissions__1__IpProtocol=protocol,
            **_ports(protocol, first, last),
            **_source(source, description),
        )
    return made


def _ports(protocol: str, first: int, last: int) -> dict[str, str]:
    if protocol == "-1":
        return {}
    return {"IpPermissions__1__FromPort": str(first), "IpPermissions__1__ToPort": str(last)}


def _source(source: str, description: str) -> dict[str, str]:
    kind, key = "IpRanges", "CidrIp"
    if source.startswith("sg-"):
        kind, key = "Groups", "GroupId"
    elif source.startswith("pl-"):
        kind, key = "PrefixListIds", "PrefixListId"
    elif ":" in source:
        kind, key = "Ipv6Ranges", "CidrIpv6"
    start = f"IpPermissions__1__{kind}__1__"
    return {
        f"{start}{key}": source,
        **({f"{start}Description": description} if description else {}),
    }


def install() -> None:
    """Patch moto: a machine's groups are its network interfaces', and the last one stays."""
    from moto.ec2.exceptions import EC2ClientError
    from moto.ec2.models.instances import InstanceBackend

    backend: Any = InstanceBackend
    modify = backend.modify_instance_security_groups

    def modifying(self: Any, instance_id: str, new_group_id_list: list[str]) -> Any:
        if not new_group_id_list:
            raise EC2ClientError(
                "InvalidParameterCombination",
                "You must specify one or more security groups",
            )
        instance = modify(self, instance_id, new_group_id_list)
        interfaces: Mapping[int, Any] = instance.nics
        for interface in interfaces.values():
            interface._group_set = list(instance.security_groups)
        return instance

    backend.modify_instance_security_groups = modifying
