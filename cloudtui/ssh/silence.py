"""When a path that brings nothing any more counts as cut.

The host is asked for a sign of life after each second in which nothing came. TCP itself tells a
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

ASK_AFTER = 1.0
"""Seconds without a byte after which the host is asked."""
SILENT = 6.6
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
    every = min(ASK_AFTER, patience / 2)
    conn.set_keepalive(every, max(1, math.ceil(patience / every) - 1))


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
