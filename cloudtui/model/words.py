"""How cloudtui writes times, ids and addresses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime


def duration(seconds: float) -> str:
    """`2d 4h`, `3h 12m`, `5m 02s`, `12 s`: the two largest units."""
    total = max(0, int(seconds))
    days, rest = divmod(total, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, secs = divmod(rest, 60)
    if days:
        return f"{days}d {hours}h"
    if hours:
        return f"{hours}h {minutes:02d}m"
    if minutes:
        return f"{minutes}m {secs:02d}s"
    return f"{secs} s"


def since(moment: datetime | None, now: datetime) -> str:
    """The time from `moment` to `now` as `duration`, or `-`."""
    return "-" if moment is None else duration((now - moment).total_seconds())


def stamp(moment: datetime | None) -> str:
    """Local date and time to the minute, or `-`."""
    return "-" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M")


def short_id(resource_id: str, keep: int = 4) -> str:
    """`i-0f3c…a1b2`: an AWS id with its middle left out."""
    prefix, dash, rest = resource_id.partition("-")
    if len(rest) <= 2 * keep + 1:
        return resource_id
    return f"{prefix}{dash}{rest[:keep]}…{rest[-keep:]}"


def plural(count: int, noun: str) -> str:
    """`1 session`, `3 sessions`, `2 entries`."""
    if count == 1:
        return f"1 {noun}"
    consonant = noun.endswith("y") and noun[-2:-1] not in "aeiou"
    return f"{count} {noun[:-1]}ies" if consonant else f"{count} {noun}s"


def listed(words: Sequence[str], most: int = 6) -> str:
    """`a`, `a and b`, `a, b and c`; the end of a long list as its number."""
    if len(words) > most:
        words = (*words[: most - 1], f"{len(words) - most + 1} more")
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)


def data_size(count: int) -> str:
    """`0 B`, `812 B`, `1.4 KiB`, `23 MiB`: three figures at most."""
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 999.5 or unit == "GiB":
            break
        size /= 1024
    return f"{size:.0f} {unit}" if unit == "B" or size >= 99.5 else f"{size:.3g} {unit}"
