"""Where cloudtui keeps its files; nothing here creates a folder."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

_NAME = "cloudtui"
CRASHES = "CLOUDTUI_CRASHES"
"""The variable that names another folder of crash reports."""


def config_dir() -> Path:
    """What the user writes: settings, themes."""
    return _xdg("XDG_CONFIG_HOME") or platformdirs.user_config_path(_NAME, appauthor=False)


def cache_dir() -> Path:
    """What can be thrown away."""
    return _xdg("XDG_CACHE_HOME") or platformdirs.user_cache_path(_NAME, appauthor=False)


def state_dir() -> Path:
    """What cloudtui remembers: the last theme, crash reports."""
    return _xdg("XDG_STATE_HOME") or platformdirs.user_state_path(_NAME, appauthor=False)


def settings_file() -> Path:
    """The file that `settings.load` reads."""
    return config_dir() / "settings.yaml"


def crash_dir() -> Path:
    """The folder of crash reports."""
    named = os.environ.get(CRASHES, "")
    return Path(named) if named.startswith("/") else state_dir() / "crashes"


def ssh_dir() -> Path:
    """`~/.ssh`."""
    return Path.home() / ".ssh"


def expanded(text: str) -> Path:
    """A path as written by a user: `~` and `~/...` are the home folder, `~name` is left alone."""
    if text == "~" or text.startswith("~/"):
        return Path.home() / text[2:]
    return Path(text)


def short(path: Path) -> str:
    """A path for a sentence, with `~` for the home folder."""
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)


def _xdg(variable: str) -> Path | None:
    # Honoured on macOS too, where many of the people who set it live; relative values are invalid.
    value = os.environ.get(variable, "")
    return Path(value) / _NAME if value.startswith("/") else None
