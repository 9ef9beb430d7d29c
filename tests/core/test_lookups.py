"""Names that nobody answers for hold up nothing else."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from cloudtui.core import lookups
from cloudtui.core.lookups import look_up_aside


async def test_names_that_are_not_answered_hold_up_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    answers = threading.Event()

    def looked_up(host: str, *_: object) -> list[tuple[str]]:
        asked.append(host)
        answers.wait()
        if host == "host-1":
            raise socket.gaierror(socket.EAI_AGAIN, "no")
        return [(host,)]

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    monkeypatch.setattr(lookups, "MOST", 40)
    loop = asyncio.get_running_loop()
    look_up_aside(loop)
    names = [f"host-{number}" for number in range(50)]
    looks = [asyncio.ensure_future(loop.getaddrinfo(name, 22)) for name in names]
    given_up = asyncio.ensure_future(loop.getaddrinfo("host-0", 22))
    try:
        async with asyncio.timeout(25):
            while len(asked) < 40:
                await asyncio.sleep(0)
            assert await asyncio.to_thread(lambda: "work") == "work"
        given_up.cancel()
        await asyncio.wait([given_up])
        assert sorted(asked) == sorted(names[:40])
    finally:
        answers.set()
    found = await asyncio.gather(*looks, return_exceptions=True)
    assert list(map(str, found[:1])) == ["[('host-0',)]"]
    assert isinstance(found[1], socket.gaierror)
    assert sorted(asked) == sorted(names)
