"""The cache folder behind `model.cache.Cache`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from cloudtui.files import paths
from cloudtui.files.atomic import write_atomically

BROKEN = ".broken"


class FileCache:
    """Files in the cache folder, 0600; works without one that can be read or written.

    `say` is given a sentence and its detail when a file was set aside. May be used in any thread.
    """

    def __init__(self, say: Callable[[str, str], None]) -> None:
        self._say = say

    def read(self, name: str) -> bytes | None:
        try:
            return (paths.cache_dir() / name).read_bytes()
        except OSError:
            return None

    def write(self, name: str, data: bytes) -> None:
        with contextlib.suppress(OSError):
            write_atomically(paths.cache_dir() / name, data)

    def set_aside(self, name: str, why: str) -> None:
        path = paths.cache_dir() / name
        aside = path.with_name(path.name + BROKEN)
        try:
            path.replace(aside)
            where = f"It is now {aside}."
        except OSError as error:
            where = f"{path} cannot be renamed: {error.strerror}."
        self._say(f"A cache file was broken and is made again: {why}.", where)
