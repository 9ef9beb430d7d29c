"""Which files a `.gitignore` leaves out, as git has it: byte for byte, with its odd corners.

Names are bytes, as for git: `?` and `[!a]` stand for one byte of a name in UTF-8.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_TESTS: dict[bytes, Callable[[str], bool]] = {
    b"alnum": str.isalnum,
    b"alpha": str.isalpha,
    b"blank": lambda c: c in " \t",
    b"cntrl": lambda c: ord(c) < 32 or ord(c) == 127,
    b"digit": str.isdigit,
    b"graph": lambda c: 32 < ord(c) < 127,
    b"lower": str.islower,
    b"print": lambda c: 32 <= ord(c) < 127,
    b"punct": lambda c: 32 < ord(c) < 127 and not c.isalnum(),
    b"space": lambda c: c in " \t\n\v\f\r",
    b"upper": str.isupper,
    b"xdigit": lambda c: c in "0123456789abcdefABCDEF",
}
_CLASSES = {n: frozenset(c for c in range(128) if test(chr(c))) for n, test in _TESTS.items()}
_SLASH = ord("/")


@dataclass(frozen=True, slots=True)
class Rule:
    """One line."""

    pattern: re.Pattern[bytes]
    keeps: bool
    """It begins with `!`."""
    only_folders: bool
    names: bool
    """It is held against the last part of a path, not the whole."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What one ignore file says about what is below its folder."""

    rules: tuple[Rule, ...] = ()

    def verdict(self, path: bytes, *, folder: bool) -> bool | None:
        """True for left out, False for kept by a `!`, None where no line matches.

        `path` is relative to the file's own folder; a symbolic link is no folder. Nothing below
        a folder that is left out can be kept: do not ask about it.
        """
        name = path.rpartition(b"/")[2]
        for rule in reversed(self.rules):
            if rule.only_folders and not folder:
                continue
            if rule.pattern.fullmatch(name if rule.names else path):
                return not rule.keeps
        return None


def ignored(layers: Sequence[tuple[bytes, Rules]], path: bytes, *, folder: bool) -> bool | None:
    """The verdict of several files: each with its folder as `` or `src/`, the weakest first."""
    for base, rules in reversed(layers):
        verdict = rules.verdict(path[len(base) :], folder=folder)
        if verdict is not None:
            return verdict
    return None


def parse(data: bytes) -> Rules:
    """The rules of a file; a line that can match nothing is left out."""
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    return Rules(tuple(rule for line in lines if (rule := _rule(line)) is not None))


def _rule(line: bytes) -> Rule | None:
    text = _trimmed(line.removesuffix(b"\r").partition(b"\0")[0])
    if not text or text.startswith(b"#"):
        return None
    keeps = text.startswith(b"!")
    text = text.removeprefix(b"!")
    only_folders = text.endswith(b"/")
    text = text.removesuffix(b"/")
    names = b"/" not in text
    if not text:
        return None
    text = text.removeprefix(b"/")
    regex = _regex(text, whole=not names)
    return Rule(re.compile(regex, re.DOTALL), keeps, only_folders, names) if regex else None


def _trimmed(line: bytes) -> bytes:
    """Without the spaces at its end, of which a backslash keeps one."""
    at, spaces = 0, -1
    while at < len(line):
        if line[at : at + 1] == b" ":
            spaces = at if spaces < 0 else spaces
        else:
            if line[at : at + 1] == b"\\":
                at += 1
                if at == len(line):
                    return line
            spaces = -1
        at += 1
    return line if spaces < 0 else line[:spaces]


def _regex(text: bytes, *, whole: bool) -> bytes | None:
    """git's wildmatch as a regular expression; None when it matches nothing."""
    made = bytearray()
    at, special = 0, True
    # `**` is special at the start of a part, and also right after a beginning without wildcards,
    # which git compares and cuts off first.
    literal = re.match(rb"[^*?\[\\]*", text)
    after_literal = literal.end() if literal and whole else 0
    while at < len(text):
        char = text[at : at + 1]
        if char == b"*":
            end = at
            while text[end : end + 1] == b"*":
                end += 1
            special = at in (0, after_literal) or text[at - 1] == _SLASH
            rest = text[end:]
            if not whole:
                made += b".*"
            elif end - at > 1 and special and rest.startswith(b"/"):
                made += b"(?:.*/)?"
                end += 1
            elif end - at > 1 and special and (not rest or rest.startswith(b"\\/")):
                made += b".*"
            else:
                made += b"[^/]*"
            at = end
        elif char == b"?":
            made += b"[^/]" if whole else b"."
            at += 1
        elif char == b"[":
            found = _set(text, at + 1)
            if found is None:
                return None
            chosen, at = found
            made += _one_of(chosen - {_SLASH} if whole else chosen)
        else:
            if char == b"\\":
                at += 1
                char = text[at : at + 1]
                if not char:
                    return None
            made += re.escape(char)
            at += 1
    return bytes(made)


def _one_of(chosen: frozenset[int] | set[int]) -> bytes:
    if not chosen:
        return b"(?!)"
    return b"[" + b"".join(b"\\x%02x" % c for c in sorted(chosen)) + b"]"


def _set(text: bytes, at: int) -> tuple[frozenset[int], int] | None:
    """The bytes that `[...]` from behind its bracket stands for, and where it ends."""
    negated = text[at : at + 1] in (b"!", b"^")
    at += negated
    chosen: set[int] = set()
    before, first = 0, True
    while True:
        if at >= len(text):
            return None
        char = text[at]
        if char == ord("]") and not first:
            break
        first = False
        if char == ord("\\"):
            at += 1
            if at >= len(text):
                return None
            char = text[at]
            chosen.add(char)
        elif char == ord("-") and before and at + 1 < len(text) and text[at + 1] != ord("]"):
            at += 1
            char = text[at]
            if char == ord("\\"):
                at += 1
                if at >= len(text):
                    return None
                char = text[at]
            chosen.update(range(before, char + 1))
            char = 0
        elif char == ord("[") and text[at + 1 : at + 2] == b":":
            end = text.find(b"]", at + 2)
            if end < 0:
                return None
            if end - at - 3 < 0 or text[end - 1] != ord(":"):
                chosen.add(char)
            else:
                known = _CLASSES.get(text[at + 2 : end - 1])
                if known is None:
                    return None
                chosen |= known
                at, char = end, 0
        else:
            chosen.add(char)
        before = char
        at += 1
    return frozenset(set(range(1, 256)) - chosen if negated else chosen), at + 1
