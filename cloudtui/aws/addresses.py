"""EC2's calls about Elastic IP addresses."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from cloudtui.aws.clients import Amazon
from cloudtui.aws.errors import translated
from cloudtui.aws.refusals import Refusals, told
from cloudtui.aws.security_groups import interfaces
from cloudtui.model.address import QUOTA, Address, Association
from cloudtui.model.errors import CloudtuiError, NotFound, QuotaReached, Refused, UsageError


async def addresses(amazon: Amazon, region: str) -> tuple[Address, ...]:
    """The region's Elastic IPs, by address; of those on an interface that is no machine's, what
    it belongs to.

    Raises:
        CloudtuiError: AWS was not reached or refused.
    """
    with translated("list Elastic IPs", region, amazon.profile):
        client: Any = await amazon.client("ec2", region)
        answer = await client.describe_addresses()
    found = [_address(raw, region, amazon.profile) for raw in answer.get("Addresses", ())]
    others = {a.interface_id for a in found if a.interface_id and not a.instance_id}
    named: dict[str, str] = {}
    if others:
        try:
            owners = await interfaces(amazon, region, "network-interface-id", sorted(others))
        except CloudtuiError:
            owners = ()  # the interface's id has to do
        named = {interface.id: interface.holder for interface in owners}
    held = (replace(a, holder=named.get(a.interface_id, "")) for a in found)
    return tuple(sorted(held, key=lambda a: tuple(int(part) for part in a.ip.split("."))))


def _address(raw: Mapping[str, Any], region: str, profile: str) -> Address:
    return Address(
        raw.get("PublicIp") or raw.get("CarrierIp") or "0.0.0.0",
        region,
        raw.get("AllocationId") or "",
        profile,
        {tag["Key"]: tag["Value"] for tag in raw.get("Tags") or ()},
        raw.get("AssociationId") or "",
        raw.get("InstanceId") or "",
        raw.get("NetworkInterfaceId") or "",
        raw.get("PrivateIpAddress") or "",
        raw.get("PublicIpv4Pool") or "amazon",
        raw.get("ServiceManaged") or "",
    )


async def allocate(amazon: Amazon, region: str, name: str = "") -> Address:
    """A new Elastic IP, with a Name tag when one is given.

    Raises:
        QuotaReached: the region has as many as the account may have.
        CloudtuiError: EC2 refuses, or was not reached.
    """
    tags: dict[str, Any] = {}
    if name:
        tags["TagSpecifications"] = [
            {"ResourceType": "elastic-ip", "Tags": [{"Key": "Name", "Value": name}]}
        ]
    with _told("allocate an Elastic IP", region, amazon.profile):
        client: Any = await amazon.client("ec2", region)
        answer = await client.allocate_address(Domain="vpc", **tags)
    made = _address(answer, region, amazon.profile)
    return replace(made, tags={"Name": name} if name else {})


async def quota(amazon: Amazon, region: str) -> int:
    """How many Elastic IPs the account may have in the region; AWS's usual number when it does
    not tell."""
    try:
        with translated("look up the quota", region, amazon.profile):
            client: Any = await amazon.client("ec2", region)
            answer = await client.describe_account_attributes(
                AttributeNames=["vpc-max-elastic-ips"]
            )
    except CloudtuiError:
        return QUOTA
    for attribute in answer.get("AccountAttributes", ()):
        if attribute.get("AttributeName") == "vpc-max-elastic-ips":
            for value in attribute.get("AttributeValues", ()):
                text = str(value.get("AttributeValue", ""))
                return int(text) if text.isdigit() else QUOTA
    return QUOTA


def full(region: str, have: int, most: int, idle: tuple[Address, ...], detail: str) -> QuotaReached:
    """The failure to allocate one more, with what can be done."""
    free = f" Nothing uses {len(idle)} of them." if idle else ""
    release = f"Release one that nothing uses: cloudtui ip release {idle[0].ip}. " if idle else ""
    return QuotaReached(
        f"Cannot allocate an Elastic IP in {region}: the account has {have} there, and its quota "
        f"is {most}.{free}",
        detail,
        f"{release}Ask for more: aws service-quotas request-service-quota-increase "
        f"--service-code ec2 --quota-code L-0263D0A3 --desired-value {most + 5} --region {region}",
    )


async def associate(amazon: Amazon, plan: Association) -> str:
    """Give the address to the machine; returns the association's id.

    Raises:
        CloudtuiError: EC2 refuses, or was not reached.
    """
    address, region = plan.address, plan.address.region
    if plan.interface:
        target = {
            "NetworkInterfaceId": plan.interface.id,
            "PrivateIpAddress": plan.interface.private_ip,
        }
    else:
        target = {"InstanceId": plan.instance.id}
    doing = f"associate {address.label} with {plan.instance.label}"
    with _told(doing, region, amazon.profile):
        client: Any = await amazon.client("ec2", region)
        answer = await client.associate_address(
            AllocationId=address.allocation_id,
            # EC2 takes it from whoever has it unless told not to.
            AllowReassociation=bool(plan.taken_from or plan.replaces or not address.idle),
            **target,
        )
    return str(answer.get("AssociationId") or "")


async def disassociate(amazon: Amazon, address: Address) -> None:
    """Take it off.

    Raises:
        CloudtuiError: EC2 refuses, or was not reached.
    """
    with _told(f"disassociate {address.label}", address.region, amazon.profile):
        client: Any = await amazon.client("ec2", address.region)
        await client.disassociate_address(AssociationId=address.association_id)


async def release(amazon: Amazon, address: Address) -> None:
    """Give it back to AWS. In a default VPC EC2 takes it from whoever has it: look first.

    Raises:
        CloudtuiError: EC2 refuses, or was not reached.
    """
    with _told(f"release {address.label}", address.region, amazon.profile):
        client: Any = await amazon.client("ec2", address.region)
        await client.release_address(AllocationId=address.allocation_id)


_REFUSALS: Refusals = {
    "AddressLimitExceeded": (
        QuotaReached,
        "the account's quota of Elastic IPs is used up",
        "Release one that nothing uses, or ask for more under Service Quotas in the web console.",
    ),
    "InsufficientAddressCapacity": (
        CloudtuiError,
        "AWS has no free address in the region now",
        "Try again in some minutes.",
    ),
    "Resource.AlreadyAssociated": (
        Refused,
        "somebody gave it to another machine in the meantime",
        "Look again: Ctrl-r, or cloudtui ip ls",
    ),
    "InvalidIPAddress.InUse": (
        Refused,
        "it is in use",
        "Take it off first: cloudtui ip disassociate ADDRESS",
    ),
    "InvalidAllocationID.NotFound": (NotFound, "it is not the account's any more", ""),
    "InvalidAddress.NotFound": (NotFound, "it is not the account's any more", ""),
    "InvalidAssociationID.NotFound": (
        NotFound,
        "it was taken off already",
        "Look again: Ctrl-r, or cloudtui ip ls",
    ),
    "InvalidInstanceID.NotFound": (NotFound, "the machine is gone", ""),
    "InvalidNetworkInterfaceID.NotFound": (NotFound, "its network interface is gone", ""),
    "IncorrectInstanceState": (
        Refused,
        "the machine's state does not allow it now",
        "Try again when it runs or is stopped.",
    ),
    "Gateway.NotAttached": (
        Refused,
        "the machine's VPC has no internet gateway, so no public address works there",
        "Attach one to the VPC and give its subnet a route 0.0.0.0/0 to it.",
    ),
    "InvalidAddress.Locked": (Refused, "AWS has locked it, or it is on its way elsewhere", ""),
    "InvalidTransfer.AddressAssociated": (Refused, "it is on its way to another account", ""),
    "OperationNotPermitted": (
        Refused,
        "it belongs to an AWS service, which alone may change it",
        "Change it where the service is set up.",
    ),
    "InvalidParameterCombination": (UsageError, "EC2 does not take that", ""),
}


def _told(doing: str, region: str, profile: str) -> AbstractContextManager[None]:
    return told(doing, region, profile, _REFUSALS, _special)


def _special(doing: str, code: str, message: str, detail: str) -> Exception | None:
    if code == "InvalidInstanceID" and "multiple interfaces" in message:
        return Refused(
            f"Cannot {doing}: the machine has several network interfaces.",
            detail,
            "Name one of them: cloudtui ip associate ADDRESS NAME --interface eni-…",
        )
    if code == "InvalidInstanceID":
        return Refused(
            f"Cannot {doing}: the machine is not ready for it.", detail, "Try again when it runs."
        )
    if code == "AuthFailure" and "address" in message.lower():
        # How EC2 calls an address that was released and is another account's now.
        return NotFound(f"Cannot {doing}: it is not the account's any more.", detail)
    return None
