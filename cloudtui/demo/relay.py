"""The ProxyCommand of a demo without addresses of its own: `relay.py PORT`, of this computer.

A program by itself: it imports nothing of cloudtui.
"""

from __future__ import annotations

import os
import selectors
import socket
import sys


def relay(port: int) -> None:
    """Pass bytes between this process's streams and the port until either side ends."""
    with socket.create_connection(("127.0.0.1", port)) as there:
        ways = selectors.DefaultSelector()
        ways.register(0, selectors.EVENT_READ)
        ways.register(there, selectors.EVENT_READ)
        while True:
            for way, _ in ways.select():
                data = os.read(way.fd, 65_536)
                if not data:
                    return
                if way.fd == 0:
                    there.sendall(data)
                else:
                    os.write(1, data)


if __name__ == "__main__":
    relay(int(sys.argv[1]))
