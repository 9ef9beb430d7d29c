"""Where what a program prints begins: after all that the login shell's start-up files print."""

from __future__ import annotations

import secrets
from collections.abc import Callable

KEPT = 1000


class Beginning:
    """Hands on what comes after a line that nothing else prints."""

    def __init__(self, on_bytes: Callable[[bytes], None]) -> None:
        self._on_bytes = on_bytes
        self._word = f"cloudtui-{secrets.token_hex(8)}"
        self._line = f"{self._word}\n".encode()
        self._held = b""
        self._found = False
        self.skipped = 0
        """Bytes before the line, while it has not come."""

    @property
    def command(self) -> str:
        """What prints that line, in any shell."""
        return f"echo {self._word}"

    @property
    def instead(self) -> bytes:
        """The last of what was printed while the line has not come; empty once it has."""
        return self._held

    def take(self, data: bytes) -> None:
        """The next bytes of all that was printed."""
        if self._found:
            self._on_bytes(data)
            return
        _, found, rest = (self._held + data).partition(self._line)
        if not found:
            self.skipped += len(data)
            self._held = (self._held + data)[-KEPT:]
            return
        self._found, self._held = True, b""
        if rest:
            self._on_bytes(rest)
