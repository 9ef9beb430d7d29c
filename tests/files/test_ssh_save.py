"""Saving an ssh config: all of it or none, whatever the disk does."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cloudtui.files import ssh_save
from cloudtui.files.ssh_save import KEPT, backup_dir, last_backup, plan_undo, save
from cloudtui.files.ssh_tree import read_tree
from cloudtui.model.errors import NotFound, Refused
from cloudtui.model.host_entry import ChangedOnDisk, ConfigChange, FileChange
from tests.ssh_configs import contents, write


def _change(main: Path, *files: tuple[str, bytes | None], undoes: str = "") -> ConfigChange:
    changes = []
    for name, after in files:
        path = main.parent / name
        changes.append(FileChange(path, path.read_bytes() if path.exists() else None, after))
    return ConfigChange(
        "a title", "", "web", (), tuple(changes), read_tree(main).read(), undoes=undoes
    )


def _left_over(home: Path) -> list[str]:
    return [p.name for p in (home / ".ssh").rglob("*") if ".cloudtui" in p.name]


def _backups() -> list[Path]:
    return sorted(p for p in backup_dir().iterdir() if p.is_dir())


def test_mode_links_and_attributes_stay(cut_off: Path) -> None:
    dotfiles = cut_off / "dotfiles"
    dotfiles.mkdir()
    main = write(cut_off, {"config": b""})
    main.unlink()
    (dotfiles / "ssh").write_bytes(b"User a\n")
    (dotfiles / "ssh").chmod(0o644)
    (dotfiles / "link").symlink_to("ssh")
    main.symlink_to(dotfiles / "link")
    try:
        os.setxattr(dotfiles / "ssh", "user.note", b"mine")
        noted = True
    except (OSError, AttributeError):
        noted = False  # The file system of this machine has none.
    save(main, _change(main, ("config", b"User b\n"), ("new/one", b"x")))
    assert main.is_symlink()
    assert (dotfiles / "link").is_symlink()
    assert (dotfiles / "ssh").read_bytes() == b"User b\n"
    assert (dotfiles / "ssh").stat().st_mode & 0o777 == 0o644
    assert not noted or os.getxattr(dotfiles / "ssh", "user.note") == b"mine"
    assert (main.parent / "new").stat().st_mode & 0o777 == 0o700
    assert (main.parent / "new/one").stat().st_mode & 0o777 == 0o600
    assert not _left_over(cut_off)


def test_five_states_are_kept_for_nobody_else(cut_off: Path) -> None:
    main = write(cut_off, {"config": b"User 0\n"})
    for i in range(1, KEPT + 3):
        save(main, _change(main, ("config", b"User %d\n" % i)))
    assert len(_backups()) == KEPT
    assert backup_dir().stat().st_mode & 0o777 == 0o700
    for path in backup_dir().rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
    for i in range(KEPT + 1, 1, -1):
        backup = last_backup(main)
        assert (backup.aliases, backup.title) == (("web",), "a title")
        files = plan_undo(backup)
        undo = ConfigChange("", "", "web", (), files, read_tree(main).read(), undoes=backup.name)
        save(main, undo)
        assert contents(cut_off) == {"config": b"User %d\n" % i}
    with pytest.raises(NotFound):
        last_backup(main)


def test_taking_back_a_new_file_removes_it(cut_off: Path) -> None:
    main = write(cut_off, {"config": b""})
    save(main, _change(main, ("new", b"x"), ("config", b"Include new\n")))
    backup = last_backup(main)
    files = plan_undo(backup)
    assert [file.path.name for file in files] == ["config", "new"]
    save(main, ConfigChange("", "", "", (), files, read_tree(main).read(), undoes=backup.name))
    assert contents(cut_off) == {"config": b""}


def test_nothing_is_taken_back_from_a_file_that_was_changed_since(cut_off: Path) -> None:
    main = write(cut_off, {"config": b"User a\n"})
    save(main, _change(main, ("config", b"User b\n")))
    main.write_bytes(b"User c\n")
    with pytest.raises(ChangedOnDisk) as caught:
        plan_undo(last_backup(main))
    (kept,) = _backups()
    assert str(kept) in caught.value.hint
    assert (kept / "0").read_bytes() == b"User a\n"


def test_backups_of_another_config_and_broken_ones_are_passed_over(cut_off: Path) -> None:
    main = write(cut_off, {"config": b"User a\n"})
    save(main, _change(main, ("config", b"User b\n")))
    other = cut_off / "other"
    save(other, _change(other, ("other", b"x")))
    broken = backup_dir() / "99999999999999999999"
    broken.mkdir()
    (broken / "files.json").write_bytes(b"[")
    assert last_backup(main).files[0][1] == b"User a\n"


@pytest.mark.parametrize("name", ["config", "more/a", "more/new", "own"])
def test_whoever_changed_a_file_in_between_wins(cut_off: Path, name: str) -> None:
    main = write(cut_off, {"config": b"Include more/*\n", "more/a": b"Port 1\n"})
    change = _change(main, ("own", b"x"), ("config", b"User me\n"))
    (main.parent / name).write_bytes(b"Port 2\n")
    before = contents(cut_off)
    with pytest.raises(ChangedOnDisk, match=f"{name} was changed by somebody else"):
        save(main, change)
    assert contents(cut_off) == before
    assert not _backups()


@contextmanager
def _room(size: int) -> Iterator[None]:
    """Files of this process cannot grow beyond `size` bytes; the write that would, stops short."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [10_000, 70_000, 199_999])
def test_a_disk_that_is_full_in_the_middle_loses_nothing(cut_off: Path, size: int) -> None:
    files = {"config": b"Host a\n" * 10_000, "own": b"Host b\n"}
    main = write(cut_off, files)
    change = _change(main, ("own", b"Host c\n"), ("config", b"Host d\n" + b"# 9 bytes\n" * 20_000))
    with _room(size), pytest.raises(Refused) as caught:
        save(main, change)
    assert caught.value.title == "The disk is full: nothing was saved, the ssh config is as it was."
    assert contents(cut_off) == files
    assert not _left_over(cut_off)
    assert not _backups()
    save(main, change)
    assert contents(cut_off)["own"] == b"Host c\n"


@pytest.mark.parametrize("call", range(1, 5))
def test_a_disk_that_says_so_only_at_fsync(
    cut_off: Path, call: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Quotas and network disks do: before the first file is replaced, whichever it was."""
    files = {"config": b"User a\n", "own": b"Host b\n"}
    main = write(cut_off, files)
    change = _change(main, ("own", b"Host c\n"), ("config", b"User d\n"))
    calls = 0
    real = os.fsync

    def full(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls == call:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Refused, match="The disk is full"):
        save(main, change)
    assert contents(cut_off) == files
    assert not _left_over(cut_off)
    assert not _backups()


def test_the_first_file_goes_back_when_the_second_cannot_be_replaced(
    cut_off: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"config": b"User a\n", "own": b"Host b\n"}
    main = write(cut_off, files)
    change = _change(main, ("new", b""), ("own", b"Host c\n"), ("config", b"User d\n"))
    real = Path.replace

    def stuck(self: Path, target: Path) -> Path:
        if target == main:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(target))
        return real(self, target)

    monkeypatch.setattr(Path, "replace", stuck)
    with pytest.raises(Refused) as caught:
        save(main, change)
    assert caught.value.detail == f"{main}: Input/output error"
    assert contents(cut_off) == files
    assert not _left_over(cut_off)
    assert not _backups()


def test_links_that_lead_nowhere_or_in_a_circle(cut_off: Path) -> None:
    main = write(cut_off, {"config": b""})
    main.unlink()
    main.symlink_to("b")
    change = ConfigChange("", "", "", (), (FileChange(main, None, b"x"),))
    with pytest.raises(Refused) as caught:
        save(main, change)
    assert caught.value.title == (
        f"{main} is a link to {main.parent / 'b'}, which is not there: nothing was saved."
    )
    (main.parent / "b").symlink_to("config")
    assert "symbolic links" in read_tree(main).trouble
    with pytest.raises(Refused, match="a symbolic link that leads in a circle"):
        save(main, change)


def test_what_is_no_file_is_not_replaced_by_one(cut_off: Path) -> None:
    main = cut_off / ".ssh" / "config"
    change = ConfigChange("", "", "", (), (FileChange(main, None, b"x"),))
    os.mkfifo(main)
    with pytest.raises(Refused, match="no regular file"):
        save(main, change)
    main.unlink()
    main.symlink_to("/dev/null")
    with pytest.raises(Refused, match="no regular file"):
        save(main, change)
    assert Path("/dev/null").is_char_device()


def test_what_root_writes_belongs_to_whose_folder_it_is(
    cut_off: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main = write(cut_off, {"config": b""})
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "chown", lambda path, user, group: given.append((user, group)))
    save(main, _change(main, ("config.d/one", b"x"), ("config", b"User a\n")))
    mine = main.stat()
    assert given == [(mine.st_uid, mine.st_gid)] * 3, "the folder, the new file, the old one"


def test_a_save_that_another_holds_up_is_told(
    cut_off: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main = write(cut_off, {"config": b""})
    monkeypatch.setattr(ssh_save, "LOCK_SECONDS", 0.0)
    backup_dir().mkdir(parents=True)
    lock = backup_dir() / "lock"
    with ssh_save.locked(lock), pytest.raises(Refused, match="Another cloudtui has been saving"):
        save(main, _change(main, ("config", b"User a\n")))
    save(main, _change(main, ("config", b"User a\n")))
