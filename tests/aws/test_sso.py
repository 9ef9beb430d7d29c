"""Logging in through the browser, against an OIDC, SSO and EC2 on loopback."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel

from cloudtui.aws import sso
from cloudtui.aws.clients import Amazon
from cloudtui.aws.ec2 import list_instances
from cloudtui.model.errors import CloudtuiError, CredentialsProblem, Refused
from tests.aws.portal import LEGACY, SESSION, Portal
from tests.moto_child import Request, StubEndpoint


@pytest.fixture
def at_home(
    stub_endpoint: StubEndpoint, cut_off: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Amazon]:
    """Makes the Amazon of profile lab, on a portal."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.delenv(name)

    def make(config: str = SESSION, portal: Portal | None = None) -> Amazon:
        (cut_off / ".aws").mkdir(exist_ok=True)
        (cut_off / ".aws/config").write_text(config)
        stub_endpoint.answer_by(portal or Portal())
        return Amazon("lab")

    return make


async def listed(amazon: Amazon) -> None:
    async for _page in list_instances(amazon, "eu-west-1"):
        pass


class Clock:
    def __init__(self) -> None:
        self.waits: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.waits.append(seconds)
        await asyncio.sleep(0)


def kept(home: Path) -> list[Path]:
    folder = home / ".aws/sso/cache"
    return sorted(folder.iterdir()) if folder.exists() else []


@pytest.mark.parametrize(
    ("config", "name"),
    [
        # what `aws sso login` calls its files: sha1 of the session's name, or of the start URL
        (SESSION, "ee0bfd2552fbd840c02cc48b6e823320543c450f"),
        (LEGACY, "a51746d4aa793ae07b25e90c3a5db96fc7832bd7"),
    ],
    ids=["sso-session", "legacy"],
)
async def test_a_login_from_nothing_to_rows(
    at_home: Callable[..., Amazon],
    stub_endpoint: StubEndpoint,
    cut_off: Path,
    config: str,
    name: str,
) -> None:
    clock = Clock()
    portal = Portal("AuthorizationPendingException", "AuthorizationPendingException")
    async with at_home(config, portal) as amazon:
        with pytest.raises(CredentialsProblem, match="SSO login of profile lab") as caught:
            await listed(amazon)
        assert (caught.value.login, caught.value.profile) == ("sso", "lab")
        login = await sso.begin(amazon, clock)
        assert login.shown.code == "ABCD-EFGH"
        assert login.shown.link == "https://device.sso.example/?user_code=ABCD-EFGH"
        await login.finish()
        assert clock.waits == [5, 5, 5]
        await listed(amazon)
    assert "Credential=ASIASSO/" in stub_endpoint.requests[-1].headers["Authorization"]
    (file,) = kept(cut_off)
    assert file.name == f"{name}.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    token: dict[str, Any] = json.loads(file.read_text())
    assert token["accessToken"] == "token"
    assert token["region"] == "eu-central-1"
    assert token["refreshToken"] == "again"
    assert token["registrationExpiresAt"] == "2100-01-01T00:00:00Z"


async def test_the_question_is_put_in_the_portals_words(
    at_home: Callable[..., Amazon], stub_endpoint: StubEndpoint
) -> None:
    async with at_home() as amazon:
        await (await sso.begin(amazon, Clock())).finish()
    register, start, token = (json.loads(r.body) for r in stub_endpoint.requests)
    assert register["clientType"] == "public"
    assert register["scopes"] == ["sso:account:access"]
    assert start["startUrl"] == "https://corp.awsapps.com/start"
    assert token["grantType"] == "urn:ietf:params:oauth:grant-type:device_code"
    assert token["deviceCode"] == "device"
    assert not any("Authorization" in r.headers for r in stub_endpoint.requests)


async def test_asking_too_fast_slows_down(at_home: Callable[..., Amazon]) -> None:
    clock = Clock()
    async with at_home(SESSION, Portal("SlowDownException", "SlowDownException")) as amazon:
        await (await sso.begin(amazon, clock)).finish()
    assert clock.waits == [5, 10, 15]


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("AccessDeniedException", "refused in the browser"),
        ("ExpiredTokenException", "code to log in with has expired"),
    ],
)
async def test_a_login_that_comes_to_nothing(
    at_home: Callable[..., Amazon], cut_off: Path, said: str, sentence: str
) -> None:
    async with at_home(SESSION, Portal(said)) as amazon:
        login = await sso.begin(amazon, Clock())
        with pytest.raises(CredentialsProblem, match=sentence) as caught:
            await login.finish()
    assert caught.value.login == "sso"
    assert kept(cut_off) == []


async def test_a_code_is_not_asked_about_after_its_time(
    at_home: Callable[..., Amazon], stub_endpoint: StubEndpoint
) -> None:
    async with at_home(SESSION, Portal(expires=0)) as amazon:
        login = await sso.begin(amazon, Clock())
        with pytest.raises(CredentialsProblem, match="has expired"):
            await login.finish()
    assert [r.path for r in stub_endpoint.requests] == ["/client/register", "/device_authorization"]


async def test_a_login_can_be_given_up(at_home: Callable[..., Amazon], cut_off: Path) -> None:
    async with at_home() as amazon:
        login = await sso.begin(amazon, lambda _seconds: asyncio.Event().wait())  # type: ignore[arg-type,return-value]
        task = asyncio.create_task(login.finish())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert kept(cut_off) == []


async def test_a_role_that_is_not_allowed(at_home: Callable[..., Amazon]) -> None:
    async with at_home(SESSION, Portal(role="no")) as amazon:
        await (await sso.begin(amazon, Clock())).finish()
        with pytest.raises(Refused, match="do not allow GetRoleCredentials"):
            await listed(amazon)


async def test_a_login_that_is_over_is_offered_again(
    at_home: Callable[..., Amazon], cut_off: Path
) -> None:
    async with at_home() as amazon:
        await (await sso.begin(amazon, Clock())).finish()
        (file,) = kept(cut_off)
        token = json.loads(file.read_text())
        file.write_text(json.dumps({**token, "accessToken": "revoked"}))
        amazon.renew()
        with pytest.raises(CredentialsProblem, match="SSO login") as caught:
            await listed(amazon)
        assert caught.value.login == "sso"
        await (await sso.begin(amazon, Clock())).finish()
        await listed(amazon)


async def test_a_role_taken_from_an_sso_profile_logs_in_there(
    at_home: Callable[..., Amazon],
) -> None:
    roled = SESSION.replace("[profile lab]", "[profile base]") + (
        "[profile lab]\nrole_arn = arn:aws:iam::1:role/R\nsource_profile = base\n"
    )
    amazon = at_home(roled)
    assert sso.portal_of(amazon).session == "corp"


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ("[profile lab]\nregion = eu-west-1\n", "has no SSO"),
        ("[profile lab]\nsource_profile = lab\n", "has no SSO"),
        ("[profile lab]\nsso_session = corp\n", "sso_start_url and sso_region is missing"),
        ("[profile lab]\nsso_start_url = https://x\n", "sso_region is missing"),
    ],
)
def test_a_profile_without_a_portal(
    at_home: Callable[..., Amazon], config: str, sentence: str
) -> None:
    with pytest.raises(CredentialsProblem, match=sentence):
        sso.portal_of(at_home(config))


async def test_a_folder_that_takes_no_token(at_home: Callable[..., Amazon], cut_off: Path) -> None:
    async with at_home() as amazon:
        login = await sso.begin(amazon, Clock())
        (cut_off / ".aws/sso").write_text("")
        with pytest.raises(CloudtuiError, match="cannot be kept"):
            await login.finish()


def _answers() -> list[tuple[str, str, Request, Portal]]:
    """Each question that the portal is asked, by service and operation."""
    token = {"x-amz-sso_bearer_token": "token"}

    def ask(path: str, headers: dict[str, str] | None = None) -> Request:
        return Request("POST", "", headers or {}, path)

    return [
        ("sso-oidc", "RegisterClient", ask("/client/register"), Portal()),
        ("sso-oidc", "StartDeviceAuthorization", ask("/device_authorization"), Portal()),
        ("sso-oidc", "CreateToken", ask("/token"), Portal()),
        *(
            ("sso-oidc", "CreateToken", ask("/token"), Portal(said))
            for said in (
                "AuthorizationPendingException",
                "SlowDownException",
                "ExpiredTokenException",
                "AccessDeniedException",
            )
        ),
        ("sso", "GetRoleCredentials", ask("/federation/credentials", token), Portal()),
        ("sso", "GetRoleCredentials", ask("/federation/credentials"), Portal()),
    ]


@pytest.mark.parametrize(
    ("service", "operation", "request_", "portal"),
    _answers(),
    ids=[f"{operation}-{n}" for n, (_, operation, _, _) in enumerate(_answers())],
)
def test_the_portal_of_these_tests_speaks_as_awss_own_model_says(
    service: str, operation: str, request_: Request, portal: Portal
) -> None:
    model: Any = ServiceModel(Loader().load_service_model(service, "service-2"))
    asked = model.operation_model(operation)
    assert asked.http["requestUri"] == request_.path
    status, body, _, more = portal(request_)
    said = json.loads(body)
    if status == 200:
        _check(asked.output_shape, said)
        return
    error = next(e for e in asked.error_shapes if e.name == more["x-amzn-ErrorType"])
    assert error.metadata["error"]["httpStatusCode"] == status
    assert set(said) <= set(error.members)


def _check(shape: Any, said: Any) -> None:
    match shape.type_name:
        case "structure":
            for name, inner in said.items():
                _check(shape.members[name], inner)
        case "integer" | "long":
            assert type(said) is int
        case kind:
            assert (kind, type(said)) == ("string", str)
