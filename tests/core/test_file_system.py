"""What the file program of a machine says is read turn by turn."""

from __future__ import annotations

import asyncio
from typing import Any

from cloudtui.core.file_system import FileSystem
from cloudtui.model.errors import ConnectionCut
from cloudtui.model.frames import frame

FRAMES = 30_000


class Pipe:
    """Notes whether it was told to wait."""

    full = False

    def __init__(self) -> None:
        self.told: list[str] = []

    def write(self, data: bytes) -> None:
        pass

    def pause(self) -> None:
        self.told.append("pause")

    def resume(self) -> None:
        self.told.append("resume")

    async def close(self) -> None:
        pass


async def test_thousands_of_answers_at_once_leave_others_their_turn() -> None:
    files, pipe = FileSystem("bert-gpu"), Pipe()
    files.pipe = pipe
    heard: list[int] = []
    turns = 0

    def on_frame(kind: bytes, number: int, value: Any) -> None:
        heard.append(number)

    files.on_frame = on_frame
    said = b"".join(frame(b"O", number, "x" * 30) for number in range(FRAMES))
    for start in range(0, len(said), 100_000):  # all of it in one turn of the loop
        files.came(said[start : start + 100_000])
    assert len(heard) < FRAMES
    while len(heard) < FRAMES:
        turns += 1
        await asyncio.sleep(0)
    assert turns > 1
    assert heard == list(range(FRAMES))
    assert pipe.told == ["pause", "resume"]

    files.pause()
    files.came(said)
    files.ended(ConnectionCut("The connection to bert-gpu was lost."))
    assert heard == list(range(FRAMES)) * 2, "what came before a cut counts"
    files.resume()
    assert pipe.told == ["pause", "resume"] * 2
    await files.close()
