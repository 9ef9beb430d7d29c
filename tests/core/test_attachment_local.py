from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from cloudtui.core.local_shell import LocalShell
from cloudtui.core.pane_log import PaneLog
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.session import Ending


class Screen:
    def __init__(self) -> None:
        self.text = ""
        self.more = asyncio.Event()

    def take(self, data: bytes) -> None:
        self.text += data.decode(errors="replace")
        self.more.set()

    async def shows(self, words: str) -> None:
        async with asyncio.timeout(30):
            while words not in self.text:
                self.more.clear()
                await self.more.wait()


async def test_a_local_shell_has_a_terminal_of_its_own_with_job_control(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SHELL", "/bin/sh")
    screen = Screen()
    shell = await LocalShell.open(91, 23, screen.take)
    shell.write(b"stty size; echo $TERM >/dev/tty\n")
    await screen.shows("23 91")
    await screen.shows("xterm-256color")
    shell.write(b'sh -c \'trap "echo sto"pped INT; echo wai""ting; read x\'\n')
    await screen.shows("waiting")
    shell.write(b"\x03")
    await screen.shows("stopped")
    shell.resize(70, 20)
    shell.write(b"\nstty size; exit 7\n")
    await screen.shows("20 70")
    end = await shell.wait()
    assert (end.ending, end.exit_status) == (Ending.ENDED, 7)
    await shell.close()


async def test_leaving_a_local_shell_hangs_it_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/bin/sh")
    screen = Screen()
    shell = await LocalShell.open(80, 24, screen.take)
    shell.write(b"echo rea''dy; exec sleep 100\n")
    await screen.shows("ready")
    await shell.close()
    assert shell._process.returncode == -signal.SIGHUP


def test_a_log_is_a_new_file_for_its_user_alone(tmp_path: Path) -> None:
    log = PaneLog(str(tmp_path / "logs/a.log"))
    assert log.write(b"step \x1b[1m41") == ""
    log.close()
    assert log.path.read_bytes() == b"step \x1b[1m41"
    assert log.path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(CloudtuiError, match="is there already"):
        PaneLog(str(log.path))


def test_a_log_that_cannot_be_written_says_why() -> None:
    with pytest.raises(CloudtuiError, match="No log can be written"):
        PaneLog("/proc/nowhere/a.log")
    log = PaneLog("~/a.log")
    log._file.close()
    log._file = open("/dev/full", "wb", buffering=0)  # noqa: PTH123, SIM115
    assert "No space left" in log.write(b"x")
