"""Which lines a terminal's screen has got since it was looked at before."""

from __future__ import annotations

from collections.abc import Sequence


def lines_shown(screen: str) -> tuple[str, ...]:
    """The lines of a captured screen, without what is blank at their ends and below them."""
    lines = [line.rstrip() for line in screen.rstrip().split("\n")]
    return tuple(lines) if lines != [""] else ()


def added(before: Sequence[str], now: Sequence[str]) -> Sequence[str]:
    """The lines of `now` that have come since `before`, the last line anew if it was changed in
    place, as progress bars do; all of them when the two have nothing in common.

    What looks like scrolling by fewer lines is taken for that.
    """
    if not before or before == now:
        return () if before else now
    for scrolled in range(len(before)):
        kept = before[scrolled:-1]
        if now[: len(kept)] == kept:
            new = now[len(kept) :]
            return new[1:] if new and new[0] == before[-1] else new
    return now
