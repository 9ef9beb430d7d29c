"""A login or an MFA code in the middle of a session: the list fails, is mended, and goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudtui.core.events import InventoryState
from cloudtui.core.workbench import Workbench
from cloudtui.files.settings import Settings
from cloudtui.model.errors import CredentialsProblem
from cloudtui.model.remote import HostKey
from tests.aws.portal import SESSION, Portal
from tests.aws.test_credentials import MFA, Cloud
from tests.moto_child import StubEndpoint


class Prompts:
    """Answers questions with these texts in turn."""

    def __init__(self, *texts: str | None) -> None:
        self.asked: list[tuple[str, str]] = []
        self._texts = list(texts)

    async def trust_host_key(self, key: HostKey) -> bool:
        raise AssertionError

    async def passphrase(self, key_file: Path, again: bool) -> str | None:
        raise AssertionError

    async def answers(self, title: str, prompts: tuple[tuple[str, bool], ...]) -> list[str] | None:
        self.asked.append((title, prompts[0][0]))
        text = self._texts.pop(0)
        return None if text is None else [text]


@pytest.fixture
def home(cut_off: Path, stub_endpoint: StubEndpoint, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    (cut_off / ".aws").mkdir()
    return cut_off


def problem(state: InventoryState) -> CredentialsProblem:
    (_place, error), *_more = state.errors
    assert isinstance(error, CredentialsProblem)
    return error


async def test_a_login_mends_the_list(home: Path, stub_endpoint: StubEndpoint) -> None:
    (home / ".aws/config").write_text(SESSION)
    stub_endpoint.answer_by(Portal(interval=0.01))
    async with Workbench(Settings(), Prompts(), profiles=("lab",), regions=("eu-west-1",)) as bench:
        error = problem(await bench.inventory.load())
        assert (error.login, error.profile) == ("sso", "lab")
        login = await bench.logins.begin(error.profile)
        await login.finish()
        assert (await bench.inventory.load()).errors == ()


async def test_a_code_is_asked_for_and_again_only_on_demand(
    home: Path, stub_endpoint: StubEndpoint
) -> None:
    (home / ".aws/config").write_text(MFA)
    stub_endpoint.answer_by(Cloud())
    prompts = Prompts(None, "123456")
    async with Workbench(Settings(), prompts, profiles=("lab",), regions=("eu-west-1",)) as bench:
        error = problem(await bench.inventory.load())
        assert (error.login, error.profile) == ("mfa", "lab")
        await bench.inventory.load()
        title, question = prompts.asked[0]
        assert len(prompts.asked) == 1
        assert title == "MFA code for AWS profile lab"
        assert "mfa/ann" in question
        await bench.logins.again(error.profile)
        assert (await bench.inventory.load()).errors == ()
