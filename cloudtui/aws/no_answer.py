"""What botocore raises when AWS gave no answer: the network, the files, the names in them."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import botocore.exceptions as b
from aiohttp import ClientConnectorDNSError
from botocore.loaders import Loader
from botocore.session import Session

from cloudtui.aws.sentences import Sentence, short
from cloudtui.model.errors import (
    CloudtuiError,
    CredentialsProblem,
    Timeout,
    Unreachable,
    UsageError,
)
from cloudtui.model.slip import nearest

_Tell = Callable[[Any, Sentence], CloudtuiError]


def _host(exc: b.BotoCoreError) -> str:
    url = str(exc.kwargs.get("endpoint_url") or exc.kwargs.get("proxy_url") or "")
    try:
        return urlsplit(url).netloc.rpartition("@")[2] or "AWS"
    except ValueError:
        return "AWS"


_TLS = re.compile(r" ssl:(default|None|True|False)\b")
"""What aiohttp adds to the host, for plain http too."""


def _not_reached(exc: b.BotoCoreError, said: Sentence) -> CloudtuiError:
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
            short(str(cause)),
            "Check the network (DNS, VPN, flight mode), the region's name and AWS_ENDPOINT_URL.",
        )
    return said.error(
        Unreachable,
        f"{host} refused the connection or was not reached",
        short(_TLS.sub("", str(cause or exc))),
        "Check the network and VPN. If AWS_ENDPOINT_URL is set, check that its server runs.",
    )


def _timed_out(exc: b.BotoCoreError, said: Sentence) -> CloudtuiError:
    return said.error(
        Timeout,
        f"{_host(exc)} did not answer in time",
        short(str(exc)),
        "Check the network, VPN and proxy, then try again.",
    )


def _no_trust(exc: b.BotoCoreError, said: Sentence) -> CloudtuiError:
    return said.error(
        Unreachable,
        f"the certificate of {_host(exc)} is not trusted",
        short(str(exc)),
        "Behind a company proxy, set AWS_CA_BUNDLE to its certificate file. A network's login "
        "page looks the same: open any page in the browser and log in.",
    )


def _proxy(exc: b.BotoCoreError, said: Sentence) -> CloudtuiError:
    return said.error(
        Unreachable,
        f"the proxy {_host(exc)} was not reached",
        short(str(exc.kwargs.get("error", ""))),
        "Check HTTPS_PROXY and HTTP_PROXY, or put the host into NO_PROXY.",
    )


def _no_bundle(exc: b.BotoCoreError, said: Sentence) -> CloudtuiError | None:
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


def _cut(exc: b.BotoCoreError, said: Sentence) -> CloudtuiError:
    if no_bundle := _no_bundle(exc, said):
        return no_bundle
    return said.error(
        Unreachable,
        "the connection to AWS broke",
        short(str(exc)),
        "Check the network, VPN and AWS_ENDPOINT_URL, then try again.",
    )


def _none(_exc: b.BotoCoreError, said: Sentence) -> CloudtuiError:
    of = f" for profile {said.profile}" if said.profile else ""
    return said.error(
        CredentialsProblem,
        f"no AWS credentials were found{of}",
        "Looked at AWS_ACCESS_KEY_ID, ~/.aws/credentials, ~/.aws/config (keys, SSO, role, "
        "credential_process) and the container's and instance's role.",
        f"Run: aws configure{said.whose}, or: aws sso login{said.whose}. "
        "Without an account, look around with: cloudtui demo",
    )


def _half(exc: b.BotoCoreError, said: Sentence) -> CloudtuiError:
    return said.error(
        CredentialsProblem,
        f"the AWS credentials {said.of_profile} are incomplete",
        f"{exc.kwargs.get('cred_var', 'A part')} is missing in {exc.kwargs.get('provider')}.",
        f"Add it, or run: aws configure{said.whose}",
    )


def _no_profile(exc: b.BotoCoreError, said: Sentence) -> CloudtuiError:
    name = exc.kwargs.get("profile", said.profile)
    known = sorted(Session().available_profiles)
    return CredentialsProblem(
        f"There is no AWS profile {name}.",
        f"Profiles here: {', '.join(known)}." if known else "~/.aws/config names no profiles.",
        f"Choose one with --profile NAME or AWS_PROFILE, or make it: "
        f"aws configure --profile {name}",
    )


def _sso(exc: b.BotoCoreError, said: Sentence) -> CloudtuiError:
    return said.error(
        CredentialsProblem,
        f"the SSO login {said.of_profile} is missing or has expired",
        short(str(exc)),
        said.log_in,
        login="sso",
    )


def _login(exc: b.BotoCoreError, said: Sentence) -> CloudtuiError:
    return said.error(
        CredentialsProblem,
        f"the login {said.of_profile} is missing or has expired",
        short(str(exc)),
        f"Run: aws login{said.whose}, then try again.",
    )


def _not_fetched(exc: b.BotoCoreError, said: Sentence) -> CloudtuiError:
    return said.error(
        CredentialsProblem,
        f"the credentials {said.of_profile} could not be fetched",
        short(str(exc)),
        f"Check the profile in ~/.aws/config with: aws sts get-caller-identity{said.whose}",
    )


def _not_read(exc: Exception, said: Sentence) -> CloudtuiError:
    return said.error(
        CredentialsProblem,
        f"the credentials {said.of_profile} could not be read",
        short(str(exc)),
        "Check credential_process, token files and the profile in ~/.aws/config with: "
        f"aws sts get-caller-identity{said.whose}",
    )


def _code_again(_exc: b.BotoCoreError, said: Sentence) -> CloudtuiError:
    return said.error(
        CredentialsProblem,
        f"the role {said.of_profile} needs a new MFA code",
        "Its credentials have expired.",
        "Press l in the console to give one, or run it again.",
        login="mfa",
    )


def _missing_part(exc: b.BotoCoreError, said: Sentence) -> CloudtuiError:
    return said.error(
        CredentialsProblem,
        f"the credentials {said.of_profile} need a library that is not installed",
        short(str(exc)),
        'Install it beside cloudtui: python3 -m pip install "botocore[crt]"',
    )


def _bad_config(exc: b.BotoCoreError, said: Sentence) -> CloudtuiError:
    return said.error(
        CredentialsProblem,
        "AWS's configuration cannot be used",
        short(str(exc)),
        "Correct ~/.aws/config or ~/.aws/credentials; aws configure list shows what is read.",
    )


def _no_such_region(exc: b.BotoCoreError, said: Sentence) -> CloudtuiError:
    near = _nearest_region(said.region)
    return said.error(
        UsageError,
        f"{said.region or 'the region'} is no region" if said.region else "no region is set",
        short(str(exc)),
        f"Nearest name: {near}. Choose it with: --region {near}"
        if near
        else "Choose one: --region us-east-1",
    )


TOLD: tuple[tuple[type[Exception] | tuple[type[Exception], ...], _Tell], ...] = (
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
    return nearest(name.lower(), _regions())
