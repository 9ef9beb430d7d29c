"""The whole terminal handed to a session from the console, and given back, in a real terminal."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.lab import Lab
from tests.stories.test_terminal import children_of, clean
from tests.terminal import Terminal


def console_with_session(terminal: Terminal, *words: str) -> None:
    """The console on the list of bert-gpu's sessions, with `train` in it."""
    terminal.cloudtui("attach", "bert-gpu", "--new", "train")
    terminal.type("echo be''gin", "Enter")
    terminal.shows("begin")
    terminal.type("C-b", "d")
    terminal.shows("left:0")
    terminal.close()
    terminal.cloudtui(*words)
    terminal.shows("bert-gpu")
    terminal.type("Enter")
    terminal.shows("train")


def test_s_on_a_session_gives_it_the_whole_terminal(lab: Lab, terminal: Terminal) -> None:
    console_with_session(terminal)
    terminal.type("S")
    terminal.shows("[train]")
    terminal.shows("begin")
    terminal.type("stty size", "Enter")
    terminal.shows("33 120")
    terminal.type("C-]", "d")
    terminal.shows("Enter attach")
    terminal.type("C-q")
    terminal.shows("left:0")
    assert clean(terminal)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_during_the_full_screen_restores_the_terminal(
    lab: Lab, terminal: Terminal, number: int, status: int
) -> None:
    console_with_session(terminal)
    terminal.type("S")
    terminal.shows("[train]")
    terminal.type("vim -u NONE -N -c 'set mouse=a'", "Enter")
    terminal.shows("~\n")
    (console,) = children_of(terminal.child)
    os.kill(console, number)
    terminal.shows(f"left:{status}")
    assert clean(terminal)
    terminal.type("echoed")
    terminal.shows("echoed")


def test_a_signal_from_outside_ends_the_console(lab: Lab, terminal: Terminal) -> None:
    terminal.cloudtui()
    terminal.shows("bert-gpu")
    (console,) = children_of(terminal.child)
    os.kill(console, signal.SIGINT)
    terminal.shows("left:130")
    assert clean(terminal)


def test_without_an_engine_the_whole_terminal_stands_in_for_panes(
    lab: Lab, terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows and musl, where the engine has no wheel."""
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['pyghostty'] = None\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    console_with_session(terminal)
    terminal.type("Enter")
    terminal.shows("[train]")
    terminal.type("stty size", "Enter")
    terminal.shows("33 120")
    terminal.type("C-]", "d")
    terminal.shows("Enter attach")
    terminal.type("q", "~")
    terminal.shows("the terminal engine pyghostty is not installed")
    terminal.type("C-q")
    terminal.shows("left:0")
    assert clean(terminal)
