from __future__ import annotations

from typing import Any

from cloudtui.model.errors import ConnectionCut, NotFound
from cloudtui.model.recording import HostRecorder, Recording
from cloudtui.ui.screens.kernel_log import KernelLogScreen
from cloudtui.ui.screens.notebooks import NotebooksScreen
from tests.ui.fake_notebooks import TRAINING
from tests.ui.fakes import FLEET, Console
from tests.ui.test_notebooks import panel, select

LAB = next(i for i in FLEET if i.name == "jupyter-lab")


def printed(text: str, cell: str = "c1", t: float = 2.0) -> dict[str, Any]:
    return {"kind": "stream", "cell": cell, "name": "stdout", "text": text, "t": t}


LOG = [
    {"kind": "kernel", "state": "listening", "after": 0, "t": 1.0},
    {"kind": "status", "state": "busy", "cell": "c1", "t": 1.0},
    {
        "kind": "input",
        "cell": "c1",
        "code": "for epoch in range(3):\n    train()",
        "n": 7,
        "t": 1.0,
    },
    printed("epoch 1\n"),
    printed("\r 10%"),
    printed("\r 20%"),
]


async def train(ui: Console) -> None:
    await select(ui, "jupyter-lab", f"8888/kernel/{TRAINING.id}")


async def test_what_a_kernel_printed_is_shown_and_followed() -> None:
    async with panel() as ui:
        ui.bench.recordings.logs[TRAINING.id] = list(LOG)
        recording = Recording(TRAINING.id, "train.ipynb", "recorded")
        ui.bench.recordings.recorders[LAB.id] = HostRecorder(True, recordings=(recording,))
        await train(ui)
        await ui.press("ctrl+r")
        await ui.settle()
        assert "● yes" in ui.text
        await ui.press("l")
        await ui.settle()
        assert isinstance(ui.app.screen, KernelLogScreen)
        assert "In [7]: for epoch in range(3): … 1 more line" in ui.text
        assert "epoch 1" in ui.text
        assert " 20%" in ui.text
        assert " 10%" not in ui.text
        assert "● busy" in ui.text
        tell = ui.bench.recordings.followers[TRAINING.id]
        tell(printed("\r100%\n"))
        tell({"kind": "run", "state": "running", "cell": 2, "cells": 5})
        tell({"kind": "status", "state": "idle", "cell": "c1", "t": 126.0})
        await ui.settle()
        assert "100%" in ui.text
        assert "· 2m 05s" in ui.text
        assert "Run of all cells: cell 2 of 5 runs" in ui.text
        cut = ui.bench.recordings.cut
        assert cut
        cut(ConnectionCut("The connection was lost."))
        await ui.settle()
        assert "The connection was lost. It goes on by itself." in ui.text
        cut(None)
        await ui.press("slash", *"epoch 1", "enter")
        await ui.settle()
        assert "1 of 1 found" in ui.text
        await ui.press("escape", "escape")
        assert isinstance(ui.app.screen, NotebooksScreen)


async def test_recording_is_switched_on_where_nothing_was_recorded() -> None:
    async with panel() as ui:
        await train(ui)
        await ui.press("l")
        await ui.settle()
        assert "Nothing that train.ipynb printed was recorded" in ui.text
        ui.bench.recordings.refusal = NotFound("jupyter-lab has no Python 3.6 or newer.")
        await ui.press("R")
        await ui.settle()
        assert "has no Python 3.6" in ui.text
        ui.bench.recordings.refusal = None
        ui.bench.recordings.logs[TRAINING.id] = list(LOG)
        await ui.press("R")
        await ui.settle()
        assert ui.bench.recordings.done == [("start", "jupyter-lab")]
        assert "epoch 1" in ui.text, "what it prints is shown as soon as it is recorded"
        await ui.press("R")
        await ui.settle()
        assert ui.bench.recordings.done[-1] == ("stop", "jupyter-lab")
        assert "not recorded now: R records" in ui.text


async def test_all_cells_are_run_after_a_question() -> None:
    async with panel() as ui:
        await select(ui, "jupyter-lab", "8888")
        await ui.press("a")
        assert "No kernel is selected." in ui.text
        await train(ui)
        await ui.press("a")
        assert "Run all cells of train.ipynb on jupyter-lab?" in ui.text
        await ui.press("escape")
        assert ui.bench.recordings.done == []
        await ui.press("a", "y")
        await ui.settle()
        assert ui.bench.recordings.done == [("run", "jupyter-lab", TRAINING.id)]
        assert "3 cells of train.ipynb run on jupyter-lab." in ui.text
