"""What of a folder has to be sent to a host: what is not there, or is there otherwise."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cloudtui.model.answers import whole
from cloudtui.model.errors import Refused, UsageError

LARGE = 1 << 30
"""Bytes above which somebody should have a look before they are sent."""
HASTE = 10
"""Seconds: a file that was sent so soon after it was written may have been written again within
the same second, which a host that keeps whole seconds cannot tell."""
SPARE = 64 << 20
"""Bytes that a host's disk keeps free."""


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file, folder or symbolic link; others (sockets, devices) are never sent."""

    path: bytes
    """Relative to the folder, with slashes."""
    mode: int
    """As `st_mode`."""
    size: int
    """Bytes of a file; 0 for others."""
    mtime_ns: int
    link: bytes = b""
    """Where a symbolic link leads, as it says itself."""

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.mode)

    @property
    def is_link(self) -> bool:
        return stat.S_ISLNK(self.mode)


@dataclass(frozen=True, slots=True)
class There:
    """What stands at the same path on the host."""

    mode: int
    size: int
    mtime_ns: int
    """Without a part of a second where the host does not tell it."""
    exact: bool
    """It tells parts of a second."""
    ctime: int
    """Seconds since 1970 of its last change, its name's and mode's too."""
    told: bytes = b""
    """The host's words for all that."""


@dataclass(frozen=True, slots=True)
class Listed:
    """The host's answer."""

    folder: str
    """The absolute path."""
    no_folder: str = ""
    """A part of the path that is there and no folder."""
    read_only: str = ""
    """The folder that cannot be written, when so."""
    free: int | None = None
    """Bytes."""
    tar: str = ""
    """`pax`, `plain` or `none`: what unpacks there understands."""
    there: Mapping[bytes, There] | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """What is to be done about the files here."""

    send: tuple[LocalFile, ...]
    """There is nothing there, or a folder."""
    other: tuple[LocalFile, ...]
    """They are there otherwise: in size, mode or kind."""
    doubtful: tuple[LocalFile, ...]
    """Of the same size: only their content, or where they lead, can tell."""
    same: tuple[LocalFile, ...] = ()


def sync_places(text: str) -> tuple[Path, str]:
    """The folder here and the one there of `LOCAL[:REMOTE]`; without REMOTE it is the folder of
    the same name in the home folder.

    Raises:
        UsageError: one of them is missing.
    """
    local, colon, remote = text.partition(":")
    if Path(text).exists():
        local, colon, remote = text, "", ""
    if not local or (colon and not remote) or "\n" in text or "\0" in text:
        raise UsageError(
            f"{text!r} is no LOCAL[:REMOTE].", hint="Such as --sync . or --sync src:~/project/src"
        )
    if not remote:
        name = Path(local).expanduser().resolve().name
        if not name:
            raise UsageError("The root folder cannot be sent.", hint="Name a folder below it.")
        remote = f"~/{name}"
    return Path(local).expanduser(), remote


def parse_listing(data: bytes) -> Listed | None:
    """What `upload.sh list` printed; None for what is no answer."""
    head, found, names = data.partition(b"NAMES\n")
    if not found:
        return None
    facts = dict(
        line.partition(" ")[::2] for line in head.decode(errors="surrogateescape").splitlines()
    )
    there: dict[bytes, There] = {}
    for line in names.split(b"\n"):
        words = line.split(b" ", 4)
        if len(words) != 5:
            continue
        seconds, point, part = words[2].partition(b".")
        try:
            there[words[4]] = There(
                int(words[0], 16),
                int(words[1]),
                int(seconds) * 10**9 + int((part or b"0").ljust(9, b"0")[:9]),
                bool(point) and int(part) != 0,
                int(words[3]),
                line,
            )
        except ValueError:
            continue
    free = facts.get("FREE", "")
    return Listed(
        facts.get("FOLDER", ""),
        facts.get("NOFOLDER", ""),
        facts.get("READONLY", ""),
        None if (kib := whole(free)) is None else kib * 1024,
        facts.get("TAR", ""),
        there,
    )


def differences(local: Iterable[LocalFile], there: Mapping[bytes, There]) -> Difference:
    """What stands there of each of the files here.

    Raises:
        Refused: one is a folder here and a file there, or the other way round.
    """
    send: list[LocalFile] = []
    other: list[LocalFile] = []
    doubtful: list[LocalFile] = []
    same: list[LocalFile] = []
    for file in local:
        known = there.get(file.path)
        if known is None:
            # Names of several lines are not in the listing.
            (doubtful if b"\n" in file.path and not file.is_folder else send).append(file)
            continue
        folder_here, folder_there = file.is_folder, stat.S_ISDIR(known.mode)
        if folder_here:
            if not folder_there and not stat.S_ISLNK(known.mode):
                raise _unlike(file, "a folder here and a file there")
            continue
        if folder_there:
            raise _unlike(file, "a file here and a folder there")
        size = len(file.link) if file.is_link else file.size
        mode = file.is_link or (file.mode ^ known.mode) & 0o777 == 0
        if stat.S_IFMT(file.mode) != stat.S_IFMT(known.mode) or size != known.size or not mode:
            other.append(file)
        elif _surely_same(file, known):
            same.append(file)
        else:
            doubtful.append(file)
    return Difference(tuple(send), tuple(other), tuple(doubtful), tuple(same))


def newer_there(file: LocalFile, known: There) -> bool:
    """Whether the file there was written after the one here."""
    later = known.mtime_ns - file.mtime_ns > 10**9
    return later and stat.S_ISREG(known.mode) and stat.S_ISREG(file.mode)


def _surely_same(file: LocalFile, known: There) -> bool:
    if known.exact:
        return abs(file.mtime_ns - known.mtime_ns) < 1000
    seconds = known.mtime_ns // 10**9
    return file.mtime_ns // 10**9 == seconds and known.ctime - seconds >= HASTE


def _unlike(file: LocalFile, how: str) -> Refused:
    name = file.path.decode(errors="replace")
    return Refused(
        f"{name} is {how}; nothing was sent.",
        hint="Rename one of them, or remove the one there yourself.",
    )


def largest(files: Iterable[LocalFile], most: int = 3) -> list[tuple[str, int]]:
    """The parts of the tree that weigh most: folders and files at its top, in bytes."""
    sums: dict[str, int] = {}
    for file in files:
        top = PurePosixPath(file.path.decode(errors="replace")).parts[0]
        sums[top] = sums.get(top, 0) + file.size
    return sorted(sums.items(), key=lambda pair: -pair[1])[:most]
