"""Questions about files, and what is done to one of them."""

import errno
import glob
import hashlib
import os
import shutil
import stat
from typing import Any, List, Tuple

from cloudtui.host.files.frames import (
    BATCH,
    CHUNK,
    Asked,
    Output,
    facts,
    failure,
    home,
    is_part,
    letter,
    part_of,
    raw,
    token,
    words,
)


def hello(out: Output, number: int, asked: Asked) -> object:
    """Where paths that are not whole begin; with `home` that is the home folder."""
    if asked.get("home"):
        os.chdir(os.path.expanduser(b"~"))
    return {"home": words(os.path.expanduser(b"~")), "cwd": words(os.getcwdb())}


def whole(out: Output, number: int, asked: Asked) -> object:
    """The path with its `~` written out."""
    return words(home(asked["path"]))


def expand(out: Output, number: int, asked: Asked) -> object:
    """What each pattern names: itself where it exists, else what it matches as in a shell."""
    found: List[Any] = []
    for text in asked["patterns"]:
        path = home(text)
        names = [path]
        if not os.path.lexists(path) and glob.has_magic(path):
            names = sorted(glob.glob(path, recursive=True))
        rows = []
        for name in names:
            try:
                rows.append([words(name), facts(name, True)])
            except OSError as error:
                try:
                    rows.append([words(name), facts(name)])  # a link that leads nowhere
                except OSError:
                    rows.append([words(name), failure(error)[:2]])
        found.append(rows)
    return found


def tree(out: Output, number: int, asked: Asked) -> object:
    """Everything in a folder, parents first; with `follow` links are what they lead to."""
    root, follow = raw(asked["path"]), bool(asked.get("follow"))
    batch: List[Any] = []
    problems: List[Any] = []
    todo: List[Tuple[bytes, Tuple[Tuple[int, int], ...]]] = [(b"", ())]
    while todo:
        rel, above = todo.pop()
        folder = os.path.join(root, rel) if rel else root
        try:
            with os.scandir(folder) as listed:
                entries = sorted(listed, key=lambda e: e.name, reverse=True)
            own = os.stat(folder)
        except OSError as error:
            problems.append([words(rel), failure(error)])
            continue
        inside = (*above, (own.st_dev, own.st_ino))
        folders = []
        for entry in reversed(entries):
            if is_part(entry.name):
                continue
            name = os.path.join(rel, entry.name) if rel else entry.name
            try:
                try:
                    info = entry.stat(follow_symlinks=follow)
                except OSError:
                    if not follow:
                        raise
                    info = entry.stat(follow_symlinks=False)
                kind = letter(info.st_mode)
                target = words(os.readlink(os.path.join(root, name))) if kind == "l" else ""
            except OSError as error:
                problems.append([words(name), failure(error)])
                continue
            if kind == "d":
                if (info.st_dev, info.st_ino) in inside:
                    problems.append([words(name), [errno.ELOOP, "it leads back to itself"]])
                    continue
                folders.append((name, inside))
            mode = stat.S_IMODE(info.st_mode) & 0o777
            batch.append([words(name), kind, info.st_size, mode, info.st_mtime_ns, target])
            if len(batch) >= BATCH:
                out.tell(b"N", number, batch)
                batch = []
        todo.extend(reversed(folders))
    out.tell(b"N", number, batch)
    return problems


def look(out: Output, number: int, asked: Asked) -> object:
    """What stands at each path, None for nothing; bytes and token of its part file."""
    found: List[Any] = []
    for text in asked["paths"]:
        path = home(text)
        row: Any = None
        try:
            row = facts(path)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                row = failure(error)
        part, mark = 0, ""
        if asked.get("parts"):
            try:
                info = os.lstat(part_of(path))
                if stat.S_ISREG(info.st_mode):
                    part, mark = info.st_size, token(info)
            except OSError:
                part = 0
        found.append([row, part, mark])
    return found


def identity(out: Output, number: int, asked: Asked) -> object:
    """What no two files have in common, of each path; one seen from two machines has the same."""
    found: List[str] = []
    for text in asked["paths"]:
        try:
            info = os.lstat(raw(text))
            found.append(f"{info.st_ino}:{info.st_size}:{info.st_mtime_ns}:{info.st_ctime_ns}")
        except OSError:
            found.append("")
    return found


def sums(out: Output, number: int, asked: Asked) -> object:
    """SHA-256 of each block of a file, or of its part file, up to a length."""
    path, block, left = raw(asked["path"]), asked["block"], asked["length"]
    found: List[Any] = []
    with open(part_of(path) if asked.get("part") else path, "rb", buffering=0) as file:
        while left > 0:
            sum, rest = hashlib.sha256(), min(block, left)
            while rest:
                data = file.read(min(rest, 1 << 20))
                if not data:
                    return found
                rest -= len(data)
                sum.update(data)
            left -= min(block, left)
            found.append(sum.hexdigest())
    return found


def listing(out: Output, number: int, asked: Asked) -> object:
    """The entries of one folder, and the folder's whole path."""
    folder = home(asked["path"])
    batch: List[Any] = []
    with os.scandir(folder) as listed:
        for entry in listed:
            try:
                batch.append([words(entry.name), *facts(os.path.join(folder, entry.name))])
            except FileNotFoundError:
                continue
            except OSError:
                batch.append([words(entry.name), "o", 0, 0, 0, "", ""])
            if len(batch) >= BATCH:
                out.tell(b"N", number, batch)
                batch = []
    out.tell(b"N", number, batch)
    return words(os.path.realpath(folder))


def space(out: Output, number: int, asked: Asked) -> object:
    """Bytes free for this user where the path is or will be, and in all; 0, 0: unknown."""
    path = home(asked["path"])
    while path not in (b"", b"/", b".") and not os.path.isdir(path):
        path = os.path.dirname(path)
    info = os.statvfs(path or b".")
    return [info.f_bavail * info.f_frsize, info.f_blocks * info.f_frsize]


def mkdir(out: Output, number: int, asked: Asked) -> object:
    os.mkdir(raw(asked["path"]))
    return None


def rename(out: Output, number: int, asked: Asked) -> object:
    old, new = raw(asked["old"]), raw(asked["new"])
    if os.path.lexists(new) and not (os.path.lexists(old) and os.path.samefile(old, new)):
        raise FileExistsError(errno.EEXIST, "there is something of that name already")
    os.rename(old, new)
    return None


def remove(out: Output, number: int, asked: Asked) -> object:
    """Files, links and whole folders; what could not be removed is told. Links are not followed."""
    problems: List[Any] = []
    for text in asked["paths"]:
        path = raw(text)

        def failed(_: Any, where: Any, info: Any) -> None:
            problems.append([words(where), failure(info[1])])

        try:
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path, onerror=failed)
            else:
                os.unlink(path)
        except OSError as error:
            problems.append([text, failure(error)])
    return problems


def content(out: Output, number: int, asked: Asked) -> object:
    """The beginning of a file, or with `end` its end, in frames D."""
    path = raw(asked["path"])
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "it is no file")
        left = asked["length"]
        if asked.get("end"):
            os.lseek(fd, max(0, os.fstat(fd).st_size - left), os.SEEK_SET)
        while left > 0:
            data = os.read(fd, min(CHUNK, left))
            if not data:
                break
            left -= len(data)
            out.put(b"D", number, data)
        return facts(path, True)
    finally:
        os.close(fd)
