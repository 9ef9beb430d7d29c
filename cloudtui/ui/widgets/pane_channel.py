"""What a pane needs of the remote side."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from cloudtui.model.session import Ending


class PaneEnd(Protocol):
    """How a channel ended."""

    @property
    def ending(self) -> Ending: ...

    @property
    def sentence(self) -> str: ...


class PaneChannel(Protocol):
    """A program on a terminal; what it prints comes through the opener's `on_data`.

    All methods, and `on_data`, are called in the event loop's thread.
    """

    def write(self, data: bytes) -> None: ...

    def resize(self, columns: int, rows: int) -> None: ...

    def pause(self) -> None:
        """Stop reading until `resume`."""

    def resume(self) -> None: ...

    async def wait(self) -> PaneEnd:
        """Return when the program is gone, all it printed given to `on_data`."""

    async def close(self) -> None:
        """Let go of the remote, which ends nothing there."""


Opener = Callable[[int, int, Callable[[bytes], None]], Awaitable[PaneChannel]]
"""Opens a channel of so many columns and rows; raises CloudtuiError when it cannot."""
