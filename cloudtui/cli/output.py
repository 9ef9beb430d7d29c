"""The only place that prints: results on stdout, narration on stderr."""

from __future__ import annotations

import codecs
import contextlib
import errno
import io
import json
import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TextIO

from cloudtui.model.errors import CloudtuiError


class Unwritten(CloudtuiError):
    """Standard output takes nothing more: a full disk, or closed."""


def prepare() -> None:
    """Make the standard streams fit to be written to: what an encoding lacks is replaced.

    A stream that was closed is open again: an empty input, an output that takes nothing, and an
    error output that nobody reads. Otherwise the next file or socket would take its number.
    """
    _documents.clear()
    codecs.register_error(_REPLACE, _replaced)
    for name, flags, mode in (
        ("stdin", os.O_RDONLY, "r"),
        ("stdout", os.O_RDONLY, "w"),
        ("stderr", os.O_WRONLY, "w"),
    ):
        stream = getattr(sys, name)
        if stream is None:
            descriptor = os.open(os.devnull, flags)
            os.set_inheritable(descriptor, True)
            stream = os.fdopen(descriptor, mode, encoding="utf-8")
            setattr(sys, name, stream)
        if mode == "w" and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_REPLACE)


_REPLACE = "cloudtui.replaced"
_LOOKS_LIKE = {"…": "...", "→": "->", "·": "-", "–": "-", "—": "-", "×": "x", "’": "'"}


def _replaced(error: UnicodeError) -> tuple[str | bytes, int]:
    """What is written for one character that the encoding lacks; a file name's odd bytes stay."""
    assert isinstance(error, UnicodeEncodeError)
    lacking = error.object[error.start]
    if "\udc80" <= lacking <= "\udcff":
        return bytes([ord(lacking) - 0xDC00]), error.start + 1
    return _LOOKS_LIKE.get(lacking, "?"), error.start + 1


_CONTROL = re.compile(r"\x1b(?!\[[0-9;:]*m)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]")


def _harmless(text: str) -> str:
    """What a machine said, without what a terminal would obey; colours, lines and tabs stay."""
    return text if text.isprintable() else _CONTROL.sub("", text)


def _write(text: str, *, flush: bool = False) -> None:
    if _passing:
        _say("")
    try:
        sys.stdout.write(f"{text}\n")
        if flush:
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise unwritten(error) from error


def flush() -> None:
    """Write what is held back.

    Raises:
        Unwritten: standard output does not take it.
        BrokenPipeError: nobody reads it any more.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise unwritten(error) from error


def unwritten(error: OSError) -> Unwritten:
    """The sentence for a standard output that failed."""
    closed = error.errno == errno.EBADF
    why = "standard output is closed" if closed else error.strerror or str(error)
    return Unwritten(f"The result could not be written: {why}.")


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Left-aligned columns, two spaces apart, nothing after the last word of a line."""
    lines = [list(header), *([_cell(text) for text in row] for row in rows)]
    widths = [max(map(_cells, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = (c + " " * (w - _cells(c)) for c, w in zip(line, widths, strict=True))
        _write("  ".join(padded).rstrip())


def _cell(text: str) -> str:
    return text if text.isprintable() else " ".join(_harmless(text).splitlines())


def _cells(text: str) -> int:
    """Terminal cells of a text: wide characters take two, combining ones none."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def document(value: Any) -> None:
    """One JSON document: each key on a line, and each member of a list on one of its own.

    json's own indentation is written in Python: with 10,000 machines it takes longer than AWS.
    """
    text = _laid_out(value, _JSON)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = _laid_out(value, _ASCII_JSON)
    _documents.append(1)
    _write(_EIGHT_BIT.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


_EIGHT_BIT = re.compile(r"[\x7f-\x9f]")
"""What JSON leaves as it is and a terminal may obey."""
_documents: list[int] = []
"""One entry for each document printed: a command prints no second one."""


def failed_document(error: CloudtuiError) -> None:
    """What a command with --json prints when it failed, unless it has printed its document."""
    if not _documents:
        document({"error": problem(error)})


def problems(errors: Iterable[CloudtuiError]) -> list[dict[str, str | int]]:
    """What a document tells under `errors`."""
    return [problem(error) for error in errors]


def problem(error: CloudtuiError) -> dict[str, str | int]:
    """A failure as documents tell it."""
    return {
        "title": error.title,
        "detail": error.detail,
        "hint": error.hint,
        "exit_code": error.exit_code,
    }


_JSON = json.JSONEncoder(ensure_ascii=False, default=str)
_ASCII_JSON = json.JSONEncoder(default=str)


def _laid_out(value: Any, encoder: json.JSONEncoder) -> str:
    json = encoder.encode
    if not isinstance(value, dict):
        return _members(value, "", json)
    lines = (f"  {json(str(key))}: {_members(inner, '  ', json)}" for key, inner in value.items())
    return "{\n" + ",\n".join(lines) + "\n}"


def _members(value: Any, indent: str, json: Callable[[Any], str]) -> str:
    if not isinstance(value, list) or not value:
        return json(value)
    lines = ",\n".join(f"{indent}  {json(inner)}" for inner in value)
    return f"[\n{lines}\n{indent}]"


def line(text: str) -> None:
    """One line of result, out at once."""
    _write(_harmless(text), flush=True)


def narrate(text: str) -> None:
    """What is going on, for a person."""
    _say(f"{_harmless(text)}\n")


_passing: list[str] = []
"""The line on the terminal that the next one takes the place of."""


def passing(text: str) -> None:
    """What is going on at this moment: on a terminal the next line takes its place, and
    elsewhere nothing is written."""
    if sys.stderr.isatty():
        room = shutil.get_terminal_size().columns - 1
        shown = "".join(c for c in text if c.isprintable())
        while _cells(shown) > room:
            shown = shown[:-1]
        _say(shown)
        _passing.append(shown)


def _say(text: str) -> None:
    if _passing:
        text = f"\r\x1b[K{text}"
        _passing.clear()
    try:
        print(text, end="", file=sys.stderr, flush=True)
    except OSError:
        _discard(sys.stderr)


def failure(error: CloudtuiError) -> None:
    """What happened, why, and the next step."""
    narrate(error.title)
    for part in (error.detail, error.hint):
        if part:
            narrate("\n".join(f"  {text}" for text in part.splitlines()))


def discard_stdout() -> None:
    """Nobody reads any more: keep the interpreter from complaining when it flushes."""
    _discard(sys.stdout)


def _discard(stream: TextIO) -> None:
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
