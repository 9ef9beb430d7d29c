"""Addresses of the AWS web console."""

from __future__ import annotations

from cloudtui.model.instance import Instance

_HOSTS = (
    ("cn-", "console.amazonaws.cn"),
    ("us-gov-", "console.amazonaws-us-gov.com"),
)


def instance_page(instance: Instance) -> str:
    """The page of an instance in the web console of its partition."""
    region = instance.region
    host = next((host for start, host in _HOSTS if region.startswith(start)), "")
    host = host or "console.aws.amazon.com"
    return (
        f"https://{region}.{host}/ec2/home?region={region}#InstanceDetails:instanceId={instance.id}"
    )
