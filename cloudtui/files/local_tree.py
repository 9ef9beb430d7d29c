"""The files below a folder of this computer that are its own: those that no ignore file leaves out.

`.cloudtuiignore` is written like `.gitignore` and is stronger; `.git` is always left out.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from shlex import quote

from cloudtui.model.errors import NotFound, Refused
from cloudtui.model.ignore import Rules, ignored, parse
from cloudtui.model.upload import LocalFile

GIT = b".gitignore"
OURS = b".cloudtuiignore"
_LARGEST = 1 << 20
"""Bytes of an ignore file that is read at all."""

_Layers = tuple[tuple[bytes, Rules], ...]


def walk(folder: Path) -> Iterator[LocalFile]:
    """What is below `folder`, each folder before what is in it, in the order of names.

    Raises:
        NotFound: there is no such folder.
        Refused: it, or something in it, cannot be read.
    """
    root = os.fsencode(folder)
    if not folder.is_dir():
        if folder.exists():
            whole = f"Name the folder that it is in: {quote(str(folder.parent))}"
            raise NotFound(f"{folder} is a file here, not a folder.", hint=whole)
        raise NotFound(f"There is no folder {folder} here.", hint="See what there is: ls -la")
    top, base = _repository(folder)
    git: _Layers = ()
    if top is not None:
        git = ((b"", _rules(os.fsencode(top) + b"/.git/info/exclude")),)
        parts = base.split(b"/")[:-1]
        for count in range(len(parts)):
            above = b"".join(part + b"/" for part in parts[:count])
            git += ((above, _rules(b"/".join((os.fsencode(top), above + GIT)))),)
    yield from _below(root, base, b"", git, ())


def _repository(folder: Path) -> tuple[Path | None, bytes]:
    """The top of the git repository that the folder is in, and the way from there: `src/`."""
    real = folder.resolve()
    for above in (real, *real.parents):
        if (above / ".git").exists():
            way = os.fsencode(real.relative_to(above))
            return above, b"" if way == b"." else way + b"/"
    return None, b""


def _below(root: bytes, base: bytes, at: bytes, git: _Layers, ours: _Layers) -> Iterator[LocalFile]:
    """What is below `root`/`at`; rules are of paths from the repository's top, `base` in front."""
    here = b"/".join((root, at.removesuffix(b"/"))) if at else root
    git = _with(git, base + at, b"/".join((here, GIT)))
    ours = _with(ours, base + at, b"/".join((here, OURS)))
    try:
        with os.scandir(here) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        for entry in entries:
            if entry.name == b".git":
                continue
            path = at + entry.name
            is_folder = entry.is_dir(follow_symlinks=False)
            verdict = ignored(ours, base + path, folder=is_folder)
            if verdict is None:
                verdict = ignored(git, base + path, folder=is_folder)
            if verdict:
                continue
            try:
                info = entry.stat(follow_symlinks=False)
                link = b""
                if entry.is_symlink():
                    link = os.fsencode(Path(os.fsdecode(entry.path)).readlink())
            except FileNotFoundError:
                continue  # it went away meanwhile
            if is_folder:
                yield LocalFile(path, info.st_mode, 0, info.st_mtime_ns)
                yield from _below(root, base, path + b"/", git, ours)
            elif link:
                yield LocalFile(path, info.st_mode, 0, info.st_mtime_ns, link)
            elif entry.is_file(follow_symlinks=False):
                yield LocalFile(path, info.st_mode, info.st_size, info.st_mtime_ns)
    except FileNotFoundError:
        return
    except OSError as error:
        name = os.fsdecode(error.filename or here)
        raise Refused(
            f"{name} cannot be read here: {error.strerror}.",
            hint="Make it readable, or leave it out in a .cloudtuiignore.",
        ) from error


def _with(layers: _Layers, base: bytes, file: bytes) -> _Layers:
    rules = _rules(file)
    return (*layers, (base, rules)) if rules.rules else layers


def _rules(file: bytes) -> Rules:
    """Those of the file; of none when it is not there. git follows no link to a .gitignore."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return Rules()
    with os.fdopen(descriptor, "rb") as opened:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return Rules()
        return parse(opened.read(_LARGEST))
