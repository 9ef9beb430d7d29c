"""Who AWS says is asking."""

from __future__ import annotations

from cloudtui.aws.clients import Amazon
from cloudtui.aws.errors import translated
from cloudtui.model.finding import Identity


async def caller(amazon: Amazon) -> Identity:
    """The account and ARN of the credentials in use.

    Raises:
        UsageError: no region is set.
        CredentialsProblem: there are none, or AWS does not accept them.
        CloudtuiError: AWS was not reached or answered something else.
    """
    region = amazon.home_region
    with translated("check who you are", region, amazon.profile):
        client = await amazon.client("sts", region)
        answer = await client.get_caller_identity()
    return Identity(account=answer.get("Account", ""), arn=answer.get("Arn", ""))
