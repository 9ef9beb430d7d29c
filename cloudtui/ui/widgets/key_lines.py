"""Rows of a key and what it does, wrapped under themselves."""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import wrap

from textual.content import Content


def key_lines(rows: Iterable[tuple[str, str]], width: int, keys_width: int) -> list[Content]:
    """One or more lines a row for `width` cells, the keys in a column of `keys_width`."""
    lines: list[Content] = []
    for key, words in rows:
        first, *others = wrap(words, max(20, width - keys_width - 2)) or [""]
        lines.append(
            Content.assemble((key.ljust(keys_width), "bold $footer-key-foreground"), "  ", first)
        )
        lines += [Content(" " * (keys_width + 2) + other) for other in others]
    return lines
