"""One shared SSH connection per instance: routed by the user's ssh config, else by the instance."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from cloudtui.core.known_machines import Machines
from cloudtui.core.pulse import AWAKE_DEAD_AFTER
from cloudtui.core.tasks import cancel, keep
from cloudtui.core.wakeups import Wakeups
from cloudtui.files import keys, network, ssh_config
from cloudtui.files.paths import ssh_dir
from cloudtui.files.settings import Settings
from cloudtui.model.errors import (
    CloudtuiError,
    CredentialsProblem,
    NamesUnanswered,
    NotRunning,
    Timeout,
    Unreachable,
)
from cloudtui.model.host_drift import is_address
from cloudtui.model.instance import Instance, State, next_step, why_not_connect
from cloudtui.model.remote import NoPrompts, Prompts, Route, login_user
from cloudtui.model.security_group import SSH

if TYPE_CHECKING:
    from cloudtui.ssh.connect import Connection


class Connections:
    """Opens connections on demand and keeps each until it is lost or `close`."""

    def __init__(
        self,
        settings: Settings,
        inventory: Machines,
        prompts: Prompts,
        remembered: Prompts | None = None,
    ) -> None:
        """`remembered` answers instead of `prompts` where nobody is to be asked."""
        self._settings = settings
        self._inventory = inventory
        self._prompts = prompts
        self._remembered = remembered or NoPrompts()
        self._open: dict[str, Connection] = {}
        self._addresses: dict[str, frozenset[str]] = {}
        """What the machine of an open connection was reached at when it was opened."""
        self._locks: dict[str, asyncio.Lock] = {}
        self._instance_connect: set[str] = set()
        self._openings: list[Callable[[Instance, Connection], None]] = []
        self._wakeups = Wakeups(self._woke)
        self._pauses: set[asyncio.Event] = set()
        self._checks: set[asyncio.Task[None]] = set()

    async def get(
        self, instance: Instance, *, ask: bool = True, patience: float | None = None
    ) -> Connection:
        """The shared connection to the instance, opened now if there is none; without `ask` only
        if nothing has to be asked for that, with `patience` only if the host answers within so
        many seconds.

        Raises:
            NotRunning: as far as the inventory knows.
            Refused: a key file is readable by others, ...
            Unreachable, CredentialsProblem, HostKeyChanged: as the connection fails.
        """
        instance = self._inventory.by_id(instance.id) or instance
        reason = why_not_connect(instance)
        if reason:
            raise NotRunning(reason, hint=next_step(instance))
        async with self._locks.setdefault(instance.id, asyncio.Lock()):
            held = self._open.get(instance.id)
            if held and self._moved(held, instance):
                self._give_up(held, instance)
            if held and not held.closed:
                return held
            if held:
                await held.close()
            prompts = self._prompts if ask else self._remembered
            connection = await self._connect(instance, prompts, patience)
            connection.widen(partial(self._connect, instance, self._remembered, None))
            self._open[instance.id] = connection
            self._addresses[instance.id] = addresses_of(instance)
            self._wakeups.start()
            for listener in self._openings:
                listener(instance, connection)
            return connection

    async def pause(self, seconds: float, enough: asyncio.Event | None = None) -> None:
        """Wait so long before a host is tried again, or until somebody has enough of it; and not
        any longer once this computer wakes up or is on another network."""
        enough = enough or asyncio.Event()
        self._pauses.add(enough)
        try:
            async with asyncio.timeout(seconds):
                await enough.wait()
        except TimeoutError:
            return
        finally:
            self._pauses.discard(enough)

    def _woke(self) -> None:
        """What was connected may be dead, and what was in vain may be possible now."""
        for enough in self._pauses:
            enough.set()
        for connection in self._open.values():
            if connection.closed:
                continue
            own = connection.local_address
            if own and not network.is_own(own):
                connection.drop(f"This computer has the address {own} no more.")
                continue
            check = keep(_check(connection), "sign of life")
            self._checks.add(check)
            check.add_done_callback(self._checks.discard)

    def on_open(self, listener: Callable[[Instance, Connection], None]) -> None:
        """Call back for each connection that is made."""
        self._openings.append(listener)

    def use_instance_connect(self, instance: Instance) -> None:
        """Log in to it with a one-time key from now on, sent by EC2 Instance Connect each time."""
        self._instance_connect.add(instance.id)

    def follow(self, instances: Iterable[Instance]) -> None:
        """Give up connections to addresses that machines have no more: an Elastic IP was moved.
        Who uses them is told that they are lost, and connects again."""
        if not self._open:
            return
        for instance in instances:
            held = self._open.get(instance.id)
            if held and not held.closed and self._moved(held, instance):
                self._give_up(held, instance)

    def _moved(self, held: Connection, instance: Instance) -> bool:
        """Whether it leads to an address that was the running machine's and is another's now."""
        host = held.route.host
        return (
            instance.state is State.RUNNING
            and host in self._addresses.get(instance.id, frozenset())
            and host not in addresses_of(instance)
        )

    def _give_up(self, held: Connection, instance: Instance) -> None:
        held.drop(f"{instance.label} is at {instance.address or 'no address'} now.")

    def peek(self, instance: Instance) -> Connection | None:
        """The connection held now, or None; never opens one."""
        held = self._open.get(instance.id)
        return held if held and not held.closed else None

    async def route(self, instance: Instance, *, alias: str = "", address: str = "") -> Route:
        """Where SSH to the instance goes, without connecting.

        With `alias` as that entry of the ssh config says, and with `address` to that one where no
        entry names the instance.
        """
        return await self._route(instance, await self.key_file(instance), alias, address)

    async def key_file(self, instance: Instance) -> Path | None:
        """The private key here of the key pair that the instance was launched with."""
        if not instance.key_name:
            return None
        folders = self._settings.key_folders
        return await asyncio.to_thread(keys.find_private_key, instance.key_name, folders)

    async def close(self) -> None:
        await self._wakeups.close()
        for check in list(self._checks):
            await cancel(check)
        held, self._open = list(self._open.values()), {}
        await asyncio.gather(*(connection.close() for connection in held))

    async def _connect(
        self, instance: Instance, prompts: Prompts, patience: float | None
    ) -> Connection:
        await asyncio.to_thread(importlib.import_module, "cloudtui.ssh.connect")
        from cloudtui.ssh.connect import connect

        key = await self.key_file(instance)
        route = await self._route(instance, key)
        if key is None and not route.config_line and (key := await self._matching(instance)):
            route = replace(route, identity_files=(key, *route.identity_files))
        if patience is not None:
            route = replace(route, connect_timeout=min(patience, route.connect_timeout))
        try:
            if instance.id in self._instance_connect:
                return await connect(route, prompts, partial(self._send_key, instance))
            return await connect(route, prompts)
        except CredentialsProblem as error:
            raise await self._explain_login(error, instance, route, key) from error
        except Unreachable as error:
            self._inventory.refresh()
            raise _explain_reach(error, instance, route) from error

    async def _matching(self, instance: Instance) -> Path | None:
        """The private key, under whatever name, of the instance's key pair."""
        if not instance.key_name or instance.id in self._instance_connect:
            return None
        from cloudtui.core.keys import matching_file

        return await matching_file(self._settings, self._inventory, instance)

    async def _send_key(self, instance: Instance, user: str, public_key: str) -> None:
        from cloudtui.aws.key_pairs import send_public_key

        amazon = await self._inventory.amazon_for(instance)
        await send_public_key(amazon, instance, user, public_key)

    async def _route(
        self, instance: Instance, key: Path | None, alias: str = "", address: str = ""
    ) -> Route:
        from cloudtui.ssh.resolve import resolve

        config = self._settings.ssh_config
        address, line = address or instance.address, ""
        if not alias:
            file = config or ssh_dir() / "config"
            entries = await asyncio.to_thread(ssh_config.read_entries, file)
            names = [name for name in (instance.name, instance.id) if name]
            addresses = [a for a in (instance.public_ip, instance.ipv6, instance.private_ip) if a]
            alias, line = ssh_config.find_alias(names, addresses, entries) or (address, "")
        fallback = Route(
            alias=alias,
            host=address,
            user=login_user(*await self._inventory.image(instance)),
            identity_files=(key,) if key else (),
            config_line=line,
            machine=instance.id,
            name=instance.spoken,
        )
        route = await resolve(alias, fallback, config)
        if _stale(route, instance):
            route = await resolve(alias, fallback, config, host=instance.address)
        return route

    async def _explain_login(
        self, error: CredentialsProblem, instance: Instance, route: Route, key: Path | None
    ) -> CloudtuiError:
        once = (
            f"Without its key: cloudtui ssh {quote(instance.spoken)} --instance-connect, or E in "
            "the console."
        )
        if instance.id in self._instance_connect:
            return error
        if key or not instance.key_name or route.config_line:
            return type(error)(error.title, error.detail, f"{error.hint}\n{once}".strip())
        from cloudtui.core.key_files import KeyFiles

        named = await KeyFiles(self._settings).named(instance.key_name)
        if named and named.problem:
            return CredentialsProblem(
                f"{instance.label} was launched with the key pair {instance.key_name}. "
                f"{named.problem}",
                error.title,
                f"{named.cure}\n{once}".strip(),
            )
        looked = ", ".join(_short(folder) for folder in self._settings.key_folders)
        return CredentialsProblem(
            f"{instance.label} was launched with the key pair {instance.key_name}, "
            f"and its private key was not found.",
            f"Looked for {instance.key_name}.pem, and for the key under any name, in {looked}. "
            f"{error.title}",
            f"Put {instance.key_name}.pem into ~/.ssh with mode 0400, or name the key with "
            f"IdentityFile in ~/.ssh/config. {once}",
        )


async def _check(connection: Connection) -> None:
    """Drop it when it gives no sign of life."""
    with contextlib.suppress(CloudtuiError):  # it is lost, and whoever uses it has been told
        try:
            async with asyncio.timeout(AWAKE_DEAD_AFTER):
                await connection.latency()
        except TimeoutError:
            connection.drop(f"No sign of life for {AWAKE_DEAD_AFTER:g} s.")


def _stale(route: Route, instance: Instance) -> bool:
    """Whether an entry known by the instance's id leads to an address that it has no more."""
    return (
        route.host_key_alias == instance.id
        and bool(instance.address)
        and is_address(route.host)
        and route.host not in addresses_of(instance)
    )


def addresses_of(instance: Instance) -> frozenset[str]:
    """Every address and name that EC2 gives it."""
    own = (instance.public_ip, instance.ipv6, instance.private_ip, instance.public_dns)
    return frozenset(filter(None, own))


def _short(path: Path) -> str:
    home = Path.home()
    return "~" if path == home else str(path).replace(f"{home}/", "~/", 1)


def _explain_reach(error: Unreachable, instance: Instance, route: Route) -> CloudtuiError:
    if isinstance(error, NamesUnanswered):
        return error
    own = addresses_of(instance)
    if route.config_line and route.host not in own and not route.jumps and not route.proxy_command:
        hint = (
            f"{route.config_line} says HostName {route.host}, but {instance.label} is at "
            f"{instance.address} now. Correct it with: cloudtui hosts sync {route.alias}"
        )
    elif not instance.public_ip and not instance.ipv6 and not route.jumps:
        hint = (
            f"{instance.label} has no public address. Connect from inside its VPC, name a "
            f"ProxyJump in ~/.ssh/config, or give it an Elastic IP."
        )
    elif isinstance(error, Timeout) and "security group" in error.hint and not route.jumps:
        port = "" if route.port == SSH else f" --port {route.port}"
        hint = (
            f"{error.hint} See and open it: F and a in the console, or: "
            f"cloudtui hosts open {quote(instance.spoken)}{port}"
        )
    else:
        return error
    return type(error)(error.title, error.detail, hint)
