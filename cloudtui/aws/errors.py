"""botocore's exceptions as cloudtui's: what happened, why, what to do next, which exit code."""

from __future__ import annotations

import difflib
import functools
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import botocore.exceptions as b
from aiohttp import ClientConnectorDNSError
from botocore.loaders import Loader
from botocore.parsers import ResponseParserError
from botocore.session import Session

from cloudtui.model.errors import (
    CloudtuiError,
    CredentialsProblem,
    Refused,
    Throttled,
    Timeout,
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
    said = _Sentence(doing, region, profile)
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
    for kinds, tell in _TOLD:
        if isinstance(exc, kinds):
            return tell(exc, said)
    return said.error(CloudtuiError, "the AWS library gave up", _short(str(exc)), said.try_again)


class _Sentence:
    """The beginning that all sentences of one failed call share, and their usual next steps."""

    def __init__(self, doing: str, region: str, profile: str) -> None:
        self.region = region
        self.profile = profile
        self._start = f"Cannot {doing} in {region}" if region else f"Cannot {doing}"

    def error(
        self,
        kind: type[CloudtuiError],
        why: str,
        detail: str = "",
        hint: str = "",
        login: str = "",
    ) -> CloudtuiError:
        made = kind(f"{self._start}: {why}.", detail, hint)
        if isinstance(made, CredentialsProblem):
            made.login, made.profile = login, self.profile
        return made

    @property
    def whose(self) -> str:
        """The option that names the profile, with the space before it."""
        return f" --profile {self.profile}" if self.profile else ""

    @property
    def of_profile(self) -> str:
        return f"of profile {self.profile}" if self.profile else "in use"

    @property
    def renew(self) -> str:
        return (
            f"Log in again: aws sso login{self.whose}. "
            f"With long-lived keys: aws configure{self.whose}. Then try again."
        )

    try_again = "Try again in a minute."


# ------------------------------------------------------------------ answers from AWS

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


def _from_answer(exc: b.ClientError, said: _Sentence) -> CloudtuiError:
    error: Mapping[str, Any] = exc.response.get("Error", {})
    code, message = str(error.get("Code", "")), str(error.get("Message", ""))
    detail = _short(f"{code}: {message}" if message else code)
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


def _about_keys(exc: b.ClientError, code: str, detail: str, said: _Sentence) -> CloudtuiError:
    behind = _clock_error(exc.response)
    if behind:
        return said.error(
            CredentialsProblem,
            f"this computer's clock is {behind} AWS's, and AWS takes no request older than 5 min",
            detail,
            "Set the clock, for example: sudo timedatectl set-ntp true",
        )
    if code in _EXPIRED:
        return said.error(
            CredentialsProblem,
            f"the credentials {said.of_profile} have expired",
            detail,
            said.renew,
            login="sso" if _uses_sso(said.profile) else "",
        )
    where = f" A region that is not enabled ({said.region}) answers so too." if said.region else ""
    return said.error(
        CredentialsProblem,
        f"AWS does not accept the credentials {said.of_profile}",
        detail + where,
        f"Check them: aws sts get-caller-identity{said.whose}. {said.renew}",
    )


def _uses_sso(profile: str) -> bool:
    """Whether a login through the browser renews the profile's credentials."""
    profiles = _profiles_here()
    name, seen = profile or "default", set[str]()
    while name not in seen:
        seen.add(name)
        fields = profiles.get(name, {})
        if fields.get("sso_session") or fields.get("sso_start_url"):
            return True
        name = fields.get("source_profile", name)
    return False


def _profiles_here() -> Mapping[str, Mapping[str, str]]:
    try:
        found: Mapping[str, Mapping[str, str]] = Session().full_config.get("profiles", {})
    except (b.ConfigParseError, b.ProfileNotFound):
        return {}
    return found


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


_BLOB = re.compile(r"\s*Encoded authorization failure message: \S+")


def _short(text: str, limit: int = 600) -> str:
    text = " ".join(_BLOB.sub("", text).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


# ------------------------------------------------------------------ no answer from AWS

_Tell = Callable[[Any, _Sentence], CloudtuiError]


def _host(exc: b.BotoCoreError) -> str:
    url = str(exc.kwargs.get("endpoint_url") or exc.kwargs.get("proxy_url") or "")
    try:
        return urlsplit(url).netloc.rpartition("@")[2] or "AWS"
    except ValueError:
        return "AWS"


def _not_reached(exc: b.BotoCoreError, said: _Sentence) -> CloudtuiError:
    host, cause = _host(exc), exc.kwargs.get("error")
    if isinstance(cause, ClientConnectorDNSError):
        near = _nearest_region(said.region) if said.region and said.region in host else ""
        if near:
            return said.error(
                UsageError,
                f"there is no region {said.region}",
                f"{host} is no known name.",
                f"Nearest name: {near}. Choose it with: --region {near}",
            )
        return said.error(
            Unreachable,
            f"the name {host} was not found",
            _short(str(cause)),
            "Check the network (DNS, VPN, flight mode), the region's name and AWS_ENDPOINT_URL.",
        )
    return said.error(
        Unreachable,
        f"{host} refused the connection or was not reached",
        _short(str(cause or exc)),
        "Check the network and VPN. If AWS_ENDPOINT_URL is set, check that its server runs.",
    )


def _timed_out(exc: b.BotoCoreError, said: _Sentence) -> CloudtuiError:
    return said.error(
        Timeout,
        f"{_host(exc)} did not answer in time",
        _short(str(exc)),
        "Check the network, VPN and proxy, then try again.",
    )


def _no_trust(exc: b.BotoCoreError, said: _Sentence) -> CloudtuiError:
    return said.error(
        Unreachable,
        f"the certificate of {_host(exc)} is not trusted",
        _short(str(exc)),
        "Behind a company proxy, set AWS_CA_BUNDLE to its certificate file. A network's login "
        "page looks the same: open any page in the browser and log in.",
    )


def _proxy(exc: b.BotoCoreError, said: _Sentence) -> CloudtuiError:
    return said.error(
        Unreachable,
        f"the proxy {_host(exc)} was not reached",
        _short(str(exc.kwargs.get("error", ""))),
        "Check HTTPS_PROXY and HTTP_PROXY, or put the host into NO_PROXY.",
    )


def _no_bundle(exc: b.BotoCoreError, said: _Sentence) -> CloudtuiError | None:
    """The certificate file that cannot be read, when that is what stopped the request."""
    cause = exc.kwargs.get("error")
    if not isinstance(cause, FileNotFoundError | PermissionError | IsADirectoryError):
        return None
    file = os.environ.get("AWS_CA_BUNDLE") or os.environ.get("REQUESTS_CA_BUNDLE") or "ca_bundle"
    return said.error(
        Unreachable,
        "the file of trusted certificates cannot be read",
        f"{file}: {cause.strerror}.",
        "Correct AWS_CA_BUNDLE, or ca_bundle in ~/.aws/config, or unset it.",
    )


def _cut(exc: b.BotoCoreError, said: _Sentence) -> CloudtuiError:
    if no_bundle := _no_bundle(exc, said):
        return no_bundle
    return said.error(
        Unreachable,
        "the connection to AWS broke",
        _short(str(exc)),
        "Check the network, VPN and AWS_ENDPOINT_URL, then try again.",
    )


def _none(_exc: b.BotoCoreError, said: _Sentence) -> CloudtuiError:
    of = f" for profile {said.profile}" if said.profile else ""
    return said.error(
        CredentialsProblem,
        f"no AWS credentials were found{of}",
        "Looked at AWS_ACCESS_KEY_ID, ~/.aws/credentials, ~/.aws/config (keys, SSO, role, "
        "credential_process) and the container's and instance's role.",
        f"Run: aws configure{said.whose}, or: aws sso login{said.whose}. "
        "Without an account, look around with: cloudtui demo",
    )


def _half(exc: b.BotoCoreError, said: _Sentence) -> CloudtuiError:
    return said.error(
        CredentialsProblem,
        f"the AWS credentials {said.of_profile} are incomplete",
        f"{exc.kwargs.get('cred_var', 'A part')} is missing in {exc.kwargs.get('provider')}.",
        f"Add it, or run: aws configure{said.whose}",
    )


def _no_profile(exc: b.BotoCoreError, said: _Sentence) -> CloudtuiError:
    name = exc.kwargs.get("profile", said.profile)
    known = sorted(Session().available_profiles)
    return CredentialsProblem(
        f"There is no AWS profile {name}.",
        f"Profiles here: {', '.join(known)}." if known else "~/.aws/config names no profiles.",
        f"Choose one with --profile NAME or AWS_PROFILE, or make it: "
        f"aws configure --profile {name}",
    )


def _sso(exc: b.BotoCoreError, said: _Sentence) -> CloudtuiError:
    return said.error(
        CredentialsProblem,
        f"the SSO login {said.of_profile} is missing or has expired",
        _short(str(exc)),
        f"Press l in the console to log in, or run: aws sso login{said.whose}. Then try again.",
        login="sso",
    )


def _login(exc: b.BotoCoreError, said: _Sentence) -> CloudtuiError:
    return said.error(
        CredentialsProblem,
        f"the login {said.of_profile} is missing or has expired",
        _short(str(exc)),
        f"Run: aws login{said.whose}, then try again.",
    )


def _not_fetched(exc: b.BotoCoreError, said: _Sentence) -> CloudtuiError:
    return said.error(
        CredentialsProblem,
        f"the credentials {said.of_profile} could not be fetched",
        _short(str(exc)),
        f"Check the profile in ~/.aws/config with: aws sts get-caller-identity{said.whose}",
    )


def _not_read(exc: Exception, said: _Sentence) -> CloudtuiError:
    return said.error(
        CredentialsProblem,
        f"the credentials {said.of_profile} could not be read",
        _short(str(exc)),
        "Check credential_process, token files and the profile in ~/.aws/config with: "
        f"aws sts get-caller-identity{said.whose}",
    )


def _code_again(_exc: b.BotoCoreError, said: _Sentence) -> CloudtuiError:
    return said.error(
        CredentialsProblem,
        f"the role {said.of_profile} needs a new MFA code",
        "Its credentials have expired.",
        "Press l in the console to give one, or run it again.",
        login="mfa",
    )


def _missing_part(exc: b.BotoCoreError, said: _Sentence) -> CloudtuiError:
    return said.error(
        CredentialsProblem,
        f"the credentials {said.of_profile} need a library that is not installed",
        _short(str(exc)),
        'Install it beside cloudtui: python3 -m pip install "botocore[crt]"',
    )


def _bad_config(exc: b.BotoCoreError, said: _Sentence) -> CloudtuiError:
    return said.error(
        CredentialsProblem,
        "AWS's configuration cannot be used",
        _short(str(exc)),
        "Correct ~/.aws/config or ~/.aws/credentials; aws configure list shows what is read.",
    )


def _no_such_region(exc: b.BotoCoreError, said: _Sentence) -> CloudtuiError:
    near = _nearest_region(said.region)
    return said.error(
        UsageError,
        f"{said.region or 'the region'} is no region" if said.region else "no region is set",
        _short(str(exc)),
        f"Nearest name: {near}. Choose it with: --region {near}"
        if near
        else "Choose one: --region us-east-1",
    )


_TOLD: tuple[tuple[type[Exception] | tuple[type[Exception], ...], _Tell], ...] = (
    (b.NoCredentialsError, _none),
    (b.PartialCredentialsError, _half),
    (b.ProfileNotFound, _no_profile),
    ((b.SSOError, b.TokenRetrievalError, b.NoAuthTokenError), _sso),
    (b.LoginError, _login),
    (b.RefreshWithMFAUnsupportedError, _code_again),
    ((b.CredentialRetrievalError, b.MetadataRetrievalError), _not_fetched),
    (b.MissingDependencyException, _missing_part),
    ((b.NoRegionError, b.InvalidRegionError, b.UnknownRegionError), _no_such_region),
    (b.BaseEndpointResolverError, _no_such_region),
    (
        (b.ConfigParseError, b.ConfigNotFound, b.InvalidConfigError, b.UnknownCredentialError),
        _bad_config,
    ),
    ((b.ReadTimeoutError, b.ConnectTimeoutError), _timed_out),
    (b.SSLError, _no_trust),
    ((b.ProxyConnectionError, b.InvalidProxiesConfigError), _proxy),
    (b.EndpointConnectionError, _not_reached),
    ((b.ConnectionError, b.HTTPClientError), _cut),
    ((OSError, ValueError), _not_read),
)
"""Exception types, the narrow before the wide."""


@functools.cache
def _regions() -> tuple[str, ...]:
    partitions = Loader().load_data("partitions")["partitions"]
    return tuple(
        name
        for partition in partitions
        for name in partition["regions"]
        if not name.endswith("-global")
    )


def _nearest_region(name: str) -> str:
    """A region's name that `name` may be a slip for; empty when it is a region or like none."""
    if not name or name in _regions():
        return ""
    return next(iter(difflib.get_close_matches(name.lower(), _regions(), n=1)), "")
