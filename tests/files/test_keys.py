"""Private keys are found by the key pair's name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cloudtui.files.keys import find_private_key

KEY = b"-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n"


def _key(folder: Path, name: str, data: bytes = KEY, mode: int = 0o400) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(data)
    path.chmod(mode)
    return path


def test_the_first_folder_wins_and_pem_goes_first(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    pem = _key(two, "lab.pem")
    _key(two, "lab")
    assert find_private_key("lab", [one, two]) == pem
    plain = _key(one, "lab")
    assert find_private_key("lab", [one, two]) == plain
    assert find_private_key("lab", [tmp_path / "missing", two]) == pem


def test_a_key_file_and_the_home_folder(cut_off: Path) -> None:
    path = _key(cut_off / "keys", "lab.key")
    assert find_private_key("lab", [Path("~/keys")]) == path


@pytest.mark.parametrize("name", ["lab_old.pem", "lab.pem.bak", "lab.pub", "Lab.pem", "mylab.pem"])
def test_other_names_are_other_keys(tmp_path: Path, name: str) -> None:
    _key(tmp_path / "keys", name)
    assert find_private_key("lab", [tmp_path / "keys"]) is None


def test_what_is_no_private_key_is_passed_over(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    _key(keys, "lab.pem", b"-----BEGIN CERTIFICATE-----\n")
    (keys / "lab").mkdir()
    path = _key(keys, "lab.key")
    assert find_private_key("lab", [keys]) == path


@pytest.mark.parametrize("name", ["", ".", "..", "../secret", "/etc/key", "a\0b"])
def test_a_key_name_leaves_no_folder(tmp_path: Path, name: str) -> None:
    _key(tmp_path, "secret.pem")
    (tmp_path / "keys").mkdir()
    assert find_private_key(name, [tmp_path / "keys", tmp_path]) is None


def test_a_key_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _key(tmp_path / "keys", "lab.pem", mode=0o000)

    def forbidden(*_args: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", forbidden)  # root may read everything
    monkeypatch.setattr(Path, "open", forbidden)
    assert find_private_key("lab", [tmp_path / "keys"]) == path
