"""The tunnels that are wanted, kept from one start to the next: no keys, tokens or passwords."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudtui.files.atomic import write_atomically
from cloudtui.files.paths import state_dir
from cloudtui.model import keeper_words
from cloudtui.model.instance import Instance
from cloudtui.model.tunnel import TunnelSpec


@dataclass(frozen=True, slots=True)
class Wanted:
    """One tunnel and the machine it leads to, as both were known last."""

    instance: Instance
    spec: TunnelSpec
    label: str


def wanted_file() -> Path:
    """Where they are kept."""
    return state_dir() / "tunnels.json"


def load() -> tuple[Wanted, ...]:
    """Those of the last run; what cannot be read is left out."""
    try:
        found: Any = json.loads(wanted_file().read_bytes())
        rows = found["tunnels"]
    except (OSError, ValueError, KeyError, TypeError):
        return ()
    kept: list[Wanted] = []
    for row in rows if isinstance(rows, list) else ():
        try:
            kept.append(
                Wanted(
                    keeper_words.read_machine(row["machine"]),
                    keeper_words.read_spec(row["tunnel"]),
                    str(row["label"]),
                )
            )
        except (keeper_words.Malformed, KeyError, TypeError):
            continue
    return tuple(kept)


def save(wanted: tuple[Wanted, ...]) -> None:
    """Raises OSError when the folder cannot be written."""
    if not wanted:
        wanted_file().unlink(missing_ok=True)
        return
    rows = [
        {
            "machine": keeper_words.machine_words(w.instance),
            "tunnel": keeper_words.spec_words(w.spec),
            "label": w.label,
        }
        for w in wanted
    ]
    write_atomically(wanted_file(), json.dumps({"tunnels": rows}, indent=1).encode() + b"\n")
