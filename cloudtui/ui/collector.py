"""Python's cycle collector, told to look less often: at 10,000 rows a whole look takes 50 ms."""

from __future__ import annotations

import gc

YOUNG, MIDDLE, OLD = 10_000, 20, 20
"""Objects, and looks at younger ones, after which the next older ones are looked at."""


def calm() -> None:
    """What is there at the start stays to the end; a paint makes and drops thousands of objects,
    few of them in cycles."""
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
