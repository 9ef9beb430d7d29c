"""What of the runs was told to whoever sits at this computer, and which ones went on then."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cloudtui.files import paths
from cloudtui.files.atomic import write_atomically
from cloudtui.files.lock import alone
from cloudtui.model.digest import HostVisit, Known

LARGEST = 16 << 20


@dataclass(frozen=True, slots=True)
class Visits:
    """All that is remembered, by instance id."""

    last: datetime | None = None
    hosts: Mapping[str, HostVisit] = field(default_factory=dict)


def load() -> Visits:
    """What is remembered; nothing when there is no file, or one that cannot be read."""
    try:
        if _file().stat().st_size > LARGEST:
            return Visits()
        raw = json.loads(_file().read_text("utf-8"))
        return Visits(
            datetime.fromtimestamp(raw["last"], UTC) if raw.get("last") else None,
            {str(id): _host(host) for id, host in raw.get("hosts", {}).items()},
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return Visits()


def change(changed: Callable[[Visits], Visits]) -> Visits:
    """Replace what is remembered, one process after the other; the new memory.

    Raises:
        OSError: it cannot be kept.
    """
    with alone(paths.state_dir() / "visits.lock"):
        before = load()
        after = changed(before)
        if after != before:
            hosts = {id: asdict(host) for id, host in after.hosts.items()}
            last = after.last.timestamp() if after.last else None
            write_atomically(_file(), json.dumps({"last": last, "hosts": hosts}).encode())
        return after


def _file() -> Path:
    return paths.state_dir() / "visits.json"


def _host(raw: Mapping[str, Any]) -> HostVisit:
    return HostVisit(
        str(raw.get("name", "")),
        str(raw.get("region", "")),
        str(raw.get("profile", "")),
        tuple(map(_known, raw.get("active", ()))),
        tuple(map(_known, raw.get("over", ()))),
        tuple(map(_known, raw.get("told", ()))),
        str(raw.get("away", "")),
    )


def _known(raw: Mapping[str, Any]) -> Known:
    return Known(
        str(raw["id"]),
        float(raw.get("queued", 0)),
        str(raw.get("command", "")),
        float(raw.get("started", 0)),
        bool(raw.get("stops", False)),
        str(raw.get("end", "")),
        str(raw.get("last_line", "")),
    )
