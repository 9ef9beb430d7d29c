"""Whose account a profile is, before AWS is asked: never the same for two accounts."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudtui.files.aws_config import account


def config(home: Path, text: str) -> None:
    (home / ".aws").mkdir(exist_ok=True)
    (home / ".aws/config").write_text(text)


def credentials(home: Path, text: str) -> None:
    (home / ".aws").mkdir(exist_ok=True)
    (home / ".aws/credentials").write_text(text)


def test_nothing_is_known_without_credentials(cut_off: Path) -> None:
    assert account("", named=False).key == ""
    config(cut_off, "[default]\nregion = eu-west-1\n")
    found = account("", named=False)
    assert (found.key, found.region) == ("", "eu-west-1")


def test_keys_in_the_environment_go_before_a_profile_that_was_not_named(
    cut_off: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials(cut_off, "[lab]\naws_access_key_id = AKIALAB\naws_secret_access_key = x\n")
    without = account("lab", named=False).key
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
    assert account("lab", named=False).key not in ("", without)
    assert account("lab", named=True).key == without


@pytest.mark.parametrize(
    "change",
    [
        "aws_access_key_id = AKIAOTHER",
        "role_arn = arn:aws:iam::999999999999:role/x",
        "sso_account_id = 999999999999",
        "credential_process = other",
        "endpoint_url = http://localhost:5000",
    ],
)
def test_whatever_tells_another_account_makes_another_key(cut_off: Path, change: str) -> None:
    base = "[profile lab]\nregion = eu-west-1\naws_access_key_id = AKIAONE\n"
    config(cut_off, base)
    before = account("lab", named=True)
    assert before.region == "eu-west-1"
    name = change.partition(" ")[0]
    lines = [line for line in base.splitlines() if not line.startswith(name)]
    config(cut_off, "\n".join([*lines, change, ""]))
    assert account("lab", named=True).key not in ("", before.key)


def test_a_new_secret_or_region_is_the_same_account(cut_off: Path) -> None:
    config(cut_off, "[profile lab]\nregion = eu-west-1\n")
    credentials(cut_off, "[lab]\naws_access_key_id = AKIAONE\naws_secret_access_key = x\n")
    before = account("lab", named=True).key
    config(cut_off, "[profile lab]\nregion = us-east-1\n")
    credentials(cut_off, "[lab]\naws_access_key_id = AKIAONE\naws_secret_access_key = y\n")
    assert account("lab", named=True).key == before != ""


def test_the_next_temporary_key_of_an_account_is_the_same_account(
    cut_off: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = set()
    for key in ("ASIAQNZGKIQY56JQ7WML", "ASIAQNZGKIQY7AAAAAAA", "ASIARNZGKIQY56JQ7WML"):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
        found.add(account("", named=False).key)
    assert len(found) == 2


def test_a_chain_of_profiles_is_followed_to_its_keys(cut_off: Path) -> None:
    config(
        cut_off,
        "[profile a]\nrole_arn = r\nsource_profile = b\n"
        "[profile b]\nrole_arn = s\nsource_profile = b\n",
    )
    before = account("a", named=True).key
    credentials(cut_off, "[b]\naws_access_key_id = AKIAONE\n")
    assert account("a", named=True).key != before


def test_a_circle_of_profiles_ends(cut_off: Path) -> None:
    config(cut_off, "[profile a]\nsource_profile = b\n[profile b]\nsource_profile = a\n")
    assert account("a", named=True).key == ""


def test_the_portal_of_an_sso_session_counts(cut_off: Path) -> None:
    text = (
        "[profile a]\nsso_session = corp\nsso_account_id = 1\nsso_role_name = r\n"
        "[sso-session corp]\nsso_start_url = https://{}.example\n"
    )
    config(cut_off, text.format("one"))
    before = account("a", named=True).key
    config(cut_off, text.format("two"))
    assert account("a", named=True).key != before


@pytest.mark.parametrize("text", ["[broken", "region = x", "[default]\n[default]\nregion", "\0"])
def test_files_that_cannot_be_read_count_as_empty(cut_off: Path, text: str) -> None:
    config(cut_off, text)
    assert account("", named=False).key == ""


def test_the_files_may_be_elsewhere(cut_off: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (cut_off / "keys").write_text("[default]\naws_access_key_id = AKIAONE\nregion = eu-north-1\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "~/keys")
    found = account("", named=False)
    assert found.key
    assert found.region == "eu-north-1"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-3")
    assert account("", named=False).region == "eu-west-3"
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert account("", named=False).region == "eu-west-1"
