"""What the console remembers of itself (theme, columns, order), apart from the user's settings."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from cloudtui.files import paths
from cloudtui.files.atomic import write_atomically
from cloudtui.files.yaml_file import read_yaml
from cloudtui.model.errors import UsageError


def view_file() -> Path:
    return paths.state_dir() / "view.yaml"


def recall(name: str) -> tuple[str, ...]:
    """The words remembered under a name; none when nothing was, or the file cannot be read."""
    value = _read().get(name)
    if value is None or isinstance(value, dict):
        return ()
    return (value,) if isinstance(value, str) else value


def recall_table(name: str) -> dict[str, str]:
    """The table remembered under a name; empty when there is none."""
    value = _read().get(name)
    return dict(value) if isinstance(value, dict) else {}


def remember(**values: str | Sequence[str] | Mapping[str, str]) -> None:
    """Keep values for the next start beside those kept already; an empty one is forgotten.

    A disk that takes no files is no failure.
    """
    import yaml

    kept: dict[str, object] = {name: _plain(value) for name, value in _read().items()}
    for name, value in values.items():
        kept[name] = _plain(value)
    text = yaml.safe_dump({n: v for n, v in kept.items() if v}, allow_unicode=True)
    with contextlib.suppress(OSError):
        write_atomically(view_file(), text.encode())


def _plain(value: str | Sequence[str] | Mapping[str, str]) -> object:
    if isinstance(value, str):
        return value
    return dict(value) if isinstance(value, Mapping) else list(value)


def _read() -> dict[str, str | tuple[str, ...] | dict[str, str]]:
    try:
        found = read_yaml(view_file())
    except (FileNotFoundError, UsageError):
        return {}
    return {name: v.content for name, v in found.items() if v.content}
