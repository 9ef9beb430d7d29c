"""Files sent and received: whole, or from an offset on."""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import stat
import time
from typing import Any, Dict, List, Optional, Union

from cloudtui.host.files.frames import (
    CHUNK,
    FAILURES,
    Asked,
    Input,
    Output,
    Partly,
    digest,
    failure,
    part_of,
    raw,
    saved_as,
    token,
    words,
)

WHOLE = 64 << 10
"""Bytes of a file that is read to its end before its size is told: those of /proc and /sys have
another one than they say."""
LARGEST_UNTOLD = 64 << 20
"""Bytes that are read of a file that says it has none."""
SILENCE = 30.0
"""Seconds without a frame after which a copy that is being received is given up."""
LOCKED = 45.0
"""Seconds to wait for another copy, most likely one that was cut, to leave a part file."""


def send(out: Output, number: int, asked: Asked) -> object:
    """Each file from an offset on: B, D as often as needed, then E, or F when it failed."""
    for index, text, offset, check in asked["files"]:
        try:
            send_one(out, index, raw(text), offset, check)
        except FAILURES as error:
            out.tell(b"F", index, failure(error))
    return None


def send_one(out: Output, index: int, path: bytes, offset: int, check: bool) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0))
    try:
        before = os.fstat(fd)
        if not stat.S_ISREG(before.st_mode):
            raise OSError(errno.EINVAL, "it is no file any more")
        mode = stat.S_IMODE(before.st_mode) & 0o777
        sha = hashlib.sha256() if check else None
        at = 0
        while sha and at < offset:
            data = os.read(fd, min(CHUNK, offset - at))
            if not data:
                break
            at += len(data)
            sha.update(data)
        os.lseek(fd, offset, os.SEEK_SET)
        at, size = offset, before.st_size
        whole = short(fd, size) if size <= WHOLE and not offset else []
        if whole and not whole[-1]:  # it ended elsewhere than it said
            now = os.fstat(fd).st_size
            size = sum(map(len, whole)) if now == size else size
        elif whole and not size:
            raise OSError(0, "it says that it is empty, and has no end")
        out.tell(b"B", index, [size, mode, before.st_mtime_ns])
        sparse = size > CHUNK and getattr(before, "st_blocks", size) * 512 < size
        while at < size:
            hole = gap(fd, at, size) if sparse and not whole else 0
            if hole:
                at += hole
                if sha:
                    zeros(sha, hole)
                out.tell(b"H", index, hole)
                continue
            data = whole.pop(0) if whole else os.read(fd, min(CHUNK, size - at))
            if not data:
                raise OSError(0, "it became shorter while it was read")
            at += len(data)
            if sha:
                sha.update(data)
            out.put(b"D", index, data)
        after = os.fstat(fd)
        changed = (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns)
        out.tell(b"E", index, [sha.hexdigest() if sha else "", changed])
    finally:
        os.close(fd)


def short(fd: int, size: int) -> List[bytes]:
    """What is in a small file; nothing comes last when it ended before its size, or has none."""
    found: List[bytes] = []
    left = size or LARGEST_UNTOLD
    while left > 0:
        data = os.read(fd, min(CHUNK, left))
        found.append(data)
        if not data:
            break
        left -= len(data)
    return found


def gap(fd: int, at: int, size: int) -> int:
    """Bytes from `at` on that are not on the disk, all zeros; the file is read on after them."""
    try:
        data = os.lseek(fd, at, os.SEEK_DATA)
    except OSError as error:
        data = size if error.errno == errno.ENXIO else at
    except AttributeError:
        return 0
    data = min(data, size)
    os.lseek(fd, data, os.SEEK_SET)
    return data - at


def zeros(sha: "hashlib._Hash", count: int) -> None:
    some = bytes(min(count, 1 << 20))
    while count > 0:
        sha.update(some[:count])
        count -= len(some)


class Arriving:
    """A file on its way into a part file."""

    def __init__(self, asked: Asked) -> None:
        self.path = raw(asked["path"])
        try:
            mode = os.lstat(self.path).st_mode
        except OSError:
            mode = 0
        if stat.S_ISDIR(mode) or (stat.S_ISLNK(mode) and os.path.isdir(self.path)):
            raise IsADirectoryError(errno.EISDIR, "a folder of that name is there")
        if stat.S_ISLNK(mode) and os.path.exists(self.path):
            self.path = os.path.realpath(self.path)
        self.size, self.mode, self.mtime = asked["size"], asked["mode"], asked["mtime"]
        self.part, self.at = part_of(self.path), asked["offset"]
        self.token = asked.get("token", "")
        self.keep = bool(asked.get("keep"))
        """It stays the file that it is: its owner, access lists and other names too."""
        self.holes = False
        self.fd = self.opened()
        if self.at:
            os.lseek(self.fd, self.at, os.SEEK_SET)

    def opened(self) -> int:
        """The part file, cut to the offset, and nobody else's."""
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
        end = time.time() + LOCKED
        while True:
            fd = os.open(self.part, flags, 0o600)
            try:
                locked(fd)
                own = os.fstat(fd)
                if own.st_ino == os.stat(self.part).st_ino:
                    if self.at and token(own) != self.token:
                        raise OSError(errno.ESTALE, "another copy went on with it")
                    if own.st_size != self.at:
                        os.ftruncate(fd, self.at)
                    return fd
            except (BlockingIOError, FileNotFoundError):
                if time.time() > end:
                    os.close(fd)
                    raise OSError(errno.EBUSY, "another copy is writing it") from None
                time.sleep(0.1)
            except BaseException:
                os.close(fd)
                raise
            os.close(fd)

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            count = os.write(self.fd, view)
            self.at += count
            view = view[count:]

    def skip(self, count: int) -> None:
        """So many zeros, which take no room."""
        self.at += count
        os.lseek(self.fd, self.at, os.SEEK_SET)
        self.holes = True

    def finish(self, sum: str) -> None:
        try:
            if self.at != self.size:
                raise OSError(0, f"only {self.at} of {self.size} bytes came")
            if self.holes:
                os.ftruncate(self.fd, self.size)
            if sum and digest(self.part) != sum:
                os.unlink(self.part)
                raise OSError(0, "what was written is not what was read: SHA-256 differs")
            if self.keep and not kept(self.fd, self.path):
                within(self.part, self.path)
                return
            attributes(self.fd, self.mode, self.mtime)
            os.rename(self.part, self.path)
        finally:
            os.close(self.fd)


def locked(fd: int) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        return  # a file system without locks


def kept(fd: int, path: bytes) -> bool:
    """Whether a new file can take the place of that at `path`, with its owner and access list."""
    own, there = os.fstat(fd), os.stat(path)
    try:
        if (own.st_uid, own.st_gid) != (there.st_uid, there.st_gid):
            os.fchown(fd, there.st_uid, there.st_gid)
        for name in os.listxattr(path) if hasattr(os, "listxattr") else []:
            if os.getxattr(path, name) != (name in os.listxattr(fd) and os.getxattr(fd, name)):
                os.setxattr(fd, name, os.getxattr(path, name))
    except OSError as error:
        return error.errno in (errno.ENOTSUP, errno.ENOSYS)
    return there.st_nlink == 1


def within(part: bytes, path: bytes) -> None:
    """Put what is in `part` into the file that is there: first what is longer than that, so that a
    full disk leaves it as it was. Until all of it is there, `part` has a name that stays.

    Raises:
        Partly: the file is neither what it was nor what it should be.
    """
    saved = kept_as(part, path)
    new = os.open(saved, os.O_RDONLY)
    try:
        fd = os.open(path, os.O_RDWR)
        try:
            size, old = os.fstat(new).st_size, os.fstat(fd).st_size
            try:
                into(new, fd, old, size)
            except OSError:
                os.ftruncate(fd, old)
                raise
            try:
                into(new, fd, 0, min(old, size))
                os.ftruncate(fd, size)
            except OSError as error:
                raise Partly(error.errno, error.strerror, words(saved)) from None
        finally:
            os.close(fd)
    except Partly:
        raise
    except OSError:
        os.unlink(saved)
        raise
    finally:
        os.close(new)
    os.unlink(saved)


def into(new: int, fd: int, at: int, end: int) -> None:
    os.lseek(new, at, os.SEEK_SET)
    os.lseek(fd, at, os.SEEK_SET)
    while at < end:
        data = memoryview(os.read(new, min(CHUNK, end - at)))
        if not data:
            raise OSError(0, "it became shorter while it was read")
        at += len(data)
        while data:
            data = data[os.write(fd, data) :]


def kept_as(part: bytes, path: bytes) -> bytes:
    """The name that `part` has got, beside `path` and never another file's."""
    for number in range(1, 100):
        saved = saved_as(path, number)
        try:
            os.link(part, saved)
        except FileExistsError:
            continue
        except OSError:
            break  # a file system without them
        os.unlink(part)
        return saved
    return part


def attributes(where: Union[int, bytes], mode: int, mtime: Optional[int]) -> None:
    """What is not told stays: of a folder its set-group-ID, by which a team shares it, and sticky
    bit. A file never gets such bits."""
    info = os.stat(where)
    if stat.S_ISDIR(info.st_mode):
        mode = mode & 0o777 | info.st_mode & 0o7000
    else:
        mode &= 0o777
    try:
        if stat.S_IMODE(info.st_mode) != mode:
            os.chmod(where, mode)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS):
            raise
    if mtime is not None:
        os.utime(where, ns=(mtime, mtime))


def link(asked: Asked) -> None:
    path, target = raw(asked["path"]), raw(asked["target"])
    try:
        os.symlink(target, path)
    except FileExistsError:
        if os.path.isdir(path) and not os.path.islink(path):
            raise IsADirectoryError(errno.EISDIR, "a folder of that name is there") from None
        part = part_of(path)
        if os.path.lexists(part):
            os.unlink(part)
        os.symlink(target, part)
        os.rename(part, path)
    if os.utime in os.supports_follow_symlinks:
        os.utime(path, ns=(asked["mtime"], asked["mtime"]), follow_symlinks=False)


def folder(asked: Asked) -> None:
    path = raw(asked["path"])
    try:
        os.mkdir(path, asked["mode"] & 0o777 | 0o700)
    except FileExistsError:
        if not os.path.isdir(path):
            raise NotADirectoryError(
                errno.ENOTDIR, "something else of that name is there"
            ) from None
        mode = stat.S_IMODE(os.stat(path).st_mode)
        if asked.get("set") and mode & 0o700 != 0o700:  # until its mode is set at the end
            with contextlib.suppress(OSError):
                os.chmod(path, mode | 0o700)


def attribute(asked: Asked) -> None:
    attributes(raw(asked["path"]), asked["mode"], asked["mtime"])


PLAIN = {b"M": folder, b"L": link, b"T": attribute}


def receive(out: Output, number: int, asked: Asked, source: Input) -> object:
    """Frames until Z: M folder, B D H E a file, H for zeros, A a file given up, L link, T mode and
    time, P nothing. O or F answers each but B, D and H; F may come sooner."""
    arriving: Dict[int, Arriving] = {}
    source.patience = SILENCE
    try:
        while True:
            kind, index, size = source.head()
            if kind == b"D":
                file = arriving.get(index)
                while size:
                    data = source.some(size)
                    size -= len(data)
                    if file is None:
                        continue
                    try:
                        file.write(data)
                    except OSError as error:
                        file = arriving.pop(index)
                        os.close(file.fd)
                        file = None
                        out.tell(b"F", index, failure(error))
                        out.flush()
                continue
            told: Any = json.loads(source.exactly(size).decode()) if size else {}
            if kind == b"Z":
                return None
            try:
                if kind == b"B":
                    arriving[index] = Arriving(told)
                elif kind == b"H":
                    if index in arriving:
                        arriving[index].skip(told)
                elif kind == b"E":
                    if index in arriving:
                        arriving.pop(index).finish(told[0])
                        out.tell(b"O", index, None)
                elif kind == b"A":
                    if index in arriving:
                        os.close(arriving.pop(index).fd)
                elif kind in PLAIN:
                    PLAIN[kind](told)
                    out.tell(b"O", index, None)
            except FAILURES as error:
                file = arriving.pop(index, None)
                if file:
                    os.close(file.fd)
                out.tell(b"F", index, failure(error))
    finally:
        source.patience = 0.0
        for file in arriving.values():
            os.close(file.fd)
