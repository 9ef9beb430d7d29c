"""Which alerts were told, so that none is told twice, by another console or after a restart."""

from __future__ import annotations

import contextlib
import json
import math
import time
from pathlib import Path
from typing import Any

from cloudtui.files.atomic import write_atomically
from cloudtui.files.lock import alone
from cloudtui.files.paths import state_dir
from cloudtui.model.alerts import Alert, AlertKind

KEPT = 500
"""The newest ones."""


def told_file() -> Path:
    """Where they are kept."""
    return state_dir() / "alerts.json"


def load() -> list[Alert]:
    """Those told, oldest first; what cannot be read is left out."""
    return [alert for alert, _ in _load()]


def claim(alerts: list[Alert], since: float = math.inf) -> tuple[list[Alert], list[Alert]]:
    """Those that were not told yet, which count as told from now on, and those that another
    program told after the moment `since`. Each is new to one program only, however many ask at
    once; but a disk that takes no file remembers none."""
    try:
        with alone(told_file().with_suffix(".lock")):
            return _claim(alerts, since)
    except OSError:
        return _claim(alerts, since)


def _claim(alerts: list[Alert], since: float) -> tuple[list[Alert], list[Alert]]:
    told, now = _load(), time.time()
    new: list[Alert] = []
    others: list[Alert] = []
    for alert in alerts:
        before = [moment for other, moment in told if alert.same(other)]
        if any(moment >= since for moment in before):
            others.append(alert)
        elif not before and not any(alert.same(other) for other in new):
            new.append(alert)
    if new:
        kept = [*told, *((alert, now) for alert in new)][-KEPT:]
        rows = [[a.kind.value, a.instance_id, a.run, a.moment, when] for a, when in kept]
        with contextlib.suppress(OSError):
            write_atomically(told_file(), json.dumps({"told": rows}).encode() + b"\n")
    return new, others


def _load() -> list[tuple[Alert, float]]:
    """Each with the moment when it was told, 0 where that is not on record."""
    try:
        rows: Any = json.loads(told_file().read_bytes())["told"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    found: list[tuple[Alert, float]] = []
    for row in rows if isinstance(rows, list) else ():
        try:
            kind, instance, run, moment, *told = row
            alert = Alert(AlertKind(kind), str(instance), "", str(run), float(moment), title="")
            found.append((alert, float(told[0]) if told else 0.0))
        except (ValueError, TypeError):
            continue
    return found
