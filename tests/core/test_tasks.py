from __future__ import annotations

import asyncio
from typing import Any

import pytest

from cloudtui.core.tasks import cancel, keep


async def test_a_bug_in_a_keeper_is_told_at_once() -> None:
    told: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))

    async def broken() -> None:
        raise KeyError("a bug")

    task = keep(broken(), "inventory")
    await asyncio.wait([task])
    await asyncio.sleep(0)
    assert told[0]["message"] == "inventory stopped"
    assert isinstance(told[0]["exception"], KeyError)


async def test_a_cancelled_keeper_cleans_up_and_tells_nothing() -> None:
    told: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    steps: list[str] = []

    async def waiting() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            steps.append("clean")

    task = keep(waiting(), "tunnel 8888")
    await asyncio.sleep(0)
    await cancel(task)
    assert steps == ["clean"]
    assert told == []


async def test_what_fails_while_it_is_cancelled_is_raised() -> None:
    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise KeyError("a bug")

    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    task = keep(stubborn(), "x")
    await asyncio.sleep(0)
    with pytest.raises(KeyError):
        await cancel(task)
    await cancel(None)
