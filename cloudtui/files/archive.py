"""Files of this computer as one tar stream, to be unpacked elsewhere."""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cloudtui.model.errors import Refused
from cloudtui.model.upload import LocalFile

BLOCK = 256 << 10
"""Bytes read at once."""
WHOLE = b".cloudtui-whole"
"""The archive's last file: without it nothing of it is used."""
NAMES, THERE = b".cloudtui-names", b".cloudtui-there"
"""Files before that: what the archive brings, and what the host said of it before."""


def archive(
    root: Path,
    files: Sequence[LocalFile],
    *,
    pax: bool,
    there: Mapping[bytes, bytes] = {},
    digests: dict[bytes, str] | None = None,
) -> Iterator[bytes]:
    """The tar archive, in blocks. A file that shrinks meanwhile is filled up with zeros, and its
    old time makes the next sync send it again. `there` is the host's line for each file that it
    has; `digests` gets the SHA-256 of each file that is in the archive, in hex.

    Raises:
        Refused: a file cannot be read.
    """
    waiting = bytearray()
    for file in files:
        info = _info(file, pax=pax)
        opened = None
        if not file.is_folder and not file.is_link:
            try:
                opened = (root / os.fsdecode(file.path)).open("rb")
            except FileNotFoundError:
                continue
            except OSError as error:
                raise _unreadable(file, error) from error
        sha = hashlib.sha256()
        waiting += info.tobuf(
            tarfile.PAX_FORMAT if pax else tarfile.GNU_FORMAT, "utf-8", "surrogateescape"
        )
        if opened:
            left = file.size
            with opened:
                while left:
                    try:
                        data = opened.read(min(BLOCK, left))
                    except OSError as error:
                        raise _unreadable(file, error) from error
                    if not data:
                        data = bytes(min(BLOCK, left))
                    left -= len(data)
                    waiting += data
                    sha.update(data)
                    if len(waiting) >= BLOCK:
                        yield bytes(waiting)
                        waiting.clear()
            waiting += bytes(-file.size % tarfile.BLOCKSIZE)
            if digests is not None:
                digests[file.path] = sha.hexdigest()
        if len(waiting) >= BLOCK:
            yield bytes(waiting)
            waiting.clear()
    names = [f.path for f in files if not f.is_folder and b"\n" not in f.path]
    waiting += _told(NAMES, b"".join(name + b"\0" for name in names))
    waiting += _told(THERE, b"".join(there[name] + b"\n" for name in names if name in there))
    waiting += _told(WHOLE, b"")
    yield bytes(waiting) + bytes(2 * tarfile.BLOCKSIZE)


def _told(name: bytes, data: bytes) -> bytes:
    info = tarfile.TarInfo(os.fsdecode(name))
    info.size, info.mode = len(data), 0o600
    return info.tobuf(tarfile.GNU_FORMAT) + data + bytes(-len(data) % tarfile.BLOCKSIZE)


def _info(file: LocalFile, *, pax: bool) -> tarfile.TarInfo:
    info = tarfile.TarInfo(os.fsdecode(file.path))
    info.mode = file.mode & 0o777
    info.mtime = file.mtime_ns // 10**9
    if pax:
        seconds, part = divmod(file.mtime_ns, 10**9)
        info.pax_headers = {"mtime": f"{seconds}.{part:09}"}
    if file.is_folder:
        # Not without these three: what is in it could not be written.
        info.type, info.mode = tarfile.DIRTYPE, info.mode | 0o700
    elif file.is_link:
        info.type, info.linkname = tarfile.SYMTYPE, os.fsdecode(file.link)
    else:
        info.size = file.size
    return info


def _unreadable(file: LocalFile, error: OSError) -> Refused:
    return Refused(
        f"{file.path.decode(errors='replace')} cannot be read here: {error.strerror}.",
        "Nothing was changed on the host.",
        "Make it readable, or leave it out in a .cloudtuiignore.",
    )
