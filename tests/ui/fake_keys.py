"""Key pairs of the pretend fleet, and connections that nothing is behind."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from cloudtui.core.keys import KeyListing
from cloudtui.core.reattach import pause
from cloudtui.model.instance import Instance
from cloudtui.model.key_pair import KeyFormat, KeyPair, LocalKey, match

PUBLIC = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOvBLW1IiPVLnaCpgH7+MhDm6gR5a7f0KEVP2N90tzJ+"
PAIRS = (
    KeyPair(
        "team-nlp",
        "us-east-1",
        "key-0f3c5e2a9b1d4c7e8",
        "ed25519",
        "oNUnRvVYheLAgvaKKtkNq4U2IAPcEar57PjqR+YJH5E=",
        PUBLIC,
        datetime(2026, 9, 1, 8, 30, tzinfo=UTC),
    ),
    KeyPair(
        "spot-fleet",
        "us-east-1",
        "key-0b7d1e6f2a8c9d403",
        "rsa",
        "1f:d2:53:86:63:63:16:d3:79:e3:64:0e:94:d3:14:8b:2f:83:ec:27",
        created=datetime(2025, 3, 14, 15, 9, tzinfo=UTC),
    ),
)


class FakeKeys:
    """`files` are the private keys of this computer."""

    def __init__(self) -> None:
        folder = Path.home() / ".ssh"
        self.machines: tuple[Instance, ...] = ()
        self.found: tuple[LocalKey, ...] = (
            LocalKey(
                folder / "team-nlp.pem",
                0o644,
                KeyFormat.OPENSSH,
                "ssh-ed25519",
                256,
                public_key=PUBLIC,
            ),
        )

    async def list(self) -> KeyListing:
        return KeyListing(match(PAIRS, self.found, (), self.machines), self.found)


class FakeConnections:
    """Notes which machines are to be logged in to without their key."""

    def __init__(self) -> None:
        self.without_key: list[str] = []
        self.open: set[str] = set()
        """The machines that a connection is open to, by name."""

    async def pause(self, seconds: float, enough: asyncio.Event) -> None:
        await pause(seconds, enough)

    def use_instance_connect(self, instance: Instance) -> None:
        self.without_key.append(instance.name)

    def peek(self, instance: Instance) -> object | None:
        """The connection to it that is open: anything that is not None for those named."""
        return self if instance.name in self.open else None
