"""Where files lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudtui.files import paths


def test_folders_follow_xdg(cut_off: Path) -> None:
    assert paths.config_dir() == cut_off / ".config/cloudtui"
    assert paths.cache_dir() == cut_off / ".cache/cloudtui"
    assert paths.state_dir() == cut_off / ".local/state/cloudtui"
    assert paths.settings_file() == cut_off / ".config/cloudtui/settings.yaml"
    assert paths.crash_dir() == cut_off / ".local/state/cloudtui/crashes"
    assert paths.ssh_dir() == cut_off / ".ssh"


def test_a_relative_xdg_folder_is_none(cut_off: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "somewhere")
    assert paths.config_dir().is_absolute()


def test_tilde_is_home_and_only_that(cut_off: Path) -> None:
    assert paths.expanded("~/x") == cut_off / "x"
    assert paths.expanded("~") == cut_off
    assert paths.expanded("~root/x") == Path("~root/x")
    assert paths.expanded("/a/~") == Path("/a/~")
