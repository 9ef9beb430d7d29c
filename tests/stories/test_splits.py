"""Splits in a real terminal."""

from __future__ import annotations

from tests.lab import Lab
from tests.stories.test_workspace import attached
from tests.terminal import Terminal


def test_panes_move_between_tabs(lab: Lab, terminal: Terminal) -> None:
    attached(terminal, "train")
    terminal.type("C-]", "-")
    terminal.shows("Open below it")
    terminal.type("Enter")
    terminal.shows("shell on bert-gpu")
    terminal.type("echo mo''ved", "Enter")
    terminal.shows("moved")
    terminal.type("C-]", "!")
    terminal.shows(" 2 ")
    terminal.shows("begin", gone=True)
    terminal.shows("moved")
    terminal.type("C-]", "t")
    terminal.shows("Move shell to")
    terminal.type("Enter")
    terminal.shows("begin")
    screen = terminal.shows("moved")
    assert "train tmux on bert-gpu" in screen.splitlines()[0]
    assert "shell on bert-gpu" in screen.splitlines()[0]
