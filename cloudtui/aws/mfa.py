"""MFA codes: botocore asks for them in the middle of its work, in a thread; people answer on the
loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import CancelledError
from typing import Any

from cloudtui.model.errors import CredentialsProblem

AskCode = Callable[[str, str], Awaitable[str | None]]
"""Asks the user for the MFA code of a profile and its device (ARN or serial); None gives up."""


class Code:
    """The MFA code of a role: asked for on the console's loop by a thread that waits for it."""

    def __init__(self, profile: str, ask: AskCode | None) -> None:
        self._profile = profile
        self._ask = ask
        self._loop: asyncio.AbstractEventLoop | None = None
        self._question: asyncio.Task[Any] | None = None
        self.asked = False
        """Whether a code was asked for and led to nothing: not asked again unbidden."""

    @contextlib.contextmanager
    def asked_on(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        """Inside, questions go to `loop`; one that stands open is taken back at the end."""
        self._loop = loop
        try:
            yield
        finally:
            if self._question:
                self._question.cancel()
                self._question = None

    def ask(self, text: str) -> str:
        """botocore's prompter; `text` ends with the device.

        Raises:
            CredentialsProblem: nobody answers.
        """
        code: str | None = None
        if self._ask and self._loop and not self.asked:
            self.asked = True
            device = text.removeprefix("Enter MFA code for ").rstrip(": ")
            with contextlib.suppress(CancelledError):
                code = asyncio.run_coroutine_threadsafe(self._put(device), self._loop).result()
        if not code:
            raise _no_code(self._profile)
        return code.strip()

    async def _put(self, device: str) -> str | None:
        assert self._ask is not None
        self._question = asyncio.current_task()
        return await self._ask(self._profile, device)

    def accepted(self) -> None:
        """The credentials are there: the next code is asked for when they have expired."""
        self.asked = False


def _no_code(profile: str) -> CredentialsProblem:
    named = f" --profile {profile}" if profile else ""
    problem = CredentialsProblem(
        f"The profile {profile or 'default'} needs an MFA code.",
        "It was not given; the answer would be kept for an hour.",
        f"Press l in the console, or run: aws sts get-caller-identity{named}. Then try again.",
        login="mfa",
    )
    problem.profile = profile
    return problem
