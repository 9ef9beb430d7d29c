"""What a test run leaves behind fails it: files in the folder for temporary ones, and processes.

Each process that runs tests has such a folder of its own, as TMPDIR; what it starts is known by it.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PROC = Path("/proc")
PATIENCE = 10.0
"""Seconds in which what was told to end may do so."""

_FOLDER = pytest.StashKey[Path]()
_FOUND = pytest.StashKey[list[str]]()
_SINCE = pytest.StashKey[dict[str, str]]()


def pytest_configure(config: pytest.Config) -> None:
    given = getattr(config, "workerinput", None)
    if given is None:
        # A short path in a well-known place: sockets are made below it.
        folder = Path(tempfile.mkdtemp(prefix="ct")).resolve()
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(folder.parent))
    else:
        folder = Path(given["temporary"]) / given["workerid"]
        folder.mkdir()
    config.stash[_FOLDER], config.stash[_FOUND], config.stash[_SINCE] = folder, [], {}
    if _runs_tests(config):
        os.environ["TMPDIR"] = tempfile.tempdir = str(folder)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["temporary"] = str(node.config.stash[_FOLDER])


def _on_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def _runs_tests(config: pytest.Config) -> bool:
    return _on_worker(config) or not config.getoption("numprocesses", None)


class _Watch:
    """Which test it was after which a file was there first."""

    def __init__(self, config: pytest.Config) -> None:
        self._folder, self._since = config.stash[_FOLDER], config.stash[_SINCE]

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        for path in self._folder.iterdir():
            self._since.setdefault(path.name, nodeid)


def pytest_sessionstart(session: pytest.Session) -> None:
    config = session.config
    if _runs_tests(config):
        config.pluginmanager.register(_Watch(config))


def started_below(folder: Path) -> Iterator[tuple[int, str]]:
    """Processes with the folder in their environment: pid, and command with the test's name."""
    sought = os.fsencode(folder)
    for path in PROC.glob("[0-9]*"):
        try:
            environment = (path / "environ").read_bytes()
            if sought not in environment or int(path.name) == os.getpid():
                continue
            words = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        of = [e[20:] for e in environment.split(b"\0") if e.startswith(b"PYTEST_CURRENT_TEST=")]
        yield int(path.name), f"{words[:200]}{''.join(f', of {e.decode()}' for e in of)}"


def left(folder: Path, since: dict[str, str], patience: float) -> list[str]:
    """What is left of the run; processes among it are killed, and the folder is removed."""
    deadline = time.monotonic() + patience
    while (processes := dict(started_below(folder))) and time.monotonic() < deadline:
        time.sleep(0.05)
    found = [f"process {pid}: {what}" for pid, what in processes.items()]
    for pid in processes:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    names = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    found += [f"{folder / name}, first seen after {since.get(name, 'all')}" for name in names]
    shutil.rmtree(folder, ignore_errors=True)
    return found


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    found, folder = config.stash[_FOUND], config.stash[_FOLDER]
    halted = session.exitstatus == pytest.ExitCode.INTERRUPTED
    found += left(folder, config.stash[_SINCE], patience=0.0 if halted else PATIENCE)
    if halted:
        found.clear()
    if _on_worker(config):
        config.workeroutput["left"] = found  # type: ignore[attr-defined]
    elif found and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    node.config.stash[_FOUND].extend(getattr(node, "workeroutput", {}).get("left", []))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if config.stash[_FOUND]:
        terminalreporter.section("left behind", red=True)
        for line in config.stash[_FOUND]:
            terminalreporter.line(line)
