"""What the user wants done on an alert: a command of theirs, or an address that it is posted to."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from email.message import Message
from http.client import HTTPException
from typing import IO
from urllib.parse import urlsplit

from cloudtui.core.tasks import aside, cancel, keep
from cloudtui.model.alerts import Alert
from cloudtui.model.errors import CloudtuiError, Timeout, Unreachable
from cloudtui.ssh.child import begin, said

COMMAND_SECONDS = 30.0
POST_SECONDS = 10.0
WAITING = 100
"""Alerts that wait for those before them; more are left out."""
_DETAIL = 400
_HINT = "It is set under on_alert in settings.yaml."


def is_address(hook: str) -> bool:
    return hook.startswith(("https://", "http://"))


def environment(alert: Alert) -> dict[str, str]:
    """The details as variables: CLOUDTUI_TITLE, CLOUDTUI_KIND, ..."""
    return {
        f"CLOUDTUI_{name.upper()}": "" if value is None else str(value)
        for name, value in alert.words().items()
    }


async def run(command: str, alert: Alert) -> None:
    """Run a command line with the details in its environment and, as JSON, on its stdin.

    Raises:
        CloudtuiError: it cannot be started, or fails.
        Timeout: it takes too long; it and what it began are ended.
    """
    try:
        process = await begin(
            *("/bin/sh", "-c", command),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=os.environ | environment(alert),
        )
    except OSError as error:
        raise CloudtuiError("The command for alerts did not start.", str(error), _HINT) from error
    try:
        words = json.dumps(alert.words()).encode() + b"\n"
        _, told = await said(process, words, seconds=COMMAND_SECONDS)
    except TimeoutError:
        raise Timeout(
            f"The command for alerts had not ended after {COMMAND_SECONDS:g} s.", "", _HINT
        ) from None
    if process.returncode:
        detail = told.decode(errors="replace").strip()[-_DETAIL:]
        raise CloudtuiError(
            f"The command for alerts failed with exit code {process.returncode}.", detail, _HINT
        )


async def post(address: str, alert: Alert) -> None:
    """Post the details as JSON. The address itself is never told: it may be a secret.

    Raises:
        Unreachable: the server was not reached.
        CloudtuiError: it answered with something else than 2xx.
        Timeout: it did not answer.
    """
    where = urlsplit(address).hostname or "The address"
    body = {"text": alert.title, **alert.words()}
    request = urllib.request.Request(
        address,
        json.dumps(body).encode(),
        {"Content-Type": "application/json", "User-Agent": "cloudtui"},
    )
    try:
        async with asyncio.timeout(POST_SECONDS):
            status = await aside(lambda: _sent(request))
    except TimeoutError:
        raise Timeout(
            f"{where} took no alert: no answer within {POST_SECONDS:g} s.", "", _HINT
        ) from None
    except urllib.error.URLError as error:
        raise Unreachable(f"{where} took no alert.", str(error.reason), _HINT) from error
    except (OSError, HTTPException, ValueError) as error:
        raise Unreachable(f"{where} took no alert.", type(error).__name__, _HINT) from error
    if not 200 <= status < 300:
        raise CloudtuiError(f"{where} took no alert: it answered with HTTP {status}.", "", _HINT)


class _Straight(urllib.request.HTTPRedirectHandler):
    """Goes nowhere else than to the address given."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Message,
        newurl: str,
    ) -> None:
        return None


def _sent(request: urllib.request.Request) -> int:
    opener = urllib.request.build_opener(_Straight)
    try:
        with opener.open(request, timeout=POST_SECONDS) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


class AlertHook:
    """Does what the setting `on_alert` says, one alert after the other."""

    def __init__(self, hook: str, on_failure: Callable[[CloudtuiError], None]) -> None:
        """`on_failure` is called once for each failure that reads the same."""
        self._hook, self._on_failure = hook, on_failure
        self._waiting: asyncio.Queue[Alert] = asyncio.Queue(WAITING)
        self._keeper: asyncio.Task[None] | None = None
        self._failed: set[str] = set()

    def take(self, alert: Alert) -> None:
        """See to an alert soon."""
        if not self._hook:
            return
        if self._keeper is None:
            self._keeper = keep(self._keep(), "alert hook")
        with contextlib.suppress(asyncio.QueueFull):
            self._waiting.put_nowait(alert)

    async def settled(self) -> None:
        """Return when all taken so far are seen to."""
        await self._waiting.join()

    async def close(self) -> None:
        await cancel(self._keeper)

    async def _keep(self) -> None:
        while True:
            alert = await self._waiting.get()
            try:
                await (post if is_address(self._hook) else run)(self._hook, alert)
            except CloudtuiError as error:
                if error.title not in self._failed:
                    self._failed.add(error.title)
                    self._on_failure(error)
            finally:
                self._waiting.task_done()
