"""The installed program in a real terminal."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.lab import Lab
from tests.sshd import make_key, public_words
from tests.terminal import PATIENCE, Terminal


def children_of(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def clean(terminal: Terminal) -> bool:
    """The terminal is as a shell expects it: normal screen, no mouse, cursor shown, echoing."""
    flags = ("alternate_on", "mouse_any_flag", "keypad_cursor_flag", "bracket_paste_flag")
    told = [terminal.flag(flag) for flag in flags if flag != "bracket_paste_flag"]
    return told == ["0"] * len(told) and terminal.flag("cursor_flag") == "1"


def test_attach_takes_the_terminal_and_gives_it_back_clean(lab: Lab, terminal: Terminal) -> None:
    terminal.cloudtui("attach", "bert-gpu", "--new", "bert")
    terminal.shows("[bert]")
    terminal.type("stty size; vim -u NONE -N", "Enter")
    terminal.shows("~\n")
    terminal.type("C-b", "d")
    screen = terminal.shows("left:0")
    assert "Detached. tmux session bert on bert-gpu goes on." in screen
    assert clean(terminal)


def test_attach_follows_the_size_and_tells_an_end(lab: Lab, terminal: Terminal) -> None:
    terminal.cloudtui("attach", "bert-gpu", "--new", "bert")
    terminal.shows("[bert]")
    terminal.type("while sleep 0.1; do stty size; done", "Enter")
    terminal.shows("33 120")
    terminal.tmux("resize-window", "-x", "100", "-y", "20")
    terminal.shows("19 100")
    terminal.type("C-c", "exit", "Enter")
    terminal.shows("left:0")
    assert "tmux session bert on bert-gpu has ended" in terminal.screen


def test_attach_tells_a_lost_connection(lab: Lab, terminal: Terminal) -> None:
    terminal.cloudtui("attach", "bert-gpu", "--new", "bert")
    terminal.shows("[bert]")
    lab.sshd.cut()
    screen = terminal.shows("left:5")
    assert "Connection lost" in screen
    assert "cloudtui attach bert-gpu:bert" in screen
    assert clean(terminal)
    terminal.close()
    terminal.cloudtui("attach", "bert-gpu:bert")
    terminal.shows("[bert]")


def test_screen_is_attached_too(lab: Lab, terminal: Terminal) -> None:
    terminal.cloudtui("attach", "bert-gpu", "--new", "prep", "--in", "screen")
    terminal.type("echo $STY", "Enter")
    terminal.shows(".prep")
    terminal.type("C-a", "d")
    terminal.shows("left:0")


def test_ssh_is_a_login_shell_with_its_exit_status(lab: Lab, terminal: Terminal) -> None:
    terminal.cloudtui("ssh", "bert-gpu")
    terminal.type("tty && exit 9", "Enter")
    terminal.shows("left:9")
    assert clean(terminal)


def test_a_new_host_is_asked_about_once(lab: Lab, terminal: Terminal) -> None:
    lab.name_in_config("bert-gpu", known=False)
    terminal.cloudtui("ssh", "bert-gpu", "--", "echo in")
    terminal.shows("SHA256:")
    terminal.type("yes", "Enter")
    terminal.shows("in\n")
    terminal.shows("left:0")
    record = (lab.home / ".ssh/known_hosts").read_text()
    assert public_words(lab.sshd.host_key) in record
    terminal.close()
    terminal.cloudtui("ssh", "bert-gpu", "--", "echo again")
    terminal.shows("left:0")


def test_a_passphrase_is_typed_unseen(lab: Lab, terminal: Terminal) -> None:
    locked = make_key(lab.home / ".ssh/locked", "ed25519", "s3cret")
    lab.sshd.authorized.write_text(public_words(locked) + "\n")
    lab.name_in_config("bert-gpu", f"IdentityFile {locked}", "IdentitiesOnly yes")
    terminal.cloudtui("ssh", "bert-gpu", "--", "echo in")
    terminal.shows("Passphrase of")
    terminal.type("wrong", "Enter")
    terminal.shows("Wrong passphrase")
    terminal.type("s3cret", "Enter")
    screen = terminal.shows("left:0")
    assert "s3cret" not in screen
    assert "wrong" not in screen


def test_the_console_ends_on_q(lab: Lab, terminal: Terminal) -> None:
    terminal.cloudtui()
    terminal.shows("bert-gpu")
    assert terminal.flag("alternate_on") == "1"
    terminal.type("q")
    terminal.shows("left:0")
    assert clean(terminal)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_restores_the_terminal(
    lab: Lab, terminal: Terminal, number: int, status: int
) -> None:
    terminal.cloudtui()
    terminal.shows("bert-gpu")
    (console,) = children_of(terminal.child)
    os.kill(console, number)
    terminal.shows(f"left:{status}")
    assert clean(terminal)


def test_the_console_attaches_leaves_and_comes_back(lab: Lab, terminal: Terminal) -> None:
    terminal.cloudtui()
    terminal.shows("bert-gpu")
    terminal.type("Enter")
    terminal.shows("No session runs")
    terminal.type("n")
    terminal.shows("New session")
    terminal.type("bert", "Enter")
    terminal.shows("[bert]")
    terminal.type("while sleep 0.1; do echo step $((n+=1)); done", "Enter")
    terminal.shows("step 3")
    terminal.type("C-]", "d")
    terminal.shows("tmux", gone=False)
    terminal.shows("[bert]", gone=True)
    terminal.type("Enter")
    terminal.shows("[bert]")
    terminal.shows("step 2")
    terminal.type("C-]", "d")
    terminal.shows("[bert]", gone=True)
    terminal.type("q")
    terminal.shows("○", gone=True)
    terminal.type("q")
    terminal.shows("left:0")
    assert clean(terminal)


def test_ctrl_c_leaves_a_question_at_once_and_the_terminal_echoes(
    lab: Lab, terminal: Terminal
) -> None:
    locked = make_key(lab.home / ".ssh/locked", "ed25519", "right")
    config = lab.home / ".ssh/config"
    config.write_text(config.read_text().replace(str(lab.sshd.key), str(locked)))
    lab.sshd.authorized.write_text(public_words(locked) + "\n")
    terminal.run(f"trap : INT; {sys.executable} -m cloudtui sessions bert-gpu")
    terminal.shows("Passphrase of")
    terminal.type("C-c")
    terminal.shows("left:130")
    terminal.type("echoed")
    terminal.shows("echoed")


@pytest.mark.parametrize("flood", [False, True], ids=["quiet", "flooded"])
def test_a_terminal_that_is_gone_ends_the_console(
    lab: Lab, terminal: Terminal, flood: bool
) -> None:
    terminal.cloudtui()
    terminal.shows("● running")
    (console,) = children_of(terminal.child)
    if flood:
        terminal.type("s")
        terminal.shows("Ctrl-] d leaves")
        terminal.type("yes this terminal is about to go", "Enter")
        terminal.shows("about to go", times=5)
    terminal.close()
    deadline = time.monotonic() + PATIENCE
    while Path(f"/proc/{console}").exists():
        assert time.monotonic() < deadline, "it goes on without a terminal"
        time.sleep(0.05)
