"""Which failed steps after runs were told in the list of all runs, so that each is told once."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from cloudtui.files.atomic import write_atomically
from cloudtui.files.lock import alone
from cloudtui.files.paths import state_dir

KEPT = 1000
"""The newest ones."""


def claim(steps: Iterable[str]) -> set[str]:
    """Those that were not told yet, which count as told from now on; all of them where that cannot
    be remembered."""
    wanted = list(dict.fromkeys(steps))
    if not wanted:
        return set()
    try:
        with alone(_file().with_suffix(".lock")):
            told = _load()
            new = [step for step in wanted if step not in told]
            if new:
                write_atomically(_file(), json.dumps([*told, *new][-KEPT:]).encode())
            return set(new)
    except OSError:
        return set(wanted)


def _file() -> Path:
    return state_dir() / "steps_told.json"


def _load() -> list[str]:
    try:
        raw = json.loads(_file().read_bytes())
    except (OSError, ValueError):
        return []
    return [step for step in raw if isinstance(step, str)] if isinstance(raw, list) else []
