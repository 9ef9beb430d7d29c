"""An ssh config with all that it includes, in OpenSSH's reading order, as it is or as planned."""

from __future__ import annotations

import fnmatch
import glob
import hashlib
import itertools
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from cloudtui.files import paths
from cloudtui.files.ssh_document import (
    Block,
    Document,
    decoded,
    encoded,
    matches,
    quoted,
    words,
)

DEPTH = 16
"""How deep OpenSSH follows Include."""
VISITS = 10_000
"""How many files a config may read; OpenSSH has no limit, but nobody has so many."""
PROBE = b"cloudtui-some-other-host"
"""A name for all hosts that the config does not name."""

Guards = tuple[tuple[bytes, tuple[bytes, ...]], ...]
"""The Host and Match lines that must all hold for a line to count: keyword and words."""


class Directive(NamedTuple):
    """One line that says something, with what must hold for it to count."""

    guards: Guards
    keyword: bytes
    value: bytes
    """As written, quotes and all."""
    path: Path
    line: int
    """From 1."""


class Place(NamedTuple):
    """One block where it is read; a file that is included twice has each of its blocks twice."""

    path: Path
    block: Block
    guards: Guards
    """Its own head included; `Match all` and what stands before any head have none."""

    @property
    def line(self) -> int:
        """Where it begins, from 1."""
        return self.block.start + 1


@dataclass(slots=True)
class Tree:
    """A config that was read; the paths are as ssh opens them, symbolic links not followed."""

    main: Path
    documents: dict[Path, Document] = field(default_factory=dict)
    places: list[Place] = field(default_factory=list)
    directives: list[Directive] = field(default_factory=list)
    includes: dict[tuple[Path, int], list[Path]] = field(default_factory=dict)
    """What each Include line (index from 0) reads, in order; also what cannot be read."""
    unknown: dict[tuple[Path, int], list[bytes]] = field(default_factory=dict)
    """Words of an Include line with `%` or `$`, which newer versions of OpenSSH expand."""
    modes: dict[Path, int] = field(default_factory=dict)
    trouble: str = ""
    """Why the tree is not whole: Include goes round in a circle, or a file cannot be read."""

    def read(self) -> tuple[tuple[Path, str], ...]:
        """Each file and the SHA-256 of what was read."""
        return tuple((path, digest(doc.data)) for path, doc in self.documents.items())

    def names(self) -> dict[bytes, None]:
        """Every literal name after Host or Match, an example of each pattern, and one more."""
        found: dict[bytes, None] = {}
        for guards in dict.fromkeys(place.guards for place in self.places):
            for keyword, patterns in guards[-1:]:
                for pattern in patterns if keyword == b"host" else _match_words(patterns):
                    name = pattern.removeprefix(b"!")
                    found[name.replace(b"*", b"x").replace(b"?", b"x")] = None
        return found | {PROBE: None}


def digest(data: bytes | None) -> str:
    """SHA-256 in hex; empty for no file."""
    return "" if data is None else hashlib.sha256(data).hexdigest()


def read_tree(main: Path, planned: Mapping[Path, bytes | None] | None = None) -> Tree:
    """The config of `main`; `planned` are contents that are not on disk yet, None is no file.

    Never raises: what cannot be read has no lines and is told in `trouble`.
    """
    return _Reader(planned or {}).tree(main.absolute())


def active_for(guards: Guards, name: bytes) -> bool:
    """Whether the lines behind `guards` can count for this name; only ssh can evaluate Match."""
    return all(keyword == b"match" or matches(words, name) for keyword, words in guards)


def affected(before: Tree, after: Tree, *aliases: bytes) -> tuple[bytes, ...]:
    """The names, without `aliases`, that may resolve differently after than before.

    What a host resolves to follows from the sequence of directives whose guards it meets, for a
    Match before them sees nothing but their effect. Take what both sequences begin and end with
    away: a name that meets no guard of the rest sees the same sequence. Two things make ssh read
    the config once more, with the resolved address in the place of the name: `Match final` and
    CanonicalizeHostname. There each address that a name may resolve to counts as the name.
    """
    old, new = before.directives, after.directives
    first = 0
    while first < min(len(old), len(new)) and old[first][:3] == new[first][:3]:
        first += 1
    last = 0
    while last < min(len(old), len(new)) - first and old[-1 - last][:3] == new[-1 - last][:3]:
        last += 1
    changed = dict.fromkeys(
        directive.guards
        for directives in (old, new)
        for directive in directives[first : len(directives) - last]
    )
    names = [name for name in before.names() | after.names() if name not in aliases]
    if _read_twice(before) != _read_twice(after):
        return tuple(names)
    found = dict.fromkeys(n for n in names if any(active_for(g, n) for g in changed))
    if changed and _read_twice(after):
        for tree in (before, after):
            found |= _found_again(tree, names, list(changed))
    return tuple(found)


_FINAL = frozenset({b"final", b"canonical", b"!final", b"!canonical"})


def _read_twice(tree: Tree) -> bool:
    return any(d.keyword.startswith(b"canonical") for d in tree.directives) or any(
        keyword == b"match" and {word.lower() for word in patterns} & _FINAL
        for guards in dict.fromkeys(place.guards for place in tree.places)
        for keyword, patterns in guards
    )


def _found_again(tree: Tree, names: Sequence[bytes], changed: list[Guards]) -> dict[bytes, None]:
    """Names whose address, looked at as a name, meets one of the changed guards."""
    domains = [b""]
    for directive in tree.directives:
        if directive.keyword == b"canonicalizepermittedcnames":
            return dict.fromkeys(names)  # Only DNS knows the second name.
        if directive.keyword == b"canonicaldomains":
            domains += [b"." + word for word in words(directive.value) or ()]
    found: dict[bytes, None] = {}
    addresses: list[tuple[Guards, bytes]] = [((), b"%h")]
    addresses += [(d.guards, _word(d)) for d in tree.directives if d.keyword == b"hostname"]
    for guards, value in addresses:
        if b"%" not in value and not _meets(value, domains, changed):
            continue
        for name in names:
            address = re.sub(rb"%([h%])", lambda t, n=name: n if t[1] == b"h" else b"%", value)  # type: ignore[misc]
            if active_for(guards, name) and _meets(address, domains, changed):
                found[name] = None
    return found


def _meets(address: bytes, domains: list[bytes], changed: list[Guards]) -> bool:
    for domain in domains:
        for spelling in {address + domain, (address + domain).lower()}:
            if any(active_for(guards, spelling) for guards in changed):
                return True
    return False


def _word(directive: Directive) -> bytes:
    return (words(directive.value) or (b"",))[0]


def _match_words(conditions: tuple[bytes, ...]) -> Iterator[bytes]:
    """The names in the `host` and `originalhost` conditions of a Match."""
    for keyword, value in itertools.pairwise(conditions):
        if keyword.lower() in (b"host", b"originalhost", b"!host", b"!originalhost"):
            yield from (word for word in value.split(b",") if word)


def included(value: bytes) -> Iterator[Path]:
    """The files that an Include line with this value reads, in order."""
    return _Reader({}).included(value)


def reads(include: bytes, path: Path) -> bool:
    """Whether an Include line with this value reads the file, or would when it were there."""
    real = os.path.realpath(path)
    found = _Reader({path: b""}).included(include)
    return any(os.path.realpath(one) == real for one in found)


class _Reader:
    """One walk over a config."""

    def __init__(self, planned: Mapping[Path, bytes | None]) -> None:
        self._planned = {Path(os.path.realpath(path)): data for path, data in planned.items()}
        self._visits = 0

    def tree(self, main: Path) -> Tree:
        self._tree = Tree(main)
        self._visit(main, (), (main,))
        return self._tree

    def _visit(self, path: Path, outer: Guards, chain: tuple[Path, ...]) -> None:
        tree = self._tree
        self._visits += 1
        if len(chain) > DEPTH + 1 or self._visits > VISITS:
            tree.trouble = tree.trouble or _too_deep(chain)
            return
        document = tree.documents.get(path)
        if document is None:
            data = self._content(path)
            if data is None:
                return
            document = tree.documents[path] = Document.read(data)
        for block in document.blocks():
            guards = outer
            if block.keyword == b"host" or (
                block.keyword == b"match" and [w.lower() for w in block.patterns] != [b"all"]
            ):
                guards = (*outer, (block.keyword, block.patterns))
            tree.places.append(Place(path, block, guards))
            for index, line in document.body(block):
                if line.keyword != b"include":
                    tree.directives.append(
                        Directive(guards, line.keyword, line.value, path, index + 1)
                    )
                    continue
                if (path, index) not in tree.includes:
                    tree.includes[path, index] = list(self.included(line.value))
                    tree.unknown[path, index] = [
                        word for word in words(line.value) or () if b"$" in word or b"%" in word
                    ]
                for found in tree.includes[path, index]:
                    self._visit(found, guards, (*chain, found))
                    if tree.trouble:
                        return

    def _content(self, path: Path) -> bytes | None:
        """The bytes of a file, planned or on disk; None for none."""
        real = Path(os.path.realpath(path))
        try:
            found = real.stat()
        except FileNotFoundError:
            found = None
        except OSError as error:
            self._tree.trouble = f"{path} cannot be read: {error.strerror}."
            return None
        if found is not None:
            self._tree.modes[path] = stat.S_IMODE(found.st_mode)
        if real in self._planned:
            return self._planned[real]
        if found is None or not stat.S_ISREG(found.st_mode):
            return None
        try:
            return real.read_bytes()
        except OSError as error:
            self._tree.trouble = f"{path} cannot be read: {error.strerror}."
            return None

    def included(self, value: bytes) -> Iterator[Path]:
        """The files that an Include names, sorted per word as glob(3) does."""
        for word in words(value) or ():
            path = paths.expanded(decoded(word))
            if not path.is_absolute():
                path = paths.ssh_dir() / path
            # glob(3) takes a backslash as an escape, Python a bracket.
            pattern = re.sub(
                r"\\(.)", lambda found: glob.escape(found[1]), str(path).removesuffix("\\")
            )
            try:
                found = set(glob.glob(pattern))  # noqa: PTH207 - Path.glob takes no absolute pattern
                for real, data in self._planned.items():
                    if data is None:
                        found = {name for name in found if Path(os.path.realpath(name)) != real}
                    else:
                        found |= _as_named(real, pattern)
            except (OSError, ValueError, re.error):
                continue
            yield from map(Path, sorted(found, key=encoded))


def _as_named(real: Path, pattern: str) -> set[str]:
    """The names under which a glob would find a planned file that is not there yet."""
    plain = re.sub(r"\[([*?[])\]", r"\1", pattern)
    if not glob.has_magic(re.sub(r"\[[*?[]\]", "", pattern)):
        return {plain} if os.path.realpath(plain) == str(real) else set()
    folder, _, last = pattern.rpartition("/")
    if not fnmatch.fnmatchcase(real.name, last) or (
        real.name.startswith(".") and not last.startswith(".")
    ):
        return set()
    folders = glob.glob(folder) if glob.has_magic(folder) else [folder]  # noqa: PTH207
    return {f"{one}/{real.name}" for one in folders if os.path.realpath(one) == str(real.parent)}


def _too_deep(chain: tuple[Path, ...]) -> str:
    for position, path in enumerate(chain):
        if path in chain[position + 1 :]:
            circle = chain[position : chain.index(path, position + 1) + 1]
            return f"Include leads in a circle: {' → '.join(map(str, circle))}."
    return f"Include leads more than {DEPTH} files deep: {' → '.join(map(str, chain[:4]))} …"


def write_trial(tree: Tree, folder: Path) -> Path:
    """A copy of the config in an empty private folder, its Include lines made to stay inside.

    Every file keeps its mode, for ssh looks at it, and every line its number. What ssh cannot
    read is named as it is. Returns the copy of the main file.

    Raises:
        OSError: the folder cannot be written.
    """
    copies = {path: folder / f"{i}.conf" for i, path in enumerate(tree.documents)}
    for path, document in tree.documents.items():
        copy = document.copy()
        for index in range(len(copy.lines)):
            if (path, index) in tree.includes:
                targets = [literal(copies.get(p, p)) for p in tree.includes[path, index]]
                targets += map(quoted, tree.unknown[path, index])
                line = b" ".join(targets) or quoted(encoded(str(folder / "none")))
                copy.lines[index] = copy.lines[index].with_value(line)
        copies[path].write_bytes(copy.data)
        copies[path].chmod(tree.modes.get(path, 0o600))
    return copies.get(tree.main, folder / "none")


def original(text: str, tree: Tree, folder: Path) -> str:
    """A sentence of ssh about the copies in `folder`, with the names of the originals."""
    for i, path in reversed(list(enumerate(tree.documents))):
        text = text.replace(str(folder / f"{i}.conf"), str(path))
    return text


def literal(path: Path) -> bytes:
    """A path as one word of an Include line that is no pattern."""
    return quoted(re.sub(rb"([\[\]*?~])", rb"\\\1", encoded(str(path))))
