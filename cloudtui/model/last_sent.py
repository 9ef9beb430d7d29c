"""What both sides had when a folder was sent last, and so which of them changed a file since."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from cloudtui.model.upload import HASTE, LocalFile, There, newer_there

_HEAD = b"cloudtui sent 1"


@dataclass(frozen=True, slots=True)
class Agreed:
    """A file that was the same here and there."""

    size: int
    mtime_ns: int
    """Of the one here; of the one there too, unless its content was compared."""
    digest: str = ""
    """As `of_link`, or SHA-256 in hex; empty where nobody read it."""


class Verdict(Enum):
    """What is to be done about a file that is there and may be another one."""

    SAME = auto()
    SEND = auto()
    STAYS = auto()
    """Only the one there was changed."""
    CONFLICT = auto()
    """The one there is not what was sent last from here, and the one here is another one too."""


def of_link(target: bytes) -> str:
    """What stands for the content of a symbolic link."""
    return f"link:{target.hex()}"


def verdict(
    file: LocalFile, here: str | None, known: There, there: str | None, agreed: Agreed | None
) -> Verdict:
    """`here` and `there` are digests; None where nobody read it."""
    if here and here == there:
        alike = file.is_link or (file.mode ^ known.mode) & 0o777 == 0
        return Verdict.SAME if alike else Verdict.SEND
    if agreed is None:
        return Verdict.STAYS if newer_there(file, known) else Verdict.CONFLICT
    if _as_left(agreed, known, there):
        return Verdict.SEND
    unchanged = bool(here) and here == agreed.digest
    if unchanged or (file.size, file.mtime_ns) == (agreed.size, agreed.mtime_ns):
        return Verdict.STAYS
    return Verdict.CONFLICT


def _as_left(agreed: Agreed, known: There, there: str | None) -> bool:
    """Whether the file there is the one that was left there."""
    if agreed.digest and there:
        return agreed.digest == there
    if not stat.S_ISREG(known.mode) or known.size != agreed.size:
        return False
    if known.exact:
        return abs(agreed.mtime_ns - known.mtime_ns) < 1000
    seconds = known.mtime_ns // 10**9
    return agreed.mtime_ns // 10**9 == seconds and known.ctime - seconds >= HASTE


def to_learn(
    same: Iterable[LocalFile], digests: Mapping[bytes, str], agreed: Mapping[bytes, Agreed]
) -> dict[bytes, Agreed]:
    """What is not remembered yet of files that are the same on both sides."""
    found = {}
    for file in same:
        before, digest = agreed.get(file.path), digests.get(file.path, "")
        if before is None or (before.size, before.mtime_ns) != (file.size, file.mtime_ns):
            found[file.path] = Agreed(file.size, file.mtime_ns, digest)
    return found


def written(agreed: Mapping[bytes, Agreed]) -> bytes:
    """As it is kept in a file."""
    rows = (
        b"%d %d %s %s" % (each.size, each.mtime_ns, each.digest.encode() or b"-", path)
        for path, each in agreed.items()
    )
    return b"\0".join((_HEAD, *rows))


def read(data: bytes) -> dict[bytes, Agreed]:
    """What `written` made; rows that are none are left out."""
    head, *rows = data.split(b"\0")
    found: dict[bytes, Agreed] = {}
    for row in rows if head == _HEAD else ():
        words = row.split(b" ", 3)
        try:
            size, mtime, digest, path = words
            found[path] = Agreed(int(size), int(mtime), digest.decode("ascii").strip("-"))
        except ValueError:
            continue
    return found
