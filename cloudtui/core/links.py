"""Web addresses printed on a host: what is on its own localhost is reached through a tunnel."""

from __future__ import annotations

from typing import NamedTuple

from cloudtui.core.connections import Connections
from cloudtui.core.tunnels import AnyTunnels
from cloudtui.model.errors import NotFound, Refused
from cloudtui.model.instance import Instance
from cloudtui.model.tunnel import Direction, TunnelSpec
from cloudtui.model.web_address import at_port, inside, may_open


class Reached(NamedTuple):
    """An address that works on this computer, and what was done for it, without any token."""

    url: str
    sentence: str


class Links:
    """Makes addresses that a pane shows work here."""

    def __init__(self, connections: Connections, tunnels: AnyTunnels) -> None:
        self._connections, self._tunnels = connections, tunnels

    async def reach(self, instance: Instance | None, url: str) -> Reached:
        """The address to open here; None is this computer, which needs no tunnel.

        A tunnel to the host's port is opened, or the one that is open is used.

        Raises:
            Refused: not an address of the web, or the server forbids tunnels.
            NotFound: nothing listens on that port of the host.
            Unreachable, PortTaken: no connection, or no free local port.
        """
        if not may_open(url, here=instance is None):
            raise Refused(
                "Only web addresses are opened.", hint="y in the list of links copies this one."
            )
        port = inside(url)
        if instance is None or port is None:
            return Reached(url, "")
        connection = await self._connections.get(instance)
        if not await connection.probe_port(port.host, port.port):
            raise NotFound(
                f"Nothing listens on port {port.port} of {instance.spoken}.",
                hint="Is the program that printed the address still running?",
            )
        tunnel = await self._tunnels.open(
            instance,
            TunnelSpec(Direction.LOCAL, port.wanted, port.host, port.port),
            label=f"Port {port.port} of {instance.spoken}",
            search=True,
        )
        words = f"Port {port.port} of {instance.spoken} is localhost:{tunnel.local_port} here"
        return Reached(at_port(url, tunnel.local_port), f"{words} until cloudtui is left.")
