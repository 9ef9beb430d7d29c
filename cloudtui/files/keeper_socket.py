"""Where the keeper of tunnels listens: a socket that only its owner can open."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import stat
import tempfile
from pathlib import Path
from typing import IO

from cloudtui.files.paths import state_dir
from cloudtui.model.errors import Refused

NAME = "keeper"
LONGEST = 100
"""Bytes of a Unix socket's path that every system takes."""


def socket_path() -> Path:
    """In the state folder; in the run-time folder, or /tmp, when that path is too long."""
    wanted = state_dir() / f"{NAME}.sock"
    if len(os.fsencode(wanted)) <= LONGEST:
        return wanted
    run = os.environ.get("XDG_RUNTIME_DIR", "")
    folder = Path(run) if run.startswith("/") else Path(tempfile.gettempdir())
    digest = hashlib.sha256(os.fsencode(wanted)).hexdigest()[:12]
    return folder / f"cloudtui-{os.getuid()}-{digest}" / f"{NAME}.sock"


def own_folder(path: Path) -> None:
    """Make the socket's folder, and make sure that nobody else can enter it.

    Raises:
        Refused: it is another user's, or it is open to others and cannot be closed.
    """
    folder = path.parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise Refused(
            f"{folder} is not a folder of yours.",
            hint="Remove it, or set XDG_STATE_HOME to a folder of yours.",
        )
    if found.st_mode & 0o077:
        folder.chmod(0o700)


def lock(path: Path) -> IO[bytes] | None:
    """The right to listen there, held as long as the file is open; None when another has it, or
    is just going.

    Raises:
        Refused: as `own_folder`.
    """
    try:
        own_folder(path)
        file = path.with_suffix(".lock").open("ab")
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def leave(path: Path) -> None:
    """Remove the folder if it is for the socket alone; called by whoever holds the lock."""
    if path.parent != state_dir():
        path.with_suffix(".lock").unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # another one has moved in
            path.parent.rmdir()
