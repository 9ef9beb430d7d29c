"""EC2's tags of instances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cloudtui.aws.clients import Amazon
from cloudtui.aws.errors import translated


async def put(
    amazon: Amazon, region: str, instance_ids: Sequence[str], tags: Mapping[str, str]
) -> None:
    """Set tags of all these instances; EC2 does all of it or nothing.

    Raises:
        CloudtuiError: EC2 refuses, or was not reached.
    """
    with translated("set tags", region, amazon.profile):
        client: Any = await amazon.client("ec2", region)
        await client.create_tags(
            Resources=list(instance_ids), Tags=[{"Key": k, "Value": v} for k, v in tags.items()]
        )


async def remove(
    amazon: Amazon, region: str, instance_ids: Sequence[str], keys: Sequence[str]
) -> None:
    """Remove tags, whatever their value.

    Raises:
        CloudtuiError: EC2 refuses, or was not reached.
    """
    with translated("remove tags", region, amazon.profile):
        client: Any = await amazon.client("ec2", region)
        await client.delete_tags(Resources=list(instance_ids), Tags=[{"Key": k} for k in keys])
