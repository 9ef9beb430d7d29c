"""A server on the host's side of a tunnel that answers in capitals, and what asks it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest


@pytest.fixture
def upper() -> Iterator[int]:
    """The port of a server that answers one line in capitals."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(connection.recv(100).upper())

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def asked(port: int, words: bytes) -> bytes:
    """What comes back from a port of this computer."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(words)
        return connection.recv(100)
