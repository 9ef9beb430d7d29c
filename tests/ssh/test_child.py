"""Programs run on this computer, against real ones."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path

import pytest

from cloudtui.ssh.child import begin, end, said


async def begun(script: str) -> Process:
    return await begin("sh", "-c", script, stdin=PIPE, stdout=PIPE, stderr=DEVNULL)


def runs(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


async def gone(pid: int) -> None:
    deadline = time.monotonic() + 30
    while runs(pid):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def test_it_says_what_was_printed() -> None:
    process = await begun("cat; exit 3")
    stdout, _ = await said(process, b"words", seconds=30)
    assert stdout == b"words"
    assert process.returncode == 3


async def test_late_it_is_ended_with_what_it_began() -> None:
    process = await begun("sleep 300 & echo $!; wait")
    assert process.stdout
    child = int(await process.stdout.readline())
    with pytest.raises(TimeoutError):
        await said(process, seconds=0.01)
    assert process.returncode == -9
    await gone(child)


async def test_what_left_its_group_and_holds_its_output_holds_nothing_up() -> None:
    process = await begun("setsid sleep 300 & echo $!")
    assert process.stdout
    child = int(await process.stdout.readline())
    try:
        with pytest.raises(TimeoutError):
            await said(process, seconds=0.01)
        assert process.returncode is not None
    finally:
        os.kill(child, signal.SIGKILL)


async def test_what_became_another_users_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    process = await begun("exec cat")

    def refused(group: int, signal: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "killpg", refused)
    with pytest.raises(TimeoutError):
        await said(process, seconds=0.01)
    assert await asyncio.wait_for(process.wait(), 30) == 0


async def test_cancelled_at_its_start_it_is_ended_with_what_it_began(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    pids.touch()
    for turns in range(20):
        starting = asyncio.create_task(begun(f"sleep 300 & echo $! >> {pids}; wait"))
        for _ in range(turns):
            await asyncio.sleep(0)
        if not starting.done():
            starting.cancel()
        await asyncio.wait([starting], timeout=30)
        if not starting.cancelled():
            await end(starting.result())
    for pid in pids.read_text().split():
        await gone(int(pid))


def test_cancelled_again_and_again_it_is_waited_for() -> None:
    pids = []

    async def given_up() -> None:
        process = await begun("exec sleep 300")
        pids.append(process.pid)
        task = asyncio.create_task(said(process, seconds=300))
        await asyncio.sleep(0)
        while not task.done():
            task.cancel()
            await asyncio.sleep(0)
        assert task.cancelled()
        assert process.returncode == -9

    # Every process that nobody waited for warns when the loop is gone.
    asyncio.run(given_up())
    gc.collect()
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_at_the_end_of_the_loop_it_is_waited_for() -> None:
    async def left() -> tuple[Process, asyncio.Task[tuple[bytes, bytes]]]:
        process = await begun("exec sleep 300")
        task = asyncio.create_task(said(process, seconds=300))
        await asyncio.sleep(0)
        task.cancel()
        for _ in range(3):
            await asyncio.sleep(0)
        return process, task

    process, task = asyncio.run(left())
    assert process.returncode == -9
    assert task.cancelled()
