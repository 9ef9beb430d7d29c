"""An entry of the ssh config, and a change to the config that is planned but not written yet."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from cloudtui.model.errors import Refused

_INSTANCE_ID = re.compile(r"i-[0-9a-f]+")
_NEW_ALIAS = re.compile(r"[\w.:+~^][\w.:+~^-]*")


class ChangedOnDisk(Refused):
    """A file of the ssh config is not what the plan was made from; nothing was written."""


class Shadowed(Refused):
    """An earlier line of the ssh config decides the keyword; nothing was written."""


class OthersAffected(Refused):
    """Another host would resolve differently; nothing was written."""


@dataclass(frozen=True, slots=True)
class HostEntry:
    """One literal alias of the ssh config; patterns such as `gpu-*` are not entries.

    `values` are keyword as written and value without comment and quotes, in reading order: those
    of every Host block that has the alias among its names, as in OpenSSH the first of a keyword
    counts. `file` and `line` (from 1) are the first of these blocks, `also` names the others.
    """

    alias: str
    values: tuple[tuple[str, str], ...]
    file: Path
    line: int
    ours: bool
    """Whether the block is in cloudtui's own file, config.d/cloudtui.conf."""
    shared: bool = False
    """Whether its first block has other names or patterns too: `Host a b`."""
    also: tuple[str, ...] = ()
    """`FILE line N` of each further block of the same alias."""

    def get(self, keyword: str) -> str:
        """The first value of a keyword, however it is capitalized; empty when absent."""
        wanted = keyword.lower()
        return next((value for name, value in self.values if name.lower() == wanted), "")

    @property
    def instance_id(self) -> str:
        """The instance it belongs to: its HostKeyAlias when that is `i-...`, or empty."""
        found = self.get("HostKeyAlias")
        return found if _INSTANCE_ID.fullmatch(found) else ""

    @property
    def where(self) -> str:
        """`FILE line N`."""
        return f"{self.file} line {self.line}"


@dataclass(frozen=True, slots=True)
class FileChange:
    """What one file holds before and after; None is no file."""

    path: Path
    before: bytes | None
    after: bytes | None


@dataclass(frozen=True, slots=True)
class ConfigChange:
    """A planned change of the ssh config; nothing is written yet."""

    title: str
    """One line for people: `Host gpu: HostName 10.0.0.1 → 10.0.0.2`."""
    diff: str
    """Unified diff of every file that would change; empty when nothing would."""
    alias: str = ""
    """The host that may resolve differently afterwards, with those in `more` alone."""
    wanted: tuple[tuple[str, str], ...] = ()
    """Keyword and value as they stand in the config: what must be effective for `alias`."""
    files: tuple[FileChange, ...] = ()
    """In the order in which they are written."""
    read: tuple[tuple[Path, str], ...] = ()
    """Every file that the plan depends on and its SHA-256; empty for a file that was missing."""
    undoes: str = ""
    """The name of the backup that this change goes back to."""
    more: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()
    """Further hosts that it changes, each with what must be effective for it."""

    @property
    def hosts(self) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
        """Every host that it changes and what must be effective for it."""
        return ((self.alias, self.wanted), *self.more)

    @property
    def empty(self) -> bool:
        """Whether the config already says so."""
        return not self.files


def why_not_alias(alias: str) -> str:
    """Why no new entry can have this name, as a sentence; empty when it can."""
    if not alias:
        return "A host needs a name."
    if any(c.isspace() for c in alias):
        return f"{alias!r} has a space in it: ssh would read several names."
    if any(not c.isprintable() for c in alias):
        return f"{alias!r} has a character in it that cannot be seen."
    if any(c in alias for c in "*?"):
        return f"{alias!r} is a pattern for many hosts: * and ? match anything."
    if alias[0] in "-!":
        return f"{alias!r} begins with {alias[0]}, which ssh reads as " + (
            "an option." if alias[0] == "-" else "`not this host`."
        )
    if not _NEW_ALIAS.fullmatch(alias):
        wrong = next(c for c in alias if not re.fullmatch(r"[\w.:+~^-]", c))
        return f"{alias!r} has {wrong} in it: a name is letters, digits and . _ - : + only."
    return ""


def why_not_value(keyword: str, value: str) -> str:
    """Why this value cannot be written after this keyword; empty when it can."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9]*", keyword):
        return f"{keyword!r} is no keyword of ssh_config."
    if keyword.lower() in ("host", "match", "include"):
        return f"{keyword} begins a part of its own: it cannot stand inside an entry."
    if not value.strip():
        return f"{keyword} needs a value."
    if any(ord(c) < 32 or ord(c) == 127 or c in "\x85\u2028\u2029" for c in value):
        return f"The value of {keyword} has a line break or control character in it."
    if value != value.strip():
        return f"The value of {keyword} begins or ends with a space."
    return ""
