"""Opening a connection: hop by hop, host key first, then the login, each failure in words."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import asyncssh

from cloudtui.model.errors import (
    CloudtuiError,
    CredentialsProblem,
    HostKeyChanged,
    NamesUnanswered,
    Refused,
    Timeout,
    Unreachable,
)
from cloudtui.model.host_drift import is_address
from cloudtui.model.remote import HostKey, Prompts, Route, SendKey
from cloudtui.ssh import authentication, hostkeys
from cloudtui.ssh.connection import Connection
from cloudtui.ssh.proxy import Proxy
from cloudtui.ssh.quick import quicken

__all__ = ["Connection", "connect"]

CIPHERS = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes128-ctr",
    "aes256-ctr",
)
"""The fastest first: asyncssh's own first choice costs twice the processor time."""

# What is written to a connection that was cut, until that is noticed, is no news of its own.
logging.getLogger("asyncio").addFilter(
    lambda record: "socket.send() raised exception" not in str(record.msg)
)

LOGIN_STEP = 30.0
"""Seconds the server has for each step of the login; questions to a person have no limit."""

SECURITY_GROUP = (
    "If it just started, try again in a minute; else check that its security group lets your "
    "address in on port {port}."
)


async def connect(route: Route, prompts: Prompts, send: SendKey | None = None) -> Connection:
    """A connection to the route's host, through its jump hosts, logged in.

    An unknown host key is shown to `prompts` and remembered when trusted. With `send` the last
    host is logged in to with a one-time key, which `send` tells the machine, and no other.

    Raises:
        Unreachable, Timeout: no SSH server answers there.
        HostKeyChanged: the key differs from the one on record, or is revoked.
        Refused: the host key was not trusted, or the key files are open to others.
        CredentialsProblem: the server lets nobody in with these keys.
    """
    opened: list[asyncssh.SSHClientConnection] = []
    connection = Connection(route)
    try:
        for hop in (*route.jumps, route):
            tunnel = opened[-1] if opened else None
            once = send if hop is route else None
            opened.append(await _hop(hop, tunnel, prompts, connection, once))
    except BaseException:
        connection.opened(opened)
        await connection.close()
        raise
    connection.opened(opened)
    return connection


class _Clock:
    """The time a server has; stopped while a person is asked."""

    def __init__(self) -> None:
        self._timeout: asyncio.Timeout | None = None

    @contextlib.asynccontextmanager
    async def running(self, seconds: float) -> AsyncIterator[None]:
        """TimeoutError when the time last allowed is over."""
        async with asyncio.timeout(seconds) as self._timeout:
            yield

    def allow(self, seconds: float | None) -> None:
        if self._timeout and not self._timeout.expired():
            now = asyncio.get_running_loop().time()
            self._timeout.reschedule(None if seconds is None else now + seconds)

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        self.allow(None)
        try:
            yield
        finally:
            self.allow(LOGIN_STEP)


class _Unhurried:
    """The prompts, with the clock stopped while a question is open."""

    def __init__(self, prompts: Prompts, clock: _Clock) -> None:
        self._prompts = prompts
        self._clock = clock

    async def trust_host_key(self, key: HostKey) -> bool:
        with self._clock.stopped():
            return await self._prompts.trust_host_key(key)

    async def passphrase(self, key_file: Path, again: bool) -> str | None:
        with self._clock.stopped():
            return await self._prompts.passphrase(key_file, again)

    async def answers(self, title: str, prompts: tuple[tuple[str, bool], ...]) -> list[str] | None:
        with self._clock.stopped():
            return await self._prompts.answers(title, prompts)


class _Login(asyncssh.SSHClient):
    """One attempt at one host: notes how far it came, offers keys, passes questions on."""

    def __init__(
        self,
        route: Route,
        prompts: Prompts,
        offers: authentication.Offers,
        clock: _Clock,
        connection: Connection,
    ) -> None:
        self._route = route
        self._prompts = prompts
        self.offers = offers
        self._clock = clock
        self._connection = connection
        self._left = list(offers.pairs)
        self._rounds = 0
        self.accepted: asyncssh.SSHKey | None = None
        """A key to go on with though it is not on record."""
        self.ask_questions = True
        self.gave_up = False
        self.reached: asyncssh.SSHClientConnection | None = None
        self.host_key: asyncssh.SSHKey | None = None
        self.asked_to_log_in = False

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        self.reached = conn

    def connection_lost(self, exc: Exception | None) -> None:
        self._connection.hop_lost(self._route, exc)

    def validate_host_public_key(
        self, host: str, addr: str, port: int, key: asyncssh.SSHKey
    ) -> bool:
        self.host_key = key
        return key == self.accepted

    async def public_key_auth_requested(self) -> asyncssh.SSHKeyPair | None:
        self.asked_to_log_in = True
        self._clock.allow(LOGIN_STEP)
        while self._left:
            offer = self._left.pop(0)
            pair = offer.pair
            if pair is None and offer.locked:
                with self._clock.stopped():
                    key = await offer.locked.open()
                pair = asyncssh.load_keypairs([key])[0] if key else None
            if pair is not None:
                self.offers.tried.append(offer.label)
                return pair
        return None

    def kbdint_auth_requested(self) -> str | None:
        self.asked_to_log_in = True
        return "" if self.ask_questions and self._rounds < authentication.TRIES else None

    async def kbdint_challenge_received(
        self, name: str, instructions: str, lang: str, prompts: Sequence[tuple[str, bool]]
    ) -> list[str] | None:
        if not prompts:
            return []
        self._rounds += 1
        if self._rounds > authentication.TRIES:
            return None
        title = " ".join(part for part in (name.strip(), instructions.strip()) if part)
        answers = await self._prompts.answers(title or self._route.where, tuple(prompts))
        if answers is None:
            self.gave_up = True
        return answers


async def _hop(
    route: Route,
    tunnel: asyncssh.SSHClientConnection | None,
    prompts: Prompts,
    connection: Connection,
    send: SendKey | None,
) -> asyncssh.SSHClientConnection:
    """One logged-in host, through `tunnel` when there is one."""
    clock = _Clock()
    offers = await authentication.gather(route, _Unhurried(prompts, clock), send)
    try:
        login = _Login(route, _Unhurried(prompts, clock), offers, clock, connection)
        conn = await _attempt(route, tunnel, login, clock, connection)
        if conn is None:
            if login.host_key is None:
                raise _revoked(route)
            changed = await _settle(route, login.host_key, prompts)
            seen = login.host_key
            login = _Login(route, _Unhurried(prompts, clock), offers, clock, connection)
            login.accepted = seen
            login.ask_questions = not changed
            conn = await _attempt(route, tunnel, login, clock, connection)
            if conn is None:
                raise _changed(route, login.host_key or seen)
        quicken(conn)
        if route.machine and (shown := conn.get_server_host_key()):
            await asyncio.to_thread(hostkeys.learn, route, shown)
        return conn
    finally:
        await offers.close()


async def _settle(route: Route, key: asyncssh.SSHKey, prompts: Prompts) -> bool:
    """Decide about a key that is not on record; True when it is a changed one, tolerated.

    StrictHostKeyChecking `yes` refuses what is unknown, `accept-new` and `no` remember it
    unasked, and `no` alone tolerates a changed key.
    """
    standing = await asyncio.to_thread(hostkeys.known, route, key)
    shown = HostKey(
        route.host,
        route.port,
        key.get_algorithm(),
        key.get_fingerprint("sha256"),
        base64.b64encode(key.public_data).decode(),
        route.machine,
        name=route.name,
    )
    strict = route.strict_host_keys
    if standing == "revoked":
        raise _revoked(route)
    if standing == "changed":
        if strict == "no":
            return True
        raise await asyncio.to_thread(_changed, route, key)
    if standing == "unknown":
        if strict == "yes":
            raise Refused(
                f"The host key of {route.spoken} is not on record.",
                f"It offers {shown.algorithm} {shown.fingerprint}; StrictHostKeyChecking is yes.",
                "Add the key to known_hosts, or set StrictHostKeyChecking to ask for this host.",
            )
        if strict == "ask" and not await prompts.trust_host_key(shown):
            raise Refused(
                f"The host key of {route.spoken} was not trusted, so nothing was sent to it.",
                f"{shown.algorithm} {shown.fingerprint}",
                "Compare it with the SSH HOST KEY FINGERPRINTS in the instance's system log, "
                "then connect again from a terminal and answer yes.",
            )
        await asyncio.to_thread(hostkeys.remember, route, key)
    return False


def _changed(route: Route, key: asyncssh.SSHKey) -> HostKeyChanged:
    places = hostkeys.where_known(route)
    name = hostkeys.name_on_record(route)
    file = places[0].rpartition(" line ")[0] if places else ""
    return HostKeyChanged(
        f"{route.place} offers another host key than the one on record.",
        f"Offered: {key.get_algorithm()} {key.get_fingerprint('sha256')}. "
        f"On record: {', '.join(places)}.",
        "If the machine was replaced or its address given to another, remove the old key with: "
        f"ssh-keygen -f '{file}' -R '{name}'",
    )


def _revoked(route: Route) -> HostKeyChanged:
    return HostKeyChanged(
        f"The host key of {route.spoken} is marked as revoked.",
        ", ".join(hostkeys.where_revoked(route)),
        "Ask whoever runs the machine for its new key.",
    )


async def _attempt(
    route: Route,
    tunnel: asyncssh.SSHClientConnection | None,
    login: _Login,
    clock: _Clock,
    connection: Connection,
) -> asyncssh.SSHClientConnection | None:
    """The logged-in connection, or None when the host key was turned down."""
    trusted = await asyncio.to_thread(hostkeys.trusted, route)
    proxy = await Proxy.start(route.proxy_command) if route.proxy_command and not tunnel else None
    names = None if tunnel or proxy or is_address(route.host) else _look_up(route)
    try:
        async with clock.running(route.connect_timeout):
            conn = await asyncssh.connect(
                route.host,
                route.port,
                tunnel=tunnel or (),
                sock=proxy.sock if proxy else None,
                config=None,
                username=route.user or (),
                client_factory=lambda: login,
                client_keys=None,
                known_hosts=(trusted.keys, trusted.authorities, trusted.revoked),
                host_key_alias=route.host_key_alias or None,
                server_host_key_algs=trusted.algorithms,
                x509_trusted_certs=None,
                gss_host=None,
                host_based_auth=False,
                password_auth=False,
                encryption_algs=CIPHERS,
                compression_algs=None,
                connect_timeout=None,
                login_timeout=0,
            )
        if proxy:
            connection.keep(proxy)
            proxy = None
        return conn
    except asyncssh.HostKeyNotVerifiable:
        return None
    except TimeoutError:
        if names and not names.done():
            raise _unanswered(route, f"No answer within {route.connect_timeout:g} s.") from None
        raise _timed_out(route, login, tunnel is not None) from None
    except (asyncssh.Error, OSError, ValueError) as error:
        words = proxy.last_words() if proxy else ""
        raise _explained(route, login, error, words) from error
    finally:
        if names:
            names.cancel()
        if proxy:
            await proxy.close()


def _look_up(route: Route) -> asyncio.Future[object]:
    """Done when the host's name is looked up, which asyncssh does too and does not tell."""
    loop = asyncio.get_running_loop()
    asked: asyncio.Future[object] = asyncio.ensure_future(
        loop.getaddrinfo(route.host, route.port, type=socket.SOCK_STREAM)
    )
    asked.add_done_callback(lambda done: done.cancelled() or done.exception())
    return asked


def _unanswered(route: Route, detail: str) -> NamesUnanswered:
    return NamesUnanswered(
        f"The name {route.host} was not looked up: no DNS server answers.",
        detail,
        "Check the network of this computer, and its VPN.",
    )


def _timed_out(route: Route, login: _Login, jumped: bool) -> Timeout:
    where = route.place
    if login.asked_to_log_in:
        return Timeout(
            f"{where} did not finish the login within {LOGIN_STEP:.0f} s.",
            hint="The machine may be out of memory or disk; look at its system log in EC2.",
        )
    seconds = f"{route.connect_timeout:g} s"
    if login.reached:
        return Timeout(
            f"{where} accepts connections but its SSH server said nothing for {seconds}.",
            hint="The machine may be starting or overloaded; try again in a minute.",
        )
    through = " through its jump host" if jumped else ""
    return Timeout(
        f"{where} did not answer within {seconds}{through}.",
        hint=SECURITY_GROUP.format(port=route.port),
    )


def _explained(route: Route, login: _Login, error: Exception, proxy_words: str) -> CloudtuiError:
    """A failed connect in words."""
    where = route.place
    detail = proxy_words or str(error)
    match error:
        case asyncssh.PermissionDenied():
            return authentication.denied(route, login.offers)
        case asyncssh.ProtocolError() if "Too many authentication failures" in str(error):
            refusal = authentication.denied(route, login.offers)
            return CredentialsProblem(
                f"{where} let {route.user} try too many keys and closed.",
                refusal.detail,
                "Name the one key with IdentityFile and IdentitiesOnly yes in ~/.ssh/config.",
            )
        case socket.gaierror(errno=socket.EAI_AGAIN):
            return _unanswered(route, detail)
        case socket.gaierror():
            return Unreachable(
                f"The name {route.host} has no address.",
                detail,
                "Check HostName in ~/.ssh/config, or your network and DNS.",
            )
        case ConnectionRefusedError():
            return Unreachable(
                f"{where} refuses connections: no SSH server listens there.",
                detail,
                SECURITY_GROUP.format(port=route.port),
            )
        case asyncssh.ChannelOpenError():
            return Unreachable(
                f"The jump host cannot reach {where}.",
                detail,
                "Check the address as seen from the jump host, and the security group there.",
            )
        case asyncssh.KeyExchangeFailed():
            return Unreachable(f"{where} and cloudtui share no way to encrypt.", detail)
    if proxy_words or (route.proxy_command and not login.reached):
        return Unreachable(
            f"The ProxyCommand to {route.spoken} failed.", detail, f"Try: {route.proxy_command}"
        )
    if login.reached and not login.reached.get_extra_info("server_version"):
        return Unreachable(
            f"{where} answers, but not as an SSH server.",
            detail,
            "Check the port; an SSH server that is starting or full may also hang up.",
        )
    if login.reached:
        return Unreachable(
            f"{where} closed the connection during the login.",
            detail,
            "Try again in a minute; the reason is in the machine's SSH server log.",
        )
    return Unreachable(
        f"{where} cannot be reached.", detail, SECURITY_GROUP.format(port=route.port)
    )
