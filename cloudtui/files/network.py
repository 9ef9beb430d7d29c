"""This computer's own addresses, as far as the system tells without sending anything."""

from __future__ import annotations

import errno
import socket

_PROBES = ((socket.AF_INET, "203.0.113.1"), (socket.AF_INET6, "2001:db8::1"))
"""Addresses of the world that nobody has (RFC 5737, RFC 3849); a datagram socket that is
connected to one sends nothing."""


def is_own(address: str) -> bool:
    """Whether this computer has that address now; True where that cannot be told."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError as error:
        return error.errno != errno.EADDRNOTAVAIL
    return True


def source_addresses() -> tuple[str, ...]:
    """The addresses that packets to the world would carry, IPv4 first; none without a network."""
    found: list[str] = []
    for family, there in _PROBES:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((there, 9))
                found.append(str(probe.getsockname()[0]))
        except OSError:
            continue
    return tuple(found)
