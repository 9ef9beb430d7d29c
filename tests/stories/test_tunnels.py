"""A port brought here from the console, in a real terminal: it outlives the console, and its
crash."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import Lab
from tests.sshd import free_port
from tests.terminal import Terminal
from tests.upper import asked


@pytest.fixture
def account(lab: Lab) -> Iterator[Lab]:
    yield lab
    command = [sys.executable, "-m", "cloudtui", "tunnel", "stop", "--all"]
    subprocess.run(command, capture_output=True, check=False, timeout=50)


def console(terminal: Terminal) -> None:
    terminal.close()
    terminal.cloudtui()
    terminal.shows("● running")


def typed(terminal: Terminal, spec: str) -> None:
    """Open a tunnel from the console's first screen."""
    terminal.type("t")
    terminal.shows("Which port of bert-gpu comes here?")
    terminal.type(spec, "Enter")
    terminal.shows("3 shows all tunnels")


def of_console(terminal: Terminal) -> int:
    """The process of the program under the terminal's shell."""
    children = Path(f"/proc/{terminal.child}/task/{terminal.child}/children").read_text().split()
    return int(children[0])


def test_a_tunnel_outlives_the_console_and_its_crash(
    account: Lab, terminal: Terminal, upper: int
) -> None:
    port = free_port()
    console(terminal)
    typed(terminal, f"{port}:127.0.0.1:{upper}")
    assert asked(port, b"open") == b"OPEN"
    terminal.type("q")
    terminal.shows("1 tunnel is open")
    terminal.type("Enter")
    terminal.shows("left:0")
    assert asked(port, b"left") == b"LEFT"

    console(terminal)
    terminal.type("3")
    terminal.shows(f"localhost:{port} → bert-gpu:{upper}")
    os.kill(of_console(terminal), signal.SIGKILL)
    terminal.shows("left:137")
    assert asked(port, b"killed") == b"KILLED"

    console(terminal)
    terminal.type("3")
    terminal.shows(f"localhost:{port} → bert-gpu:{upper}")
    terminal.type("x")
    terminal.shows("No tunnel is open.")
    with pytest.raises(ConnectionRefusedError):
        asked(port, b"closed")
    terminal.type("q", "q")
    terminal.shows("left:0")
