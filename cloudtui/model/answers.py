"""Numbers and JSON in what a host says: whatever it wrote, what comes out of it makes sense."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

DIGITS = 18
"""Of the longest number that is believed: every one is a moment, a size or a count."""
MOST = 10.0**18
LATEST = 2**33
"""Seconds since 1970: in the year 2242."""


def whole(text: str | None) -> int | None:
    """A number without a sign; None for anything else."""
    good = text and len(text) <= DIGITS and text.isascii() and text.isdigit()
    return int(text) if text and good else None


def number(text: str) -> float | None:
    """Any number that is finite and believed; None for anything else."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and abs(value) <= MOST else None


def count(value: Any) -> int:
    """A number of a JSON answer as a whole one; 0 for what is none, negative or not believed."""
    good = isinstance(value, int | float) and 0 <= value < 10**DIGITS
    return int(value) if good else 0


def moment(seconds: float) -> datetime | None:
    """Seconds since 1970 as a time; None for one that is not believed."""
    return datetime.fromtimestamp(seconds, UTC) if 0 <= seconds < LATEST else None


def parsed(text: str | bytes) -> Any:
    """JSON.

    Raises:
        ValueError: it is none, or is nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
