"""Public addresses for pretend instances: real loopback ones where the system has them."""

from __future__ import annotations

import random
import threading

from cloudtui.demo.folder import EXAMPLES, Plan


class Addresses:
    """Draws addresses, no address twice while the demo runs.

    With a network of its own each address can be listened on. Without one the addresses are
    from the block kept for examples, and the ssh config file sends them to 127.0.0.1.
    """

    def __init__(self, plan: Plan) -> None:
        self._network = plan.network
        self._drawn: set[str] = set()
        self._lock = threading.Lock()

    def draw(self) -> str:
        """A fresh dotted IPv4 address."""
        with self._lock:
            while True:
                address = self._candidate()
                if address not in self._drawn:
                    self._drawn.add(address)
                    return address

    def _candidate(self) -> str:
        if self._network:
            return f"{self._network}.{random.randint(1, 254)}.{random.randint(2, 254)}"
        return f"{EXAMPLES}.{random.randint(2, 254)}"
