"""Jupyter on a host: found or started there, forwarded, and checked through the tunnel."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from shlex import quote
from typing import TYPE_CHECKING

from cloudtui.core.connections import Connections
from cloudtui.core.tasks import cancel
from cloudtui.core.tunnels import AnyTunnels
from cloudtui.model.environment import Environment, Has, find_environment
from cloudtui.model.errors import (
    READ_ONLY,
    CloudtuiError,
    CredentialsProblem,
    NotFound,
    Refused,
    Unreachable,
)
from cloudtui.model.instance import Instance
from cloudtui.model.notebook import JupyterServer, OpenJupyter, best, in_folder
from cloudtui.model.remote import Ask
from cloudtui.model.tunnel import Direction, TunnelSpec
from cloudtui.model.words import listed

if TYPE_CHECKING:
    from cloudtui.ssh.connect import Connection
    from cloudtui.ssh.jupyter import Found

OnStep = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wish:
    """Which server is meant: the best one that runs and is so, or else a new one."""

    port: int | None = None
    """Its port on the host; with one there is no new server."""
    folder: str = ""
    """Where it was started. For a new one empty is the home folder."""
    environment: str = ""
    """What it is started from, by name or path."""
    new: bool = False
    """A new one, besides those that run."""


ANY = Wish()
INSTALLING = "Installing JupyterLab"
"""The step of an installation; the lines that pip prints follow it after a colon."""


class Jupyter:
    """Opens a host's Jupyter on a local port."""

    def __init__(
        self, connections: Connections, tunnels: AnyTunnels, *, local_port: int, read_only: bool
    ) -> None:
        self._connections = connections
        self._tunnels = tunnels
        self._local_port = local_port
        self._read_only = read_only

    async def environments(self, instance: Instance) -> tuple[Environment, ...]:
        """The Python environments there that a server can be started from, or be made to.

        Raises:
            Refused, Unreachable, CredentialsProblem: no connection to the host.
        """
        from cloudtui.ssh.jupyter_environments import environments

        return await environments(await self._connections.get(instance))

    async def open(
        self,
        instance: Instance,
        *,
        ask_install: Ask,
        on_step: OnStep,
        local_port: int | None = None,
        wish: Wish = ANY,
    ) -> OpenJupyter:
        """Find a running server or start one, forward it, and return once it answers locally.

        Raises:
            NotFound: Jupyter is not installed there and `ask_install` said no, or there is no
                such server, folder or environment.
            CloudtuiError: it does not start (its last lines are the detail) or does not answer.
            Refused, Unreachable, CredentialsProblem: no connection to the host.
        """
        from cloudtui.ssh import jupyter, multiplexer

        on_step(f"Connecting to {instance.label}")
        connection = await self._connections.get(instance)
        on_step("Looking for a running Jupyter server")
        # Meanwhile the names of sessions that are taken, in case one is needed for a new server.
        listing = asyncio.create_task(multiplexer.list_sessions(connection))
        try:
            found = await jupyter.find(connection)
            environment = None
            if wish.environment:
                on_step("Looking for its Python environment")
                known = await self.environments(instance)
                environment = find_environment(known, wish.environment)
            server = None if wish.new else _chosen(found, wish, environment, instance)
            started = server is None
            if server is None:
                if self._read_only:
                    raise _not_started(instance)
                found, environment = await self._installed(
                    connection, found, environment, instance, ask_install, on_step
                )
                where = f" with {environment.name}" if environment else ""
                on_step(f"Starting Jupyter{where}, in a session that outlives this connection")
                server = await jupyter.start(
                    connection,
                    found,
                    folder=wish.folder,
                    sessions=await listing,
                    environment=environment,
                )
        finally:
            with contextlib.suppress(CloudtuiError):
                await cancel(listing)
        opened = await self.forward(
            instance, server, on_step=on_step, local_port=local_port, started=started
        )
        others = tuple(s.port for s in found.servers if s.port != server.port)
        return replace(opened, others=others)

    async def forward(
        self,
        instance: Instance,
        server: JupyterServer,
        *,
        on_step: OnStep,
        local_port: int | None = None,
        started: bool = False,
    ) -> OpenJupyter:
        """The tunnel to a known server; returns once it answers locally. Raises as `open`."""
        from cloudtui.ssh import jupyter

        wanted, began = local_port or self._local_port, datetime.now(UTC)
        on_step(f"Forwarding localhost:{wanted} to port {server.port} there")
        tunnel = await self._tunnels.open(
            instance,
            TunnelSpec(Direction.LOCAL, wanted, server.host, server.port),
            label=f"Jupyter on {instance.spoken}",
            search=True,
        )
        on_step("Checking that it answers through the tunnel")
        try:
            answers = await jupyter.answers(server, tunnel.local_port)
        except asyncio.CancelledError:
            await self._tunnels.close_one(tunnel.key)
            raise
        if not answers:
            await self._tunnels.close_one(tunnel.key)
            raise Unreachable(
                f"Jupyter on {instance.label} does not answer on its port {server.port}.",
                "Its server is listed there, but nothing came back through the tunnel.",
                f"See how it is doing: cloudtui sessions {instance.spoken}",
            )
        asks = server.tokenless and await self._asks_password(instance, server)
        return OpenJupyter(
            server, tunnel.local_port, started, wanted, tunnel.key, asks,
            was_open=tunnel.since < began,
        )  # fmt: skip

    async def _asks_password(self, instance: Instance, server: JupyterServer) -> bool:
        from cloudtui.ssh.jupyter_rest import ask

        try:
            await ask(await self._connections.get(instance), server, "GET", "api/status")
        except CredentialsProblem:
            return True
        except CloudtuiError:
            return False
        return False

    async def _installed(
        self,
        connection: Connection,
        found: Found,
        environment: Environment | None,
        instance: Instance,
        ask_install: Ask,
        on_step: OnStep,
    ) -> tuple[Found, Environment | None]:
        """What to start a server with: the wanted environment, the Jupyter that was found, the
        first environment with one, or what is installed now."""
        if environment and environment.ready:
            return found, environment
        if environment is None:
            if found.executable:
                return found, None
            own = f"{found.home}/"
            known = await self.environments(instance)
            first = next((e for e in known if e.ready and e.path.startswith(own)), None)
            if first:
                return found, first
        from cloudtui.ssh import jupyter

        where = f"{instance.label}, environment {environment.name}" if environment else ""
        where = where or instance.label
        sentence, command = jupyter.install_plan(found, environment)
        if not command or not await ask_install(
            f"Jupyter is not installed on {where}. {sentence} This runs there: {command}"
        ):
            raise NotFound(
                f"Jupyter is not installed on {where}.",
                sentence,
                f"Install it there with: {command}" if command else "",
            )
        on_step(INSTALLING)
        await jupyter.install(
            connection, found, lambda line: on_step(f"{INSTALLING}: {line}"), environment
        )
        if environment:
            return found, replace(environment, has=Has.LAB)
        return await jupyter.find(connection), None


def _not_started(instance: Instance) -> Refused:
    return Refused(
        f"No such Jupyter server runs on {instance.label}. {READ_ONLY}",
        hint="Leave out --read-only to start one there.",
    )


def _chosen(
    found: Found, wish: Wish, environment: Environment | None, instance: Instance
) -> JupyterServer | None:
    """The server that is meant among those that run; None when a new one is."""
    servers = [
        server
        for server in found.servers
        if wish.port in (None, server.port)
        and (not wish.folder or in_folder(server, wish.folder, found.home))
        and (environment is None or server.environment == environment.path)
    ]
    if servers or wish.port is None:
        return best(servers)
    running = listed([f"{s.port} {s.root_dir}".strip() for s in found.servers])
    raise NotFound(
        f"{instance.label} has no Jupyter server on port {wish.port}.",
        f"Running there: {running}." if running else "None runs there.",
        f"Start one: cloudtui jupyter {quote(instance.spoken)} --new",
    )
