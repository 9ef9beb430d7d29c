"""Every way AWS fails, met through the real library, ends as a sentence with its exit code."""

from __future__ import annotations

import asyncio
import json
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import botocore.exceptions as b
import pytest

from cloudtui.aws.clients import Amazon
from cloudtui.aws.ec2 import list_instances
from cloudtui.aws.errors import explain, translated
from cloudtui.aws.identity import caller
from cloudtui.model.errors import (
    CloudtuiError,
    CredentialsProblem,
    Refused,
    Throttled,
    Timeout,
    Unreachable,
    UsageError,
)
from tests.moto_child import StubEndpoint


async def _listing_fails(
    region: str = "us-east-1", profile: str = "", endpoint_url: str = ""
) -> CloudtuiError:
    async with Amazon(profile, endpoint_url=endpoint_url) as amazon:
        with pytest.raises(CloudtuiError) as caught:
            async for _ in list_instances(amazon, region):
                pass
    error = caught.value
    assert error.title.endswith(".")
    words = f"{error.title} {error.hint}".lower().split()
    assert not {"error:", "please"} & set(words)
    assert "!" not in error.title + error.hint
    return error


REFUSALS = [
    (400, "RequestExpired", CredentialsProblem, "have expired", "aws sso login"),
    (400, "ExpiredToken", CredentialsProblem, "have expired", "aws sso login"),
    (401, "AuthFailure", CredentialsProblem, "does not accept", "aws sts get-caller-identity"),
    (403, "InvalidClientTokenId", CredentialsProblem, "does not accept", "aws configure"),
    (403, "SignatureDoesNotMatch", CredentialsProblem, "does not accept", "aws configure"),
    (401, "OptInRequired", UsageError, "not enabled", "--region"),
    (403, "RegionDisabledException", UsageError, "not enabled", "--region"),
    (403, "Blocked", CredentialsProblem, "blocked", "mail"),
    (503, "RequestLimitExceeded", Throttled, "too many requests", "Try again"),
    (400, "VcpuLimitExceeded", CloudtuiError, "quota of vCPUs", "Service Quotas"),
    (400, "AddressLimitExceeded", CloudtuiError, "quota of Elastic IP", "Release"),
    (500, "InsufficientInstanceCapacity", CloudtuiError, "no such machine free", "zone"),
    (412, "DryRunOperation", CloudtuiError, "dry run", ""),
    (400, "NoBodyKnowsThis", CloudtuiError, "NoBodyKnowsThis", ""),
    (503, "Unavailable", CloudtuiError, "fault", "Try again"),
]


@pytest.mark.parametrize(("status", "code", "kind", "words", "next_step"), REFUSALS)
async def test_what_aws_refuses(
    stub_endpoint: StubEndpoint,
    status: int,
    code: str,
    kind: type[CloudtuiError],
    words: str,
    next_step: str,
) -> None:
    stub_endpoint.answer_error(status, code, "AWS says so.")
    error = await _listing_fails()
    assert type(error) is kind
    assert words in error.title
    assert next_step in error.hint
    assert f"{code}: AWS says so." in error.detail


async def test_a_denied_action_is_named_and_its_blob_is_not_shown(
    stub_endpoint: StubEndpoint,
) -> None:
    stub_endpoint.answer_error(
        403,
        "UnauthorizedOperation",
        "You are not authorized to perform this operation. User: arn:aws:iam::1:user/ann is not "
        "authorized to perform: ec2:DescribeInstances because no identity-based policy allows the "
        "ec2:DescribeInstances action. Encoded authorization failure message: " + "a1B2" * 100,
    )
    error = await _listing_fails()
    assert type(error) is Refused
    assert error.exit_code == 4
    assert "do not allow ec2:DescribeInstances." in error.title
    assert "UnauthorizedOperation" in error.detail
    assert "a1B2" not in error.detail


async def test_a_denial_that_names_no_action_gets_the_operation(
    stub_endpoint: StubEndpoint,
) -> None:
    stub_endpoint.answer_error(403, "AccessDenied", "No.")
    error = await _listing_fails()
    assert type(error) is Refused
    assert "DescribeInstances" in error.title


async def test_a_wrong_clock_is_the_reason_and_not_the_keys(stub_endpoint: StubEndpoint) -> None:
    now = datetime.now(UTC) + timedelta(minutes=17)
    date = now.strftime("%a, %d %b %Y %H:%M:%S GMT")
    stub_endpoint.answer_error(400, "RequestExpired", "Request has expired.", Date=date)
    error = await _listing_fails()
    assert type(error) is CredentialsProblem
    assert "clock is 17 min behind AWS's" in error.title
    assert "timedatectl" in error.hint


async def test_throttling_is_tried_three_times(stub_endpoint: StubEndpoint) -> None:
    stub_endpoint.answer_error(503, "RequestLimitExceeded", "Slow down.")
    await _listing_fails()
    assert len(stub_endpoint.requests) == 3


LOGIN_PAGES = [
    "<!DOCTYPE html><html><head><title>Hotel</title></head><body>Log in<br></body></html>",
    "<html><body><p>Log in</p></body></html>",
    "<html><body>" + "<p>Log in</p>" * 5000 + "</body></html>",
    '{"this": "is not EC2"}',
    "",
]


@pytest.mark.parametrize("status", [200, 403])
@pytest.mark.parametrize(
    "page", LOGIN_PAGES, ids=["sloppy", "well-formed", "long", "json", "empty"]
)
async def test_a_login_page_in_between(stub_endpoint: StubEndpoint, page: str, status: int) -> None:
    stub_endpoint.answer(status, page, "text/html")
    error = await _listing_fails()
    assert type(error) is Unreachable
    assert error.exit_code == 5
    assert "what answered is not AWS" in error.title
    assert "browser" in error.hint
    assert len(error.detail) < 400


async def test_a_login_page_before_sts(stub_endpoint: StubEndpoint) -> None:
    stub_endpoint.answer(200, LOGIN_PAGES[1], "text/html")
    async with Amazon() as amazon:
        with pytest.raises(Unreachable, match="not AWS"):
            await caller(amazon)


async def test_an_answer_of_another_service(stub_endpoint: StubEndpoint) -> None:
    stub_endpoint.answer(200, "<DescribeRegionsResponse/>")
    async with Amazon() as amazon:
        with pytest.raises(Unreachable, match="not AWS"):
            await caller(amazon)


@pytest.mark.parametrize("status", [502, 511])
async def test_a_proxy_that_answers_html_with_a_fault(
    stub_endpoint: StubEndpoint, status: int
) -> None:
    stub_endpoint.answer(status, "<html><body><b>no</b></body></html>", "text/html")
    error = await _listing_fails()
    assert type(error) is Unreachable
    assert f"HTTP {status}" in error.detail


async def test_nobody_listens(stub_endpoint: StubEndpoint) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        error = await _listing_fails(endpoint_url=f"http://127.0.0.1:{port}")
    assert type(error) is Unreachable
    assert f"127.0.0.1:{port} refused" in error.title
    assert "ssl" not in error.detail


async def test_no_answer_in_time(
    stub_endpoint: StubEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloudtui.aws.clients.READ_TIMEOUT", 0.1)
    stub_endpoint.hang()
    error = await _listing_fails()
    assert type(error) is Timeout
    assert error.exit_code == 5
    assert "did not answer in time" in error.title


async def test_a_connection_that_is_cut(stub_endpoint: StubEndpoint) -> None:
    async def cut(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(cut, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        error = await _listing_fails(endpoint_url=f"http://127.0.0.1:{port}")
    assert type(error) is Unreachable
    assert "broke" in error.title


@pytest.mark.parametrize(
    "url", ["nonsense", "http://", "ftp://127.0.0.1", "http://[::1", "http://h:99999", "http://a b"]
)
async def test_an_endpoint_that_is_no_url(stub_endpoint: StubEndpoint, url: str) -> None:
    error = await _listing_fails(endpoint_url=url)
    assert type(error) is UsageError
    assert url in error.title


def _dns_failure(host: str) -> b.EndpointConnectionError:
    key = aiohttp.client_reqrep.ConnectionKey(host, 443, True, True, None, None, None)
    cause = aiohttp.ClientConnectorDNSError(key, OSError(-2, "Name or service not known"))
    return b.EndpointConnectionError(endpoint_url=f"https://{host}/", error=cause)


def test_a_misspelt_region_is_told_from_a_network_without_names() -> None:
    slip = explain(_dns_failure("ec2.eu-wset-1.amazonaws.com"), "list instances", "eu-wset-1", "")
    assert type(slip) is UsageError
    assert "no region eu-wset-1" in slip.title
    assert "--region eu-west-1" in slip.hint
    changed = explain(_dns_failure("ec2.us-esat-1.amazonaws.com"), "list", "us-esat-1", "")
    assert "--region us-east-1" in changed.hint
    offline = explain(
        _dns_failure("ec2.us-east-1.amazonaws.com"), "list instances", "us-east-1", ""
    )
    assert type(offline) is Unreachable
    assert "ec2.us-east-1.amazonaws.com was not found" in offline.title


async def test_a_region_that_cannot_be_a_name(stub_endpoint: StubEndpoint) -> None:
    error = await _listing_fails(region="us east/1")
    assert type(error) is UsageError
    assert "us east/1 is no region" in error.title


async def test_no_credentials(stub_endpoint: StubEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    error = await _listing_fails()
    assert type(error) is CredentialsProblem
    assert error.exit_code == 6
    assert "no AWS credentials were found" in error.title
    assert "~/.aws/credentials" in error.detail
    assert "cloudtui demo" in error.hint
    assert stub_endpoint.requests == []


async def test_half_credentials(
    stub_endpoint: StubEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    error = await _listing_fails()
    assert type(error) is CredentialsProblem
    assert "AWS_SECRET_ACCESS_KEY" in error.detail


def _config(home: Path, text: str) -> None:
    (home / ".aws").mkdir(exist_ok=True)
    (home / ".aws/config").write_text(text)


async def test_an_unknown_profile_names_the_known_ones(
    stub_endpoint: StubEndpoint, cut_off: Path
) -> None:
    _config(cut_off, "[profile lab]\nregion = eu-west-1\n[profile work]\n")
    error = await _listing_fails(profile="labb")
    assert type(error) is CredentialsProblem
    assert error.title == "There is no AWS profile labb."
    assert "lab, work" in error.detail


async def test_a_config_file_that_is_none(stub_endpoint: StubEndpoint, cut_off: Path) -> None:
    _config(cut_off, "\0\0[[[\n=\n")
    error = await _listing_fails()
    assert type(error) is CredentialsProblem
    assert "configuration cannot be used" in error.title


SSO = """[profile lab]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = Researcher
region = us-east-1
[sso-session corp]
sso_start_url = https://corp.example/start
sso_region = us-east-1
"""
LEGACY_SSO = """[profile lab]
sso_start_url = https://corp.example/start
sso_region = us-east-1
sso_account_id = 123456789012
sso_role_name = Researcher
"""


@pytest.mark.parametrize("config", [SSO, LEGACY_SSO])
async def test_no_sso_login(stub_endpoint: StubEndpoint, cut_off: Path, config: str) -> None:
    _config(cut_off, config)
    error = await _listing_fails(profile="lab")
    assert type(error) is CredentialsProblem
    assert "SSO login of profile lab" in error.title
    assert "aws sso login --profile lab" in error.hint


@pytest.mark.parametrize(
    ("config", "key"), [(SSO, b"corp"), (LEGACY_SSO, b"https://corp.example/start")]
)
async def test_an_expired_sso_login(
    stub_endpoint: StubEndpoint, cut_off: Path, config: str, key: bytes
) -> None:
    import hashlib

    _config(cut_off, config)
    cache = cut_off / ".aws/sso/cache"
    cache.mkdir(parents=True)
    token = {
        "startUrl": "https://corp.example/start",
        "region": "us-east-1",
        "accessToken": "gone",
        "expiresAt": "2020-01-01T00:00:00Z",
    }
    (cache / f"{hashlib.sha1(key).hexdigest()}.json").write_text(json.dumps(token))
    error = await _listing_fails(profile="lab")
    assert type(error) is CredentialsProblem
    assert "aws sso login --profile lab" in error.hint
    assert "gone" not in str(error)


async def test_a_credential_process_that_fails(stub_endpoint: StubEndpoint, cut_off: Path) -> None:
    _config(
        cut_off, "[profile lab]\ncredential_process = /bin/sh -c 'echo vault sealed >&2; exit 3'\n"
    )
    error = await _listing_fails(profile="lab")
    assert type(error) is CredentialsProblem
    assert "could not be fetched" in error.title
    assert "vault sealed" in error.detail


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        ("credential_process = /no/such/program", "/no/such/program"),
        ("credential_process = echo hello", "Expecting value"),
        ("credential_process = echo 'hello", "No closing quotation"),
        (
            "role_arn = arn:aws:iam::123456789012:role/R\nweb_identity_token_file = /no/token",
            "/no/token",
        ),
    ],
)
async def test_credentials_that_botocore_fails_to_read(
    stub_endpoint: StubEndpoint,
    cut_off: Path,
    profile: str,
    said: str,
) -> None:
    _config(cut_off, f"[profile lab]\n{profile}\n")
    error = await _listing_fails(profile="lab")
    assert type(error) is CredentialsProblem
    assert "could not be read" in error.title
    assert said in error.detail
    assert "--profile lab" in error.hint


async def test_a_role_with_mfa_is_not_asked_on_the_terminal(
    stub_endpoint: StubEndpoint, cut_off: Path
) -> None:
    _config(
        cut_off,
        "[profile lab]\nrole_arn = arn:aws:iam::123456789012:role/R\nsource_profile = base\n"
        "mfa_serial = arn:aws:iam::123456789012:mfa/ann\n"
        "[profile base]\naws_access_key_id = AKIAX\naws_secret_access_key = s\n",
    )
    error = await _listing_fails(profile="lab")
    assert type(error) is CredentialsProblem
    assert "MFA code" in error.title
    assert "aws sts get-caller-identity --profile lab" in error.hint


def test_other_exceptions_pass() -> None:
    with pytest.raises(ZeroDivisionError), translated("count"):
        raise ZeroDivisionError
    known = Refused("No.")
    assert explain(known, "count") is known


def test_what_the_library_adds_later_is_still_a_sentence() -> None:
    error = explain(b.BotoCoreError(), "count instances", "us-east-1")
    assert type(error) is CloudtuiError
    assert error.title == "Cannot count instances in us-east-1: the AWS library gave up."


URL = "https://ec2.us-east-1.amazonaws.com/"
OFF_THE_WIRE: list[tuple[b.BotoCoreError, type[CloudtuiError], str, str]] = [
    (
        b.TokenRetrievalError(provider="sso", error_msg="expired"),
        CredentialsProblem,
        "SSO login",
        "aws sso login --profile lab",
    ),
    (b.NoAuthTokenError(), CredentialsProblem, "SSO login", "aws sso login --profile lab"),
    (
        b.SSOTokenLoadError(error_msg="none"),
        CredentialsProblem,
        "SSO login",
        "aws sso login --profile lab",
    ),
    (b.UnauthorizedSSOTokenError(), CredentialsProblem, "SSO login", "aws sso login --profile lab"),
    (b.LoginRefreshRequired(), CredentialsProblem, "the login", "aws login --profile lab"),
    (
        b.RefreshWithMFAUnsupportedError(),
        CredentialsProblem,
        "new MFA code",
        "Press l",
    ),
    (b.MissingDependencyException(msg="crt"), CredentialsProblem, "library", "botocore[crt]"),
    (b.MetadataRetrievalError(error_msg="no"), CredentialsProblem, "fetched", "~/.aws/config"),
    (
        b.SSLError(endpoint_url=URL, error=OSError("self-signed")),
        Unreachable,
        "certificate of ec2.us-east-1",
        "AWS_CA_BUNDLE",
    ),
    (
        b.ProxyConnectionError(proxy_url="http://ann:pw@proxy:3128", error="no"),
        Unreachable,
        "proxy proxy:3128",
        "HTTPS_PROXY",
    ),
    (
        b.ConnectTimeoutError(endpoint_url=URL, error="slow"),
        Timeout,
        "did not answer in time",
        "VPN",
    ),
    (b.ConnectionClosedError(endpoint_url=URL), Unreachable, "broke", "try again"),
    (b.NoRegionError(), UsageError, "no region", "--region"),
]


@pytest.mark.parametrize(
    ("exc", "kind", "words", "next_step"),
    OFF_THE_WIRE,
    ids=[type(e[0]).__name__ for e in OFF_THE_WIRE],
)
def test_what_botocore_says_by_itself(
    exc: b.BotoCoreError, kind: type[CloudtuiError], words: str, next_step: str
) -> None:
    error = explain(exc, "list instances", "", "lab")
    assert type(error) is kind
    assert words in error.title
    assert next_step in error.hint
    assert "pw" not in str(error)
