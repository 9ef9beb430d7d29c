"""Recordings on disk: a folder for each kernel, its records in segments of JSON lines.

A segment is named by the offset of its first byte, counted since the recording began, so that a
reader's offset stays right when the oldest segments are dropped.
"""

import contextlib
import errno
import json
import os
from typing import Any, Dict, List, Optional, Tuple

KERNEL_LIMIT = int(os.environ.get("CLOUDTUI_RECORD_KERNEL", 20 << 20))
HOST_LIMIT = int(os.environ.get("CLOUDTUI_RECORD_HOST", 200 << 20))
RESERVE = int(os.environ.get("CLOUDTUI_RECORD_RESERVE", 100 << 20))
"""Bytes of a disk that stay free."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
_ENDING = ".jsonl"
_PROBE = 1 << 18
"""Bytes for which there has to be room before a full disk counts as one that has room."""


class Full(Exception):
    """There is no room for more."""


def home() -> str:
    """The folder of all recordings."""
    data = os.environ.get("XDG_DATA_HOME", "")
    if not data.startswith("/"):
        data = os.path.join(os.path.expanduser("~"), ".local", "share")
    return os.path.join(data, "cloudtui", "recordings")


def segments(folder: str) -> List[Tuple[int, str]]:
    """First offset and path of each segment, the oldest first."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    found = [name for name in names if name.endswith(_ENDING)]
    return sorted(
        (int(name[: -len(_ENDING)]), os.path.join(folder, name))
        for name in found
        if name[: -len(_ENDING)].isdigit()
    )


def segment(folder: str, offset: int) -> str:
    """The path of the segment that begins there."""
    return os.path.join(folder, "%020d%s" % (offset, _ENDING))


def size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def held(folder: str) -> int:
    """Bytes of a recording."""
    return sum(size(path) for _, path in segments(folder))


def read_json(path: str) -> Dict[str, Any]:
    """The object in a file; an empty one when it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            found = json.load(file)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_json(path: str, value: Dict[str, Any]) -> None:
    """Replace the file whole."""
    beside = "%s.%d" % (path, os.getpid())
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(value, file)
        os.replace(beside, path)
    except OSError:
        os.unlink(beside)
        raise


def room(folder: str) -> bool:
    """Whether the disk has more free than what is left to others."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize > RESERVE


class Log:
    """The records of one kernel; one thread writes them."""

    def __init__(self, folder: str) -> None:
        """Raises `Full`."""
        self.folder = folder
        self._file = -1
        self._begin = self._end = 0
        self._checked = 0

    def add(self, record: Dict[str, Any]) -> None:
        """Write one record.

        Raises:
            Full: the disk is; nothing of the record is there.
        """
        data = json.dumps(record, separators=(",", ":")).encode() + b"\n"
        try:
            if self._file < 0:
                self._open()
            elif self._end - self._begin + len(data) > KERNEL_LIMIT // 8:
                self._next()
            self._checked += len(data)
            if self._checked > 1 << 20:
                self._checked = 0
                if not room(self.folder):
                    raise Full
            self._write(data)
        except OSError as error:
            self.close()
            if error.errno in _FULL or isinstance(error, FileNotFoundError):
                raise Full from error
            raise
        except Full:
            self.close()
            raise

    def has_room(self) -> bool:
        """Whether a good deal more than one record could be written, after the disk was full."""
        try:
            if self._file < 0:
                self._open()
            self._write(b" " * _PROBE)
            self._end -= _PROBE
            os.ftruncate(self._file, self._end - self._begin)
        except (OSError, Full):
            self.close()
            return False
        return True

    def _write(self, data: bytes) -> None:
        view, done = memoryview(data), 0
        try:
            while done < len(data):
                done += os.write(self._file, view[done:])
        except OSError:
            os.ftruncate(self._file, self._end - self._begin)
            raise
        self._end += len(data)

    def _open(self) -> None:
        """Go on at the end of the newest segment; what a crash cut off there is dropped."""
        os.makedirs(self.folder, 0o700, exist_ok=True)
        if not room(self.folder):
            raise Full
        there = segments(self.folder)
        self._begin, path = there[-1] if there else (0, segment(self.folder, 0))
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        length = os.fstat(self._file).st_size
        tail = os.pread(self._file, 1 << 20, max(0, length - (1 << 20)))
        whole = tail.rfind(b"\n") + 1
        if whole < len(tail):
            length -= len(tail) - whole
            os.ftruncate(self._file, length)
        self._end = self._begin + length

    def _next(self) -> None:
        self.close()
        self._file = os.open(
            segment(self.folder, self._end), os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600
        )
        self._begin = self._end
        there = segments(self.folder)
        total = sum(size(path) for _, path in there)
        for _, path in there[:-1]:
            if total <= KERNEL_LIMIT:
                break
            total -= size(path)
            os.unlink(path)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def prune(folder: str, alive: List[str]) -> int:
    """Drop the oldest segments of a host that has too many; the bytes that are left."""
    every = []
    for name in _folders(folder):
        place = os.path.join(folder, name)
        there = segments(place)
        for number, (_, path) in enumerate(there):
            try:
                about = os.stat(path)
            except OSError:
                continue
            last = number == len(there) - 1
            every.append((name in alive and last, about.st_mtime, about.st_size, path))
    total = sum(entry[2] for entry in every)
    for keep, _, count, path in sorted(every):
        if total <= HOST_LIMIT or keep:
            break
        os.unlink(path)
        total -= count
        place = os.path.dirname(path)
        if not segments(place) and os.path.basename(place) not in alive:
            _remove(place)
    return total


def _remove(place: str) -> None:
    for name in os.listdir(place):
        os.unlink(os.path.join(place, name))
    os.rmdir(place)


def _folders(folder: str) -> List[str]:
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return sorted(name for name in names if os.path.isdir(os.path.join(folder, name)))


def recordings(folder: str) -> List[Dict[str, Any]]:
    """What is known of each kernel that was recorded, the one written last first."""
    found = []
    for name in _folders(folder):
        place = os.path.join(folder, name)
        there = segments(place)
        if not there:
            continue
        about = read_json(os.path.join(place, "about.json"))
        about["id"] = name
        about["bytes"] = sum(size(path) for _, path in there)
        about["first"] = there[0][0]
        about["end"] = there[-1][0] + size(there[-1][1])
        try:
            about["written"] = os.stat(there[-1][1]).st_mtime
        except OSError:
            about["written"] = 0
        found.append(about)
    return sorted(found, key=lambda about: -about["written"])


class StateFile:
    """The recorder's word on itself. Its place on the disk is taken at the start, so that a full
    disk does not keep it from saying that the disk is full."""

    SIZE = 16384

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self._said = b""

    def say(self, state: Dict[str, Any]) -> None:
        data = json.dumps(state).encode()
        if len(data) > self.SIZE:
            data = json.dumps(dict(state, servers=[], kernels=[])).encode()
        with contextlib.suppress(OSError):
            os.pwrite(self._file, data[: self.SIZE].ljust(self.SIZE), 0)


def open_lock(path: str) -> Optional[int]:
    """A descriptor that holds the lock, or None when another process does."""
    import fcntl

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES, errno.EAGAIN):
            os.close(descriptor)
            return None
    return descriptor
