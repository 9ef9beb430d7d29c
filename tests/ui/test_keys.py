"""The screen of keys: a workbench on moto, and real files in a HOME of its own."""

from __future__ import annotations

import asyncio
import stat
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from cloudtui.core.workbench import Workbench
from cloudtui.files.settings import Settings
from cloudtui.model.instance import State
from cloudtui.ui.app import CloudtuiApp
from cloudtui.ui.screens.dialogs import Ask, Choose
from cloudtui.ui.screens.keys import KeysScreen
from tests.sshd import make_key
from tests.ui.fakes import Console, console, listed, machine


class Keys:
    """The console with the screen of keys in front."""

    def __init__(self, app: CloudtuiApp, pilot: Pilot[int]) -> None:
        self.app, self.pilot, self.bench = app, pilot, app.workbench

    @property
    def screen(self) -> KeysScreen:
        found = next(s for s in self.app.screen_stack if isinstance(s, KeysScreen))
        return found

    @property
    def rows(self) -> dict[str, str]:
        """Name and place of the private key of each row, or the path of a loose key."""
        table = self.screen.table
        return {
            table.get_cell(key, "name").plain: table.get_cell(key, "file").plain
            for key in table.keys_shown
        }

    @property
    def about(self) -> str:
        return str(self.screen.query_one("#about", Static).visual)

    @property
    def trouble(self) -> str:
        return str(self.screen.query_one("#trouble", Static).visual)

    @property
    def said(self) -> list[str]:
        return [note.text for note in self.bench.notes]

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(30):
            while not condition():
                await self.pilot.pause(0.02)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def dialog(self, kind: type[Any]) -> Any:
        await self.until(lambda: isinstance(self.app.screen, kind))
        return self.app.screen


@asynccontextmanager
async def opened(**changes: Any) -> AsyncIterator[Keys]:
    settings = Settings(**({"regions": ("us-east-1",)} | changes))

    def make(prompts: Any) -> Workbench:
        return Workbench(settings, prompts)

    app = CloudtuiApp(make, settings=settings)
    async with app.workbench, app.run_test(size=(140, 36)) as pilot:
        keys = Keys(app, pilot)
        await keys.until(lambda: app.workbench.inventory.state.updated)
        await keys.press("K")
        await keys.until(lambda: keys.screen._listing is not None)
        yield keys


async def test_a_key_pair_is_made_shown_and_deleted(aws_env: str) -> None:
    async with opened() as keys:
        assert "No key pair" in keys.app.screen.query_one("#face").words  # type: ignore[attr-defined]
        await keys.press("n")
        await keys.press(*"lab", "enter")
        await keys.dialog(Choose)
        await keys.press("enter")
        path = Path.home() / ".ssh/lab.pem"
        await keys.until(lambda: keys.rows == {"lab": "~/.ssh/lab.pem"})
        assert stat.S_IMODE(path.stat().st_mode) == 0o400
        secret = path.read_text().splitlines()[1]
        told = "Created lab. Its private key is in ~/.ssh/lab.pem, and nowhere else."
        await keys.until(lambda: told in keys.said)
        assert secret not in "".join(keys.said)
        assert "without a passphrase" in keys.about
        await keys.press("ctrl+d")
        await keys.dialog(Ask)
        await keys.press("enter")  # never agrees
        await keys.until(lambda: isinstance(keys.app.screen, KeysScreen))
        assert "lab" in keys.rows
        await keys.press("ctrl+d")
        await keys.dialog(Ask)
        await keys.press("y")
        await keys.until(lambda: keys.rows == {"-": "~/.ssh/lab.pem"})
        assert path.exists()


async def test_open_keys_are_closed_after_a_question(aws_env: str) -> None:
    path = make_key(Path.home() / ".ssh/open.pem")
    path.chmod(0o644)
    async with opened() as keys:
        await keys.until(lambda: "f closes it" in keys.trouble)
        assert keys.rows == {"-": "! ~/.ssh/open.pem"}
        await keys.press("f")
        await keys.dialog(Ask)
        await keys.press("y")
        await keys.until(lambda: keys.rows == {"-": "~/.ssh/open.pem"})
        assert stat.S_IMODE(path.stat().st_mode) == 0o400
        await keys.press("f")
        assert keys.said[-1] == "No private key is open to others."


async def test_a_loose_key_is_imported_and_locked(aws_env: str) -> None:
    path = make_key(Path.home() / ".ssh/id_ed25519")
    async with opened() as keys:
        await keys.until(lambda: keys.rows == {"-": "~/.ssh/id_ed25519"})
        await keys.press("ctrl+d")
        assert "yours to delete" in keys.said[-1]
        await keys.press("i", *"laptop", "enter")
        await keys.until(lambda: keys.rows == {"laptop": "~/.ssh/id_ed25519"})
        assert keys.screen.row
        assert keys.screen.row.pair.name == "laptop"
        await keys.press("p", *"one", "enter", *"two", "enter")
        await keys.until(lambda: "not the same" in _text(keys))
        await keys.press(*"geheim", "enter", *"geheim", "enter")
        await keys.until(lambda: "under its new passphrase" in "".join(keys.said))
        assert "geheim" not in "".join(keys.said)
        words = ["ssh-keygen", "-y", "-P", "geheim", "-f", str(path)]
        await asyncio.to_thread(subprocess.run, words, check=True, capture_output=True)
        await keys.until(lambda: "under a passphrase" in keys.about)
        await keys.press("v")
        await keys.dialog(Choose)
        await keys.press("enter", *"geheim", "enter")
        await keys.until(lambda: "Wrote ~/.ssh/id_ed25519.ppk" in "".join(keys.said))
        assert (Path.home() / ".ssh/id_ed25519.ppk").exists()


def _text(keys: Keys) -> str:
    return "".join(str(s.visual) for s in keys.app.screen.query(Static))


async def test_read_only_says_so(aws_env: str) -> None:
    make_key(Path.home() / ".ssh/id_ed25519").chmod(0o644)
    async with opened(read_only=True) as keys:
        await keys.until(lambda: keys.rows)
        for key in ("n", "i", "f", "p", "v", "ctrl+d"):
            await keys.press(key)
            assert "read-only" in keys.said[-1], key
            assert isinstance(keys.app.screen, KeysScreen)


@pytest.mark.parametrize("state", [State.RUNNING, State.STOPPED])
async def test_a_shell_without_the_machines_key(state: State) -> None:
    one = machine(1, "bert-gpu", state)
    async with console(listed([one])) as made:
        await made.press("E")
        up = state is State.RUNNING
        assert made.bench.connections.without_key == (["bert-gpu"] if up else [])
        assert _said(made, "Logging in to bert-gpu" if up else "is stopped")


def _said(made: Console, words: str) -> bool:
    return any(words in text for text in made.said)
