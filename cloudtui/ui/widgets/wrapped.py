"""Paragraphs with a mark, for the texts of dialogs."""

from __future__ import annotations

import textwrap

from textual.content import Content


def wrapped(mark: str, text: str, width: int, style: str = "") -> Content:
    """A paragraph of `width` cells whose later lines stand under its first word."""
    lines = textwrap.wrap(
        text,
        max(20, width),
        initial_indent=mark,
        subsequent_indent=" " * len(mark),
        break_on_hyphens=False,
    )
    return Content.styled("\n".join(lines), style) if style else Content("\n".join(lines))
