"""Stopping and starting a machine of the demo by keys, in a real terminal."""

from __future__ import annotations

from tests.terminal import Terminal


def test_a_machine_is_stopped_and_started_again(terminal: Terminal) -> None:
    terminal.cloudtui("demo")
    terminal.shows("bert-gpu")
    terminal.type("/jupyter", "Enter")
    terminal.shows("bert-gpu", gone=True)
    terminal.type("x")
    terminal.shows("Stop jupyter-lab")
    terminal.shows("is given up")
    terminal.type("Enter")
    terminal.shows("Stop jupyter-lab", gone=True)
    assert "● running" in terminal.screen
    terminal.type("x")
    terminal.shows("goes on costing")
    terminal.type("y")
    terminal.shows("○ stopped")
    terminal.type("u")
    terminal.shows("Start jupyter-lab")
    terminal.shows("A public address, if it gets one")
    terminal.type("y")
    terminal.shows("● running")
    terminal.type("C-d")
    terminal.shows("Type jupyter-lab or i-")
    terminal.type("Escape")
    terminal.shows("Type jupyter-lab", gone=True)
    terminal.type("C-q")
    terminal.shows("left:0")
