"""Edits of one alias in an ssh config, planned as new contents of the files they touch.

What is not part of the alias's own blocks stays as it is, byte for byte. A block that other names
share is not changed for them: a block of the alias's own goes before it, where it is read first.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cloudtui.files import paths
from cloudtui.files.ssh_document import (
    COMMANDS,
    Block,
    Document,
    Line,
    decoded,
    encoded,
    is_pattern,
    parse,
    quoted,
    spans,
    words,
    written_value,
)
from cloudtui.files.ssh_tree import Tree, active_for, literal, read_tree, reads
from cloudtui.model.host_entry import HostEntry

HEADING = b"# Entries written by cloudtui; `cloudtui hosts` lists and changes them."

Plan = dict[Path, bytes]
"""New content by path, as ssh opens it."""


def entries(tree: Tree, own: Path) -> tuple[HostEntry, ...]:
    """Every literal alias that ssh would find, in reading order."""
    places: dict[bytes, dict[tuple[Path, int], tuple[Path, Block]]] = {}
    for place in tree.places:
        if place.block.keyword != b"host":
            continue
        for alias in place.block.patterns:
            if not is_pattern(alias) and active_for(place.guards, alias):
                key = (Path(os.path.realpath(place.path)), place.block.start)
                places.setdefault(alias, {}).setdefault(key, (place.path, place.block))
    real = Path(os.path.realpath(own))
    found = []
    for alias, blocks in places.items():
        (path, first), *more = blocks.values()
        found.append(
            HostEntry(
                decoded(alias),
                tuple(
                    (decoded(line.written), line.text())
                    for file, block in blocks.values()
                    for _, line in tree.documents[file].body(block)
                    if line.keyword != b"include"
                ),
                path,
                first.start + 1,
                next(iter(blocks))[0] == real,
                not _alone(first, alias),
                tuple(f"{file} line {block.start + 1}" for file, block in more),
            )
        )
    return tuple(found)


def plan_put(tree: Tree, own: Path, alias: str, values: Mapping[str, str | None]) -> Plan:
    """New or changed values of an alias; None takes a keyword away.

    Raises:
        ValueError: ssh would read a value differently; the text is a sentence.
    """
    name = encoded(alias)
    wanted = {
        encoded(keyword): None if value is None else written_value(keyword, value)
        for keyword, value in values.items()
    }
    mine = _blocks_of(tree, name)
    if mine:
        return _Edits(tree, name, mine).put(wanted)
    planned = _with_include(tree, own)
    if planned:
        tree = read_tree(tree.main, planned)
        if mine := _blocks_of(tree, name):
            return planned | _Edits(tree, name, mine).put(wanted)
    real = os.path.realpath(own)
    path = next((p for p in tree.documents if os.path.realpath(p) == real), own)
    document = tree.documents.get(path, Document([])).copy()
    lines = [] if document.lines else [HEADING]
    if not document.lines or not document.lines[-1].blank:
        lines.append(b"")
    lines.append(b"Host " + quoted(name))
    indent = document.indent
    lines += [indent + k + b" " + value for k, value in wanted.items() if value is not None]
    document.insert(len(document.lines), lines)
    return {path: document.data} | planned


def plan_remove(tree: Tree, alias: str) -> Plan:
    """The config without the alias; empty when it has none."""
    name = encoded(alias)
    return _Edits(tree, name, _blocks_of(tree, name)).remove()


def wanted_lines(values: Mapping[str, str | None]) -> tuple[tuple[str, str], ...]:
    """Keyword and value as they stand in the file, without those that are taken away."""
    return tuple(
        (keyword, decoded(written_value(keyword, value)))
        for keyword, value in values.items()
        if value is not None
    )


def unified_diff(name: str, before: bytes, after: bytes) -> str:
    """A unified diff of one file for people: bytes that are no UTF-8 are shown as U+FFFD."""
    old, new = (_lines(data) for data in (before, after))
    first = last = 0
    shorter = min(len(old), len(new))
    while first < shorter and old[first] == new[first]:
        first += 1
    while last < shorter - first and old[-1 - last] == new[-1 - last]:
        last += 1
    # difflib is slow on what is the same: it gets what differs and three lines around.
    skipped, rest = max(0, first - 3), max(0, last - 3)
    lines = difflib.unified_diff(
        old[skipped : len(old) - rest], new[skipped : len(new) - rest], name, name
    )
    return "".join(
        _HUNK.sub(lambda f: f"@@ -{_at(f[1], skipped)} +{_at(f[2], skipped)} @@", line)
        if line.startswith("@@")
        else line
        for line in lines
    )


_HUNK = re.compile(r"@@ -([\d,]+) \+([\d,]+) @@")


def _at(span: str, skipped: int) -> str:
    start, comma, count = span.partition(",")
    return f"{int(start) + skipped}{comma}{count}"


def _lines(data: bytes) -> list[str]:
    lines = [line + "\n" for line in data.decode("utf-8", "replace").split("\n")]
    last = lines.pop()
    return lines if last == "\n" else [*lines, last + "\\ No newline at end of file\n"]


def _alone(block: Block, name: bytes) -> bool:
    """Whether a block is for this name only."""
    return all(word == name or word.startswith(b"!") for word in block.patterns)


def _blocks_of(tree: Tree, name: bytes) -> list[tuple[Path, Block]]:
    """The Host blocks that have the name among their patterns, in reading order, each once."""
    found: dict[tuple[str, int], tuple[Path, Block]] = {}
    for place in tree.places:
        patterns = place.block.patterns if place.block.keyword == b"host" else ()
        if name in patterns and active_for(place.guards, name):
            key = (os.path.realpath(place.path), place.block.start)
            found.setdefault(key, (place.path, place.block))
    return list(found.values())


def _with_include(tree: Tree, own: Path) -> Plan:
    """The main file with an Include of cloudtui's own at its top; empty when it has one."""
    document = tree.documents.get(tree.main, Document([]))
    for _, line in document.body(document.blocks()[0]):
        if line.keyword == b"include" and reads(line.value, own):
            return {}
        if line.keyword not in (b"include", b"ignoreunknown"):
            break  # What stands before the Include would shadow the entries.
    inside = own.is_relative_to(paths.ssh_dir())
    value = encoded(str(own.relative_to(paths.ssh_dir()))) if inside else literal(own)
    document = document.copy()
    document.insert(0, [b"Include " + value])
    return {tree.main: document.data}


@dataclass(slots=True)
class _Edits:
    """Changes of one alias's blocks; lines keep their numbers until all are known."""

    tree: Tree
    name: bytes
    mine: list[tuple[Path, Block]]
    _lines: dict[Path, dict[int, list[bytes]]] = field(default_factory=dict)
    """What stands in the place of a line, by index, without line ends."""
    _before: dict[Path, dict[int, list[bytes]]] = field(default_factory=dict)
    """New lines before a line."""

    def put(self, wanted: Mapping[bytes, bytes | None]) -> Plan:
        overrides: dict[int, list[tuple[bytes, bytes]]] = {}
        dropped = {keyword.lower() for keyword, value in wanted.items() if value is None}
        split = set()
        for number, (path, block) in enumerate(self.mine):
            for index, line in self.tree.documents[path].body(block):
                if line.keyword in dropped:
                    if _alone(block, self.name):
                        self._replace(path, index, [])
                    else:
                        split.add(number)
        for keyword, value in wanted.items():
            if value is None:
                continue
            number, found = self._first(keyword.lower())
            if found is None:
                number = 0
            path, block = self.mine[number]
            if found and _same(found[1], value):
                continue
            if not _alone(block, self.name):
                overrides.setdefault(number, []).append((keyword, value))
            elif found is None:
                self._append(path, block, keyword, value)
            else:
                index, line = found
                self._replace(path, index, [_body(line.with_value(value))])
        for number in sorted(split | overrides.keys()):
            self._override(number, overrides.get(number, []), number in split, dropped)
        return self._plan()

    def remove(self) -> Plan:
        for path, block in self.mine:
            document = self.tree.documents[path]
            if not _alone(block, self.name):
                self._take_out(path, block)
                continue
            start, end = block.start, document.end_of_directives(block)
            if start == 0 or document.lines[start - 1].blank:
                # One of the two blank lines that would meet.
                if end < len(document.lines) and document.lines[end].blank:
                    end += 1
                elif start and end == len(document.lines):
                    start -= 1
            for index in range(start, end):
                self._replace(path, index, [])
        return self._plan()

    def _first(self, keyword: bytes) -> tuple[int, tuple[int, Line] | None]:
        """The block and line that say a keyword first."""
        for number, (path, block) in enumerate(self.mine):
            for index, line in self.tree.documents[path].body(block):
                if line.keyword == keyword:
                    return number, (index, line)
        return 0, None

    def _append(self, path: Path, block: Block, keyword: bytes, value: bytes) -> None:
        """A new line after the block's last one, but before what the block includes."""
        document = self.tree.documents[path]
        body = list(document.body(block))
        index = next((i for i, line in body if line.keyword == b"include"), None)
        if index is None:
            index = document.end_of_directives(block)
        indent = body[-1][1].indent if body else document.indent
        self._before.setdefault(path, {}).setdefault(index, []).append(
            indent + keyword + b" " + value
        )

    def _override(
        self,
        number: int,
        values: list[tuple[bytes, bytes]],
        split: bool,
        dropped: set[bytes],
    ) -> None:
        """A block of its own before a shared one; `split` takes its name out of the shared one."""
        path, block = self.mine[number]
        document = self.tree.documents[path]
        index = block.start
        while index > 0 and document.lines[index - 1].comment:
            index -= 1
        body = list(document.body(block))
        indent = body[-1][1].indent if body else document.indent
        lines = [b"Host " + quoted(self.name)]
        lines += [indent + keyword + b" " + value for keyword, value in values]
        if split:
            said = {keyword.lower() for keyword, _ in values} | dropped
            lines += [_body(line) for _, line in body if line.keyword not in said]
            self._take_out(path, block)
        self._before.setdefault(path, {}).setdefault(index, []).extend([*lines, b""])

    def _take_out(self, path: Path, block: Block) -> None:
        """The alias's name out of a Host line of several."""
        line = self.tree.documents[path].lines[block.start]
        value = line.value
        for start, end in reversed(list(spans(value, 0))):
            if words(value[start:end]) == (self.name,):
                if start:
                    start -= len(value[:start]) - len(value[:start].rstrip(b" \t"))
                else:
                    end += len(value[end:]) - len(value[end:].lstrip(b" \t"))
                value = value[:start] + value[end:]
        self._replace(path, block.start, [_body(line.with_value(value))])

    def _replace(self, path: Path, index: int, lines: list[bytes]) -> None:
        self._lines.setdefault(path, {})[index] = lines

    def _plan(self) -> Plan:
        plan = {}
        for path in dict.fromkeys([*self._lines, *self._before]):
            document = self.tree.documents[path].copy()
            replaced, before = self._lines.get(path, {}), self._before.get(path, {})
            for index in sorted({*replaced, *before}, reverse=True):
                if index in replaced:
                    ending = document.lines[index].ending
                    document.lines[index : index + 1] = [
                        parse(raw + ending) for raw in replaced[index]
                    ]
                if index in before:
                    document.insert(index, before[index])
            data = document.data
            if data != self.tree.documents[path].data:
                plan[path] = data
        return plan


def _same(line: Line, value: bytes) -> bool:
    """Whether a line says this value already, however it is quoted."""
    if line.keyword in COMMANDS:
        return line.value == value
    return words(line.value) == words(value)


def _body(line: Line) -> bytes:
    """A line without its end."""
    return line.raw[: len(line.raw) - len(line.ending)]
