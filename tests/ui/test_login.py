"""The dialogs of a login: the code, the page, waiting, giving up, trying again."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from cloudtui.model.errors import CloudtuiError, CredentialsProblem
from cloudtui.model.login import DeviceCode
from cloudtui.ui.screens.login import LogIn, log_in
from cloudtui.ui.screens.machines import MachinesScreen
from tests.ui.fakes import Console, console, listed
from tests.ui.test_attached import until

LINK = "https://device.sso.example/?user_code=ABCD-EFGH"


class FakeLogin:
    """Ends when `confirmed` is set, or with `failure`."""

    def __init__(self) -> None:
        self.shown = DeviceCode(
            "ABCD-EFGH",
            "https://device.sso.example/",
            LINK,
            datetime.now(UTC) + timedelta(minutes=10),
        )
        self.confirmed = asyncio.Event()
        self.failure: CloudtuiError | None = None
        self.given_up = False

    async def finish(self) -> None:
        try:
            await self.confirmed.wait()
        except asyncio.CancelledError:
            self.given_up = True
            raise
        if self.failure:
            raise self.failure


class FakeLogins:
    def __init__(self, *logins: FakeLogin | CloudtuiError) -> None:
        self._logins = list(logins)
        self.profiles: list[str] = []
        self.asked_again: list[str] = []

    async def begin(self, profile: str) -> FakeLogin:
        self.profiles.append(profile)
        login = self._logins.pop(0)
        if isinstance(login, CloudtuiError):
            raise login
        return login

    async def again(self, profile: str) -> None:
        self.asked_again.append(profile)


def problem(login: str, profile: str = "lab") -> CredentialsProblem:
    error = CredentialsProblem("The login is missing.", login=login)
    error.profile = profile
    return error


def begin(ui: Console, *logins: FakeLogin | CloudtuiError) -> FakeLogins:
    fake = FakeLogins(*logins)
    ui.bench.logins = fake  # type: ignore[attr-defined]
    log_in(ui.app, problem("sso"))
    return fake


async def test_the_code_and_the_page_are_shown_until_confirmed() -> None:
    login = FakeLogin()
    async with console(listed()) as ui:
        fake = begin(ui, login)
        await until(ui, lambda: "ABCD-EFGH" in ui.text)
        for words in ("Log in to AWS, profile lab", LINK, "Waiting for it, "):
            assert words in ui.text
        await ui.press("y")
        assert ui.app.clipboard == "ABCD-EFGH"
        await ui.press("c")
        assert ui.app.clipboard == LINK
        assert "page is copied" in " ".join(ui.text.split())
        before = ui.bench.inventory.refreshed
        login.confirmed.set()
        await until(ui, lambda: isinstance(ui.app.screen, MachinesScreen))
        await until(ui, lambda: ui.said[-1:] == ["Logged in to AWS with profile lab."])
        await until(ui, lambda: ui.bench.inventory.refreshed == before + 1)
        assert fake.profiles == ["lab"]


async def test_escape_gives_it_up() -> None:
    login = FakeLogin()
    async with console(listed()) as ui:
        begin(ui, login)
        await until(ui, lambda: "ABCD-EFGH" in ui.text)
        await ui.press("escape")
        await until(ui, lambda: login.given_up)
        assert isinstance(ui.app.screen, MachinesScreen)
        assert not any("Logged in" in words for words in ui.said)


async def test_what_came_to_nothing_says_why_and_can_be_tried_again() -> None:
    late, login = FakeLogin(), FakeLogin()
    late.failure = CredentialsProblem("The code to log in with has expired.", "Not in time.")
    async with console(listed()) as ui:
        fake = begin(ui, CloudtuiError("Cannot log in: no network."), late, login)
        await until(ui, lambda: "no network" in ui.text)
        await ui.press("r")
        await until(ui, lambda: "ABCD-EFGH" in ui.text)
        await ui.press("r")
        assert len(fake.profiles) == 2
        late.confirmed.set()
        await until(ui, lambda: "has expired" in ui.text)
        await ui.press("r")
        login.confirmed.set()
        await until(ui, lambda: isinstance(ui.app.screen, MachinesScreen))


async def test_without_a_browser_any_device_will_do() -> None:
    async with console(listed()) as ui:
        begin(ui, FakeLogin())
        await until(ui, lambda: "ABCD-EFGH" in ui.text)
        await ui.press("o")
        assert "any device" in ui.text
        assert isinstance(ui.app.screen, LogIn)


async def test_the_page_opens_in_the_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROWSER", "true")
    opened: list[str] = []

    async def browse(url: str) -> bool:
        opened.append(url)
        return True

    async with console(listed()) as ui:
        ui.bench.browse = browse  # type: ignore[method-assign,assignment]
        begin(ui, FakeLogin())
        await until(ui, lambda: "open in the browser" in ui.text)
        assert opened == [LINK]


async def test_a_code_of_a_device_is_asked_for_by_listing_again() -> None:
    async with console(listed()) as ui:
        fake = ui.bench.logins = FakeLogins()  # type: ignore[attr-defined]
        log_in(ui.app, problem("mfa", ""))
        await until(ui, lambda: fake.asked_again == [""])


async def test_what_no_login_mends_is_said() -> None:
    async with console(listed()) as ui:
        log_in(ui.app, problem(""))
        await ui.settle()
        assert "The login is missing." in ui.said[-1]


async def test_l_on_the_list_begins_the_login() -> None:
    from cloudtui.model.place import Place

    async with console(listed()) as ui:
        fake = ui.bench.logins = FakeLogins(FakeLogin())  # type: ignore[attr-defined]
        ui.bench.inventory.show(errors=((Place("lab"), problem("sso")),))
        await ui.press("l")
        await until(ui, lambda: "ABCD-EFGH" in ui.text)
        assert fake.profiles == ["lab"]
