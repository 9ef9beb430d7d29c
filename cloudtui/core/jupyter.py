"""Jupyter on a host: found or started there, forwarded, and checked through the tunnel."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from cloudtui.core.connections import Connections
from cloudtui.core.tunnels import AnyTunnels
from cloudtui.model.errors import READ_ONLY, NotFound, Refused, Unreachable
from cloudtui.model.instance import Instance
from cloudtui.model.notebook import JupyterServer, OpenJupyter, best
from cloudtui.model.remote import Ask
from cloudtui.model.tunnel import Direction, TunnelSpec

if TYPE_CHECKING:
    from cloudtui.ssh.connect import Connection
    from cloudtui.ssh.jupyter import Found

OnStep = Callable[[str], None]
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

    async def open(
        self,
        instance: Instance,
        *,
        ask_install: Ask,
        on_step: OnStep,
        local_port: int | None = None,
        folder: str = "",
    ) -> OpenJupyter:
        """Find a running server or start one, forward it, and return once it answers locally.

        Raises:
            NotFound: Jupyter is not installed there and `ask_install` said no.
            CloudtuiError: it does not start (its last lines are the detail) or does not answer.
            Refused, Unreachable, CredentialsProblem: no connection to the host.
        """
        from cloudtui.ssh import jupyter

        wanted = local_port or self._local_port
        on_step(f"Connecting to {instance.label}")
        connection = await self._connections.get(instance)
        on_step("Looking for a running Jupyter server")
        found = await jupyter.find(connection)
        server = best(found.servers)
        started = server is None
        if server is None:
            if self._read_only:
                raise Refused(
                    f"No Jupyter server runs on {instance.label}. {READ_ONLY}",
                    hint="Leave out --read-only to start one there.",
                )
            found = await self._installed(connection, found, instance, ask_install, on_step)
            on_step("Starting Jupyter, in a session that outlives this connection")
            server = await self._start(connection, found, folder)
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
        return OpenJupyter(server, tunnel.local_port, started, wanted)

    async def _start(self, connection: Connection, found: Found, folder: str) -> JupyterServer:
        from cloudtui.ssh import jupyter, multiplexer

        listing = await multiplexer.list_sessions(connection)
        return await jupyter.start(connection, found, folder=folder, sessions=listing)

    async def _installed(
        self,
        connection: Connection,
        found: Found,
        instance: Instance,
        ask_install: Ask,
        on_step: OnStep,
    ) -> Found:
        if found.executable:
            return found
        from cloudtui.ssh import jupyter

        sentence, command = jupyter.install_plan(found)
        if not command or not await ask_install(
            f"Jupyter is not installed on {instance.label}. {sentence} This runs there: {command}"
        ):
            raise NotFound(
                f"Jupyter is not installed on {instance.label}.",
                sentence,
                f"Install it there with: {command}" if command else "",
            )
        on_step(INSTALLING)
        await jupyter.install(connection, found, lambda line: on_step(f"{INSTALLING}: {line}"))
        return await jupyter.find(connection)
