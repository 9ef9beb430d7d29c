"""A verb that needs a login offers it on the terminal, and goes on after."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.aws.portal import SESSION, Portal
from tests.moto_child import StubEndpoint
from tests.terminal import Terminal


@pytest.fixture
def lab(cut_off: Path, stub_endpoint: StubEndpoint, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.delenv(name)
    (cut_off / ".aws").mkdir()
    (cut_off / ".aws/config").write_text(SESSION)
    stub_endpoint.answer_by(Portal(interval=0.01))
    return cut_off


@pytest.mark.parametrize("verb", [("ls",), ("ssh", "bert-gpu")])
def test_yes_logs_in_and_goes_on(lab: Path, terminal: Terminal, verb: tuple[str, ...]) -> None:
    terminal.cloudtui("--profile", "lab", *verb)
    terminal.shows("Log in to AWS with profile lab now? Type yes or no:")
    terminal.type("yes", "Enter")
    terminal.shows("it shows the code ABCD-EFGH")
    terminal.shows("https://device.sso.example/?user_code=ABCD-EFGH")
    terminal.shows("Logged in with profile lab.")
    terminal.shows("left:0" if verb == ("ls",) else "No instance is called")
    assert len(list((lab / ".aws/sso/cache").iterdir())) == 1


def test_no_leaves_it_as_it_is(lab: Path, terminal: Terminal) -> None:
    terminal.cloudtui("--profile", "lab", "ls")
    terminal.shows("Type yes or no:")
    terminal.type("no", "Enter")
    terminal.shows("left:6")
    assert not (lab / ".aws/sso/cache").exists()


def test_nobody_is_asked_without_a_terminal(lab: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cloudtui", "--profile", "lab", "ls"],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 6
    assert "yes or no" not in done.stderr
    assert "aws sso login --profile lab" in done.stderr
