from __future__ import annotations

import errno
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudtui.__main__ import report_crash
from cloudtui.core.tasks import keep
from cloudtui.files import installed, paths
from cloudtui.files.settings import Settings, remembered_theme
from cloudtui.model.errors import CloudtuiError, UsageError
from cloudtui.ui.screens.all_sessions import AllSessionsScreen
from cloudtui.ui.screens.help import HelpScreen
from cloudtui.ui.screens.machines import MachinesScreen
from cloudtui.ui.screens.messages import MessagesScreen
from cloudtui.ui.screens.sessions import SessionsScreen
from cloudtui.ui.screens.small import SmallScreen
from cloudtui.ui.themes import FALLBACK, theme_from
from tests.ui.fakes import console, listed


async def test_the_theme_key_goes_round_and_is_remembered() -> None:
    async with console(listed()) as ui:
        assert ui.app.theme == "cloudtui-dark"
        dark = ui.app.screen.styles.background
        await ui.press("T")
        assert ui.app.theme == "cloudtui-light"
        assert ui.app.screen.styles.background != dark
        assert remembered_theme() == "cloudtui-light"
        await ui.press("T")
        assert ui.app.theme == "cloudtui-dark"
    async with console(listed(), settings=Settings(theme="cloudtui-light")) as ui:
        assert ui.app.theme == "cloudtui-dark"


async def test_cells_take_the_colours_of_a_new_theme() -> None:
    async with console(listed()) as ui:
        screen = ui.app.screen
        assert isinstance(screen, MachinesScreen)
        key = screen.table.keys_shown[0]
        before = screen.table.get_cell(key, "state").style
        await ui.press("T")
        assert screen.table.get_cell(key, "state").style != before


def write_theme(name: str, text: str) -> None:
    folder = paths.config_dir() / "themes"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.yaml").write_text(text)


async def test_a_users_theme_joins_the_round() -> None:
    write_theme("mine", 'name: mine\nprimary: "#ff8800"\nbackground: "#102030"\n')
    async with console(listed(), settings=Settings(theme="mine")) as ui:
        assert ui.app.theme == "mine"
        assert ui.app.screen.styles.background.hex == "#102030"


async def test_a_bad_theme_costs_one_message_and_nothing_else() -> None:
    write_theme("bad", 'name: bad\nprimary: "#nothex"\n')
    async with console(listed()) as ui:
        assert len(ui.said) == 1
        assert "bad" in ui.said[0]
        assert "bert-gpu" in ui.text


async def test_an_unknown_theme_falls_back_and_says_so() -> None:
    async with console(listed(), settings=Settings(theme="nowhere")) as ui:
        assert ui.app.theme == FALLBACK[0].name
        assert ui.said == ["There is no theme called nowhere."]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"primary": "red"}, "no name"),
        ({"name": "x"}, "no colour `primary`"),
        ({"name": "x", "primary": "red", "sauce": 1}, "not known: sauce"),
        ({"name": "x", "primary": "#12"}, "primary is not a colour"),
        ({"name": "x", "primary": "red", "panel": "blurple"}, "panel is not a colour"),
        ({"name": "x", "primary": "red", "variables": {"spot": "?"}}, "variables.spot is not"),
        ({"name": "x", "primary": "red", "dark": "maybe"}, "dark is not true or false"),
        ({"name": "x", "primary": "red", "text_alpha": "much"}, "text_alpha is not a number"),
        ({"name": "x", "primary": "red", "variables": "none"}, "variables is not"),
    ],
)
def test_each_fault_of_a_theme_is_named(data: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match="theme") as caught:
        theme_from(data)
    assert words in caught.value.title


async def test_a_small_terminal_says_which_size_is_needed() -> None:
    async with console(listed()) as ui:
        await ui.pilot.resize_terminal(50, 20)
        await ui.settle()
        assert isinstance(ui.app.screen, SmallScreen)
        assert "needs 60×15" in " ".join(ui.text.split())
        await ui.pilot.resize_terminal(60, 14)
        await ui.settle()
        assert "60×14" in " ".join(ui.text.split())
        await ui.pilot.resize_terminal(60, 15)
        await ui.settle()
        assert isinstance(ui.app.screen, MachinesScreen)
        assert "bert-gpu" in ui.text


async def test_a_terminal_small_from_the_start_says_so() -> None:
    async with console(listed(), size=(40, 10)) as ui:
        assert "needs 60×15" in " ".join(ui.text.split())


async def test_messages_keep_what_toasts_said() -> None:
    async with console(listed()) as ui:
        ui.app.fail(CloudtuiError("It broke [red]here[/].", "Because.", "Press x."))
        await ui.settle()
        assert "It broke [red]here[/]." in ui.text
        await ui.press("tilde")
        assert isinstance(ui.app.screen, MessagesScreen)
        ui.app.clear_notifications()
        await ui.settle()
        for words in ("× ", "It broke [red]here[/].", "Because.", "Press x."):
            assert words in ui.text


async def test_a_user_key_replaces_the_shipped_one_everywhere() -> None:
    settings = Settings(keys={"machine.sessions": "f5"})
    async with console(listed(), settings=settings) as ui:
        assert "F5 sessions" in ui.text
        await ui.press("enter")
        assert isinstance(ui.app.screen, MachinesScreen)
        await ui.press("f5")
        assert isinstance(ui.app.screen, SessionsScreen)
        await ui.press("question_mark")
        assert isinstance(ui.app.screen, HelpScreen)


async def test_the_help_tells_the_areas_in_order_and_the_keys_of_logs_apart() -> None:
    async with console(listed(), size=(200, 150)) as ui:
        await ui.press("question_mark")
        assert ui.text.index("Everywhere") < ui.text.index("further left")
        areas = [line for line in ui.text.splitlines() if " Go to the " in line]
        assert areas == sorted(areas, key=lambda line: line.split(" Go to the ")[0][-16:].strip())
        assert len(areas) > 4


async def test_a_key_setting_that_makes_no_sense_is_said() -> None:
    async with console(listed(), settings=Settings(keys={"fly": "f"})) as ui:
        assert len(ui.said) == 1
        assert ui.said[0].startswith("There is no action 'fly'.")


async def test_the_areas_can_be_clicked() -> None:
    async with console(listed()) as ui:
        await ui.pilot.click("Header", offset=(18, 1))
        await ui.settle()
        assert isinstance(ui.app.screen, AllSessionsScreen)
        await ui.pilot.click("Header", offset=(18, 1))
        await ui.settle()
        assert len(ui.app.screen_stack) == 2
        await ui.pilot.click("Header", offset=(3, 1))
        await ui.settle()
        assert isinstance(ui.app.screen, MachinesScreen)


async def test_q_goes_back_and_leaves_only_from_the_machines() -> None:
    async with console(listed()) as ui:
        await ui.do("machine.sessions")
        await ui.press("q")
        assert isinstance(ui.app.screen, MachinesScreen)
        await ui.press("ctrl+c")
        assert ui.said == ["To leave cloudtui, press Ctrl-q."]
        await ui.press("q")
    assert ui.app.return_code == 0
    assert ui.bench.closed


class Terminal:
    """A child console on a pty of 100×30, and what it printed."""

    def __init__(self, flag: Path) -> None:
        self.flag = flag
        self.printed = b""
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        self.before = termios.tcgetattr(theirs)
        self._theirs = theirs
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.ui.child", str(flag)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm-256color"},
            start_new_session=True,
        )

    def read_until(self, words: bytes, seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while words not in self.printed:
            left = end - time.monotonic()
            assert left > 0, self.printed[-2000:]
            if select.select([self._ours], [], [], left)[0]:
                try:
                    self.printed += os.read(self._ours, 65_536)
                except OSError as error:
                    assert error.errno == errno.EIO  # noqa: PT017
                    return

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def ended(self) -> int:
        """Read the rest and return the exit code."""
        end = time.monotonic() + 30
        while self.process.poll() is None and time.monotonic() < end:
            if select.select([self._ours], [], [], 0.05)[0]:
                self.printed += os.read(self._ours, 65_536)
        while select.select([self._ours], [], [], 0.2)[0]:
            self.printed += os.read(self._ours, 65_536)
        return self.process.wait(timeout=1)

    @property
    def restored(self) -> bool:
        """The alternate screen was left, the cursor is back, and the tty is as before."""
        left = self.printed.rfind(b"\x1b[?1049l") > self.printed.rfind(b"\x1b[?1049h") >= 0
        cursor = self.printed.rfind(b"\x1b[?25h") > self.printed.rfind(b"\x1b[?25l")
        return left and cursor and termios.tcgetattr(self._theirs) == self.before

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    child = Terminal(tmp_path / "closed")
    yield child
    child.close()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_restores_the_terminal_and_closes_the_workbench(
    terminal: Terminal, number: signal.Signals, code: int
) -> None:
    terminal.read_until(b"bert-gpu")
    terminal.process.send_signal(number)
    assert terminal.ended() == code
    assert terminal.restored
    assert terminal.flag.read_text() == "closed"
    assert b"Traceback" not in terminal.printed


def test_quitting_restores_the_terminal(terminal: Terminal) -> None:
    terminal.read_until(b"bert-gpu")
    terminal.type("q")
    assert terminal.ended() == 0
    assert terminal.restored
    assert terminal.flag.exists()


def test_a_bug_leaves_a_report_and_shows_no_local_variable(terminal: Terminal) -> None:
    terminal.read_until(b"bert-gpu")
    terminal.type("c")
    terminal.read_until(b"ssh command")
    terminal.type("k\r")
    assert terminal.ended() == 1
    assert terminal.restored
    assert terminal.flag.exists()
    reports = list(paths.crash_dir().glob("*"))
    assert len(reports) == 1
    text = reports[0].read_text()
    assert "a bug of 21" in text
    assert "ssh_command" in text
    after = terminal.printed.rpartition(b"\x1b[?1049l")[2]
    assert str(reports[0]).encode() in after
    assert len(after.strip().splitlines()) == 1
    assert b"wJalrXUtnFEMI" not in text.encode() + terminal.printed


async def test_a_bug_of_a_keeper_ends_the_app_with_a_report() -> None:
    async def bug() -> None:
        raise ZeroDivisionError("a keeper's")

    with pytest.raises(ZeroDivisionError):  # noqa: PT012
        async with console(listed()) as ui:
            keep(bug(), "keeper")
            await ui.settle()
    assert "The report is in" in ui.app.last_words


class TestUpdatedWhileOpen:
    """Another version was installed: what is opened for the first time then may not fit."""

    @pytest.fixture(autouse=True)
    def _updated(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(installed, "_AT_START", (1, 2, 3))

    async def test_a_key_that_fails_says_so_and_the_console_lives(self) -> None:
        def gone() -> None:
            raise ModuleNotFoundError("No module named 'cloudtui.ui.screens.help'")

        async def gone_later() -> None:
            gone()

        async with console(listed()) as ui:
            ui.app.open_help = gone  # type: ignore[method-assign]
            await ui.press("question_mark")
            ui.app.run_worker(gone_later())
            keep(gone_later(), "keeper")
            await ui.settle()
            assert len(ui.said) == 4
            assert ui.said[0] == (
                "cloudtui was updated while it was open. Leave it with Ctrl-q and start it again."
            )
            assert all("needs the new one" in words for words in ui.said[1:])
            await ui.press("down")
            assert len(ui.said) == 4
        assert not ui.app.last_words

    async def test_what_ends_it_is_no_bug(self) -> None:
        with pytest.raises(ImportError):  # noqa: PT012
            async with console(listed()) as ui:
                ui.app.call_later(ui.app._handle_exception, ImportError("cannot import name"))
                await ui.settle()
        assert ui.app.last_words == installed.RUN_AGAIN
        assert not paths.crash_dir().exists()

    def test_the_command_line_says_so_too(self, capsys: pytest.CaptureFixture[str]) -> None:
        report_crash(ImportError, ImportError("cannot import name"), None)
        assert capsys.readouterr().err == f"{installed.RUN_AGAIN}\n"
        assert not paths.crash_dir().exists()
