"""Which regions and profiles a command asks: options, then the environment, then the settings."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from tests.cli.test_commands import PROGRAM, cloudtui


@pytest.fixture
def settings(cut_off: Path) -> Path:
    file = cut_off / ".config/cloudtui/settings.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("regions: [us-west-2, us-east-2]\nprofiles: [lab, prod]\n")
    profiles = cut_off / ".aws/config"
    profiles.parent.mkdir()
    profiles.write_text(
        "[profile lab]\nregion = ap-south-1\n[profile prod]\nregion = ap-south-1\n"
        "[profile third]\nregion = ap-south-1\n"
    )
    (cut_off / ".aws/credentials").write_text(
        "".join(
            f"[{name}]\naws_access_key_id = testing\naws_secret_access_key = testing\n"
            for name in ("lab", "prod", "third")
        )
    )
    return file


def asked(*words: str) -> tuple[list[str], list[str]]:
    document = json.loads(cloudtui("ls", "--json", *words).stdout)
    return [p["name"] for p in document["profiles"]], document["regions"]


def test_options_go_before_the_environment_and_that_before_the_settings(
    aws_env: str, settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_REGION")
    assert asked() == (["lab", "prod"], ["us-west-2", "us-east-2"])
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_PROFILE", "third")
    assert asked() == (["third"], ["eu-west-1"])
    monkeypatch.setenv("AWS_REGION", "eu-west-3")
    assert asked()[1] == ["eu-west-3"]
    assert asked("--region", "sa-east-1", "--profile", "prod") == (["prod"], ["sa-east-1"])
    settings.unlink()
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert asked() == (["third"], ["ap-south-1"])


def test_the_demo_shows_its_two_regions_and_listens_to_the_environment() -> None:
    ls = shlex.join([*PROGRAM, "ls", "--json"])
    told = cloudtui("demo", "--", "sh", "-c", f"{ls}; AWS_REGION=eu-west-1 {ls}").stdout
    first, rest = json.JSONDecoder().raw_decode(told)
    second = json.loads(told[rest:])
    assert first["regions"] == ["us-east-1", "eu-west-1"]
    assert second["regions"] == ["eu-west-1"]
    assert {i["region"] for i in second["instances"]} == {"eu-west-1"}
