"""Private keys on this disk: found by the key pair's name, checked before they are used."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from cloudtui.files.paths import expanded
from cloudtui.model.errors import NotFound, Refused


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
        return True  # there, but not readable: check_private_key says so
    except OSError:
        return False


def check_private_key(path: Path) -> None:
    """Nothing when OpenSSH would use the file.

    Raises:
        NotFound: there is no such file.
        Refused: it is readable by others, or not by its user.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        raise NotFound(
            f"The private key {path} does not exist.",
            "",
            "Give the right path in the ssh config (IdentityFile), or add its folder to "
            "key_folders in the settings.",
        ) from None
    except OSError as error:
        raise Refused(
            f"The private key {path} cannot be looked at: {error.strerror}.",
            "",
            f"Check the folders on its path: namei -l {path}",
        ) from error
    if not stat.S_ISREG(found.st_mode):
        raise Refused(
            f"The private key {path} is no file.",
            "",
            "Give the path of the key itself, for example NAME.pem in that folder.",
        )
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        raise Refused(
            f"The private key {path} can be read by others (mode {mode:04o}).",
            "ssh does not use such a key.",
            f"Make it yours alone: chmod 400 {path}",
        )
    try:
        os.close(os.open(path, os.O_RDONLY))
    except OSError as error:
        raise Refused(
            f"The private key {path} cannot be read: {error.strerror} (mode {mode:04o}).",
            "",
            f"Check whose it is: ls -l {path}",
        ) from error
