"""What `cloudtui.host.files` and cloudtui say to each other: letter, number, length, bytes."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Callable
from math import inf
from typing import Any, Protocol

HEAD = struct.Struct(">cII")
LARGEST = 64 << 20
"""Bytes of a frame that is held whole."""


def frame(kind: bytes, number: int, value: object = None) -> bytes:
    """A frame whose bytes are JSON; odd bytes of names are lone surrogates in it."""
    data = json.dumps(value).encode()
    return HEAD.pack(kind, number, len(data)) + data


class FrameReader:
    """Takes bytes as they come; hands on frames whole, and the bytes of D in pieces."""

    def __init__(
        self,
        on_frame: Callable[[bytes, int, Any], None],
        on_data: Callable[[int, memoryview], None],
    ) -> None:
        """`feed` raises ValueError for what is no frame."""
        self._on_frame = on_frame
        self._on_data = on_data
        self._held = bytearray()
        self._left = 0
        """Bytes of a frame D that are still to come."""
        self._number = 0

    def feed(self, data: bytes | memoryview, until: float = inf) -> memoryview:
        """What is left of `data` at the time `until` of `time.monotonic`."""
        view = memoryview(data)
        while view and (until == inf or time.monotonic() < until):
            if self._left:
                piece, view = view[: self._left], view[self._left :]
                self._left -= len(piece)
                self._on_data(self._number, piece)
                continue
            need = HEAD.size - len(self._held)
            if need > 0:
                self._held += view[:need]
                view = view[need:]
                if len(self._held) < HEAD.size:
                    break
            kind, number, size = HEAD.unpack_from(self._held)
            if kind == b"D":
                self._number, self._left = number, size
                self._held.clear()
                continue
            if size > LARGEST:
                raise ValueError(f"a frame of {size} bytes")
            need = HEAD.size + size - len(self._held)
            self._held += view[:need]
            view = view[need:]
            if len(self._held) == HEAD.size + size:
                value = json.loads(bytes(self._held[HEAD.size :])) if size else None
                self._held.clear()
                self._on_frame(kind, number, value)
        return view


class Pipe(Protocol):
    """Bytes to and from a program, here or on a host."""

    def write(self, data: bytes) -> None:
        """Nothing happens once it has ended."""
        ...

    @property
    def full(self) -> bool:
        """Whether what was written waits for the program."""
        ...

    def pause(self) -> None:
        """Take no more bytes from it for now."""
        ...

    def resume(self) -> None: ...

    async def close(self) -> None:
        """End it and wait until it has."""
        ...


class PipeEnds(Protocol):
    """Who a pipe tells what happens."""

    def came(self, data: bytes) -> None:
        """The program said something."""
        ...

    def room(self) -> None:
        """It takes more again after having been full."""
        ...

    def ended(self, error: Exception) -> None:
        """The program is gone, for this reason, unless it was closed."""
        ...
