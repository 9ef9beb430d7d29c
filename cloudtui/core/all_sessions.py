"""The sessions of every running machine: which hosts are asked, and when."""

from __future__ import annotations

from dataclasses import dataclass

from cloudtui.core.connections import Connections
from cloudtui.core.events import SessionsState
from cloudtui.core.inventory import Inventory
from cloudtui.core.running_hosts import RunningHost, RunningHosts, running_hosts
from cloudtui.core.sessions import Sessions
from cloudtui.model.instance import Instance
from cloudtui.model.session import Session


@dataclass(frozen=True, slots=True)
class HostSessions(RunningHost[SessionsState]):
    """A running machine and what is known of its sessions."""

    @property
    def sessions(self) -> tuple[Session, ...]:
        return self.state.listing.sessions if self.state.listing else ()

    @property
    def words(self) -> str:
        """Why it has no rows of its own, or why they are old; empty when all is well."""
        if self.state.error:
            return self.state.error.title
        if self.state.loading and self.state.listing is None:
            return "asking …"
        if self.state.listing is None:
            return "not asked yet"
        if not self.state.listing.programs:
            return "neither tmux nor screen is installed"
        return "" if self.sessions else "no session"


class AllSessions(RunningHosts):
    """What hosts say is kept by `Sessions`."""

    def __init__(self, inventory: Inventory, connections: Connections, sessions: Sessions) -> None:
        self._inventory = inventory
        self._connections = connections
        self._sessions = sessions

    @property
    def hosts(self) -> tuple[HostSessions, ...]:
        """Every running machine, by name."""
        return tuple(
            HostSessions(i, self._sessions.state(i.id), self._connections.peek(i) is not None)
            for i in running_hosts(self._inventory)
        )

    async def list(self, instance: Instance, *, ask: bool = True) -> SessionsState:
        """See `Sessions.list`."""
        return await self._sessions.list(instance, ask=ask)
