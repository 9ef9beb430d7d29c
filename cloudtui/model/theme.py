"""The keys of a theme's file: fields of Textual's `Theme`."""

from __future__ import annotations

COLOURS = (
    "primary",
    "secondary",
    "warning",
    "error",
    "success",
    "accent",
    "foreground",
    "background",
    "surface",
    "panel",
    "boost",
)
SHARES = ("luminosity_spread", "text_alpha")
"""Numbers from 0 to 1."""
