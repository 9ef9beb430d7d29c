"""Recorded sessions of real programs show in the engine what they show in a real tmux."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.cells import cell_len

from cloudtui.vt.engine import load
from tests.recordings import COLUMNS, FOLDER, ROWS, SESSIONS, read

NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))


def test_every_program_is_recorded() -> None:
    assert sorted(SESSIONS) == NAMES


def test_recordings_are_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.glob("*.json")) < 1 << 20


@pytest.mark.parametrize("name", NAMES)
def test_screen_and_cursor_are_those_of_tmux_after_every_step(name: str) -> None:
    engine = load()(COLUMNS, ROWS, cell_len=cell_len)
    path: Path = FOLDER / f"{name}.json"
    for number, step in enumerate(read(path)):
        engine.feed(step.data)
        lines = engine.text().split("\n")
        assert lines == step.screen, f"step {number}, {step.key!r}"
        cursor = engine.cursor
        # A cursor after the last column waits there for the next character in tmux.
        assert (cursor.x, cursor.y) == (min(step.cursor[0], COLUMNS - 1), step.cursor[1]), number
    engine.close()
