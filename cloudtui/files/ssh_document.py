"""One file of an ssh config as lines of bytes that can be edited without touching the others.

Lines are split as OpenSSH 9.2 does it (readconf.c: strdelim for the keyword, argv_split for the
rest). Joining the lines again gives the same bytes, whatever they are.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

COMMANDS = frozenset({b"proxycommand", b"localcommand", b"remotecommand", b"knownhostscommand"})
"""Keywords whose value is the rest of the line as it stands, quotes and `#` included."""

SEVERAL_WORDS = frozenset(
    b"addkeystoagent canonicaldomains canonicalizepermittedcnames channeltimeout dynamicforward "
    b"globalknownhostsfile ipqos localforward loglevel logverbose permitremoteopen proxyjump "
    b"rekeylimit remoteforward sendenv setenv userknownhostsfile".split()
)
"""Keywords whose value is not one word that gets quotes, but several or none that may have any."""


class Line(NamedTuple):
    """A line with its end; `start` and `end` are the value's span, without trailing comment."""

    raw: bytes
    keyword: bytes = b""
    """In lower case; empty for blank lines, comments and what has no value."""
    written: bytes = b""
    start: int = 0
    end: int = 0

    @property
    def value(self) -> bytes:
        """The value as written, quotes and all."""
        return self.raw[self.start : self.end]

    @property
    def comment(self) -> bool:
        """Whether the line is only a comment."""
        return self.raw.lstrip(b" \t\r\n").startswith(b"#")

    @property
    def blank(self) -> bool:
        """Whether nothing is on the line."""
        return not self.raw.strip()

    @property
    def indent(self) -> bytes:
        """The blanks before the keyword."""
        return self.raw[: len(self.raw) - len(self.raw.lstrip(b" \t"))]

    @property
    def ending(self) -> bytes:
        """`\\n`, `\\r\\n`, or nothing on a last line."""
        if self.raw.endswith(b"\r\n"):
            return b"\r\n"
        return b"\n" if self.raw.endswith(b"\n") else b""

    def text(self) -> str:
        """The value as people mean it: one word without its quotes, several as they stand."""
        if self.keyword in COMMANDS or self.keyword in SEVERAL_WORDS:
            return decoded(self.value)
        found = words(self.value)
        return decoded(found[0]) if found else ""

    def with_value(self, value: bytes) -> Line:
        """The same line with another value; all around the value stays."""
        return parse(self.raw[: self.start] + value + self.raw[self.end :])


class Block:
    """Lines `start` to `end` of a document: a Host or Match line and what follows it, or what
    stands before the first of them."""

    __slots__ = ("end", "keyword", "patterns", "start")

    def __init__(self, start: int, end: int, head: Line | None) -> None:
        self.start = start
        self.end = end
        self.keyword = head.keyword if head else b""
        """`host`, `match`, or empty before the first of them."""
        self.patterns: tuple[bytes, ...] = tuple(words(head.value) or ()) if head else ()
        """What stands after Host or Match, as words."""


class Document:
    """The lines of one file; edits replace lines in `lines`, which others may share."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self.lines = list(lines)

    @staticmethod
    def read(data: bytes) -> Document:
        """The document that `data` is."""
        pieces = data.split(b"\n")
        last = pieces.pop()
        lines = [parse(piece + b"\n") for piece in pieces]
        return Document([*lines, parse(last)] if last else lines)

    @property
    def data(self) -> bytes:
        """The file's content."""
        return b"".join([line.raw for line in self.lines])

    def copy(self) -> Document:
        """A document of its own with the same lines."""
        return Document(self.lines)

    def blocks(self) -> list[Block]:
        """The blocks in order; the first, before any Host or Match, is always there."""
        heads = [i for i, line in enumerate(self.lines) if line.keyword in (b"host", b"match")]
        ends = [*heads, len(self.lines)]
        found = [Block(0, ends[0], None)]
        for number, head in enumerate(heads):
            found.append(Block(head, ends[number + 1], self.lines[head]))
        return found

    def body(self, block: Block) -> Iterator[tuple[int, Line]]:
        """The block's directives, without its head, with their indices."""
        for i in range(block.start + bool(block.keyword), block.end):
            if self.lines[i].keyword:
                yield i, self.lines[i]

    def end_of_directives(self, block: Block) -> int:
        """The index after the block's last directive: what follows is blank or leads the next."""
        return max((i for i, _ in self.body(block)), default=block.start) + 1

    def insert(self, index: int, raws: Iterable[bytes]) -> None:
        """New lines, given without their ends, before line `index`."""
        ending = self.ending
        if index > 0 and not self.lines[index - 1].ending:
            self.lines[index - 1] = parse(self.lines[index - 1].raw + ending)
        self.lines[index:index] = [parse(raw + ending) for raw in raws]

    @property
    def ending(self) -> bytes:
        """How lines end here: CRLF when most do."""
        crlf = sum(line.raw.endswith(b"\r\n") for line in self.lines)
        return b"\r\n" if crlf * 2 > len(self.lines) else b"\n"

    @property
    def indent(self) -> bytes:
        """How directives of a block are indented here, mostly."""
        found = Counter(
            line.indent
            for line in self.lines
            if line.keyword and line.indent and line.keyword not in (b"host", b"match")
        )
        return found.most_common(1)[0][0] if found else b"    "


_KEYWORD = re.compile(
    rb'[ \t\r\n]*(?:=[ \t\r\n]*)?(?:"([^"]*)"[ \t\r\n]*|([^ \t\r\n="]+)(?=[ \t\r\n=]|$)'
    rb"(?:=[ \t\r\n]*|[ \t\r\n]+=?[ \t\r\n]*|$))"
)


@lru_cache(maxsize=50_000)
def parse(raw: bytes) -> Line:
    """A line as OpenSSH splits it."""
    seen = raw.partition(b"\0")[0].rstrip(b" \t\r\n\f")
    found = _KEYWORD.match(seen)
    end = len(seen)
    if not found or (start := found.end()) == end:
        return Line(raw)
    quoted_keyword, plain_keyword = found.groups()
    written = plain_keyword or quoted_keyword
    if not written or written[0] == 0x23:  # a comment
        return Line(raw)
    keyword = written.lower()
    if keyword in COMMANDS:
        start = end - len(seen[start:].lstrip(b" \t\r\n="))
    elif b"#" in seen[start:]:
        # With nothing before the comment, `Host # x` is still the head of a block: for no host.
        end = max((end for _, end in spans(seen, start)), default=start)
    return Line(raw, keyword, written, start, end)


# Quotes join, a backslash frees a quote, itself, or outside of quotes a blank; # ends the words.
_DOUBLE = rb"\"((?:[^\"\\]|\\['\"\\]|\\(?!['\"\\]))*)\""
_SINGLE = rb"'((?:[^'\\]|\\['\"\\]|\\(?!['\"\\]))*)'"
_WORD = re.compile(
    rb"(?:\\['\"\\ ]|\\(?!['\"\\ ])|[^ \t\"'\\]|" + _DOUBLE + rb"|" + _SINGLE + rb")+"
)
_PIECE = re.compile(rb"\\(['\"\\ ])|" + _DOUBLE + rb"|" + _SINGLE + rb"|([^\"'])", re.S)
_SPECIAL = re.compile(rb"[\"'\\#]")
_FREED = re.compile(rb"\\(['\"\\])")


def spans(text: bytes, start: int) -> Iterator[tuple[int, int]]:
    """Where the words of a value are; stops at a comment or at a quote that is never closed."""
    at = start
    while True:
        while text[at : at + 1] in (b" ", b"\t"):
            at += 1
        if at >= len(text) or text[at : at + 1] == b"#":
            return
        found = _WORD.match(text, at)
        if not found or (found.end() < len(text) and text[found.end()] not in b" \t"):
            yield at, len(text)
            return
        yield at, found.end()
        at = found.end()


@lru_cache(maxsize=50_000)
def words(value: bytes) -> tuple[bytes, ...] | None:
    """The words of a value, free of quotes; None when a quote is never closed."""
    if not _SPECIAL.search(value):
        return tuple(word for word in value.replace(b"\t", b" ").split(b" ") if word)
    found = []
    for start, end in spans(value, 0):
        word = value[start:end]
        if _WORD.fullmatch(word) is None:
            return None
        found.append(_PIECE.sub(_freed, word))
    return tuple(found)


def _freed(piece: re.Match[bytes]) -> bytes:
    if (inside := piece[2] if piece[2] is not None else piece[3]) is not None:
        return _FREED.sub(rb"\1", inside)
    return piece[1] or piece[4]


def quoted(word: bytes) -> bytes:
    """One word as OpenSSH reads it back, in double quotes where it needs them."""
    if word and not word.startswith(b"=") and not any(c in word for c in b" \t#\"'\\"):
        return word
    freed = re.sub(rb"\\(?=['\"\\]|$)", rb"\\\\", word)
    return b'"' + freed.replace(b'"', b'\\"') + b'"'


def written_value(keyword: str, value: str) -> bytes:
    """A value as it stands in the file.

    Raises:
        ValueError: OpenSSH would read something else than `value`; the text is a sentence.
    """
    name, data = encoded(keyword).lower(), encoded(value)
    if name in COMMANDS:
        if data.startswith(b"="):
            raise ValueError(f"The value of {keyword} begins with =, which ssh would drop.")
    elif name not in SEVERAL_WORDS:
        return quoted(data)
    end = max((end for _, end in spans(data, 0)), default=0)
    if words(data) is None:
        raise ValueError(f"A quote in the value of {keyword} is never closed.")
    if name not in COMMANDS and (end < len(data) or data[:1] == b"="):
        raise ValueError(f"ssh would not read all of the value of {keyword}.")
    return data


def decoded(data: bytes) -> str:
    """Bytes of a config as text; what is no UTF-8 survives the way back."""
    return data.decode("utf-8", "surrogateescape")


def encoded(text: str) -> bytes:
    """The bytes that `decoded` made `text` of."""
    return text.encode("utf-8", "surrogateescape")


def is_pattern(word: bytes) -> bool:
    """Whether a word after Host is more than one name."""
    return word.startswith(b"!") or b"*" in word or b"?" in word


def matches(patterns: Iterable[bytes], name: bytes) -> bool:
    """Whether a Host line with these patterns is for `name`; capitals count."""
    found = False
    for pattern in patterns:
        if pattern.startswith(b"!"):
            if like(pattern[1:], name):
                return False
        elif not found:
            found = like(pattern, name)
    return found


def like(pattern: bytes, name: bytes) -> bool:
    """OpenSSH's match_pattern: `*` and `?` only. Time is at most length times length."""
    if b"*" not in pattern and b"?" not in pattern:
        return pattern == name
    p = n = 0
    star, tried = -1, 0
    while n < len(name):
        if p < len(pattern) and pattern[p] == 0x2A:
            star, tried = p, n
            p += 1
        elif p < len(pattern) and pattern[p] in (0x3F, name[n]):
            p += 1
            n += 1
        elif star >= 0:
            tried += 1
            p, n = star + 1, tried
        else:
            return False
    return not pattern[p:].strip(b"*")
