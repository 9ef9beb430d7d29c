"""IdentityFile lines of the ssh config: which of them name no file, and how one is written."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Iterable
from pathlib import Path

_TOKEN = re.compile(r"%(.)")


def missing(values: Iterable[str]) -> frozenset[str]:
    """The values that name no key file; those that depend on the host or user are not judged.

    The public half alone counts too: the private one may be in the agent.
    """
    return frozenset(value for value in set(values) if _missing(value))


def _missing(value: str) -> bool:
    if value.lower() == "none" or set(_TOKEN.findall(value)) - {"%", "d"}:
        return False
    text = re.sub(r"\$\{(\w+)\}", lambda found: os.environ.get(found[1], found[0]), value)
    text = _TOKEN.sub(lambda found: "%" if found[1] == "%" else str(_home()), text)
    path = _home() / text[2:] if text.startswith("~/") else Path(text)
    try:
        return path.is_absolute() and not (path.exists() or Path(f"{path}.pub").exists())
    except OSError:
        return False


def as_written(path: Path) -> str:
    """The path as IdentityFile takes it: `~/...` where that is the same place to OpenSSH."""
    path = path.absolute()
    home = Path.home()
    text = str(path).replace("%", "%%")
    if path.is_relative_to(home) and home == _openssh_home():
        return f"~/{path.relative_to(home)}".replace("%", "%%")
    return text


def _home() -> Path:
    """cloudtui goes by $HOME."""
    return Path.home()


def _openssh_home() -> Path | None:
    """OpenSSH goes by the list of users instead."""
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return None
