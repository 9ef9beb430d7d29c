"""One program at a time between reading a file and writing it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

PATIENCE_SECONDS = 5.0


@contextlib.contextmanager
def alone(path: Path, patience: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Hold the lock file at `path`, which is made, for its owner alone; a program that ends lets go
    of it. Another one is waited for `patience` seconds.

    Raises:
        OSError: the folder cannot be written, or (TimeoutError) another program does not let go.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        until = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise TimeoutError(errno.ETIMEDOUT, "another cloudtui holds it") from None
            time.sleep(0.01)
        yield
    finally:
        os.close(descriptor)
