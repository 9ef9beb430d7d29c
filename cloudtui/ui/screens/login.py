"""Logging in to AWS from the console: a code to confirm in the browser, or an MFA code."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Label, Static

from cloudtui.core.browser import why_no_browser
from cloudtui.model.errors import CloudtuiError, CredentialsProblem
from cloudtui.model.login import DeviceCode
from cloudtui.ui.screens.dialogs import Dialog
from cloudtui.ui.work import start_work

if TYPE_CHECKING:
    from cloudtui.ui.app import CloudtuiApp


class Login(Protocol):
    """A login under way, as `aws.sso.DeviceLogin` is."""

    @property
    def shown(self) -> DeviceCode: ...

    async def finish(self) -> None: ...


class LogIn(Dialog[bool]):
    """Shows the code and the page, and closes by itself when the user has confirmed there."""

    BINDINGS = [
        Binding("o", "open_page", show=False),
        Binding("c", "copy('page')", show=False),
        Binding("y", "copy('code')", show=False),
        Binding("r", "again", show=False),
        Binding("q", "cancel", show=False),
    ]

    def __init__(
        self,
        profile: str,
        begin: Callable[[], Awaitable[Login]],
        browse: Callable[[str], Awaitable[bool]],
    ) -> None:
        super().__init__()
        self._profile, self._begin, self._browse = profile, begin, browse
        self._shown: DeviceCode | None = None
        self._error: CloudtuiError | None = None
        self._note = ""

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Label(f"Log in to AWS, profile {self._profile}", id="title", markup=False)
            yield Static(classes="body", id="said", markup=False)
            yield Label(id="hint", markup=False)

    def on_mount(self) -> None:
        self.set_interval(1, self._paint)
        self.action_again()

    def action_cancel(self) -> None:
        self.dismiss(False)

    def action_again(self) -> None:
        """Begin with a new code, when the last one came to nothing."""
        if self._shown is None or self._error:
            self._shown = self._error = None
            self._note = ""
            self._paint()
            self._log_in()

    @work(exclusive=True)
    async def _log_in(self) -> None:
        try:
            login = await self._begin()
            self._shown = login.shown
            self._paint()
            if not why_no_browser():
                await self.action_open_page()
            await login.finish()
        except CloudtuiError as error:
            self._error = error
            self._paint()
            return
        self.dismiss(True)

    async def action_open_page(self) -> None:
        if self._shown is None or self._error:
            return
        if why_no_browser() or not await self._browse(self._shown.link):
            self._note = "No browser opens here: open the page on any device, a phone will do."
        else:
            self._note = "The page is open in the browser."
        self._paint()

    def action_copy(self, what: str) -> None:
        if self._shown:
            text = self._shown.link if what == "page" else self._shown.code
            self.app.copy_to_clipboard(text)
            self._note = f"The {what} is copied."
            self._paint()

    def _paint(self) -> None:
        said, hint = self.query_one("#said", Static), self.query_one("#hint", Label)
        if self._error:
            parts = [f"× {self._error.title}", self._error.detail, self._error.hint]
            said.update(Content("\n".join(part for part in parts if part)))
            hint.update("r tries again   Esc closes")
            return
        if self._shown is None:
            said.update("Asking AWS for a code …")
            hint.update("Esc cancels")
            return
        said.update(_words(self._shown, self._note))
        hint.update("o opens the browser   c copies the page   y copies the code   Esc cancels")


def _words(shown: DeviceCode, note: str) -> Content:
    left = max(0, round((shown.until - datetime.now(UTC)).total_seconds()))
    return Content.assemble(
        "Open this page and confirm that it shows the same code:\n\n",
        ("page   ", "$foreground-muted"),
        f"{shown.link}\n",
        ("code   ", "$foreground-muted"),
        (shown.code, "bold"),
        "\n\n",
        (f"Waiting for it, {left // 60} min {left % 60:02d} s more. {note}", "$foreground-muted"),
    )


def log_in(app: CloudtuiApp, error: CredentialsProblem) -> None:
    """Mend what `error` says, if it is something that can be done here; then list again."""
    bench, profile = app.workbench, error.profile
    if error.login == "mfa":
        start_work(app, bench.logins.again, profile, group="login", exclusive=True)
        return
    if error.login != "sso":
        app.fail(error)
        return

    def done(logged_in: bool | None) -> None:
        if logged_in:
            app.say(f"Logged in to AWS with profile {profile or 'default'}.")
            bench.inventory.refresh()

    async def begin() -> Login:
        return await bench.logins.begin(profile)

    app.push_screen(LogIn(profile or "default", begin, bench.browse), done)
