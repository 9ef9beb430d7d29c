"""The sessions of every running machine: which hosts are asked, and when.

A host is asked without being told to only while a connection to it is open; the others wait for
`ask=True`, since connecting may put questions to the user (an unknown host key, a passphrase).
"""

from __future__ import annotations

from dataclasses import dataclass

from cloudtui.core.connections import Connections
from cloudtui.core.events import SessionsState
from cloudtui.core.inventory import Inventory
from cloudtui.core.running_hosts import ask_each, running_hosts
from cloudtui.core.sessions import Sessions
from cloudtui.model.instance import Instance
from cloudtui.model.session import Session


@dataclass(frozen=True, slots=True)
class HostSessions:
    """A running machine and what is known of its sessions."""

    instance: Instance
    state: SessionsState
    connected: bool
    """A connection to it is open now."""

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


class AllSessions:
    """Many hosts at once, each answering for itself."""

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

    async def refresh(self, *, ask: bool = False) -> None:
        """Ask every host that has an open connection; with `ask` connect to the others too.

        A failure is in that host's state and stops no other. Cancelling stops those under way.
        """
        idle = [h.instance for h in self.hosts if (ask or h.connected) and not h.state.loading]
        await ask_each(idle, self._sessions.list)
