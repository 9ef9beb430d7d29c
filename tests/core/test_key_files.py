"""Private keys of this disk, without AWS; ssh-keygen is the judge."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from cloudtui.core.workbench import Workbench
from cloudtui.files import keys as disk
from cloudtui.model.errors import CloudtuiError, CredentialsProblem, Refused, UsageError
from cloudtui.model.key_pair import KeyFormat, LocalKey
from tests.core.test_keys import bench, never, nothing, ran, read_by_ssh
from tests.sshd import make_key, public_words

__all__ = ["bench"]


async def test_open_keys_are_found_and_closed(bench: Workbench) -> None:
    folder = Path.home() / ".ssh"
    good, open_one = make_key(folder / "good"), make_key(folder / "open.pem")
    open_one.chmod(0o664)
    (folder / "good.pub").chmod(0o666)
    (folder / "config").write_text("Host a\n")
    download = make_key(Path.home() / "new.pem")
    download.chmod(0o444)
    found = await bench.keys.files.to_fix()
    assert {key.path for key in found} == {open_one, download}
    assert "UNPROTECTED PRIVATE KEY FILE" in ran("ssh-keygen", "-y", "-f", open_one)
    for key in found:
        await bench.keys.files.fix(key.path)
    assert await bench.keys.files.to_fix() == ()
    assert stat.S_IMODE(open_one.stat().st_mode) == 0o400
    assert stat.S_IMODE(good.stat().st_mode) == 0o600
    assert read_by_ssh(open_one) == public_words(open_one).split()


async def test_what_the_disk_does_not_let_change(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_key(Path.home() / "windows.pem")
    path.chmod(0o644)

    def ignore(self: Path, mode: int) -> None:
        """As on a Windows drive in WSL."""

    monkeypatch.setattr(Path, "chmod", ignore)
    with pytest.raises(CloudtuiError, match="keeps no permissions"):
        await bench.keys.files.fix(path)

    def refuse(self: Path, mode: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", refuse)
    with pytest.raises(Refused, match="belongs to somebody else"):
        await bench.keys.files.fix(path)


async def test_a_key_goes_to_putty_and_comes_back(bench: Workbench) -> None:
    path = make_key(Path.home() / ".ssh/lab.pem", passphrase="secret")
    asked: list[bool] = []

    async def answer(file: Path, again: bool) -> str | None:
        asked.append(again)
        return "secret" if again else "wrong"

    files = bench.keys.files
    ppk = await files.convert(path, KeyFormat.PUTTY, None, answer)
    assert (ppk, asked) == (path.with_suffix(".ppk"), [False, True])
    assert stat.S_IMODE(ppk.stat().st_mode) == 0o400
    with pytest.raises(Refused, match=r"lab\.ppk exists already"):
        await files.convert(path, KeyFormat.PUTTY, None, answer)
    with pytest.raises(Refused, match=r"lab\.pem exists already"):
        await files.convert(ppk, KeyFormat.OPENSSH, None, answer)
    back = await files.convert(ppk, KeyFormat.OPENSSH, Path("~/back"), answer)
    assert back == Path.home() / "back"
    assert read_by_ssh(back, "secret") == public_words(path).split()


async def test_a_key_that_ssh_does_not_read_is_written_anew(bench: Workbench) -> None:
    path = make_key(Path.home() / ".ssh/lab.pem")
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"\n", b"\r\n"))
    (found,) = (await bench.keys.list()).trouble
    assert "Windows line ends" in found.problem
    made = await bench.keys.files.convert(path, KeyFormat.OPENSSH, None, never)
    assert made.name == "lab-openssh.pem"
    assert read_by_ssh(made) == public_words(path).split()
    with pytest.raises(UsageError, match="in OpenSSH's format already"):
        await bench.keys.files.convert(made, KeyFormat.OPENSSH, None, never)
    with pytest.raises(UsageError, match="is a public key, not a private one"):
        await bench.keys.files.convert(Path(f"{path}.pub"), KeyFormat.OPENSSH, None, never)


async def test_a_passphrase_is_changed_in_place(bench: Workbench) -> None:
    path = make_key(Path.home() / ".ssh/id_mine", passphrase="old")
    path.chmod(0o400)
    link = Path.home() / ".ssh/link"
    link.symlink_to(path)
    wanted = "new one"

    async def old(file: Path, again: bool) -> str | None:
        return "old"

    async def new() -> str | None:
        return wanted

    files = bench.keys.files
    assert await files.change_passphrase(link, old, new)
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o400
    assert read_by_ssh(path, wanted) == public_words(path).split()
    before = path.read_bytes()
    with pytest.raises(CredentialsProblem, match="not the passphrase"):
        await files.change_passphrase(path, old, new)

    async def right(file: Path, again: bool) -> str | None:
        return wanted

    async def none(file: Path, again: bool) -> str | None:
        return None

    with pytest.raises(CredentialsProblem, match="No passphrase was given"):
        await files.change_passphrase(path, none, new)
    assert not await files.change_passphrase(path, right, nothing)
    assert path.read_bytes() == before

    async def meanwhile() -> str | None:
        path.unlink()
        path.write_bytes(before + b"\n")
        return ""

    with pytest.raises(Refused, match="changed meanwhile"):
        await files.change_passphrase(path, right, meanwhile)


async def test_an_agent_that_does_not_answer_is_said(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await bench.keys.files.agent() == ()
    monkeypatch.setenv("SSH_AUTH_SOCK", str(Path.home() / "none"))
    with pytest.raises(CloudtuiError, match="agent does not answer"):
        await bench.keys.files.agent()
    listing = await bench.keys.list()
    assert listing.agent_error


def test_a_new_file_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_words: object, **_more: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", no_links)
    path = tmp_path / "new/key"
    disk.save_new(path, b"one")
    assert path.read_bytes() == b"one"
    assert stat.S_IMODE(path.stat().st_mode) == 0o400
    with pytest.raises(FileExistsError):
        disk.save_new(path, b"two")
    assert path.read_bytes() == b"one"
    assert [p.name for p in path.parent.iterdir()] == ["key"]


def test_a_ppk_is_no_trouble_while_it_is_called_so(tmp_path: Path) -> None:
    path = tmp_path / "lab"
    told = LocalKey(tmp_path / "lab.ppk", 0o600, KeyFormat.PUTTY, problem="ssh does not read it")
    assert not told.trouble
    assert LocalKey(tmp_path / "lab.pem", 0o400, KeyFormat.PUTTY, problem="x").trouble
    assert LocalKey(path, 0o640, KeyFormat.OPENSSH).trouble
    assert not LocalKey(path, 0o600, KeyFormat.OPENSSH).trouble
    assert not LocalKey(path, 0o644).trouble
