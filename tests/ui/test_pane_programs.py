"""Real programs in a pane, compared with the same program in a real tmux pane of that size."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from textual.pilot import Pilot

from cloudtui.ui.widgets.pane import Pane
from tests.ui.test_pane import PaneApp, shown, until
from tests.vt.local_pty import LocalPty, environment

pytestmark = pytest.mark.timeout(240)

PATIENCE = 40.0
"""Seconds until both screens must be the same."""

COLUMNS, ROWS = 80, 24

BASH = ["bash", "--norc", "--noprofile", "-i"]

TMUX_NAMES = {
    "enter": "Enter",
    "escape": "Escape",
    "up": "Up",
    "down": "Down",
    "left": "Left",
    "right": "Right",
    "home": "Home",
    "end": "End",
    "pageup": "PPage",
    "pagedown": "NPage",
    "backspace": "BSpace",
    "tab": "Tab",
    "space": "Space",
    "slash": "/",
    "colon": ":",
    "ctrl+left": "C-Left",
    "alt+b": "M-b",
    "alt+full_stop": "M-.",
}


class Reference:
    """The program in a detached tmux of its own."""

    def __init__(self, socket: Path, argv: Sequence[str]) -> None:
        self._base = ["tmux", "-S", str(socket), "-f", "/dev/null"]
        words = [f"{name}={value}" for name, value in environment().items()]
        # One command: a server without a session ends by itself.
        self._run(
            *("start-server", ";", "set", "-g", "status", "off", ";"),
            *("set", "-g", "default-terminal", "xterm-256color", ";", "set", "-g", "escape-time"),
            *("0", ";", "new-session", "-d", "-x", str(COLUMNS), "-y", str(ROWS)),
            *("env", "-i", *words, *argv),
        )

    def press(self, key: str) -> None:
        if key.startswith("ctrl+") and len(key) == 6:
            self._run("send-keys", f"C-{key[5]}")
        elif key in TMUX_NAMES:
            self._run("send-keys", TMUX_NAMES[key])
        else:
            self._run("send-keys", "-l", key)

    def screen(self) -> tuple[list[str], tuple[int, int]]:
        place = self._run("display-message", "-p", "#{cursor_x} #{cursor_y}").split()
        lines = self._run("capture-pane", "-p").split("\n")[:ROWS]
        return [line.rstrip() for line in lines], (int(place[0]), int(place[1]))

    def close(self) -> None:
        subprocess.run([*self._base, "kill-server"], capture_output=True)

    def _run(self, *words: str) -> str:
        done = subprocess.run(
            [*self._base, *words], capture_output=True, text=True, env=environment()
        )
        assert done.returncode == 0, f"tmux {words[0]}: {done.stderr}"
        return done.stdout


@dataclass
class Twins:
    """The same program twice."""

    app: PaneApp
    pilot: Pilot[None]
    channel: LocalPty
    reference: Reference

    def pane_screen(self) -> tuple[list[str], tuple[int, int]]:
        engine = self.app.pane._engine
        assert engine is not None
        cursor = engine.cursor
        return self.app.pane.text.split("\n"), (cursor.x, cursor.y)

    async def see(self, expected: str) -> None:
        """Wait until both show `expected` and are equal in text and cursor."""
        ours: object = None
        theirs: object = None
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            ours, theirs = self.pane_screen(), await asyncio.to_thread(self.reference.screen)
            if ours == theirs and expected in "\n".join(ours[0]):
                break
            await asyncio.sleep(0.05)
        assert ours == theirs
        assert expected in self.app.pane.text
        await until(lambda: shown(self.app) == self.pane_screen()[0])

    async def press(self, *keys: str, then: str) -> None:
        for key in keys:
            await self.pilot.press(key)
            await asyncio.to_thread(self.reference.press, key)
        await self.see(then)


@asynccontextmanager
async def twins(folder: Path, argv: Sequence[str]) -> AsyncIterator[Twins]:
    channel = LocalPty(argv)
    app = PaneApp(Pane(channel.open))
    reference = await asyncio.to_thread(Reference, folder / "s", argv)
    try:
        async with app.run_test(size=(COLUMNS, ROWS)) as pilot:
            await until(lambda: "Opened" in app.kinds())
            yield Twins(app, pilot, channel, reference)
    finally:
        await asyncio.to_thread(reference.close)


@asynccontextmanager
async def alone(argv: Sequence[str]) -> AsyncIterator[tuple[PaneApp, LocalPty, Pilot[None]]]:
    channel = LocalPty(argv)
    app = PaneApp(Pane(channel.open))
    async with app.run_test(size=(COLUMNS, ROWS)) as pilot:
        await until(lambda: "Opened" in app.kinds())
        yield app, channel, pilot


def sees(app: PaneApp, text: str) -> Callable[[], bool]:
    return lambda: text in "\n".join(shown(app))


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    path = tmp_path / "pages.txt"
    path.write_text("".join(f"{i} {'word ' * (i % 30)}\n" for i in range(1, 300)))
    return path


async def test_bash_line_editing(short_tmp: Path) -> None:
    async with twins(short_tmp, BASH) as both:
        await both.see("$")
        await both.press(*"echo", "space", *"one", "space", *"two", then="echo one two")
        await both.press("alt+b", "ctrl+k", *"three", "enter", then="one three")
        await both.press(*"ls", "space", "alt+full_stop", then="ls three")
        await both.press("ctrl+c", then="^C")
        await both.press("up", "ctrl+a", "right", "backspace", then="$ cho")
        await both.press(
            "ctrl+e",
            "ctrl+u",
            *"printf",
            "space",
            *"'\\e[31mred\\e[0m",
            *"中文e\\u0301'",
            then="文",
        )
        await both.press("enter", then="red中文e\u0301")


async def test_vim(short_tmp: Path, pages: Path) -> None:
    # An answer about colours makes vim draw anew, and at what moment changes what it shows. A tmux
    # nobody is attached to gives none: neither is asked.
    argv = ["vim", "--clean", "--cmd", "set t_RF= t_RB=", "-n", str(pages)]
    async with twins(short_tmp, argv) as both:
        await both.see("pages.txt")
        # Asked last, when vim has read the answers before.
        await until(lambda: b"\x1b[?12;2$y" in both.channel.written, PATIENCE)
        await both.press("down", "down", "end", then="3,")
        await both.press("o", *"hello", "escape", then="hello")
        await both.press("d", "d", "G", then="299")
        await both.press("ctrl+b", then="%")
        await both.press("colon", *"split", "enter", then="pages.txt [+]")
        await both.press("slash", *"word", "enter", "n", then="/word")
        await both.press("v", "down", "down", then="-- VISUAL --")
        await both.press("escape", "g", "g", then="1 word")
        await both.pilot.press(":", "q", "a", "!", "enter")
        await until(lambda: "Ended" in both.app.kinds())


async def test_less(short_tmp: Path, pages: Path) -> None:
    async with twins(short_tmp, ["less", str(pages)]) as both:
        await both.see("pages.txt")
        await both.press("space", "down", "down", then="25 ")
        await both.press("pagedown", "pageup", "up", then="24 ")
        await both.press("slash", *"150", "enter", then="150\n")
        await both.press("G", then="(END)")


async def test_htop_starts_and_takes_function_keys() -> None:
    async with alone(["htop"]) as (app, _, pilot):
        await until(sees(app, "Load average"))
        await pilot.press("f1")
        await until(sees(app, "Released under"))
        await pilot.press("escape")
        await until(sees(app, "F10Quit"))
        await pilot.press("f10")
        await until(lambda: "Ended" in app.kinds())


async def test_tmux_inside_splits_and_detaches(short_tmp: Path) -> None:
    argv = ["tmux", "-u", "-S", str(short_tmp / "t"), "-f", "/dev/null", "new", "-s", "run", *BASH]
    async with alone(argv) as (app, _, pilot):
        await until(sees(app, "[run]"))
        await pilot.press("ctrl+b", "%")
        await until(sees(app, "│"))
        await pilot.press(*"echo", "space", *"right", "enter")
        await until(sees(app, "│right"))
        await pilot.press("ctrl+b", "d")
        await until(lambda: "Ended" in app.kinds())
    kill = ["tmux", "-S", str(short_tmp / "t"), "kill-server"]
    await asyncio.to_thread(subprocess.run, kill, capture_output=True)


async def test_resize_reaches_a_program() -> None:
    async with alone(BASH) as (app, _, pilot):
        await until(sees(app, "$"))
        await pilot.resize_terminal(50, 10)
        await pilot.press(*"stty", "space", *"size", "enter")
        await until(sees(app, "10 50"))


async def test_ctrl_c_ends_a_flood() -> None:
    async with alone(BASH) as (app, _, pilot):
        await until(sees(app, "$"))
        await pilot.press(*"yes", "enter")
        await until(sees(app, "y\ny\ny"))
        await pilot.press("ctrl+c")
        await until(sees(app, "^C"), 20)
        await pilot.press(*"echo", "space", *"$((6*7))", "enter")
        await until(sees(app, "42"), 20)


async def test_a_flood_ends_with_the_right_screen() -> None:
    async with alone(["seq", "1", "300000"]) as (app, _, _):
        await until(lambda: "Ended" in app.kinds(), 30)
        lines = app.pane.text.split("\n")
        assert lines[:3] == ["299978", "299979", "299980"]
        assert lines[22] == "300000"


async def test_exact_bytes_arrive(tmp_path: Path) -> None:
    target = tmp_path / "bytes"
    script = f"stty raw -echo; echo ready; dd bs=1 count=22 of={target} 2>/dev/null"
    async with alone(["sh", "-c", script]) as (app, _, pilot):
        await until(sees(app, "ready"))
        await pilot.press("ctrl+c", "ctrl+z", "ctrl+d", "ctrl+s", "ctrl+q", "escape", "alt+x")
        await pilot.press("alt+full_stop", "ctrl+backslash", "shift+tab", "ctrl+left", "é")
        await until(lambda: "Ended" in app.kinds())
    assert (
        target.read_bytes()
        == b"\x03\x1a\x04\x13\x11\x1b\x1bx\x1b.\x1c\x1b[Z\x1b[1;5D" + "é".encode()
    )
