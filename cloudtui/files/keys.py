"""Private keys on this disk, found by the key pair's name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cloudtui.files.paths import expanded


def find_private_key(key_name: str, folders: Iterable[Path]) -> Path | None:
    """The file of an EC2 key pair: NAME.pem, NAME or NAME.key, in the first folder that has one.

    A readable file that does not begin as a private key does is passed over.
    """
    if not key_name or key_name in (".", "..") or "/" in key_name:
        return None
    for folder in folders:
        for name in (f"{key_name}.pem", key_name, f"{key_name}.key"):
            path = expanded(str(folder)) / name
            if _is_key(path):
                return path
    return None


def _is_key(path: Path) -> bool:
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return b"PRIVATE KEY-----" in file.read(512)
    except PermissionError:
        return True  # there, but not readable: the login says so
    except OSError:
        return False
