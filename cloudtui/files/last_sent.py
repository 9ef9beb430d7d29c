"""What this computer sent last into each folder of a machine, so that a change there is noticed.

It is kept here and not there: what another computer sent since is such a change too.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from pathlib import Path

from cloudtui.files import paths
from cloudtui.files.atomic import write_atomically
from cloudtui.files.lock import alone
from cloudtui.model.last_sent import Agreed, read, written

FOLDERS_KEPT = 200
LARGEST = 256 << 20


def load(instance_id: str, folder: str) -> dict[bytes, Agreed]:
    """By path; empty when nothing is remembered, or nothing that can be read."""
    file = _file(instance_id, folder)
    try:
        return read(file.read_bytes()) if file.stat().st_size <= LARGEST else {}
    except OSError:
        return {}


def add(instance_id: str, folder: str, more: Mapping[bytes, Agreed]) -> None:
    """Remember these too. Where that cannot be kept, more is asked the next time."""
    file = _file(instance_id, folder)
    with contextlib.suppress(OSError):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with alone(paths.state_dir() / "sent.lock"):
            write_atomically(file, written(load(instance_id, folder) | dict(more)))
            kept = sorted(file.parent.glob("*.sent"), key=lambda each: each.stat().st_mtime)
            for old in kept[:-FOLDERS_KEPT]:
                old.unlink()


def _file(instance_id: str, folder: str) -> Path:
    key = hashlib.sha256(f"{instance_id}\0{folder}".encode("utf-8", "surrogateescape"))
    return paths.state_dir() / "sent" / f"{key.hexdigest()[:32]}.sent"
