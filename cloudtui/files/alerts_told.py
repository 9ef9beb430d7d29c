"""Which alerts were told, so that none is told twice, by another console or after a restart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cloudtui.files.atomic import write_atomically
from cloudtui.files.paths import state_dir
from cloudtui.model.alerts import Alert, AlertKind

KEPT = 500
"""The newest ones."""


def told_file() -> Path:
    """Where they are kept."""
    return state_dir() / "alerts.json"


def load() -> list[Alert]:
    """Those told, oldest first; what cannot be read is left out."""
    try:
        rows: Any = json.loads(told_file().read_bytes())["told"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    found: list[Alert] = []
    for row in rows if isinstance(rows, list) else ():
        try:
            kind, instance, run, moment = row
            found.append(
                Alert(AlertKind(kind), str(instance), "", str(run), float(moment), title="")
            )
        except (ValueError, TypeError):
            continue
    return found


def claim(alerts: list[Alert]) -> list[Alert]:
    """Those that were not told yet; from now on they are. A disk that takes no file is none."""
    told = load()
    new: list[Alert] = []
    for alert in alerts:
        if not any(alert.same(other) for other in (*told, *new)):
            new.append(alert)
    if new:
        rows = [[a.kind.value, a.instance_id, a.run, a.moment] for a in (*told, *new)[-KEPT:]]
        try:
            write_atomically(told_file(), json.dumps({"told": rows}).encode() + b"\n")
        except OSError:
            return new
    return new
