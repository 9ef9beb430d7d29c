"""When a path that brings nothing any more counts as cut.

The host is asked for a sign of life when nothing came for two seconds. TCP itself tells a
path that is cut from a host that is busy: what was sent is acknowledged by its kernel however busy
its SSH server is, and a slow line acknowledges bit by bit. Where there is no TCP to the host,
behind a jump host or a ProxyCommand, only answers count.
"""

from __future__ import annotations

import errno
import math
import socket
import sys

import asyncssh

ASK_AFTER = 2.0
"""Seconds without a byte after which the host is asked: each question wakes this computer up."""
SILENT = 5.7
"""Seconds for which nothing of what was sent arrives, after which the path is cut."""
_DROP_TIME = 0x80
"""macOS' TCP_RXT_CONNDROPTIME, in seconds."""


def watch(
    conn: asyncssh.SSHClientConnection, patience: float, *, hurry: bool, direct: bool
) -> None:
    """See to it that the connection is lost within `patience` seconds when its host says nothing,
    and with `hurry` after `SILENT` seconds when the path to it is cut. `direct` when no jump host
    is on that path. May be called again."""
    silent = min(SILENT, patience) if hurry else patience
    if not (direct and _limited(conn, silent)):
        patience = min(patience, ASK_AFTER + silent)
    times = max(2, math.ceil(patience / ASK_AFTER))
    conn.set_keepalive(patience / times, times - 1)


def _limited(conn: asyncssh.SSHClientConnection, seconds: float) -> bool:
    """Whether TCP ends the connection when nothing sent is acknowledged for so long."""
    held = conn.get_extra_info("socket")
    if held is None:
        return False
    try:
        if sys.platform == "darwin":
            held.setsockopt(socket.IPPROTO_TCP, _DROP_TIME, math.ceil(seconds))
        else:
            held.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(seconds * 1000))
    except (AttributeError, OSError):
        return False
    return True


def words(error: Exception) -> str:
    """Why a connection was lost."""
    if isinstance(error, OSError) and error.errno == errno.ETIMEDOUT:
        return "Nothing that was sent to it arrived any more."
    return str(error)
