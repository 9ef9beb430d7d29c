"""Panes in a real terminal, against a real SSH server: cut, gone for a while, handed over."""

from __future__ import annotations

import os
import signal

import pytest

from tests.lab import Lab
from tests.terminal import Terminal


def attached(terminal: Terminal, name: str, program: str = "tmux") -> None:
    """The console with a new session in a pane."""
    terminal.cloudtui("attach", "bert-gpu", "--new", name, "--in", program)
    terminal.type("echo be''gin", "Enter")
    terminal.shows("begin")
    terminal.type(*(("C-a", "d") if program == "screen" else ("C-b", "d")))
    terminal.shows("left:0")
    terminal.close()
    terminal.cloudtui()
    terminal.shows("bert-gpu")
    terminal.type("Enter")
    terminal.shows(name)
    terminal.type("Enter")
    terminal.shows("Ctrl-] d leaves")
    terminal.shows("begin")


def gone(lab: Lab) -> None:
    """The host answers no more, and what was open is cut."""
    open_now = lab.sshd.session_processes()
    lab.sshd.stop()
    for pid in open_now:
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("program", ["tmux", "screen"])
def test_vim_is_as_it_was_after_a_cut(lab: Lab, terminal: Terminal, program: str) -> None:
    attached(terminal, "train", program)
    terminal.type("vim -u NONE -N notes", "Enter")
    terminal.shows("~\n")
    terminal.type("i", "one line that is not saved")
    terminal.shows("one line that is not saved")
    gone(lab)
    terminal.shows("Connection lost")
    screen = terminal.shows("Next try in")
    assert "one line that is not saved" in screen
    terminal.type("d", "d")
    lab.sshd.start()
    terminal.type("Enter")
    terminal.shows("Connection lost", gone=True)
    screen = terminal.shows("one line that is not saved")
    terminal.type(" - and more")
    terminal.shows("one line that is not saved - and more")


def test_a_session_killed_meanwhile_is_said(lab: Lab, terminal: Terminal) -> None:
    attached(terminal, "train")
    gone(lab)
    terminal.shows("Next try in")
    lab.sshd.env["TMUX_TMPDIR"] = str(lab.sshd.home)
    lab.sshd.start()
    terminal.type("Enter")
    terminal.shows("The tmux session train ended on bert-gpu while")


def test_the_full_screen_and_back(lab: Lab, terminal: Terminal) -> None:
    attached(terminal, "train")
    terminal.type("C-]", "f")
    terminal.shows("Ctrl-] d leaves", gone=True)
    terminal.type("echo who''le", "Enter")
    terminal.shows("whole")
    terminal.type("C-]", "d")
    terminal.shows("Ctrl-] d leaves")
    terminal.shows("whole")
    terminal.type("echo pa''rt", "Enter")
    terminal.shows("part")
