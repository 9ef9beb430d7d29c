"""Every test runs cut off from the machine: its own HOME, no AWS, no agent, no browser."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = [
    "tests.leftovers",
    "tests.sshd",
    "tests.moto_child",
    "tests.lab",
    "tests.network",
    "tests.terminal",
    "tests.upper",
]

# Programs are started hundreds of times here: what they are compiled to is kept.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A shell that runs something in the background has it ignore Ctrl-C, and all that it starts.
for _number, _meaning in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGQUIT, signal.SIG_DFL),
):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _meaning)

# How fast a machine is says nothing about the program, and a run tries what the last one tried.
settings.register_profile(
    "tests", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("tests")

_CUT_OFF = (
    "SSH_AUTH_SOCK",
    "SSH_ASKPASS",
    "TMUX",
    "TMUX_PANE",
    "STY",
    "SCREENDIR",
    "BROWSER",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "COLUMNS",
    "LINES",
    "NO_COLOR",
    "TEXTUAL_THEME",
    "JUPYTER_CONFIG_DIR",
)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two for each core: half of the time a test waits for a server, a terminal or a timer."""
    return max(2, min(8, 2 * (os.cpu_count() or 1)))


@pytest.fixture
def short_tmp() -> Iterator[Path]:
    """A folder with a short path, for sockets (the kernel's limit is 107 bytes)."""
    with tempfile.TemporaryDirectory(prefix="ct", ignore_cleanup_errors=True) as name:
        yield Path(name)


@pytest.fixture(autouse=True)
def cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh HOME; nothing of the real machine's accounts is visible. Returns HOME."""
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    for name in list(os.environ):
        if name.startswith(("AWS_", "CLOUDTUI_", "BOTO_")) or name in _CUT_OFF:
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    for kind, folder in (
        ("CONFIG", ".config"),
        ("CACHE", ".cache"),
        ("STATE", ".local/state"),
        ("DATA", ".local/share"),
    ):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(home / folder))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(home / ".aws/config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(home / ".aws/credentials"))
    return home
