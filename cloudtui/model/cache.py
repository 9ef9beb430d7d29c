"""What may be kept between runs to be sooner, and thrown away at any time."""

from __future__ import annotations

from typing import Protocol


class Cache(Protocol):
    """Files by name. Nothing here fails: what cannot be read is not there, what cannot be written
    is not kept."""

    def read(self, name: str) -> bytes | None:
        """What was kept under the name."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Keep it, readable by this user only; a reader sees the old content or the new."""
        ...

    def set_aside(self, name: str, why: str) -> None:
        """The content is broken: it is renamed, and the user is told why."""
        ...
