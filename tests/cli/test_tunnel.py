"""cloudtui tunnel, run as a user runs it, against moto and a real sshd."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.cli.test_commands import PROGRAM, cloudtui
from tests.lab import Lab
from tests.sshd import free_port
from tests.upper import asked


@pytest.fixture
def keeper(lab: Lab) -> Iterator[Lab]:
    yield lab
    cloudtui("tunnel", "stop", "--all")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["bert-gpu", "a:b"], "is not a tunnel"),
        (["bert-gpu", "1", "2", "--local-port", "9"], "exactly one TUNNEL"),
        (["stop"], "Which one?"),
        (["bert-gpu", "-D", "1080:x:1"], "is not a tunnel"),
    ],
)
def test_wrong_words_are_usage(words: list[str], said: str) -> None:
    told = cloudtui("tunnel", *words)
    assert (told.returncode, told.stdout) == (2, "")
    assert said in told.stderr


def test_read_only_opens_no_port_on_the_machine(lab: Lab, upper: int) -> None:
    told = cloudtui("tunnel", "bert-gpu", str(upper), "-R", "9000:5000", "--read-only")
    assert (told.returncode, told.stdout) == (4, "")
    assert "-R 9000:localhost:5000 opens a port on the machine" in told.stderr


def test_the_ports_of_the_host_are_offered(lab: Lab, upper: int) -> None:
    told = cloudtui("tunnel", "bert-gpu", "--json")
    assert told.returncode == 0
    assert upper in [p["port"] for p in json.loads(told.stdout)["listening"]]
    told = cloudtui("tunnel", "bert-gpu")
    assert str(upper) in told.stdout
    assert "cloudtui tunnel bert-gpu " in told.stderr


def test_one_is_held_until_ctrl_c(lab: Lab, upper: int) -> None:
    here, there = free_port(), free_port()
    command = [
        *PROGRAM,
        "tunnel",
        "bert-gpu",
        f"{here}:127.0.0.1:{upper}",
        "-R",
        f"{there}:{upper}",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as held:
        assert held.stdout
        assert held.stdout.readline() == f"localhost:{here} → bert-gpu:{upper}\n"
        assert held.stdout.readline() == f"bert-gpu:{there} → localhost:{upper}\n"
        assert asked(here, b"here") == b"HERE"
        assert asked(there, b"there") == b"THERE"
        held.send_signal(signal.SIGINT)
        assert held.wait(20) == 130
    with pytest.raises(ConnectionRefusedError):
        asked(here, b"x")


def test_in_the_background(keeper: Lab, upper: int) -> None:
    port = free_port()
    spec = f"{port}:127.0.0.1:{upper}"
    told = cloudtui("tunnel", "bert-gpu", spec, "--background", "--json")
    assert told.returncode == 0, told.stderr
    (opened,) = json.loads(told.stdout)["tunnels"]
    assert opened["state"] == "up"
    assert opened["latency_ms"] > 0
    early, late = free_port(), free_port()
    told = cloudtui("tunnel", "bert-gpu", f"{early}:{late}", "--background")
    assert told.returncode == 0, told.stderr
    waits = f"{early}: Nothing listens on port {late} of bert-gpu yet."
    assert waits in cloudtui("tunnel", "ls").stderr
    with socket.create_server(("127.0.0.1", late)):
        assert waits not in cloudtui("tunnel", "ls").stderr
    cloudtui("tunnel", "stop", str(early))
    assert asked(port, b"alone") == b"ALONE"
    listed = json.loads(cloudtui("tunnel", "ls", "--json").stdout)
    assert listed["running"]
    assert [(t["key"], t["bytes_in"]) for t in listed["tunnels"]] == [(str(port), 5)]
    assert listed["tunnels"][0]["latency_ms"] > 0
    assert f"{port} " in cloudtui("tunnel", "ls").stdout
    sessions = keeper.sshd.session_processes()
    keeper.sshd.stop()
    for pid in sessions:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    tried = cloudtui("tunnel", "retry", str(port))
    assert tried.returncode == 5
    assert "refuses connections" in tried.stderr
    keeper.sshd.start()
    assert cloudtui("tunnel", "retry").returncode == 0
    assert asked(port, b"again") == b"AGAIN"
    assert cloudtui("tunnel", "retry", "99").returncode == 3
    assert cloudtui("tunnel", "stop", "99").returncode == 3
    closed = cloudtui("tunnel", "stop", "bert-gpu", "--json")
    assert json.loads(closed.stdout) == {"closed": [str(port)]}
    with pytest.raises(ConnectionRefusedError):
        asked(port, b"x")


def test_nothing_in_the_background(lab: Lab) -> None:
    told = cloudtui("tunnel", "ls", "--json")
    assert json.loads(told.stdout) == {"running": False, "tunnels": []}
    assert "No tunnel" in cloudtui("tunnel", "ls").stderr
    closed = cloudtui("tunnel", "stop", "--all", "--json")
    assert (closed.returncode, json.loads(closed.stdout)) == (0, {"closed": []})
    assert "No tunnel" in cloudtui("tunnel", "retry").stderr


def test_a_taken_port_names_who_has_it(lab: Lab, upper: int) -> None:
    told = cloudtui("tunnel", "bert-gpu", str(upper))
    assert told.returncode == 1
    assert f"Port {upper} on this computer is taken by " in told.stderr
    assert f"{upper + 1}:{upper}" in told.stderr


def test_no_textual_is_imported_by_the_keeper() -> None:
    code = "import cloudtui.keeper.server, sys; print([m for m in sys.modules if 'textual' in m])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
