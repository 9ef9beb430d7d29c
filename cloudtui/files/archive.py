"""Files of this computer as one tar stream, to be unpacked elsewhere."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from cloudtui.model.errors import Refused
from cloudtui.model.upload import LocalFile

BLOCK = 256 << 10
"""Bytes read at once."""
WHOLE = b".cloudtui-whole"
"""The archive's last file: without it nothing of it is used."""


def archive(root: Path, files: Sequence[LocalFile], *, pax: bool) -> Iterator[bytes]:
    """The tar archive, in blocks. A file that shrinks meanwhile is filled up with zeros, and its
    old time makes the next sync send it again.

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
                    if len(waiting) >= BLOCK:
                        yield bytes(waiting)
                        waiting.clear()
            waiting += bytes(-file.size % tarfile.BLOCKSIZE)
        if len(waiting) >= BLOCK:
            yield bytes(waiting)
            waiting.clear()
    waiting += tarfile.TarInfo(os.fsdecode(WHOLE)).tobuf(tarfile.GNU_FORMAT)
    yield bytes(waiting) + bytes(2 * tarfile.BLOCKSIZE)


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
