"""Where the instances of ssh config entries were seen last: account and region, by id.

Without it nobody could tell a terminated instance from one of another region or account.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path

from cloudtui.files import paths
from cloudtui.files.atomic import write_atomically


def homes_file() -> Path:
    return paths.state_dir() / "hosts.json"


def read() -> dict[str, tuple[str, str]]:
    """(account, region) by instance id; empty when nothing was kept."""
    try:
        found = json.loads(homes_file().read_text("utf-8"))
        return {str(k): (str(account), str(region)) for k, (account, region) in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def remember(homes: Mapping[str, tuple[str, str]]) -> None:
    """Keep these and no others; a disk that takes no files is no failure."""
    with contextlib.suppress(OSError):
        write_atomically(homes_file(), json.dumps(homes, indent=1).encode())
