"""Which pretend host a listening port belongs to: hosts share one loopback, forwards must not."""

from __future__ import annotations

import contextlib
from pathlib import Path

from cloudtui.demo import processes
from cloudtui.demo.processes import PROC

_LISTEN = "0A"
_ANY_4, _ANY_6 = "00000000", "0" * 32
_LOOPBACK_6 = "0" * 24 + "01000000"


def reachable(mark: str, host: str, port: int) -> str:
    """The loopback address where the marked host itself listens on `port`, or nothing.

    `host` is a name or address as the host would understand it. Without /proc the owner cannot
    be told and any loopback listener counts.
    """
    families = _families(host)
    if not processes.HAS_PROC:
        return families[0] if families else ""
    listeners = [(address, inode) for address in families for inode in _listening(address, port)]
    if not listeners:
        return ""
    owned = _sockets(mark)
    return next((address for address, inode in listeners if inode in owned), "")


def _families(host: str) -> tuple[str, ...]:
    if host == "localhost":
        return ("127.0.0.1", "::1")
    if host in ("::1", "ip6-localhost"):
        return ("::1",)
    return ("127.0.0.1",) if host == "127.0.0.1" else ()


def _listening(address: str, port: int) -> list[str]:
    """Inodes of the sockets that would get a connection to `address` and `port`."""
    if address == "::1":
        wanted = [("tcp6", _LOOPBACK_6), ("tcp6", _ANY_6)]
    else:
        mine = "".join(f"{int(part):02X}" for part in reversed(address.split(".")))
        wanted = [("tcp", mine), ("tcp", _ANY_4), ("tcp6", _ANY_6)]
    found = []
    for table, local in wanted:
        key = f"{local}:{port:04X}"
        for line in _read(PROC / "net" / table).splitlines()[1:]:
            fields = line.split()
            if fields[1] == key and fields[3] == _LISTEN:
                found.append(fields[9])
    return found


def _sockets(mark: str) -> set[str]:
    """Inodes of every socket that a marked process holds."""
    found = set()
    for pid in processes.marked(mark):
        with contextlib.suppress(OSError):
            for link in (PROC / str(pid) / "fd").iterdir():
                with contextlib.suppress(OSError):
                    target = str(link.readlink())
                    if target.startswith("socket:["):
                        found.add(target[8:-1])
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except OSError:
        return ""
