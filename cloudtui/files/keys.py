"""Private keys on this disk: found, closed to others, saved without ever overwriting one."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cloudtui.files.paths import expanded, ssh_dir

PRIVATE_MODE = 0o400
LARGEST = 64 * 1024
"""Bytes of the largest file that is looked at as a key."""
_ENDINGS = frozenset({".pem", ".key", ".ppk", ".der"})
_NOT_KEYS = frozenset({"config", "known_hosts", "known_hosts.old", "known_hosts2",
                       "authorized_keys", "authorized_keys2", "environment", "rc"})  # fmt: skip


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A file that may be a private key, as it is on the disk."""

    path: Path
    mode: int = 0
    """Permission bits."""
    data: bytes = field(default=b"", repr=False)
    beside: bytes = field(default=b"", repr=False)
    """What `FILE.pub` holds."""
    problem: str = ""
    """Why it cannot be read, in the system's words."""
    own: bool = True
    """Whether it belongs to this user."""


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


def candidates(folders: Iterable[Path]) -> Iterator[KeyFile]:
    """Every file of the folders that looks like a private key: by its ending, or, in ~/.ssh and
    where new keys are saved, by its content. Folders in them are not looked into."""
    places = [expanded(str(folder)) for folder in folders]
    homes, seen = {ssh_dir(), new_key_folder(places)}, set[Path]()
    for here in places:
        inside = here in homes
        try:
            names = sorted(here.iterdir())
        except OSError:
            continue
        for path in names:
            known = path.suffix.lower() in _ENDINGS
            may_be = inside and path.suffix != ".pub" and path.name not in _NOT_KEYS
            if (known or may_be) and path not in seen:
                seen.add(path)
                found = read(path)
                if found and (found.problem or _looks_private(found, known and inside)):
                    yield found


def _looks_private(file: KeyFile, meant: bool) -> bool:
    """A .pem in ~/.ssh is meant to be one, though it is empty or a public key."""
    ppk = file.data.startswith(b"PuTTY-User-Key-File-")
    return meant or ppk or b"PRIVATE KEY-----" in file.data


def new_key_folder(folders: Iterable[Path]) -> Path:
    """Where new private keys are saved: the first of the folders, else ~/.ssh."""
    return next((expanded(str(folder)) for folder in folders), ssh_dir())


def read(path: Path) -> KeyFile | None:
    """The file as it is; None when it is no regular file, or larger than any key."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
            return None
        mode, own = stat.S_IMODE(status.st_mode), status.st_uid == os.getuid()
    except OSError:
        return None
    try:
        data = path.read_bytes()
    except OSError as error:
        return KeyFile(path, mode, problem=error.strerror or str(error), own=own)
    beside = b""
    with contextlib.suppress(OSError):
        beside = path.with_name(f"{path.name}.pub").read_bytes()[:LARGEST]
    return KeyFile(path, mode, data, beside, own=own)


def close_to_others(path: Path) -> None:
    """Give the file the mode 0400.

    Raises:
        OSError: it belongs to somebody else, or its file system has no modes.
    """
    path.chmod(PRIVATE_MODE)
    if path.stat().st_mode & 0o077:
        raise PermissionError(1, "the file system keeps no permissions", str(path))


def save_new(path: Path, data: bytes, mode: int = PRIVATE_MODE) -> None:
    """Write a file that must not exist yet, whole or not at all. ~/.ssh is made when missing.

    Raises:
        FileExistsError: there is one already; it is untouched.
        OSError: it cannot be written; nothing is left behind.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".cloudtui-key-", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path, follow_symlinks=False)
        except OSError:  # it exists, or the file system has no hard links
            _write_exclusively(path, data, mode)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _write_exclusively(path: Path, data: bytes, mode: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def why_not_new(path: Path) -> str:
    """Why a file of that name could not be made now; empty when it could. Writes nothing that
    stays."""
    if path.exists() or path.is_symlink():
        return f"{path} exists already"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent) as file:
            file.write(b"\0" * 4096)
            file.flush()
    except OSError as error:
        return f"{path.parent} cannot be written: {error.strerror or error}"
    return ""
