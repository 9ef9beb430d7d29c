"""A verb that AWS wants a login for offers it, when somebody is there to answer."""

from __future__ import annotations

import sys

from cloudtui.cli.output import narrate
from cloudtui.cli.prompts import TerminalPrompts
from cloudtui.core.browser import why_no_browser
from cloudtui.core.workbench import Workbench
from cloudtui.model.errors import CloudtuiError, CredentialsProblem


async def offered(bench: Workbench, error: CloudtuiError) -> bool:
    """Whether the user wanted to log in, and did; False when that would not mend the error or
    nobody is at the terminal.

    Raises:
        CloudtuiError: the login failed.
    """
    if not (isinstance(error, CredentialsProblem) and error.login == "sso" and _somebody()):
        return False
    narrate(error.title)
    profile = error.profile or "default"
    if not await TerminalPrompts().agrees(f"Log in to AWS with profile {profile} now?"):
        return False
    login = await bench.logins.begin(error.profile)
    narrate(f"Open this page and confirm that it shows the code {login.shown.code}:")
    narrate(f"  {login.shown.link}")
    if not why_no_browser() and await bench.browse(login.shown.link):
        narrate("It is open in the browser. Waiting for it; Ctrl-C gives up.")
    else:
        narrate("Any device will do. Waiting for it; Ctrl-C gives up.")
    await login.finish()
    narrate(f"Logged in with profile {profile}.")
    return True


def _somebody() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()
