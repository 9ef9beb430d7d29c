"""What EC2 refuses of one kind of change, in sentences of that kind's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from botocore.exceptions import ClientError

from cloudtui.aws.errors import AWS_ERRORS, explain
from cloudtui.model.errors import CloudtuiError

Refusals = Mapping[str, tuple[type[CloudtuiError], str, str]]
"""By EC2's code: the kind, why it cannot be done, and the next step, where `{region}` is filled."""
Special = Callable[[str, str, str, str], Exception | None]
"""From what was being done, code, message and detail: an error of its own, or None."""


def said(error: ClientError) -> tuple[str, str, str]:
    """EC2's code, its message, and both as a detail."""
    told = error.response.get("Error", {})
    code, message = str(told.get("Code", "")), str(told.get("Message", ""))
    return code, message, f"{code}: {message}".rstrip(": ")


@contextmanager
def told(
    doing: str, region: str, profile: str, refusals: Refusals, special: Special
) -> Iterator[None]:
    """Raise EC2's refusals of such a change as sentences of their own."""
    try:
        yield
    except AWS_ERRORS as error:
        raise _sentence(error, doing, region, profile, refusals, special) from error


def _sentence(
    error: Exception, doing: str, region: str, profile: str, refusals: Refusals, special: Special
) -> Exception:
    if isinstance(error, ClientError):
        code, message, detail = said(error)
        if own := special(doing, code, message, detail):
            return own
        if code in refusals:
            kind, why, hint = refusals[code]
            return kind(f"Cannot {doing}: {why}.", detail, hint.format(region=region))
    return explain(error, doing, region, profile)
