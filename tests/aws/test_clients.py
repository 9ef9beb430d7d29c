"""Sessions and clients: which region and keys they use, and that they leave the loop alone."""

from __future__ import annotations

import asyncio
import gc
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudtui.aws import clients, ec2, quiet
from cloudtui.aws.clients import Amazon
from cloudtui.aws.ec2 import list_instances
from cloudtui.aws.listing import Page, read_page
from cloudtui.model.errors import CredentialsProblem, UsageError
from tests.moto_child import StubEndpoint


def _config(home: Path, text: str) -> None:
    (home / ".aws").mkdir(exist_ok=True)
    (home / ".aws/config").write_text(text)


def test_the_region_comes_from_the_nearest_place(
    cut_off: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _config(cut_off, "[default]\nregion = eu-north-1\n[profile lab]\nregion = eu-west-3\n")
    assert Amazon().home_region == "eu-north-1"
    assert Amazon("lab").home_region == "eu-west-3"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-1")
    assert Amazon().home_region == "us-west-1"
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    assert Amazon("lab").home_region == "us-west-2"
    assert Amazon(regions=("ca-central-1", "us-east-1")).home_region == "ca-central-1"
    assert Amazon(regions=("all",)).home_region == "us-west-2"


def test_the_profile_comes_from_the_environment(
    cut_off: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _config(cut_off, "[profile lab]\nregion = eu-west-3\n[profile other]\nregion = sa-east-1\n")
    monkeypatch.setenv("AWS_PROFILE", "lab")
    assert Amazon().profile == "lab"
    assert Amazon().home_region == "eu-west-3"
    assert Amazon("other").home_region == "sa-east-1"


def test_no_region_says_how_to_set_one(cut_off: Path) -> None:
    with pytest.raises(UsageError) as caught:
        _ = Amazon().home_region
    assert "AWS_REGION" in caught.value.detail
    assert "--region" in caught.value.hint


def test_an_unknown_profile_is_told_when_the_region_is_asked(cut_off: Path) -> None:
    with pytest.raises(CredentialsProblem, match="no AWS profile lab"):
        _ = Amazon("lab").home_region


async def test_keys_of_the_environment_go_before_a_profile_of_the_environment(
    stub_endpoint: StubEndpoint, cut_off: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _config(cut_off, "[profile lab]\naws_access_key_id = AKIALAB\naws_secret_access_key = s\n")
    monkeypatch.setenv("AWS_PROFILE", "lab")
    stub_endpoint.answer(200, _page(0))
    for profile in ("", "lab"):
        async with Amazon(profile) as amazon:
            assert [page async for page in list_instances(amazon, "us-east-1")] == [()]
    signed = [request.headers["Authorization"] for request in stub_endpoint.requests]
    assert "Credential=testing/" in signed[0]
    assert "Credential=AKIALAB/" in signed[1]


async def test_one_client_for_each_service_and_region(stub_endpoint: StubEndpoint) -> None:
    async with Amazon() as amazon:
        first, second, other, sts = await asyncio.gather(
            amazon.client("ec2", "us-east-1"),
            amazon.client("ec2", "us-east-1"),
            amazon.client("ec2", "eu-west-1"),
            amazon.client("sts", "us-east-1"),
        )
    assert first is second
    assert other is not first
    assert other.meta.region_name == "eu-west-1"
    assert sts.meta.service_model.service_name == "sts"


async def test_entering_and_leaving_needs_nothing(cut_off: Path) -> None:
    async with Amazon("no-such-profile"):
        pass


def test_tls_contexts_are_shared() -> None:
    one, two = quiet.HTTPSession(verify=True), quiet.HTTPSession(verify=True)
    context, _ = one._build_ssl_contexts(None)
    assert two._build_ssl_contexts(None)[0] is context
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    unverified, _ = quiet.HTTPSession(verify=False)._build_ssl_contexts(None)
    assert unverified is not context


@pytest.fixture
def firmware(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(clients, "_DMI", tmp_path)
    monkeypatch.setattr(clients, "_XEN", tmp_path / "uuid")
    return tmp_path


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("sys_vendor", "Amazon EC2\n", True),
        ("board_asset_tag", "i-0f3c77aa00112233\n", True),
        ("uuid", "ec2e1916-9099-7caf-fd21-012345abcdef\n", True),
        ("sys_vendor", "LENOVO\n", False),
        ("uuid", "d2e1916-9099-7caf\n", False),
        ("sys_vendor", "\xff\n", False),
    ],
)
def test_ec2_is_known_by_its_firmware(firmware: Path, file: str, text: str, expected: bool) -> None:
    assert not clients.on_ec2()
    (firmware / file).write_text(text)
    assert clients.on_ec2() is expected


def _providers(amazon: Amazon) -> list[str]:
    chain = amazon._opened_session().get_component("credential_provider")
    return [provider.METHOD for provider in chain.providers]


def test_the_metadata_address_is_asked_on_ec2_only(
    firmware: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "iam-role" not in _providers(Amazon())
    (firmware / "sys_vendor").write_text("Amazon EC2\n")
    assert "iam-role" in _providers(Amazon())
    (firmware / "sys_vendor").unlink()
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1")
    assert "iam-role" in _providers(Amazon())


async def test_a_role_taken_by_the_aws_command_is_used_and_kept(
    stub_endpoint: StubEndpoint, cut_off: Path
) -> None:
    _config(
        cut_off,
        "[profile lab]\nrole_arn = arn:aws:iam::123456789012:role/R\nsource_profile = base\n"
        "[profile base]\naws_access_key_id = AKIAX\naws_secret_access_key = s\n",
    )
    stub_endpoint.answer_in_turn(
        (
            200,
            "<AssumeRoleResponse xmlns='https://sts.amazonaws.com/doc/2011-06-15/'><AssumeRoleResult>"
            "<Credentials><AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"
            "<SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>"
            "</AssumeRoleResult></AssumeRoleResponse>",
        ),
        (200, "<DescribeInstancesResponse/>"),
    )
    for _ in range(2):
        async with Amazon("lab") as amazon:
            async for _page_of_none in list_instances(amazon, "us-east-1"):
                pass
    roles, *listings = stub_endpoint.requests
    assert "Action=AssumeRole" in roles.body
    assert len(listings) == 2
    assert all("Credential=ASIAROLE/" in r.headers["Authorization"] for r in listings)
    (kept,) = (cut_off / ".aws/cli/cache").iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600


# ------------------------------------------------------------------ the loop


def _page(count: int) -> str:
    padding = "".join(
        f"<item><key>tag-{n}</key><value>some longer value number {n}</value></item>"
        for n in range(40)
    )
    rows = "".join(
        f"<item><instancesSet><item><instanceId>i-{n:017x}</instanceId>"
        f"<instanceState><code>16</code><name>running</name></instanceState>"
        f"<launchTime>2026-11-20T10:00:00.000Z</launchTime><tagSet>{padding}</tagSet>"
        f"</item></instancesSet></item>"
        for n in range(count)
    )
    return (
        "<DescribeInstancesResponse xmlns='http://ec2.amazonaws.com/doc/2016-11-15/'>"
        f"<reservationSet>{rows}</reservationSet></DescribeInstancesResponse>"
    )


async def test_a_page_of_a_thousand_is_parsed_beside_the_loop(
    stub_endpoint: StubEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub_endpoint.answer(200, _page(1000))
    threads: list[int] = []

    def seen(body: bytes) -> Page:
        threads.append(threading.get_ident())
        return read_page(body)

    monkeypatch.setattr(ec2, "read_page", seen)
    async with Amazon() as amazon:
        pages = [page async for page in list_instances(amazon, "us-east-1")]
    assert [len(page) for page in pages] == [1000]
    assert len(threads) == 1
    assert threads != [threading.get_ident()]


def test_the_collector_rests_while_any_thread_builds() -> None:
    collector = quiet._Collector()
    assert gc.isenabled()
    with collector.paused():
        with collector.paused():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


@pytest.fixture
def disabled_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


def test_a_collector_that_was_off_stays_off(disabled_collector: None) -> None:
    with quiet._Collector().paused():
        pass
    assert not gc.isenabled()
