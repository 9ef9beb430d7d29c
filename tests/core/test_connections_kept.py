"""Connections of a computer that was asleep, or is on another network."""

from __future__ import annotations

import asyncio
import signal

import pytest

from cloudtui.files import network
from cloudtui.model.errors import CloudtuiError
from tests.lab import Lab
from tests.ssh.test_forward import signal_all


async def test_a_computer_that_wakes_up_looks_at_once_what_is_left(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloudtui.core.connections.AWAKE_DEAD_AFTER", 0.1)
    async with lab.bench() as bench, asyncio.timeout(60):
        connections = bench.connections
        instance = await bench.inventory.find("bert-gpu")
        first = await connections.get(instance)
        waiting = asyncio.create_task(connections.pause(3600))
        await asyncio.sleep(0)
        lost: asyncio.Queue[CloudtuiError] = asyncio.Queue()
        first.on_lost(lost.put_nowait)

        busy = lab.sshd.session_processes()
        signal_all(busy, signal.SIGSTOP)
        connections._woke()
        await waiting
        assert (await lost.get()).detail == "No sign of life for 0.1 s."
        signal_all(busy, signal.SIGCONT)

        monkeypatch.setattr("cloudtui.core.connections.AWAKE_DEAD_AFTER", 30)
        second = await connections.get(instance)
        second.on_lost(lost.put_nowait)
        connections._woke()
        await asyncio.gather(*connections._checks)
        assert await connections.get(instance) is second

        monkeypatch.setattr(network, "is_own", lambda _: False)
        connections._woke()
        assert lost.get_nowait().detail == "This computer has the address 127.0.0.1 no more."
