"""Splits in a real terminal."""

from __future__ import annotations

from tests.lab import Lab
from tests.sshd import Sshd
from tests.stories.test_workspace import attached, gone
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


def test_a_session_a_shell_of_its_host_and_a_local_shell_side_by_side(
    lab: Lab, terminal: Terminal
) -> None:
    attached(terminal, "train")
    terminal.type("C-]", "|")
    terminal.shows("Open beside it")
    terminal.type("Enter")
    terminal.shows("shell on bert-gpu")
    terminal.type("PS1='> '; echo ri''ght; stty size", "Enter")
    terminal.shows("33 59")
    terminal.type("C-]", "c")
    terminal.shows("shell on this computer")
    terminal.type("PS1='> '; echo lo''cal $TERM", "Enter")
    terminal.shows("local xterm-256color")

    terminal.type("C-]", "b", "C-]", "Left", "C-]", "b")
    terminal.shows("TYPING GOES TO 2 PANES", times=2)
    terminal.type("echo bo''th", "Enter")
    terminal.shows("both", times=2)
    terminal.type("C-]", "b")
    terminal.shows("TYPING GOES", gone=True)
    terminal.type("echo on''ly-here", "Enter")
    assert terminal.shows("only-here").count("only-here") == 1

    terminal.type("C-]", "z")
    terminal.shows("zoomed")
    terminal.shows("shell on this computer", gone=True)
    terminal.type("clear; stty size", "Enter")
    terminal.shows("33 120")
    terminal.type("C-]", "f")
    terminal.shows("zoomed", gone=True)
    terminal.type("echo fu''ll; stty size", "Enter")
    terminal.shows("34 120")
    assert "> echo fu''ll" in terminal.screen
    terminal.type("C-]", "d")
    terminal.shows("zoomed")
    terminal.type("C-]", "z")
    terminal.shows("shell on this computer")

    terminal.type("C-]", "x")
    terminal.shows("shell on bert-gpu", gone=True)
    terminal.type("C-]", "Right", "C-]", "x")
    terminal.shows("shell on this computer", gone=True)
    terminal.type("until stty size | grep '32 120'; do :; done", "Enter")
    terminal.shows("32 120\n")
    assert "train tmux on bert-gpu" in terminal.screen


def test_two_hosts_in_one_workspace_and_one_of_them_is_cut(
    lab: Lab, terminal: Terminal, second_sshd: Sshd
) -> None:
    lab.launch("cpu-box")
    config = lab.name_in_config("bert-gpu")
    first, port = config.read_text(), f"Port {lab.sshd.port}"
    config.write_text(
        first
        + first.replace("Host bert-gpu", "Host cpu-box")
        .replace(port, f"Port {second_sshd.port}")
        .replace(str(lab.sshd.key), str(second_sshd.key))
    )
    second_sshd.known_hosts(lab.home / ".ssh/known_hosts")
    attached(terminal, "train")
    terminal.type("C-]", "-")
    terminal.shows("Open below it")
    for _ in range(2):
        terminal.type("Down")
    terminal.type("Enter")
    terminal.shows("shell on cpu-box")
    terminal.type("echo $CT_TEST_HOST | tail -c 8", "Enter")
    terminal.shows(str(second_sshd.folder)[-7:])
    gone(lab)
    terminal.shows("connection lost")
    terminal.shows("Next try in")
    terminal.type("echo go''es on", "Enter")
    terminal.shows("goes on")
    lab.sshd.start()
    terminal.type("C-]", "Up", "Enter")
    terminal.shows("connection lost", gone=True)
    terminal.type("echo ba''ck", "Enter")
    screen = terminal.shows("back")
    assert "begin" in screen
    assert "goes on" in screen
