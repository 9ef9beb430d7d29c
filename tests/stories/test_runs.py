"""A run is started from the console, the console is left, and the next one tells how it ended."""

from __future__ import annotations

import time

from tests.lab import Lab
from tests.terminal import PATIENCE, Terminal


def test_the_morning_after(lab: Lab, terminal: Terminal) -> None:
    gate = lab.home / "gate"
    terminal.cloudtui()
    terminal.shows("bert-gpu")
    terminal.type("r")
    terminal.shows("New run on bert-gpu")
    terminal.type("-l", f"echo step 1 loss=0.5; until [ -e {gate} ]; do sleep 0.1; done; exit 3")
    terminal.type("Enter")
    terminal.type("-l", "train")
    terminal.type("C-s")
    terminal.shows("● running")
    terminal.shows("loss 0.5")
    terminal.type("Enter")
    terminal.shows("following")
    terminal.type("C-q")
    terminal.shows("left:0")
    terminal.close()

    gate.touch()
    record = lab.sshd.home / ".local/share/cloudtui/runs/train"
    deadline = time.monotonic() + PATIENCE
    while not ((record / "ended").exists() and (record / "ended").read_text().strip()):
        assert time.monotonic() < deadline, "the run never ended"
        time.sleep(0.03)

    terminal.cloudtui()
    screen = terminal.shows("1 run ended since")
    assert "× failed (3)" in screen
    assert "step 1 loss=0.5" in screen
    assert "$0." in screen
    terminal.type("Enter")
    terminal.shows("train on bert-gpu")
    terminal.type("C-q")
    terminal.shows("left:0")
    terminal.close()

    terminal.cloudtui()
    terminal.shows("bert-gpu")
    terminal.type("N")
    terminal.shows("No run ended since the last visit.")
