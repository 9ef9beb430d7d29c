"""Which pretend host a listening port belongs to: hosts share one loopback, forwards must not.

`python -m cloudtui.demo.ports NAME=VALUE` prints those of that host as `ss -Htlnp` does.
"""

from __future__ import annotations

import contextlib
import sys
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


def listeners(mark: str) -> list[str]:
    """What `ss -Htlnp` would print on that host."""
    owned = _sockets(mark)
    return [
        f"LISTEN 0 128 {address}:{port} 0.0.0.0:*{_user(owned[inode])}"
        for table, far in (("tcp", "127.0.0.1"), ("tcp6", "[::1]"))
        for local, inode in _all_listening(table)
        if inode in owned
        for near, _, port_text in [local.partition(":")]
        for address, port in [("0.0.0.0" if not near.strip("0") else far, int(port_text, 16))]
    ]


def _user(pid: int) -> str:
    name = _read(PROC / str(pid) / "comm").strip()
    return f' users:(("{name}",pid={pid},fd=3))' if name else ""


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
        found += [inode for where, inode in _all_listening(table) if where == key]
    return found


def _all_listening(table: str) -> list[tuple[str, str]]:
    """`ADDRESS:PORT` in hexadecimal and the inode of each listening socket."""
    rows = (line.split() for line in _read(PROC / "net" / table).splitlines()[1:])
    return [(fields[1], fields[9]) for fields in rows if fields[3] == _LISTEN]


def _sockets(mark: str) -> dict[str, int]:
    """Inodes of every socket that a marked process holds, with its id."""
    found: dict[str, int] = {}
    for pid in processes.marked(mark):
        with contextlib.suppress(OSError):
            for link in (PROC / str(pid) / "fd").iterdir():
                with contextlib.suppress(OSError):
                    target = str(link.readlink())
                    if target.startswith("socket:["):
                        found[target[8:-1]] = pid
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except OSError:
        return ""


if __name__ == "__main__":
    sys.stdout.write("".join(f"{line}\n" for line in listeners(sys.argv[1])))
