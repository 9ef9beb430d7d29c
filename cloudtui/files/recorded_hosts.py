"""The instances on which notebooks are to be recorded, kept from one start to the next."""

from __future__ import annotations

import json
from pathlib import Path

from cloudtui.files.atomic import write_atomically
from cloudtui.files.paths import state_dir


def recorded_file() -> Path:
    """Where they are kept."""
    return state_dir() / "recorded.json"


def load() -> frozenset[str]:
    """Their ids; none when the file cannot be read."""
    try:
        found = json.loads(recorded_file().read_bytes())
        return frozenset(str(each) for each in found["instances"])
    except (OSError, ValueError, KeyError, TypeError):
        return frozenset()


def save(ids: frozenset[str]) -> None:
    """Raises OSError when the folder cannot be written."""
    if ids:
        text = json.dumps({"instances": sorted(ids)}, indent=1)
        write_atomically(recorded_file(), text.encode() + b"\n")
    else:
        recorded_file().unlink(missing_ok=True)
