"""One program at a time between reading a file and writing it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import time
from collections.abc import Iterator
from pathlib import Path

PATIENCE_SECONDS = 5.0
"""How long another program is waited for."""


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the lock file at `path`, which is made; a program that ends lets go of it.

    Raises:
        OSError: the folder cannot be written, or (TimeoutError) another program does not let go.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("a") as file:
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise TimeoutError(errno.ETIMEDOUT, "another cloudtui holds it") from None
            time.sleep(0.02)
        yield
