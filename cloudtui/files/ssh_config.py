"""Which entry of the user's ssh config names an instance.

Only what is needed to find the alias is read here: Host, HostName and Include. What the alias
means is OpenSSH's to say (`ssh -G`), so a wrong guess here can miss an entry but never make a
wrong connection out of a right one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cloudtui.files.ssh_document import Document, decoded, words
from cloudtui.files.ssh_tree import DEPTH, included


@dataclass(frozen=True, slots=True)
class HostEntry:
    """One Host block; the lines before any Host count as one that is `*`."""

    patterns: tuple[str, ...]
    hostname: str
    """Its first HostName as written, `%h` and all; empty without one."""
    file: Path
    line: int
    within: tuple[tuple[str, ...], ...] = ()
    """Patterns of the Host blocks whose Include brought it in: they must match too."""
    key_alias: str = ""
    """Its first HostKeyAlias; the id of an instance says whose entry it is."""

    @property
    def where(self) -> str:
        """`FILE line N`."""
        return f"{self.file} line {self.line}"

    def matches(self, name: str) -> bool:
        """Whether OpenSSH reads this block for `ssh NAME`."""
        return all(_any_matches(patterns, name) for patterns in (*self.within, self.patterns))

    @property
    def aliases(self) -> tuple[str, ...]:
        """Its patterns that are names, not patterns."""
        return tuple(p for p in self.patterns if not any(c in p for c in "*?!"))


def read_entries(path: Path) -> tuple[HostEntry, ...]:
    """The Host blocks of a config and of the files it includes, in OpenSSH's reading order.

    Never raises: a file that is missing or cannot be read has no blocks, and odd lines are passed
    over. Match blocks other than `Match all` are left out, for only OpenSSH can evaluate them.
    """
    return tuple(_Reader().entries(path, (), 0))


def hostname_of(alias: str, entries: Sequence[HostEntry]) -> str:
    """The HostName that `ssh ALIAS` would use, or an empty string when no entry gives one."""
    for entry in entries:
        if entry.hostname and entry.matches(alias):
            return _expand(entry.hostname, alias)
    return ""


def find_alias(
    names: Sequence[str], addresses: Sequence[str], entries: Sequence[HostEntry]
) -> tuple[str, str] | None:
    """The alias under which the config knows an instance, and `FILE line N` of its entry.

    In this order: an entry whose HostKeyAlias is the id; one that is one of `names` (Name tag, id)
    to the letter; one whose pattern matches a name; an alias whose HostName is one of `addresses`;
    a pattern that matches an address. Patterns that match everything do not count: they name no
    instance. Nor does an entry whose HostKeyAlias is the id of another instance.
    """
    for entry in entries:
        if entry.key_alias in names and _INSTANCE_ID.fullmatch(entry.key_alias):
            for alias in entry.aliases:
                if _is_host(alias) and entry.matches(alias):
                    return alias, entry.where
    others = {
        alias
        for entry in entries
        if _INSTANCE_ID.fullmatch(entry.key_alias) and entry.key_alias not in names
        for alias in entry.aliases
    }
    names = [name for name in names if _is_host(name) and name not in others]
    addresses = [address for address in addresses if _is_host(address)]
    for name in names:
        for entry in entries:
            if name in entry.aliases and entry.matches(name):
                return name, entry.where
    for name in names:
        for entry in entries:
            if _names(entry, name):
                return name, entry.where
    # Asking for the HostName of each alias takes alias times entry; few can have the address.
    sources = [e for e in entries if "%" in e.hostname or e.hostname in addresses]
    for entry in entries:
        for alias in entry.aliases:
            if alias in others or not any(source.matches(alias) for source in sources):
                continue
            if entry.matches(alias) and hostname_of(alias, entries) in addresses:
                return alias, entry.where
    for address in addresses:
        for entry in entries:
            if _names(entry, address):
                return address, entry.where
    return None


def shadows(entries: Sequence[HostEntry]) -> dict[str, str]:
    """`FILE line N` of the pattern that decides HostName before the entry of its own alias does."""
    found: dict[str, str] = {}
    patterns: list[HostEntry] = []
    seen: set[str] = set()
    for entry in entries:
        if not entry.hostname:
            continue
        for alias in entry.aliases:
            if alias not in seen and entry.matches(alias):
                seen.add(alias)
                first = next((p for p in patterns if p.matches(alias)), None)
                if first:
                    found[alias] = first.where
        if len(entry.aliases) < len(entry.patterns):
            patterns.append(entry)
    return found


_INSTANCE_ID = re.compile(r"i-[0-9a-f]+")

# A Name tag is anybody's text: none that a shell or ssh's own options could mistake.
_HOST = re.compile(r"[\w%+:@.,^~=#/][\w%+:@.,^~=#/-]*")


def _is_host(name: str) -> bool:
    return _HOST.fullmatch(name) is not None


def _names(entry: HostEntry, name: str) -> bool:
    narrow = [p for p in entry.patterns if not p.startswith("!") and p.strip("*?")]
    return entry.matches(name) and any(_like(p, name) for p in narrow)


def _any_matches(patterns: tuple[str, ...], name: str) -> bool:
    if any(p.startswith("!") and _like(p[1:], name) for p in patterns):
        return False
    return any(not p.startswith("!") and _like(p, name) for p in patterns)


def _like(pattern: str, name: str) -> bool:
    """OpenSSH's match_pattern: `*` and `?` only, case counts. Time is at most length times length,
    for patterns come from files and names from tags."""
    p = n = 0
    star, tried = -1, 0
    while n < len(name):
        if p < len(pattern) and pattern[p] == "*":
            star, tried = p, n
            p += 1
        elif p < len(pattern) and pattern[p] in ("?", name[n]):
            p += 1
            n += 1
        elif star >= 0:
            tried += 1
            p, n = star + 1, tried
        else:
            return False
    return not pattern[p:].strip("*")


def _expand(hostname: str, alias: str) -> str:
    return re.sub(r"%[h%]", lambda m: alias if m[0] == "%h" else "%", hostname)


class _Reader:
    """One walk over a config; knows which files are being read, to stop at loops."""

    def __init__(self) -> None:
        self._reading: list[tuple[int, int]] = []

    def entries(
        self, path: Path, within: tuple[tuple[str, ...], ...], depth: int
    ) -> Iterator[HostEntry]:
        """The blocks of one file, included ones where they are included."""
        opened = _read(path)
        if opened is None or depth > DEPTH:
            return
        identity, document = opened
        if identity in self._reading:
            return
        self._reading.append(identity)
        yield from self._blocks(path, document, within, depth)
        self._reading.pop()

    def _blocks(
        self, path: Path, document: Document, within: tuple[tuple[str, ...], ...], depth: int
    ) -> Iterator[HostEntry]:
        patterns: tuple[str, ...] | None = ("*",)
        hostname, key_alias, start = "", "", 0
        for number, line in enumerate(document.lines, start=1):
            keyword = line.keyword
            if keyword not in (b"host", b"match", b"hostkeyalias", b"hostname", b"include"):
                continue
            found = [decoded(word) for word in words(line.value) or ()]
            if keyword in (b"host", b"match"):
                if patterns is not None and (start or hostname):
                    yield HostEntry(patterns, hostname, path, start or 1, within, key_alias)
                patterns, hostname, key_alias = _head(keyword, found), "", ""
                start = number
            elif keyword == b"hostkeyalias" and found:
                key_alias = key_alias or found[0]
            elif keyword == b"hostname" and found:
                hostname = hostname or found[0]
            elif keyword == b"include" and patterns is not None:
                if start or hostname:
                    # What is included comes after the lines above it and before those below.
                    yield HostEntry(patterns, hostname, path, start or 1, within, key_alias)
                    hostname = ""
                inner = within if patterns == ("*",) else (*within, patterns)
                for file in included(line.value):
                    yield from self.entries(file, inner, depth + 1)
        if patterns is not None and (start or hostname):
            yield HostEntry(patterns, hostname, path, start or 1, within, key_alias)


def _head(keyword: bytes, found: list[str]) -> tuple[str, ...] | None:
    if keyword == b"host":
        return tuple(found)
    return ("*",) if [word.lower() for word in found] == ["all"] else None


def _read(path: Path) -> tuple[tuple[int, int], Document] | None:
    """What tells the file apart, and its lines; None for what is no readable file."""
    try:
        if not path.is_file():
            return None
        found = path.stat()
        data = path.read_bytes()
    except OSError:
        return None
    return (found.st_dev, found.st_ino), Document.read(data)
