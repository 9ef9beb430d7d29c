"""Sleep and a change of network are noticed."""

from __future__ import annotations

import asyncio

from cloudtui.core.wakeups import ASLEEP, Wakeups


class Computer:
    def __init__(self) -> None:
        self.time = 1000.0
        self.addresses: tuple[str, ...] = ("10.0.0.2",)
        self.woken = 0
        self.looks = 0
        self.wakeups = Wakeups(
            self.woke, clock=self.clock, addresses=lambda: self.addresses, every=0.001
        )

    def clock(self) -> float:
        self.looks += 1
        return self.time

    def woke(self) -> None:
        self.woken += 1

    async def looked(self) -> int:
        before = self.looks
        async with asyncio.timeout(30):
            while self.looks < before + 2:
                await asyncio.sleep(0)
        return self.woken


async def test_sleep_and_another_network_are_told_once_each() -> None:
    computer = Computer()
    computer.wakeups.start()
    assert await computer.looked() == 0
    computer.time += ASLEEP - 1
    assert await computer.looked() == 0
    computer.time += ASLEEP + 1
    assert await computer.looked() == 1
    computer.addresses = ()
    assert await computer.looked() == 1
    computer.addresses = ("192.168.1.7",)
    assert await computer.looked() == 2
    assert await computer.looked() == 2
    computer.addresses = ()
    computer.time += ASLEEP + 1
    assert await computer.looked() == 2, "nothing can be tried before the network is back"
    computer.addresses = ("192.168.1.7",)
    assert await computer.looked() == 3
    await computer.wakeups.close()
