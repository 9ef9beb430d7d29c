"""Whether the program on the disk is still the one that runs: an update replaces it at any time,
and modules that are imported only then are those of another version."""

from __future__ import annotations

from pathlib import Path

import cloudtui

UPDATED = "cloudtui was updated while it was open."
RUN_AGAIN = f"{UPDATED} Run it again: what runs on machines goes on."


def _mark() -> tuple[int, int, int] | None:
    """Differs for every installation; None while there is none."""
    try:
        found = Path(cloudtui.__file__).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


_AT_START = _mark()


def replaced() -> bool:
    """Another version, or none, is installed now."""
    return _mark() != _AT_START
