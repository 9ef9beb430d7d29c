"""What a forwarded port counts and tells, whichever side listens."""

from __future__ import annotations

from collections.abc import Callable

from cloudtui.model.errors import CloudtuiError, Refused
from cloudtui.model.remote import Route


class Way:
    """Bytes, and what went wrong."""

    def __init__(self, hold: float = 0.0) -> None:
        self.hold = hold
        """Seconds that a local connection waits while there is no SSH connection."""
        self.bytes_in = 0
        """Bytes that came from the host."""
        self.bytes_out = 0
        self.problem: CloudtuiError | None = None
        """Why the last connection could not be passed on; None after one that could."""
        self.waits_for: CloudtuiError | None = None
        """Why there is no SSH connection now, to be told to those that waited in vain."""
        self.on_problem: Callable[[], None] = lambda: None
        """Called when `problem` has changed."""
        self.waiting = 0
        """Local connections that wait for an SSH connection."""
        self.on_wanted: Callable[[], None] = lambda: None
        """Called when somebody waits for an SSH connection."""

    def tell(self, problem: CloudtuiError | None) -> None:
        """Why the last connection could not be passed on, or that one could."""
        before, self.problem = self.problem, problem
        if (before and before.title) != (problem and problem.title):
            self.on_problem()


def forbidden(route: Route) -> Refused:
    """The server's AllowTcpForwarding is off."""
    return Refused(
        f"The SSH server of {route.spoken} forbids port forwarding.",
        "AllowTcpForwarding or PermitOpen in its sshd_config says so.",
        "Ask whoever runs the machine to allow it for your user.",
    )
