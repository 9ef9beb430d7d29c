"""botocore's exceptions as cloudtui's: what happened, why, what to do next, which exit code."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import botocore.exceptions as b
from botocore.parsers import ResponseParserError

from cloudtui.aws.no_answer import TOLD
from cloudtui.aws.sentences import Sentence, short, uses_sso
from cloudtui.model.errors import (
    CloudtuiError,
    CredentialsProblem,
    Refused,
    Throttled,
    Unreachable,
    UsageError,
)

AWS_ERRORS: tuple[type[Exception], ...] = (
    b.ClientError,
    b.BotoCoreError,
    ResponseParserError,
    OSError,
    ValueError,
)
"""What a call may raise. The last two are botocore's own failures to read what a profile names:
a credential_process, a token file, a cache of `aws sso login`."""


@contextmanager
def translated(doing: str, region: str = "", profile: str = "") -> Iterator[None]:
    """Raise what botocore raises inside as a CloudtuiError; see `explain`."""
    try:
        yield
    except AWS_ERRORS as error:
        raise explain(error, doing, region, profile) from error


def explain(exc: BaseException, doing: str, region: str = "", profile: str = "") -> CloudtuiError:
    """The sentence for an exception met while `doing` something: a verb and its object, such as
    `list instances`. A CloudtuiError is returned as it is."""
    if isinstance(exc, CloudtuiError):
        return exc
    said = Sentence(doing, region, profile)
    if isinstance(exc, b.ClientError):
        return _from_answer(exc, said)
    if isinstance(exc, ResponseParserError):
        return said.error(
            Unreachable,
            "what answered is not AWS",
            f"The answer was {exc}.",
            "A network's login page may be in between: open any page in the browser and log in. "
            "If AWS_ENDPOINT_URL is set, check that it points to AWS's API.",
        )
    for kinds, tell in TOLD:
        if isinstance(exc, kinds):
            return tell(exc, said)
    return said.error(CloudtuiError, "the AWS library gave up", short(str(exc)), said.try_again)


_EXPIRED = {
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "TokenRefreshRequired",
}
_NOT_ACCEPTED = {
    "AuthFailure",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "InvalidToken",
    "MissingAuthenticationToken",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_BLOCKED = {"Blocked", "PendingVerification", "AccountProblem"}
_DENIED = {"AccessDenied", "AccessDeniedException", "ForbiddenException", "UnauthorizedOperation"}
_NO_REGION = {"InvalidRegion", "OptInRequired", "RegionDisabledException", "UnsupportedRegion"}
_TOO_FAST = {
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}
_DOWN = {
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "ServiceUnavailable",
    "Unavailable",
}
_SKEW = timedelta(minutes=4)
"""AWS refuses requests whose clock is off by five minutes."""


def _from_answer(exc: b.ClientError, said: Sentence) -> CloudtuiError:
    error: Mapping[str, Any] = exc.response.get("Error", {})
    code, message = str(error.get("Code", "")), str(error.get("Message", ""))
    detail = short(f"{code}: {message}" if message else code)
    if code in _EXPIRED | _NOT_ACCEPTED:
        return _about_keys(exc, code, detail, said)
    if code in _BLOCKED:
        return said.error(
            CredentialsProblem,
            "AWS has blocked the account or still checks it",
            detail,
            "Read the mail from AWS, or ask in the Support Center of the web console.",
        )
    if code in _DENIED and "MultiFactorAuthentication failed" in message:
        return said.error(
            CredentialsProblem,
            "AWS did not accept the MFA code",
            detail,
            "Wait for the device's next code, then press l in the console or run it again.",
            login="mfa",
        )
    if code in _DENIED:
        action = _action(message) or exc.operation_name
        return said.error(
            Refused,
            f"the credentials {said.of_profile} do not allow {action}",
            detail,
            f"Ask whoever runs the account to allow {action}, "
            "or choose another profile: --profile NAME.",
        )
    if code == "OptInRequired" and "marketplace" in message.lower():
        return said.error(
            Refused,
            "the image needs a subscription",
            detail,
            "Accept its terms on the AWS Marketplace page named above, then try again.",
        )
    if code in _NO_REGION:
        return said.error(
            UsageError,
            "the region is not enabled for this account",
            detail,
            "Enable it in the web console under Account, AWS Regions, or choose another: "
            "--region NAME.",
        )
    if code in _TOO_FAST:
        return said.error(
            Throttled, "AWS gets too many requests from this account", detail, said.try_again
        )
    if code.isdigit() or code in _DOWN:
        hint = said.try_again
        if code in ("407", "511"):
            hint = "The network wants a login first: open any page in the browser and log in."
        why = "AWS, or a proxy before it, has a fault"
        if code.isdigit():
            return said.error(Unreachable, why, f"HTTP {detail}", hint)
        return said.error(CloudtuiError, why, detail, hint)
    why, hint = _KNOWN.get(code, (f"AWS answered {code or 'an error without a code'}", ""))
    return said.error(CloudtuiError, why, detail, hint)


_KNOWN = {
    "VcpuLimitExceeded": (
        "the account's quota of vCPUs for this family is used up",
        "Stop or terminate an instance of the family, choose a smaller type, or ask for more "
        "under Service Quotas in the web console.",
    ),
    "AddressLimitExceeded": (
        "the account's quota of Elastic IP addresses is used up",
        "Release one that is not in use, or ask for more under Service Quotas in the web console.",
    ),
    "InsufficientInstanceCapacity": (
        "AWS has no such machine free in this zone now",
        "Try another zone, another type, or again in some minutes.",
    ),
    "DryRunOperation": (
        "it was a dry run, and AWS would have allowed it",
        "Do it for real without the dry run.",
    ),
}


def _about_keys(exc: b.ClientError, code: str, detail: str, said: Sentence) -> CloudtuiError:
    behind = _clock_error(exc.response)
    if behind:
        return said.error(
            CredentialsProblem,
            f"this computer's clock is {behind} AWS's, and AWS takes no request older than 5 min",
            detail,
            "Set the clock, for example: sudo timedatectl set-ntp true",
        )
    if code in _EXPIRED:
        sso = uses_sso(said.profile)
        return said.error(
            CredentialsProblem,
            f"the credentials {said.of_profile} have expired",
            detail,
            said.log_in if sso else said.renew,
            login="sso" if sso else "",
        )
    where = f" A region that is not enabled ({said.region}) answers so too." if said.region else ""
    return said.error(
        CredentialsProblem,
        f"AWS does not accept the credentials {said.of_profile}",
        detail + where,
        f"Check them: aws sts get-caller-identity{said.whose}. {said.renew}",
    )


def _clock_error(response: Mapping[str, Any]) -> str:
    """How far the local clock is from the answer's Date header, when far enough to matter."""
    date = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return ""
    if moment.tzinfo is None:
        return ""
    ahead = datetime.now(UTC) - moment
    if abs(ahead) < _SKEW:
        return ""
    minutes = round(abs(ahead) / timedelta(minutes=1))
    return f"{minutes} min {'ahead of' if ahead > timedelta(0) else 'behind'}"


def _action(message: str) -> str:
    """The IAM action that a denial names, such as `ec2:DescribeInstances`."""
    found = re.search(r"\b(?:perform|allows? the)[: ]+([a-z0-9-]+:\w+)", message)
    return found[1] if found else ""
