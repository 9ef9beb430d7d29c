"""Copies of what is no plain file, or of a host that is no plain host."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest
from asyncssh.sftp import SFTPClient, SFTPClientFile, SFTPFailure, SFTPPermissionDenied

from cloudtui.core import copying
from cloudtui.core.browsing import Browsing
from cloudtui.host.files.copies import folder
from cloudtui.model.copy import CopyPhase
from cloudtui.model.errors import CloudtuiError, NotFound
from tests.core.test_copies import FULL_DISK, GPU, Bench, bench, by_sftp

__all__ = ["bench", "by_sftp"]

CAPS = Path("/sys/kernel/fscaps")
OLD = -3_600_000_000_000
DATA = 5 << 20


def same(one: Path, other: Path) -> bool:
    return subprocess.run(["cmp", one, other], check=False).returncode == 0


def sh(command: str) -> int:
    return subprocess.run(["sh", "-ec", command], check=False).returncode


def sparse(path: Path) -> None:
    """64 MiB, of which a MiB is written."""
    with path.open("wb") as file:
        file.truncate(64 << 20)
        file.seek(DATA)
        file.write(os.urandom(1 << 20))


async def test_holes_stay_holes(bench: Bench) -> None:
    sparse(bench.here / "disk")
    state = await bench.done("disk", "gpu:", check=True)
    await bench.done("gpu:disk", "back")
    for copied in (bench.there / "disk", bench.here / "back"):
        assert same(bench.here / "disk", copied)
        assert copied.stat().st_blocks * 512 < 8 << 20
    assert state.done == 64 << 20


async def test_files_that_do_not_say_their_size(bench: Bench) -> None:
    await bench.done("gpu:/proc/version", "gpu:/proc/filesystems", ".")
    for name in ("version", "filesystems"):
        assert same(bench.here / name, Path("/proc", name))
        assert (bench.here / name).read_bytes()
    await bench.done(f"gpu:{CAPS}", "said")
    assert same(bench.here / "said", CAPS)


async def test_what_stays_where_it_was_is_told(bench: Bench) -> None:
    tree = bench.here / "tree"
    tree.mkdir()
    (tree / "a").write_text("a")
    os.mkfifo(tree / "pipe")
    os.mkfifo(tree / "queue")
    moved = await bench.done("tree", "gpu:", move=True)
    assert (tree / "a").exists()
    left = str(moved.skipped[0])
    assert left.endswith(": neither a file, a folder nor a link")
    assert moved.remarks == (
        f"Not taken away, since not all was copied: {left}.",
        f"Left out: {left}, and 1 more entry",
    )
    assert (await bench.done("tree", "gpu:")).notes == ()


async def test_what_stands_there_is_respected(bench: Bench) -> None:
    shared = bench.there / "team"
    shared.mkdir()
    shared.chmod(0o2775)
    (bench.here / "team" / "new").mkdir(parents=True)
    (bench.here / "team" / "a").touch()
    os.utime(bench.here / "team" / "a", ns=(OLD, OLD))
    await bench.done("team", "gpu:")
    assert stat.S_IMODE(shared.stat().st_mode) == 0o2755
    assert stat.S_IMODE((shared / "new").stat().st_mode) == 0o2755
    assert (shared / "a").stat().st_mtime_ns == OLD
    os.mkfifo(bench.there / "pipe")
    (bench.there / "to-pipe").symlink_to("pipe")
    for name in ("pipe", "to-pipe"):
        state = await bench.copy("team/a", f"gpu:{name}")
        assert "a device, a socket or a pipe of that name is there" in state.problems[0].why
        state = await bench.copy(f"gpu:{name}", "x")
        assert state.phase is CopyPhase.FAILED
    assert stat.S_ISFIFO((bench.there / "pipe").stat().st_mode)
    locked = bench.here / "locked"
    locked.mkdir(0o500)
    folder({"path": str(locked), "mode": 0o500, "set": False})
    assert stat.S_IMODE(locked.stat().st_mode) == 0o500
    folder({"path": str(locked), "mode": 0o500, "set": True})
    assert stat.S_IMODE(locked.stat().st_mode) == 0o700


async def test_braces_and_slashes(bench: Bench) -> None:
    for name in ("a1", "a2", "{a,b}", "b1"):
        (bench.there / name).write_text(name)
    await bench.done("gpu:{a?,b1}", ".")
    assert sorted(p.name for p in bench.here.iterdir()) == ["a1", "a2", "b1"]
    await bench.done("gpu:{a,b}", ".")
    assert (bench.here / "{a,b}").read_text() == "{a,b}"
    for paths, said in (
        (("gpu:{a1,c}", "."), "There is no c on bert-gpu."),
        (("a1", "gpu:a1/"), "a1/ is no folder on bert-gpu."),
    ):
        state = await bench.copy(*paths)
        assert isinstance(state.error, NotFound)
        assert state.error.title == said
    state = await bench.done("a1", "a1", "gpu:", every=True)
    assert state.files_done == 1


async def test_failures_are_counted_and_a_folder_fails_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "PROBLEMS_KEPT", 1)
    (bench.here / "d").mkdir()
    (bench.there / "d").mkdir()
    for name in ("a", "b"):
        (bench.here / "d" / name).touch()
        (bench.there / "d" / name).mkdir()
    state = await bench.copy("d", "gpu:")
    assert (len(state.problems), state.failed) == (1, 2)
    assert state.error
    assert state.error.title == "2 files could not be copied."
    state = await bench.copy("d", "gpu:/proc")
    assert state.failed == 1
    assert "and so nothing that is in it was copied" in state.problems[0].why


async def test_an_edited_file_stays_the_file_it_is(bench: Bench) -> None:
    side, path = Browsing(GPU, bench.copies.file_system), bench.there / "config"
    path.write_text("one")
    path.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(path, 12345, 12345)
    (bench.there / "other-name").hardlink_to(path)
    before = path.stat()
    for last in (False, True):
        _, facts = await side.content(str(path))
        await side.write(str(path), b"two", facts)
        now = path.stat()
        assert path.read_text() == "two"
        assert (now.st_uid, now.st_gid, now.st_mode) == (
            before.st_uid, before.st_gid, before.st_mode,
        )  # fmt: skip
        if not last:
            assert now.st_ino == before.st_ino
            assert (bench.there / "other-name").read_text() == "two"
            (bench.there / "other-name").unlink()
    assert [p.name for p in bench.there.glob(".*part")] == []
    await side.close()


async def test_an_edit_that_does_not_fit_loses_nothing(bench: Bench) -> None:
    bench.sshd.script("python3", FULL_DISK)  # 3 MiB are free, for each connection
    path, old = bench.there / "config", os.urandom(1_400_000)
    path.write_bytes(old)
    (bench.there / "other-name").hardlink_to(path)

    async def write(new: bytes) -> CloudtuiError:
        side = Browsing(GPU, bench.copies.file_system)
        with pytest.raises(CloudtuiError) as failed:
            await side.write(str(path), new, (await side.content(str(path)))[1])
        await side.close()
        return failed.value

    assert (await write(os.urandom(3_000_000))).title == "The disk of bert-gpu is full."
    assert path.read_bytes() == old
    assert sorted(p.name for p in bench.there.glob("*config*")) == ["config"]
    new = os.urandom(2_000_000)
    error = await write(new)
    assert error.title.startswith("config on bert-gpu was overwritten only in part: No space left")
    saved = bench.there / "config.cloudtui-saved"
    assert error.detail.endswith(f"{saved}.")
    assert saved.read_bytes() == new
    await write(new)
    assert saved.read_bytes() == new, "what is there already is no other file's"
    assert (bench.there / "config.cloudtui-saved-2").read_bytes() == new
    assert sh(error.hint.partition("there: ")[2]) == 0
    assert path.read_bytes() == new
    assert not saved.exists()


async def test_a_host_that_runs_nothing_has_sftp(bench: Bench) -> None:
    bench.sshd.config += [
        f"Subsystem sftp internal-sftp -d {bench.there}",
        f"ForceCommand internal-sftp -d {bench.there}",
    ]
    bench.sshd.restart()
    (bench.here / "a").write_text("loss")
    sparse(bench.here / "disk")
    await bench.done("a", "disk", "gpu:")
    await bench.done("gpu:a", "back", check=True)
    assert (bench.here / "back").read_text() == "loss"
    assert same(bench.here / "disk", bench.there / "disk")
    await bench.done("gpu:/proc/version", "version")
    assert same(bench.here / "version", Path("/proc/version"))
    bench.sshd.config[-2:] = ["ForceCommand echo This account is for tunnels only"]
    bench.sshd.restart()
    state = await bench.copy("a", "other:")
    assert state.error
    assert "This account is for tunnels only" in state.error.detail


async def test_what_sftp_wrote_is_compared(by_sftp: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = by_sftp
    (bench.here / "a").write_text("loss")
    assert (await bench.done("a", "gpu:", check=True)).done == 4
    assert (await bench.done("gpu:a", "back", check=True)).done == 4
    write = SFTPClientFile.write

    async def broken(file: SFTPClientFile, data: bytes, offset: int) -> int:
        return await write(file, data.replace(b"loss", b"gain"), offset)

    monkeypatch.setattr(SFTPClientFile, "write", broken)
    state = await bench.copy("a", "gpu:b", check=True)
    assert "SHA-256 differs" in state.problems[0].why
    assert [p.name for p in bench.there.glob("*b*part")] == []


async def test_edits_and_shared_folders_by_sftp(
    by_sftp: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = by_sftp
    (bench.here / "team").mkdir()
    (bench.there / "team").mkdir()
    (bench.there / "team").chmod(0o2775)
    (bench.here / "team" / "a").write_bytes(bytes(3 << 20))
    os.utime(bench.here / "team" / "a", ns=(OLD, OLD))
    modes: set[int] = set()
    bench.on_state = lambda state: modes.update(
        stat.S_IMODE(p.stat().st_mode) for p in bench.there.glob("team/.a*")
    )
    await bench.done("team", "gpu:")
    assert modes <= {0o600, 0o644}
    assert stat.S_IMODE((bench.there / "team").stat().st_mode) == 0o2755
    side, path = Browsing(GPU, bench.copies.file_system), bench.there / "config"
    path.write_text("one, and longer")
    if os.geteuid() == 0:
        os.chown(path, 12345, 12345)
    before = path.stat()
    _, facts = await side.content(str(path))
    await side.write(str(path), b"two", facts)
    assert path.read_text() == "two"
    assert (await side.content(str(path), 2, end=True))[0] == b"wo"
    assert (path.stat().st_uid, path.stat().st_gid) == (before.st_uid, before.st_gid)
    if os.geteuid() == 0:
        await _edits_that_fail(side, path, monkeypatch)
    await side.close()


async def _edits_that_fail(side: Browsing, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a user who may not give files to others: at the beginning, and in the middle."""
    write = SFTPClientFile.write
    good: list[int] = []

    async def full(file: SFTPClientFile, data: bytes, offset: int) -> int:
        if not good.pop():
            raise SFTPFailure("Failure")
        return await write(file, data, offset)

    async def no(*_: object) -> None:
        raise SFTPPermissionDenied("Permission denied")

    monkeypatch.setattr(SFTPClientFile, "write", full)
    monkeypatch.setattr(SFTPClient, "chown", no)
    for said, left in (([1, 0], "two"), ([1, 1, 0], "two, and longer")):
        good[:] = reversed(said)
        _, facts = await side.content(str(path))
        with pytest.raises(CloudtuiError) as failed:
            await side.write(str(path), b"new, and longer", facts)
        assert _text(path) == left
    saved = path.with_name("config.cloudtui-saved")
    assert failed.value.title == "config on bert-gpu was overwritten only in part: Failure."
    assert _text(saved) == "new, and longer"
    assert [p.name for p in path.parent.glob("*config*part")] == []


def _text(path: Path) -> str:
    return path.read_text()
