"""The login of `aws sso login`, done here: a code shown, confirmed in the browser, a token kept.

The token goes where the aws command keeps its own (~/.aws/sso/cache), under the same name and in
the same form, so that either one's login serves both.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from botocore.utils import JSONFileCache

from cloudtui.aws.clients import Amazon
from cloudtui.aws.errors import translated
from cloudtui.model.errors import CloudtuiError, CredentialsProblem
from cloudtui.model.login import DeviceCode

DEFAULT = "default"
"""What AWS calls the profile that cloudtui writes as an empty name."""
_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_SCOPE = "sso:account:access"
_SLOWER = 5.0
"""Seconds more between questions each time AWS says that they come too fast (RFC 8628)."""
_INTERVAL = 5.0

Wait = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Portal:
    """Where a profile's users log in."""

    start_url: str
    region: str
    session: str = ""
    """The name of the `sso-session` section; empty in the older form."""
    scopes: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """The name of its token in the cache, as botocore and the aws command make it."""
        return hashlib.sha1((self.session or self.start_url).encode()).hexdigest()


def token_folder() -> Path:
    """Where the aws command keeps tokens."""
    return Path.home() / ".aws/sso/cache"


class DeviceLogin:
    """One login under way: made by `begin`, ended by `finish` or by being forgotten."""

    def __init__(
        self, amazon: Amazon, portal: Portal, registered: Any, started: Any, wait: Wait
    ) -> None:
        self._amazon = amazon
        self._portal = portal
        self._registered = registered
        self._device = started["deviceCode"]
        self._interval = float(started.get("interval") or _INTERVAL)
        self._wait = wait
        self.shown = DeviceCode(
            code=started["userCode"],
            url=started["verificationUri"],
            link=started.get("verificationUriComplete") or started["verificationUri"],
            until=datetime.now(UTC) + timedelta(seconds=started["expiresIn"]),
        )
        """What the user is shown."""

    async def finish(self) -> None:
        """Wait until the user has confirmed, keep the token, and let `amazon` use it.

        Raises:
            CredentialsProblem: refused in the browser, or not confirmed in time.
            CloudtuiError: AWS was not reached.
        """
        token = await self._token()
        issued = datetime.now(UTC)
        kept = {
            "startUrl": self._portal.start_url,
            "region": self._portal.region,
            "accessToken": token["accessToken"],
            "expiresAt": _stamp(issued + timedelta(seconds=token["expiresIn"])),
            "clientId": self._registered["clientId"],
            "clientSecret": self._registered["clientSecret"],
            "registrationExpiresAt": _stamp(
                datetime.fromtimestamp(self._registered["clientSecretExpiresAt"], UTC)
            ),
        }
        if token.get("refreshToken"):
            kept["refreshToken"] = token["refreshToken"]
        await asyncio.to_thread(_keep, self._portal, kept)
        self._amazon.renew()

    async def _token(self) -> Any:
        while True:
            await self._wait(self._interval)
            if datetime.now(UTC) >= self.shown.until:
                raise _too_late()
            with translated("log in", "", self._amazon.profile):
                client: Any = await self._amazon.client("sso-oidc", self._portal.region)
                try:
                    return await client.create_token(
                        clientId=self._registered["clientId"],
                        clientSecret=self._registered["clientSecret"],
                        grantType=_GRANT,
                        deviceCode=self._device,
                    )
                except ClientError as error:
                    match error.response["Error"].get("Code"):
                        case "AuthorizationPendingException":
                            continue
                        case "SlowDownException":
                            self._interval += _SLOWER
                        case "ExpiredTokenException":
                            raise _too_late() from None
                        case "AccessDeniedException":
                            raise CredentialsProblem(
                                "The login was refused in the browser.",
                                "AWS answered AccessDeniedException.",
                                "Log in again and press Allow there.",
                                login="sso",
                            ) from None
                        case _:
                            raise


async def begin(amazon: Amazon, wait: Wait = asyncio.sleep) -> DeviceLogin:
    """Ask AWS for a code to log in with, for the profile of `amazon`.

    Raises:
        CredentialsProblem: the profile has no SSO, or an incomplete one.
        CloudtuiError: AWS was not reached or refused.
    """
    with translated("log in", "", amazon.profile):
        portal = await asyncio.to_thread(portal_of, amazon)
        client: Any = await amazon.client("sso-oidc", portal.region)
        scopes = {"scopes": list(portal.scopes)} if portal.scopes else {}
        registered = await client.register_client(
            clientName=f"cloudtui-{datetime.now(UTC):%Y%m%d%H%M%S}", clientType="public", **scopes
        )
        started = await client.start_device_authorization(
            clientId=registered["clientId"],
            clientSecret=registered["clientSecret"],
            startUrl=portal.start_url,
        )
    return DeviceLogin(amazon, portal, registered, started, wait)


def portal_of(amazon: Amazon) -> Portal:
    """The SSO that the profile names, itself or for the profile whose role it takes from."""
    config = amazon.config()
    profiles, sessions = config.get("profiles", {}), config.get("sso_sessions", {})
    name = amazon.profile or DEFAULT
    seen = {name}
    fields = profiles.get(name, {})
    while not ({"sso_session", "sso_start_url"} & fields.keys()):
        name = fields.get("source_profile", "")
        if not name or name in seen:
            raise CredentialsProblem(
                f"The profile {amazon.profile or DEFAULT} has no SSO to log in to.",
                "Neither sso_session nor sso_start_url stands in its section of ~/.aws/config.",
                "Set it up: aws configure sso",
            )
        seen.add(name)
        fields = profiles.get(name, {})
    session = fields.get("sso_session", "")
    both = {**fields, **sessions.get(session, {})}
    missing = [key for key in ("sso_start_url", "sso_region") if not both.get(key)]
    if missing:
        where = f"sso-session {session}" if session else f"profile {name}"
        raise CredentialsProblem(
            f"The {where} cannot be logged in to: {' and '.join(missing)} is missing.",
            "Looked at ~/.aws/config.",
            "Set it up: aws configure sso",
        )
    scopes = both.get("sso_registration_scopes", _SCOPE) if session else ""
    return Portal(
        start_url=both["sso_start_url"],
        region=both["sso_region"],
        session=session,
        scopes=tuple(word.strip() for word in scopes.split(",") if word.strip()),
    )


def _keep(portal: Portal, token: dict[str, Any]) -> None:
    folder = token_folder()
    try:
        # JSONFileCache would make the folder as open as the umask lets it; files it makes 0600.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        JSONFileCache(str(folder))[portal.file] = token
    except OSError as error:
        raise CloudtuiError(
            f"The login cannot be kept: {error.strerror}.",
            f"{folder} takes no files.",
            "Make ~/.aws/sso/cache writable, then log in again.",
        ) from error


def _too_late() -> CredentialsProblem:
    return CredentialsProblem(
        "The code to log in with has expired.",
        "It was not confirmed in the browser in time.",
        "Log in again.",
        login="sso",
    )


def _stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
