"""Who listens on a port of this computer, and with which addresses it talks to the world."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from cloudtui.files.listening import who_listens
from cloudtui.files.network import source_addresses


def test_a_listener_of_this_process_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert who_listens(port).endswith(f"(process {os.getpid()})")
    assert who_listens(port) == ""


def test_without_proc_nothing_is_told(tmp_path: Path) -> None:
    assert who_listens(22, proc=tmp_path) == ""
    (tmp_path / "net").mkdir()
    (tmp_path / "net/tcp").write_text("header\nnonsense\n 0: 0100007F:0016 x 0A 1 2 3 4 5 77\n")
    assert who_listens(22, proc=tmp_path) == ""


def test_source_addresses_are_addresses_of_this_computer() -> None:
    for address in source_addresses():
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family) as own:
            own.bind((address, 0))
