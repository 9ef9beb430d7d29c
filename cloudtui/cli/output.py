"""The only place that prints: results on stdout, narration on stderr."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Sequence
from typing import Any

from cloudtui.model.errors import CloudtuiError


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Left-aligned columns, two spaces apart, nothing after the last word of a line."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(map(_cells, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = (c + " " * (w - _cells(c)) for c, w in zip(line, widths, strict=True))
        print("  ".join(padded).rstrip())


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
    if isinstance(value, dict):
        lines = (f"  {_json(str(key))}: {_members(inner, '  ')}" for key, inner in value.items())
        print("{\n" + ",\n".join(lines) + "\n}")
    else:
        print(_members(value, ""))


def _members(value: Any, indent: str) -> str:
    if not isinstance(value, list) or not value:
        return _json(value)
    lines = ",\n".join(f"{indent}  {_json(inner)}" for inner in value)
    return f"[\n{lines}\n{indent}]"


_json = json.JSONEncoder(ensure_ascii=False, default=str).encode


def line(text: str) -> None:
    """One line of result, out at once."""
    print(text, flush=True)


def narrate(text: str) -> None:
    """What is going on, for a person."""
    print(text, file=sys.stderr, flush=True)


def failure(error: CloudtuiError) -> None:
    """What happened, why, and the next step."""
    narrate(error.title)
    for part in (error.detail, error.hint):
        if part:
            narrate("\n".join(f"  {text}" for text in part.splitlines()))


def discard_stdout() -> None:
    """Nobody reads any more: keep the interpreter from complaining when it flushes."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
