"""EC2's calls about security groups, and the network interfaces that have them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from cloudtui.aws.clients import Amazon
from cloudtui.aws.errors import translated
from cloudtui.aws.refusals import Refusals, told
from cloudtui.model.errors import NotFound, QuotaReached, Refused, UsageError
from cloudtui.model.instance import Instance
from cloudtui.model.security_group import Group, Interface, Rule, rule_of

_FILTER_VALUES = 200
_PAGE_SIZE = 1000
_SOURCES = (
    ("IpRanges", "CidrIp"),
    ("Ipv6Ranges", "CidrIpv6"),
    ("UserIdGroupPairs", "GroupId"),
    ("PrefixListIds", "PrefixListId"),
)


async def groups_of(amazon: Amazon, region: str, ids: Iterable[str]) -> tuple[Group, ...]:
    """The security groups of these ids; those that are gone are left out."""
    wanted = sorted(set(ids))
    found: list[Group] = []
    for start in range(0, len(wanted), _FILTER_VALUES):
        # A filter, because GroupIds fails as a whole when one group is gone.
        found += await _groups(amazon, region, "group-id", wanted[start : start + _FILTER_VALUES])
    return tuple(found)


async def groups_in(amazon: Amazon, region: str, vpc_id: str) -> tuple[Group, ...]:
    """Every security group of a VPC, by name."""
    found = await _groups(amazon, region, "vpc-id", [vpc_id])
    return tuple(sorted(found, key=lambda group: (group.name.casefold(), group.id)))


async def _groups(amazon: Amazon, region: str, name: str, values: list[str]) -> list[Group]:
    found: list[Group] = []
    token = ""
    while True:
        with translated("look up security groups", region, amazon.profile):
            client: Any = await amazon.client("ec2", region)
            answer = await client.describe_security_groups(
                Filters=[{"Name": name, "Values": values}],
                **({"NextToken": token} if token else {}),
            )
        found += [_group(raw) for raw in answer.get("SecurityGroups", ())]
        token = answer.get("NextToken") or ""
        if not token:
            return found


def _group(raw: Mapping[str, Any]) -> Group:
    return Group(
        raw["GroupId"],
        raw.get("GroupName", ""),
        tuple(r for each in raw.get("IpPermissions", ()) for r in _rules(each, outbound=False)),
        tuple(
            r for each in raw.get("IpPermissionsEgress", ()) for r in _rules(each, outbound=True)
        ),
        raw.get("VpcId", ""),
        raw.get("Description", ""),
    )


def _rules(raw: Mapping[str, Any], *, outbound: bool) -> list[Rule]:
    return [
        rule_of(
            str(raw.get("IpProtocol", "-1")),
            raw.get("FromPort"),
            raw.get("ToPort"),
            entry.get(key, ""),
            entry.get("Description", ""),
            outbound=outbound,
        )
        for name, key in _SOURCES
        for entry in raw.get(name, ())
    ]


async def interfaces(
    amazon: Amazon, region: str, name: str, values: Sequence[str], *, pages: int = 0
) -> tuple[Interface, ...]:
    """The network interfaces that a filter lets through: `attachment.instance-id`, `group-id`,
    `network-interface-id`. The primary one of each instance first; with `pages` no more than so
    many times 1,000."""
    found: list[Interface] = []
    for start in range(0, len(values), _FILTER_VALUES):
        wanted = list(values[start : start + _FILTER_VALUES])
        token, read = "", 0
        while True:
            with translated("look up network interfaces", region, amazon.profile):
                client: Any = await amazon.client("ec2", region)
                answer = await client.describe_network_interfaces(
                    Filters=[{"Name": name, "Values": wanted}],
                    MaxResults=_PAGE_SIZE,
                    **({"NextToken": token} if token else {}),
                )
            found += [_interface(raw) for raw in answer.get("NetworkInterfaces", ())]
            token, read = answer.get("NextToken") or "", read + 1
            if not token or read == pages:
                break
    return tuple(sorted(found, key=lambda i: (i.instance_id, i.index, i.id)))


def _interface(raw: Mapping[str, Any]) -> Interface:
    attached = raw.get("Attachment") or {}
    v6 = [entry.get("Ipv6Address", "") for entry in raw.get("Ipv6Addresses") or ()]
    return Interface(
        raw["NetworkInterfaceId"],
        attached.get("InstanceId") or "",
        int(attached.get("DeviceIndex") or 0),
        tuple((g["GroupId"], g.get("GroupName", "")) for g in raw.get("Groups") or ()),
        raw.get("PrivateIpAddress") or "",
        (raw.get("Association") or {}).get("PublicIp") or "",
        next(iter(v6), ""),
        raw.get("InterfaceType") or "interface",
        raw.get("Description") or "",
    )


async def authorize(amazon: Amazon, region: str, group: Group, rule: Rule) -> bool:
    """Add an inbound rule; False when the group has it already.

    Raises:
        CloudtuiError: EC2 refuses, or was not reached.
    """
    try:
        with _told(f"open {rule.what} in group {group.label}", region, amazon.profile):
            client: Any = await amazon.client("ec2", region)
            await client.authorize_security_group_ingress(
                GroupId=group.id, IpPermissions=[_permission(rule, rule.description)]
            )
    except _Duplicate:
        return False
    return True


async def revoke(amazon: Amazon, region: str, group: Group, rule: Rule) -> None:
    """Take a rule away.

    Raises:
        NotFound: it is gone already.
        CloudtuiError: EC2 refuses, or was not reached.
    """
    doing = f"take {rule.what} away from group {group.label}"
    way = "egress" if rule.outbound else "ingress"
    with _told(doing, region, amazon.profile):
        client: Any = await amazon.client("ec2", region)
        # Without its description, which EC2 does not compare.
        answer = await getattr(client, f"revoke_security_group_{way}")(
            GroupId=group.id, IpPermissions=[_permission(rule)]
        )
    # In a default VPC EC2 only tells that it found no such rule.
    if answer.get("UnknownIpPermissions"):
        raise _no_rule(doing, f"EC2 knows no rule {rule.what} of {rule.source} in it.")


def _permission(rule: Rule, description: str = "") -> dict[str, Any]:
    of = {"sg-": "UserIdGroupPairs", "pl-": "PrefixListIds"}.get(rule.source[:3])
    name = of or ("Ipv6Ranges" if ":" in rule.source else "IpRanges")
    entry = {dict(_SOURCES)[name]: rule.source}
    if description:
        entry["Description"] = description
    wanted: dict[str, Any] = {"IpProtocol": rule.protocol, name: [entry]}
    if rule.protocol != "-1" and not rule.protocol.isdigit():
        wanted |= {"FromPort": rule.first, "ToPort": rule.last}
    return wanted


async def set_groups(
    amazon: Amazon, instance: Instance, ids: Sequence[str], interface_id: str = ""
) -> None:
    """Replace the groups of the machine, or of one of its network interfaces.

    Raises:
        CloudtuiError: EC2 refuses, or was not reached.
    """
    doing = f"change the security groups of {instance.label}"
    with _told(doing, instance.region, amazon.profile):
        client: Any = await amazon.client("ec2", instance.region)
        if interface_id:
            await client.modify_network_interface_attribute(
                NetworkInterfaceId=interface_id, Groups=list(ids)
            )
        else:
            await client.modify_instance_attribute(InstanceId=instance.id, Groups=list(ids))


class _Duplicate(Exception):
    """The group has the rule already."""


_REFUSALS: Refusals = {
    "RulesPerSecurityGroupLimitExceeded": (
        QuotaReached,
        "the group has as many rules as the account's quota allows (60 unless it was raised)",
        "Take away a rule that nobody needs, put it into another group with --group, or ask for "
        "more: aws service-quotas request-service-quota-increase --service-code vpc "
        "--quota-code L-0EA8095F --desired-value 100 --region {region}",
    ),
    "SecurityGroupsPerInterfaceLimitExceeded": (
        QuotaReached,
        "a network interface has room for 5 groups unless the account's quota was raised",
        "Leave one of the groups out, or ask for more: aws service-quotas "
        "request-service-quota-increase --service-code vpc --quota-code L-2AFB9258 "
        "--desired-value 10 --region {region}",
    ),
    "InvalidGroup.NotFound": (NotFound, "there is no such group any more", "Look again: Ctrl-r"),
    "InvalidSecurityGroupID.NotFound": (
        NotFound,
        "there is no such group any more",
        "Look again: Ctrl-r",
    ),
    "InvalidGroupId.Malformed": (UsageError, "that is no id of a group", ""),
    "InvalidPermission.Malformed": (UsageError, "EC2 does not take such a rule", ""),
    "InvalidParameterValue": (UsageError, "EC2 does not take one of the values", ""),
    "InvalidInstanceID.NotFound": (NotFound, "the machine is gone", "Look again: Ctrl-r"),
    "InvalidNetworkInterfaceID.NotFound": (
        NotFound,
        "there is no such network interface any more",
        "Look again: Ctrl-r",
    ),
    "IncorrectInstanceState": (
        Refused,
        "the machine's state does not allow it now",
        "Try again when it runs or is stopped.",
    ),
    "OperationNotPermitted": (
        Refused,
        "it belongs to an AWS service, which alone may change it",
        "",
    ),
}
_SEVERAL = "multiple interfaces"


def _told(doing: str, region: str, profile: str) -> AbstractContextManager[None]:
    return told(doing, region, profile, _REFUSALS, _special)


def _special(doing: str, code: str, message: str, detail: str) -> Exception | None:
    if code == "InvalidPermission.Duplicate":
        return _Duplicate()
    if code == "InvalidPermission.NotFound":
        return _no_rule(doing, detail)
    if code == "InvalidInstanceID" and _SEVERAL in message:
        return Refused(
            f"Cannot {doing}: it has several network interfaces, and each has groups of its own.",
            detail,
            "Name one of them: cloudtui hosts groups NAME --interface eni-…",
        )
    return None


def _no_rule(doing: str, detail: str) -> NotFound:
    return NotFound(
        f"Cannot {doing}: the rule is gone already.",
        detail,
        "Somebody else took it away. Look again: Ctrl-r, or cloudtui hosts rules NAME",
    )
