"""Frames go both ways: a letter, a number, a length, and so many bytes, JSON but for the letter D.

Requests (Q) are answered in their order: N, as often as needed, then R, or X when it failed.
Names are UTF-8 in JSON; bytes that are not UTF-8 are lone surrogates.
"""

import hashlib
import json
import os
import select
import stat
import struct
import sys
from typing import Any, Callable, Dict, List, Tuple

Asked = Dict[str, Any]
HEAD = struct.Struct(">cII")
CHUNK = 256 << 10
BATCH = 500
PART = b".cloudtui-part"
SAVED = b".cloudtui-saved"
LONGEST = 255


def raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def words(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def home(text: str) -> bytes:
    """A path as it was typed: `~` is the home folder."""
    path = os.path.expanduser(raw(text)) if text.startswith("~") else raw(text)
    return path or b"."


class Input:
    """Frames from standard input."""

    def __init__(self) -> None:
        self.held = b""
        self.at = 0
        self.before: Callable[[], object] = lambda: None
        """Called before anything is waited for."""
        self.patience = 0.0
        """Seconds to wait, 0 for ever."""

    def ready(self, seconds: float) -> bool:
        """Whether there is something to read, after so long at the latest."""
        return bool(select.select([0], [], [], seconds)[0])

    def read(self) -> bytes:
        return os.read(0, 1 << 20)

    def some(self, most: int) -> bytes:
        if self.at >= len(self.held):
            if not self.ready(0):
                self.before()
                if self.patience and not self.ready(self.patience):
                    sys.exit(4)
            self.held, self.at = self.read(), 0
            if not self.held:
                sys.exit(0)
        found = self.held[self.at : self.at + most]
        self.at += len(found)
        return found

    def exactly(self, size: int) -> bytes:
        found = self.some(size) if size else b""
        while len(found) < size:
            found += self.some(size - len(found))
        return found

    def head(self) -> Tuple[bytes, int, int]:
        kind, number, size = HEAD.unpack(self.exactly(HEAD.size))
        return kind, number, size


class Output:
    """Frames to standard output, many small ones at once."""

    def __init__(self) -> None:
        self.held = bytearray()

    def put(self, kind: bytes, number: int, data: bytes) -> None:
        self.held += HEAD.pack(kind, number, len(data))
        self.held += data
        if len(self.held) >= CHUNK:
            self.flush()

    def tell(self, kind: bytes, number: int, value: object) -> None:
        self.put(kind, number, json.dumps(value).encode())

    def flush(self) -> None:
        if self.held:
            held, self.held = self.held, bytearray()
            self.write(held)

    def write(self, data: bytearray) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(1, view) :]


FAILURES = (OSError, ValueError, OverflowError)
"""The last ones: a name, and a time, that no file can have."""


class Partly(OSError):
    """A file was overwritten only in part; its `filename` is the one where all of it is."""


def failure(error: Exception) -> List[Any]:
    """Number and words, and of `Partly` where all of the file is."""
    found = [getattr(error, "errno", 0) or 0, getattr(error, "strerror", "") or str(error)]
    return [*found, error.filename] if isinstance(error, Partly) else found


def letter(mode: int) -> str:
    if stat.S_ISREG(mode):
        return "f"
    if stat.S_ISDIR(mode):
        return "d"
    return "l" if stat.S_ISLNK(mode) else "o"


def facts(path: bytes, follow: bool = False) -> List[Any]:
    """Kind, size, mode, mtime in ns, and of a link where it leads to and to what kind.

    Of a link that leads to a file or folder, size, mode and time are those of that.
    """
    info = os.stat(path) if follow else os.lstat(path)
    kind, target, through = letter(info.st_mode), "", ""
    if kind == "l":
        target = words(os.readlink(path))
        try:
            info = os.stat(path)
            through = letter(info.st_mode)
        except OSError:
            through = ""
    mode = stat.S_IMODE(info.st_mode) & 0o777
    return [kind, info.st_size, mode, info.st_mtime_ns, target, through]


def part_of(path: bytes) -> bytes:
    folder, name = os.path.split(path)
    part = b"." + name + PART
    if len(part) > LONGEST:
        digest = hashlib.sha256(name).hexdigest()[:12].encode()
        part = b"." + name[: LONGEST - len(PART) - 14] + b"-" + digest + PART
    return os.path.join(folder, part)


def saved_as(path: bytes, number: int) -> bytes:
    folder, name = os.path.split(path)
    end = SAVED + (b"-%d" % number if number > 1 else b"")
    return os.path.join(folder, name[: LONGEST - len(end)] + end)


def token(info: os.stat_result) -> str:
    """Another one after anything was written to the file, or when it is another file."""
    return f"{info.st_ino}:{info.st_size}:{info.st_mtime_ns}"


def is_part(name: bytes) -> bool:
    return name.startswith(b".") and name.endswith(PART)


def digest(path: bytes, upto: int = -1) -> str:
    found = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        left = upto
        while left:
            data = file.read(1 << 20 if left < 0 else min(1 << 20, left))
            if not data:
                break
            left -= len(data)
            found.update(data)
    return found.hexdigest()
