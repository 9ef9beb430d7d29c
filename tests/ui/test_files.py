"""The two sides of files: walked, marked, copied, looked at, edited, deleted."""

from __future__ import annotations

import asyncio
import os
import stat
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cloudtui.model.copy import CopyPhase, Problem
from cloudtui.model.errors import CloudtuiError, Unreachable
from cloudtui.ui.screens.files import FilesScreen
from cloudtui.ui.widgets import files_table
from cloudtui.ui.widgets.file_panel import FilePanel
from cloudtui.ui.widgets.files_table import FilesTable
from tests.ui.fakes import Console, console, listed


class Sides:
    """The screen, and the two folders that it shows at first."""

    def __init__(self, made: Console, here: Path, there: Path) -> None:
        self.made, self.here, self.there = made, here, there

    @property
    def screen(self) -> FilesScreen:
        screen = self.made.app.screen
        assert isinstance(screen, FilesScreen)
        return screen

    @property
    def left(self) -> FilePanel:
        return self.screen.query_one("#left", FilePanel)

    @property
    def right(self) -> FilePanel:
        return self.screen.query_one("#right", FilePanel)

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.made.press(key)
            await self.calm()

    async def calm(self) -> None:
        """Nothing is being read any more."""
        async with asyncio.timeout(30):
            await self.made.settle()
            screen = self.made.app.screen
            while isinstance(screen, FilesScreen) and any(p.busy for p in screen.panels):
                await self.made.settle()
            await self.made.settle()

    async def type(self, text: str) -> None:
        await self.made.press(*("full_stop" if c == "." else c for c in text), "enter")
        await self.calm()


@asynccontextmanager
async def files(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    size: tuple[int, int] = (100, 24),
    refusal: CloudtuiError | None = None,
) -> AsyncIterator[Sides]:
    here, there = tmp_path / "here", tmp_path / "there"
    (here / "data").mkdir(parents=True)
    (here / "notes.txt").write_text("loss 0.31\nloss 0.27\n")
    (here / "blob.bin").write_bytes(bytes(range(256)))
    (here / ".secret").write_text("x")
    (there / "runs" / "7").mkdir(parents=True)
    (there / "model.pt").write_bytes(b"m" * 3000)
    monkeypatch.chdir(here)
    async with console(listed(), size=size) as made:
        made.bench.copies.homes = {"bert-gpu": there, "jupyter-lab": here}
        made.bench.copies.refusal = refusal
        await made.press("f")
        sides = Sides(made, here, there)
        await sides.calm()
        yield sides


async def test_walking_and_marking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with files(tmp_path, monkeypatch, size=(80, 24)) as sides:
        left, right = sides.left.table, sides.right.table
        assert left.keys_shown == ["..", "data", "blob.bin", "notes.txt"]
        assert right.keys_shown == ["..", "runs", "model.pt"]
        assert right.has_focus
        assert "2.93 KiB" in sides.made.text
        await sides.press("down", "enter")
        assert (sides.right.path, right.keys_shown) == (f"{sides.there}/runs", ["..", "7"])
        await sides.press("backspace")
        assert right.key == "runs"
        await sides.press("tab", "full_stop")
        assert ".secret" in left.keys_shown
        await sides.press("down", "space", "space")
        assert left.chosen_names == ["data", ".secret"]
        assert "2 marked" in sides.made.text
        await sides.press("asterisk")
        assert left.chosen_names == ["blob.bin", "notes.txt"]
        await sides.press("full_stop", "o", "O")
        assert left.order_by == "size"
        assert left.keys_shown == ["..", "data", "blob.bin", "notes.txt"]
        await sides.press("slash", "n", "o", "t", "enter")
        assert left.keys_shown == ["..", "notes.txt"]
        assert right.keys_shown == ["..", "runs", "model.pt"]
        await sides.press("escape", "p")
        await sides.type("data")
        assert sides.left.path == f"{sides.here}/data"
        assert "This folder is empty." in sides.made.text
        await sides.press("p")
        await sides.type("/nowhere")
        assert sides.left.path == f"{sides.here}/data"
        assert sides.made.said[-1] == "There is no /nowhere on this computer."


async def test_copying_and_moving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with files(tmp_path, monkeypatch) as sides:
        copies = sides.made.bench.copies
        await sides.press("tab", "G", "f5")
        (order,) = copies.orders
        assert [str(s) for s in order.sources] == [f"{sides.here}/notes.txt"]
        assert str(order.target) == f"bert-gpu:{sides.there}"
        assert not order.move
        (sides.there / "notes.txt").write_text("other")
        copies.change("1", size=100, done=43, files=1, current="/x/notes.txt", rate=50.0, left=2.0)
        await sides.calm()
        assert "43%" in sides.made.text
        copies.change("1", phase=CopyPhase.DONE, files_done=1)
        await sides.calm()
        assert "notes.txt" in sides.right.table.keys_shown
        assert sides.made.said[-1].startswith("Copied 1 file: ")
        await sides.press("f5")
        assert "Replaced there: notes.txt." in sides.made.text
        await sides.press("enter")
        assert len(copies.orders) == 1
        await sides.press("f6", "y")
        assert copies.orders[1].move
        await sides.press("ctrl+q")
        assert "Stop 1 copy and leave?" in sides.made.text
        await sides.press("escape", "B", "x")
        assert copies.cancelled == ["2"]
        assert "cancelled" in sides.made.text
        copies.change("2", phase=CopyPhase.DONE, skipped=(Problem("x/pipe", "no file"),))
        await sides.calm()
        assert "Left out: x/pipe: no file" in sides.made.text
        await sides.press("c")
        assert "Nothing was copied yet." in sides.made.text


async def test_changing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with files(tmp_path, monkeypatch) as sides:
        await sides.press("f7")
        await sides.type("ckpt")
        assert (sides.there / "ckpt").is_dir()
        assert sides.right.table.key == "ckpt"
        await sides.press("f2")
        await sides.type("model.pt")
        assert sides.made.said[-1].endswith("is on bert-gpu already.")
        await sides.press("r")
        await sides.type("old")
        assert (sides.there / "old").is_dir()
        (sides.there / "old" / "x").write_text("x")
        sides.made.app.clear_notifications()
        await sides.press("asterisk", "f8")
        text = sides.made.text
        assert "Delete 3 entries?" in text
        assert "In" in text
        assert "bert-gpu:/" in text
        assert "Folders go with everything in them." in text
        await sides.press("enter")
        assert (sides.there / "model.pt").exists()
        await sides.press("f8", "y")
        assert list(sides.there.iterdir()) == []
        assert sides.right.table.keys_shown == [".."]
        sides.screen.panel.browsing._read_only = True
        await sides.press("f7")
        assert "read-only" in sides.made.said[-1]


async def test_looking_and_editing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i s/mmm/M/ "$1"\n')
    editor.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(editor))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    async with files(tmp_path, monkeypatch) as sides:
        await sides.press("tab", "G", "f3")
        await sides.made.app.workers.wait_for_complete()
        await sides.made.settle()
        assert "loss 0.27" in sides.made.text
        await sides.press("escape", "k", "v")
        await sides.made.app.workers.wait_for_complete()
        await sides.made.settle()
        assert "00000040  40 41 42" in sides.made.text
        await sides.press("escape", "tab", "G")
        model = sides.there / "model.pt"
        model.chmod(0o640)
        await sides.press("e")
        await sides.made.app.workers.wait_for_complete()
        assert model.read_bytes() == b"M" + b"m" * 2997
        assert stat.S_IMODE(model.stat().st_mode) == 0o640
        assert sides.made.said[-1] == "Wrote model.pt on bert-gpu."
        editor.write_text(f'#!/bin/sh\necho theirs >{model}\necho mine >"$1"\n')
        await sides.press("f4")
        await sides.made.app.workers.wait_for_complete()
        assert model.read_text() == "theirs\n"
        note = sides.made.bench.notes[-1]
        assert "changed by somebody else" in note.text
        kept = Path(note.detail.rpartition(" ")[2])
        assert await asyncio.to_thread(kept.read_text) == "mine\n"
        editor.write_text('#!/bin/sh\nrm "$1"\n')
        await sides.press("f4")
        await sides.made.app.workers.wait_for_complete()
        assert sides.made.said[-1] == "model.pt is as it was."
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
        await sides.press("f4")
        await sides.made.app.workers.wait_for_complete()
        assert sides.made.said[-1] == "There is no folder for temporary files on this computer."
        monkeypatch.setenv("EDITOR", "vim '")
        await sides.press("f4")
        await sides.made.app.workers.wait_for_complete()
        assert sides.made.said[-1] == "The editor vim ' is not here: No closing quotation."


async def test_the_end_of_a_long_file_and_what_a_file_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with files(tmp_path, monkeypatch) as sides:
        monkeypatch.setattr("cloudtui.ui.screens.file_view.VIEWED", 60 << 10)
        lines = ("first", *("x" for _ in range(40_000)), "last")
        (sides.there / "x.log").write_text("\n".join(lines))
        (sides.there / "y.png").write_bytes(b"\x89PNG\r\n\x1a\n\0")

        async def seen(*keys: str) -> str:
            await sides.press(*keys)
            await sides.made.app.workers.wait_for_complete()
            await sides.made.settle()
            return sides.made.text

        await sides.press("ctrl+r")
        text = await seen("G", "k", "f3")
        assert "the first 60 KiB of 78.1 KiB   G the end" in text
        assert "\nfirst\nx\n" in text
        text = await seen("G")
        assert "the last 60 KiB of 78.1 KiB   g the beginning" in text
        assert "\nx\nlast\n" in text
        assert "\nfirst\nx\n" in await seen("g")
        text = await seen("escape", "G", "f3")
        assert "9 B   a PNG image" in text
        assert "00000000  89 50" in text


async def test_what_takes_long_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr("cloudtui.ui.screens.files.SLOW_SECONDS", 0.001)
    tell = FilePanel.tell

    def heard(panel: FilePanel, what: str) -> None:
        told.append(what)
        tell(panel, what)

    monkeypatch.setattr(FilePanel, "tell", heard)
    async with files(tmp_path, monkeypatch) as sides:
        side = sides.screen.panel.browsing
        remove, shown = side.remove, asyncio.Event()

        async def slowly(paths: Sequence[str]) -> tuple[Problem, ...]:
            await shown.wait()
            return await remove(paths)

        monkeypatch.setattr(side, "remove", slowly)
        await sides.made.press("G", "f8", "y")
        async with asyncio.timeout(30):
            while not told:
                await sides.made.settle()
        assert "deleting model.pt …" in sides.made.text
        shown.set()
        await sides.made.app.workers.wait_for_complete()
        await sides.calm()
        assert "deleting" not in sides.made.text


async def test_a_machine_that_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = Unreachable("bert-gpu does not answer.", "", "Look at its state.")
    async with files(tmp_path, monkeypatch, refusal=lost) as sides:
        assert "× bert-gpu does not answer." in sides.made.text
        await sides.press("tab", "G", "f5")
        assert sides.made.said[-1] == "The other side shows no folder."
        sides.made.bench.copies.refusal = None
        await sides.press("ctrl+r")
        assert "model.pt" in sides.made.text


async def test_thousands_of_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = tmp_path / "there" / "many"
    many.mkdir(parents=True)
    for number in range(3000):
        os.close(os.open(many / f"f{number:05d}\n", os.O_CREAT))
    (tmp_path / "there" / "runs").mkdir()
    (tmp_path / "there" / "runs").rmdir()
    async with files(tmp_path, monkeypatch) as sides:
        await sides.press("down", "enter")
        assert len(sides.right.table.keys_shown) == 3001
        await sides.press("G")
        assert "f02999\\n" in sides.made.text
        sorted_again: list[FilesTable] = []
        with monkeypatch.context() as patched:
            patched.setattr(FilesTable, "put", lambda table, rows: sorted_again.append(table))
            await sides.press("space", "asterisk", "tab", "tab")
        assert len(sides.right.table.chosen_names) == 2999
        assert sorted_again == []
        with monkeypatch.context() as patched:
            patched.setattr(files_table, "sorted", pytest.fail, raising=False)
            (many / "a folder").mkdir()
            await sides.press("ctrl+r")
        table = sides.right.table
        assert table.keys_shown[:3] == ["..", "a folder", "f00000\n"]
        os.utime(many / "f00500\n", (5, 5))
        await sides.press("ctrl+r")
        table.order("time")
        assert table.keys_shown[:3] == ["..", "a folder", "f00500\n"]
        table.order("mode", descending=True)
        assert table.keys_shown[:3] == ["..", "a folder", "f00000\n"]
        table.order("name", descending=True)
        assert table.keys_shown[:3] == ["..", "a folder", "f02999\n"]
        await sides.press("slash", "2", "9", "9", "8", "enter")
        assert sides.right.table.keys_shown == ["..", "f02998\n"]
