"""Writing an ssh config: all files of a change or none, and the last five states kept.

The states are in `ssh-config/` of cloudtui's state folder, one folder a save, with a list of
which file each was.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cloudtui.files import paths
from cloudtui.files.lock import alone
from cloudtui.files.ssh_tree import digest, read_tree
from cloudtui.model.errors import NotFound, Refused
from cloudtui.model.host_entry import ChangedOnDisk, ConfigChange, FileChange

KEPT = 5
"""How many states are kept."""
LOCK_SECONDS = 10.0
"""How long another cloudtui's save is waited for."""
_TEMPORARY = ".cloudtui-"


@dataclass(frozen=True, slots=True)
class Backup:
    """What one save replaced."""

    name: str
    aliases: tuple[str, ...]
    """The hosts that it changed."""
    title: str
    files: tuple[tuple[Path, bytes | None, str], ...]
    """Path, content before the save, SHA-256 after it."""


def backup_dir() -> Path:
    """The folder of the kept states."""
    return paths.state_dir() / "ssh-config"


def save(main: Path, change: ConfigChange) -> None:
    """Write all files of a change that was planned from the config as it still is.

    Symbolic links stay and what they point to is replaced; mode, owner and extended attributes
    are kept; new files are 0600 in folders of 0700.

    Raises:
        ChangedOnDisk: somebody changed the config since the plan was made.
        Refused: a folder cannot be written, the disk is full, links go round in a circle. The
            files are as they were.
    """
    with _refusals(main):
        folder = backup_dir()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(folder / "lock"):
            _unchanged(main, change)
            _write(main, change, folder)


def last_backup(main: Path) -> Backup:
    """What the last save replaced that was not taken back yet.

    Raises:
        NotFound: there is none.
    """
    for folder in reversed(_backups(backup_dir())):
        try:
            told = json.loads((folder / "files.json").read_bytes())
            if told["main"] != str(main.absolute()):
                continue
            return Backup(
                folder.name,
                (told["alias"], *told.get("more", ())),
                told["title"],
                tuple(
                    (
                        Path(one["path"]),
                        (folder / one["before"]).read_bytes() if one["before"] else None,
                        one["after"],
                    )
                    for one in told["files"]
                ),
            )
        except (OSError, ValueError, KeyError, TypeError):
            continue
    raise NotFound("Nothing was saved in the ssh config that could be taken back.")


def plan_undo(backup: Backup) -> tuple[FileChange, ...]:
    """The contents before a save.

    Raises:
        ChangedOnDisk: a file is not what the save left.
    """
    changes = []
    for path, before, after in reversed(backup.files):
        try:
            now = content(path)
        except OSError as error:
            raise Refused(f"{path} cannot be read: {error.strerror}.") from error
        if digest(now) != after:
            raise ChangedOnDisk(
                f"{path} was changed since cloudtui saved it.",
                hint=f"What it was before is in {backup_dir() / backup.name}.",
            )
        changes.append(FileChange(path, now, before))
    return tuple(changes)


def _unchanged(main: Path, change: ConfigChange) -> None:
    now, then = dict(read_tree(main).read()), dict(change.read)
    for file in change.files:
        # A file that nothing includes yet is not in the tree.
        then.setdefault(file.path, digest(file.before))
        now.setdefault(file.path, digest(content(Path(os.path.realpath(file.path)))))
    for path in dict.fromkeys([*then, *now]):
        if now.get(path, "") != then.get(path, ""):
            raise changed_on_disk(path)


def changed_on_disk(path: Path) -> ChangedOnDisk:
    """The refusal that names the file."""
    return ChangedOnDisk(
        f"{path} was changed by somebody else: nothing was saved.",
        hint="Do it again: it starts from what the file says now.",
    )


def content(path: Path) -> bytes | None:
    """What a file holds; None for no file.

    Raises:
        Refused: it is a folder, a pipe or a device.
        OSError: it cannot be read.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise Refused(f"{path} is no regular file: nothing was saved.")
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _write(main: Path, change: ConfigChange, folder: Path) -> None:
    """Everything that can fail for want of room is done before the first file is replaced."""
    prepared: list[tuple[FileChange, Path, str]] = []
    kept: Path | None = None
    done: list[tuple[FileChange, Path]] = []
    try:
        for file in change.files:
            target = _target(file.path)
            temp = "" if file.after is None else _prepare(target, file.after)
            prepared.append((file, target, temp))
        if not change.undoes:
            kept = _keep(main, change, folder)
        for file, target, temp in prepared:
            if temp:
                Path(temp).replace(target)
            else:
                target.unlink()
            done.append((file, target))
    except BaseException:
        for file, target in reversed(done):
            with contextlib.suppress(OSError):
                if file.before is None:
                    target.unlink()
                else:
                    Path(_prepare(target, file.before)).replace(target)
        for _, _, temp in prepared:
            if temp:
                Path(temp).unlink(missing_ok=True)
        if kept:
            shutil.rmtree(kept, ignore_errors=True)
        raise
    for parent in {target.parent for _, target in done}:
        with contextlib.suppress(OSError):
            _sync(parent)
    if change.undoes:
        shutil.rmtree(folder / change.undoes, ignore_errors=True)
    for old in _backups(folder)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def _target(path: Path) -> Path:
    """The file behind symbolic links; its folder is made."""
    target = Path(os.path.realpath(path))
    if target.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    if path.is_symlink() and not target.exists():
        raise Refused(
            f"{path} is a link to {target}, which is not there: nothing was saved.",
            hint="Make that file or remove the link.",
        )
    content(target)
    missing = [one for one in (target.parent, *target.parent.parents) if not one.exists()]
    for parent in reversed(missing):
        parent.mkdir(mode=0o700, exist_ok=True)
        if os.geteuid() == 0:
            _give(parent, parent.parent.stat())
    return target


def _give(path: Path | int, owner: os.stat_result) -> None:
    """What root writes new belongs to whose folder it is in; others can give nothing away."""
    with contextlib.suppress(PermissionError):
        os.chown(path, owner.st_uid, owner.st_gid)


def _prepare(target: Path, data: bytes) -> str:
    """A finished file beside the target that only has to be renamed; its name."""
    try:
        before = target.stat()
    except FileNotFoundError:
        before = None
    descriptor, name = tempfile.mkstemp(prefix=_TEMPORARY, dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if before is None:
                if os.geteuid() == 0:
                    _give(file.fileno(), target.parent.stat())
            else:
                _give(file.fileno(), before)
                _copy_attributes(target, name)
                os.fchmod(file.fileno(), before.st_mode & 0o7777)
            os.fsync(file.fileno())
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return name


def _copy_attributes(source: Path, copy: str) -> None:
    """Extended attributes (SELinux labels, access lists), where the system has them."""
    if not hasattr(os, "listxattr"):
        return
    with contextlib.suppress(OSError):
        for name in os.listxattr(source):
            with contextlib.suppress(OSError):
                os.setxattr(copy, name, os.getxattr(source, name))


def _keep(main: Path, change: ConfigChange, folder: Path) -> Path:
    """The contents that are about to be replaced, in a folder of their own."""
    kept = folder / f"{time.time_ns():020d}"
    kept.mkdir(mode=0o700)
    try:
        files = []
        for number, file in enumerate(change.files):
            if file.before is not None:
                _write_synced(kept / str(number), file.before)
            before = "" if file.before is None else str(number)
            files.append({"path": str(file.path), "before": before, "after": digest(file.after)})
        told = {
            "main": str(main.absolute()),
            "alias": change.alias,
            "more": [alias for alias, _ in change.more],
            "title": change.title,
            "files": files,
        }
        _write_synced(kept / "files.json", json.dumps(told, indent=1).encode())
    except BaseException:
        shutil.rmtree(kept, ignore_errors=True)
        raise
    return kept


def _write_synced(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _backups(folder: Path) -> Sequence[Path]:
    with contextlib.suppress(OSError):
        return sorted(one for one in folder.iterdir() if one.name.isdigit())
    return ()


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """One save at a time, of all cloudtui processes of the user."""
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(alone(path, LOCK_SECONDS))
        except TimeoutError:
            raise Refused(
                f"Another cloudtui has been saving for {LOCK_SECONDS:.0f} s: nothing was saved.",
                hint=f"It holds {path}; end it and try again.",
            ) from None
        yield


_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextlib.contextmanager
def _refusals(main: Path) -> Iterator[None]:
    """Failures of the disk as sentences."""
    try:
        yield
    except OSError as error:
        name = error.filename if isinstance(error.filename, str) else str(main)
        if Path(name).name.startswith(_TEMPORARY):
            name = str(Path(name).parent)
        reason = f"{name}: {error.strerror}"
        if error.errno in _FULL:
            raise Refused(
                "The disk is full: nothing was saved, the ssh config is as it was.",
                reason,
                "Make room, then do it again.",
            ) from error
        if error.errno == errno.ELOOP:
            raise Refused(
                f"{name} is a symbolic link that leads in a circle: nothing was saved.",
                hint=f"See where it goes with: ls -l {name}",
            ) from error
        folder = Path(os.path.realpath(main)).parent
        raise Refused(
            "The ssh config cannot be written: nothing was saved.",
            reason,
            f"See who may write there with: ls -ld {folder}",
        ) from error
