"""Names looked up aside: where no DNS server answers that takes long, and nothing waits for it but
who asked.

The event loop's own way takes the few threads of `asyncio.to_thread`, and holds up the end of the
program.
"""

from __future__ import annotations

import asyncio
import socket
from functools import partial
from typing import Any

from cloudtui.core.tasks import aside

MOST = 32
"""Look-ups at the same time."""


class Lookups:
    """The same question asked twice at the same time is one."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(MOST)
        self._asked: dict[tuple[Any, ...], asyncio.Task[list[Any]]] = {}

    async def getaddrinfo(
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        *,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> list[Any]:
        question = (host, port, family, type, proto, flags)
        answer = self._asked.get(question)
        if answer is None:
            answer = asyncio.create_task(self._ask(question), name=f"look-up of {host!r}")
            self._asked[question] = answer
            answer.add_done_callback(partial(self._answered, question))
        return await asyncio.shield(answer)

    async def _ask(self, question: tuple[Any, ...]) -> list[Any]:
        async with self._free:
            return await aside(lambda: socket.getaddrinfo(*question))

    def _answered(self, question: tuple[Any, ...], answer: asyncio.Task[list[Any]]) -> None:
        del self._asked[question]
        if not answer.cancelled():
            answer.exception()  # who asked may have gone


def look_up_aside(loop: asyncio.AbstractEventLoop) -> None:
    """Let the loop, and all libraries on it, look names up this way; call it on the loop."""
    if "getaddrinfo" not in vars(loop):
        loop.getaddrinfo = Lookups().getaddrinfo  # type: ignore[method-assign]
