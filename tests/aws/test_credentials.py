"""MFA codes asked for by cloudtui, expiry in the middle, credentials of a process."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from botocore.exceptions import ClientError

from cloudtui.aws.clients import Amazon
from cloudtui.aws.ec2 import list_instances
from cloudtui.aws.errors import explain
from cloudtui.model.errors import CredentialsProblem, Unreachable
from tests.aws.portal import IDENTITY
from tests.moto_child import Answer, Request, StubEndpoint

DEVICE = "arn:aws:iam::123456789012:mfa/ann"
MFA = f"""
[profile lab]
role_arn = arn:aws:iam::123456789012:role/R
source_profile = base
mfa_serial = {DEVICE}
[profile base]
aws_access_key_id = AKIAX
aws_secret_access_key = s
"""
LISTING = "<DescribeInstancesResponse><reservationSet/></DescribeInstancesResponse>"
STS = "xmlns='https://sts.amazonaws.com/doc/2011-06-15/'"


class Cloud:
    """STS that takes one code, and EC2."""

    def __init__(self, code: str = "123456", seconds: float = 3600) -> None:
        self.codes: list[str] = []
        self._code, self._seconds = code, seconds

    def __call__(self, request: Request) -> Answer:
        words = parse_qs(request.body)
        if words["Action"] == ["GetCallerIdentity"]:
            return 200, IDENTITY, "text/xml"
        if words["Action"] != ["AssumeRole"]:
            return 200, LISTING, "text/xml"
        assert words["SerialNumber"] == [DEVICE]
        self.codes.append(words["TokenCode"][0])
        if self.codes[-1] != self._code:
            return (
                403,
                f"<ErrorResponse {STS}><Error><Code>AccessDenied</Code><Message>"
                "MultiFactorAuthentication failed with invalid MFA one time pass code."
                "</Message></Error></ErrorResponse>",
                "text/xml",
            )
        until = datetime.now(UTC) + timedelta(seconds=self._seconds)
        return (
            200,
            f"<AssumeRoleResponse {STS}><AssumeRoleResult><Credentials>"
            "<AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"
            f"<SessionToken>t</SessionToken><Expiration>{until:%Y-%m-%dT%H:%M:%SZ}</Expiration>"
            "</Credentials></AssumeRoleResult></AssumeRoleResponse>",
            "text/xml",
        )


@pytest.fixture
def config(cut_off: Path) -> Callable[[str], None]:
    def write(text: str) -> None:
        (cut_off / ".aws").mkdir(exist_ok=True)
        (cut_off / ".aws/config").write_text(text)

    return write


class Phone:
    """Answers with these codes in turn, and keeps who asked for what."""

    def __init__(self, *codes: str | None) -> None:
        self.asked: list[tuple[str, str]] = []
        self._codes = list(codes)

    async def __call__(self, profile: str, device: str) -> str | None:
        assert threading.current_thread() is threading.main_thread()
        self.asked.append((profile, device))
        return self._codes.pop(0)


async def listed(amazon: Amazon, region: str = "us-east-1") -> None:
    async for _page in list_instances(amazon, region):
        pass


async def refused(amazon: Amazon) -> CredentialsProblem:
    with pytest.raises(CredentialsProblem) as caught:
        await listed(amazon)
    return caught.value


async def test_the_code_is_asked_for_once_and_used(
    stub_endpoint: StubEndpoint, config: Callable[[str], None]
) -> None:
    config(MFA)
    cloud, phone = Cloud(), Phone(" 123456\n")
    stub_endpoint.answer_by(cloud)
    async with Amazon("lab", mfa_code=phone) as amazon:
        await asyncio.gather(*(listed(amazon, r) for r in ("us-east-1", "eu-west-1")))
    assert phone.asked == [("lab", DEVICE)]
    assert cloud.codes == ["123456"]
    assert "Credential=ASIAROLE/" in stub_endpoint.requests[-1].headers["Authorization"]
    async with Amazon("lab") as amazon:  # the role is in the aws command's cache now
        await listed(amazon)


async def test_a_question_that_was_given_up_is_not_put_again_until_asked_to(
    stub_endpoint: StubEndpoint, config: Callable[[str], None]
) -> None:
    config(MFA)
    cloud, phone = Cloud(), Phone(None, "123456")
    stub_endpoint.answer_by(cloud)
    async with Amazon("lab", mfa_code=phone) as amazon:
        for _ in range(3):
            error = await refused(amazon)
            assert "needs an MFA code" in error.title
            assert (error.login, error.profile) == ("mfa", "lab")
        assert len(phone.asked) == 1
        amazon.renew()
        await listed(amazon)
    assert len(phone.asked) == 2


async def test_a_wrong_code_is_told_and_asked_for_again_on_demand(
    stub_endpoint: StubEndpoint, config: Callable[[str], None]
) -> None:
    config(MFA)
    cloud, phone = Cloud(), Phone("000000", "123456")
    stub_endpoint.answer_by(cloud)
    async with Amazon("lab", mfa_code=phone) as amazon:
        error = await refused(amazon)
        assert "did not accept the MFA code" in error.title
        assert error.login == "mfa"
        await refused(amazon)
        assert len(phone.asked) == 1
        amazon.renew()
        await listed(amazon)


async def test_leaving_takes_the_question_back(
    stub_endpoint: StubEndpoint, config: Callable[[str], None]
) -> None:
    config(MFA)
    stub_endpoint.answer_by(Cloud())
    open_question, taken_back = asyncio.Event(), asyncio.Event()

    async def silent(_profile: str, _device: str) -> str | None:
        open_question.set()
        try:
            await asyncio.Event().wait()
        finally:
            taken_back.set()
        return None

    async with Amazon("lab", mfa_code=silent) as amazon:
        listing = asyncio.create_task(listed(amazon))
        await open_question.wait()
        listing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await listing
        await asyncio.wait_for(taken_back.wait(), 30)


async def test_what_is_under_way_goes_on_while_credentials_are_renewed(
    stub_endpoint: StubEndpoint, config: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    keys = "[default]\naws_access_key_id = {}\naws_secret_access_key = s\n"
    config(keys.format("AKIAOLD"))
    arrived, go_on = threading.Event(), threading.Event()

    def answer(request: Request) -> Answer:
        if "AKIAOLD" in request.headers["Authorization"]:
            arrived.set()
            go_on.wait(10)
        return 200, LISTING, "text/xml"

    stub_endpoint.answer_by(answer)
    async with Amazon() as amazon:
        under_way = asyncio.create_task(listed(amazon))
        await asyncio.to_thread(arrived.wait, 10)
        config(keys.format("AKIANEW"))
        amazon.renew()
        await listed(amazon)
        go_on.set()
        await under_way
    signed = [
        r.headers["Authorization"].partition("Credential=")[2] for r in stub_endpoint.requests
    ]
    assert [name.partition("/")[0] for name in signed] == ["AKIAOLD", "AKIANEW"]


async def test_keys_written_after_a_refusal_are_used_the_next_time(
    stub_endpoint: StubEndpoint, config: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    stub_endpoint.answer_error(400, "ExpiredToken", "The provided token has expired.")
    async with Amazon() as amazon:
        await refused(amazon)
        config("[default]\naws_access_key_id = AKIAOLD\naws_secret_access_key = s\n")
        await refused(amazon)
        config("[default]\naws_access_key_id = AKIANEW\naws_secret_access_key = s\n")
        stub_endpoint.answer(200, LISTING)
        await listed(amazon)
    assert ["AKIAOLD" in stub_endpoint.requests[0].headers["Authorization"]] == [True]
    assert ["AKIANEW" in stub_endpoint.requests[-1].headers["Authorization"]] == [True]


async def test_credentials_of_a_process_are_used(
    stub_endpoint: StubEndpoint, config: Callable[[str], None]
) -> None:
    made = json.dumps({"Version": 1, "AccessKeyId": "AKIAPROC", "SecretAccessKey": "s"})
    config(f"[profile lab]\ncredential_process = echo '{made}'\n")
    stub_endpoint.answer(200, LISTING)
    async with Amazon("lab") as amazon:
        await listed(amazon)
    assert "Credential=AKIAPROC/" in stub_endpoint.requests[-1].headers["Authorization"]


async def test_a_ca_bundle_that_is_not_there(
    stub_endpoint: StubEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", "/no/such/bundle.pem")
    async with Amazon(endpoint_url=stub_endpoint.url.replace("http:", "https:")) as amazon:
        with pytest.raises(Unreachable, match="trusted certificates") as caught:
            await listed(amazon)
    assert "/no/such/bundle.pem" in caught.value.detail
    assert "AWS_CA_BUNDLE" in caught.value.hint


async def test_expired_keys_offer_a_login_only_where_there_is_one(
    stub_endpoint: StubEndpoint, config: Callable[[str], None]
) -> None:
    config(
        "[profile corp]\nsso_session = s\n[profile under]\nrole_arn = r\nsource_profile = corp\n"
    )
    stub_endpoint.answer_error(400, "ExpiredToken", "The provided token has expired.")

    def problem(profile: str) -> CredentialsProblem:
        answer: Any = {"Error": {"Code": "ExpiredToken", "Message": ""}, "ResponseMetadata": {}}
        error = explain(ClientError(answer, "DescribeInstances"), "list", "", profile)
        assert isinstance(error, CredentialsProblem)
        return error

    def told(profile: str) -> str:
        return problem(profile).login

    def hint(profile: str) -> str:
        return problem(profile).hint

    assert (told("corp"), told("under"), told("keys"), told("")) == ("sso", "sso", "", "")
    assert "Press l in the console" in hint("corp")
    assert "Press l" not in hint("keys")
