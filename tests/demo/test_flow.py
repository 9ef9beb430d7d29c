"""Flow control between a channel and a program's files."""

from __future__ import annotations

import os

from cloudtui.demo.flow import Inlet, Outlet
from tests.demo.conftest import until


async def test_a_program_that_does_not_read_holds_the_client_back() -> None:
    theirs, ours = os.pipe()
    os.set_blocking(ours, False)
    told: list[str] = []
    inlet = Inlet(ours, lambda: told.append("hold"), lambda: told.append("go on"))
    sent = os.urandom(1_000_000)
    for begin in range(0, len(sent), 30_000):
        inlet.write(sent[begin : begin + 30_000])
    inlet.end()
    assert told == ["hold"]

    os.set_blocking(theirs, False)
    received = b""

    def drained() -> bool:
        nonlocal received
        while True:
            try:
                data = os.read(theirs, 65_536)
            except BlockingIOError:
                return False
            if not data:
                return True
            received += data

    await until(drained, "the end of the input")
    os.close(theirs)
    assert told == ["hold", "go on"]
    assert received == sent


async def test_a_full_channel_leaves_output_in_the_program() -> None:
    ours, theirs = os.pipe()
    for fd in (ours, theirs):
        os.set_blocking(fd, False)
    got: list[bytes] = []
    ended: list[bool] = []
    outlet = Outlet(ours, got.append, lambda: ended.append(True))
    outlet.pause()
    os.write(theirs, b"waits")
    os.close(theirs)
    await until(lambda: True, "one turn of the loop")
    assert got == []
    outlet.resume()
    await until(lambda: ended, "the end of the output")
    assert got == [b"waits"]
    assert not outlet.open
