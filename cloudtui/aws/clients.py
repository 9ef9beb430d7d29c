"""AWS clients: one session for a profile, one kept client for each service and region."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, overload
from urllib.parse import urlsplit

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from aiobotocore.tokens import AioSSOTokenProvider
from botocore import UNSIGNED
from botocore.exceptions import BotoCoreError
from botocore.utils import JSONFileCache

from cloudtui.aws.errors import translated
from cloudtui.aws.mfa import AskCode, Code
from cloudtui.aws.model_cache import Models
from cloudtui.aws.quiet import COLLECTOR, HTTPSession, ParserFactory, in_thread
from cloudtui.model.cache import Cache
from cloudtui.model.errors import UsageError

if TYPE_CHECKING:
    from types_aiobotocore_ec2 import EC2Client
    from types_aiobotocore_sts import STSClient

CONNECT_TIMEOUT = 5
READ_TIMEOUT = 20
"""Seconds until one of the three attempts counts as failed."""

for _library in ("aiobotocore", "botocore", "aiohttp"):
    # What they log (a traceback for each expired login) is told in an error's own words.
    logging.getLogger(_library).addHandler(logging.NullHandler())

_UNSIGNED = frozenset({"sso-oidc"})
"""Services that are asked before there are credentials."""

_DMI = Path("/sys/class/dmi/id")
_XEN = Path("/sys/hypervisor/uuid")


class Amazon:
    """One AWS account as one profile sees it.

    Neither making it nor entering it reads files or the network, so a front can open without
    credentials and say what is missing when it first asks for something.
    """

    def __init__(
        self,
        profile: str = "",
        regions: Sequence[str] = (),
        endpoint_url: str = "",
        *,
        cache: Cache | None = None,
        mfa_code: AskCode | None = None,
    ) -> None:
        self.profile = (
            profile or os.environ.get("AWS_PROFILE") or os.environ.get("AWS_DEFAULT_PROFILE") or ""
        )
        """The profile in use; empty for the default one."""
        self.regions = tuple(regions)
        """The regions that were asked for, as given; may hold `all`."""
        self._explicit_profile = profile
        self._endpoint_url = endpoint_url or None
        self._cache = cache
        self._code = Code(self.profile, mfa_code)
        self._session: AioSession | None = None
        self._session_lock = threading.Lock()
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = asyncio.Lock()
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every client and its connections."""
        self._clients.clear()
        await self._open.aclose()

    def renew(self) -> None:
        """Read credentials anew and ask for MFA codes again; what is under way goes on as it is."""
        self._code.asked = False
        self.forget()

    def forget(self) -> None:
        """Read credentials anew, but do not ask again for a code that was just refused."""
        with self._session_lock:
            self._session = None
            self._clients = {}

    def config(self) -> Mapping[str, Any]:
        """botocore's reading of ~/.aws/config and ~/.aws/credentials."""
        found: Mapping[str, Any] = self._opened_session().full_config
        return found

    @property
    def home_region(self) -> str:
        """The region for questions about the account: the first one asked for, AWS_REGION,
        AWS_DEFAULT_REGION, then the profile's own.

        Raises:
            UsageError: none of them is set.
            CredentialsProblem: the profile does not exist.
        """
        with translated("find the region", profile=self.profile):
            region = self._opened_session().get_config_variable("region")
        if region:
            return str(region)
        whose = f" --profile {self.profile}" if self.profile else ""
        raise UsageError(
            "No AWS region is set.",
            "Looked at --region, AWS_REGION, AWS_DEFAULT_REGION and the profile in ~/.aws/config.",
            f"Set one: cloudtui --region us-east-1, or: aws configure set region us-east-1{whose}",
        )

    @overload
    async def client(self, service: Literal["ec2"], region: str) -> EC2Client: ...
    @overload
    async def client(
        self, service: Literal["sso-oidc", "pricing", "ec2-instance-connect"], region: str
    ) -> Any: ...
    @overload
    async def client(self, service: Literal["sts"], region: str) -> STSClient: ...
    async def client(self, service: str, region: str) -> Any:
        """The client of a service in a region, made once and kept until `close`.

        Call it inside `errors.translated`: it raises what botocore raises.
        """
        async with self._lock:
            clients = self._clients
            if (service, region) not in clients:
                # On a loop of its own in a thread: building classes takes time, and a code for MFA
                # is waited for there.
                with self._code.asked_on(asyncio.get_running_loop()):
                    made = await in_thread(lambda: self._make(service, region))
                COLLECTOR.spare(service)
                self._open.push_async_exit(made)
                clients[service, region] = made
            return clients[service, region]

    async def _make(self, service: str, region: str) -> Any:
        session: Any = self._opened_session()
        unsigned = service in _UNSIGNED
        if not unsigned:
            # Now: its ValueErrors are not about the endpoint, and its questions not for the loop.
            try:
                credentials = await session.get_credentials()
                if credentials:
                    await credentials.get_frozen_credentials()
                    self._code.accepted()
            except Exception:
                self.forget()  # what is on disk next time may be good
                raise
        try:
            context = session.create_client(
                service,
                region_name=region,
                endpoint_url=self._endpoint_url,
                config=AioConfig(signature_version=UNSIGNED) if unsigned else None,
            )
            made = await context.__aenter__()
            _check(made.meta.endpoint_url)
            return made
        except BotoCoreError:
            raise
        except ValueError as error:
            url = self._endpoint_url or os.environ.get("AWS_ENDPOINT_URL", "")
            raise UsageError(
                f"The endpoint {url or 'in ~/.aws/config'} is no web address.",
                str(error),
                "Correct AWS_ENDPOINT_URL, for example http://localhost:5000, or unset it.",
            ) from error

    def _opened_session(self) -> AioSession:
        with self._session_lock:
            if self._session is None:
                self._session = _new_session(self._explicit_profile, self._cache, self._code)
                named = next((region for region in self.regions if region != "all"), "")
                named = named or os.environ.get("AWS_REGION", "")
                if named:  # else botocore's AWS_DEFAULT_REGION and profile
                    self._session.set_config_variable("region", named)
            return self._session


def _check(url: str) -> None:
    """Raise ValueError for what the library would only choke on while it signs a request."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError(f"{url} does not begin with http:// or https:// and a name.")


def _new_session(explicit_profile: str, cache: Cache | None, code: Code) -> AioSession:
    # A profile from the environment is left to botocore: keys in the environment go before it.
    session = AioSession(profile=explicit_profile or None)
    session.register_component("response_parser_factory", ParserFactory())
    session.register_component("data_loader", Models(cache))
    session.set_default_client_config(
        AioConfig(
            retries={"mode": "standard", "total_max_attempts": 3},
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=READ_TIMEOUT,
            http_session_cls=HTTPSession,
        )
    )
    chain = session.get_component("credential_provider")
    assume_role = chain.get_provider("assume-role")
    # The aws command's own cache: a role taken there with an MFA code is used here.
    roles = _RoleCache(str(Path.home() / ".aws/cli/cache"))
    assume_role.cache = roles
    assume_role._prompter = code.ask
    sso = chain.get_provider("sso")
    sso.cache = roles
    sso._token_cache = tokens = JSONFileCache(str(Path.home() / ".aws/sso/cache"))
    sso._token_provider = AioSSOTokenProvider(session, tokens, profile_name=session.profile)
    if not (on_ec2() or os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT")):
        # Elsewhere the metadata address is a black hole that costs two seconds.
        chain.remove("iam-role")
    return session


class _RoleCache(JSONFileCache):
    """Roles taken, as the aws command keeps them; a disk that takes no files is no failure."""

    def __setitem__(self, key: str, value: Any) -> None:
        with contextlib.suppress(OSError):
            super().__setitem__(key, value)


def on_ec2() -> bool:
    """Whether this computer is an EC2 instance, from what its firmware says."""
    return (
        _first_line(_DMI / "sys_vendor") == "Amazon EC2"
        or _first_line(_DMI / "board_asset_tag").startswith("i-")
        or _first_line(_XEN).startswith("ec2")
    )


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").partition("\n")[0].strip()
    except OSError:
        return ""
