"""The greeting of a SOCKS proxy, versions 4, 4a and 5, without a password: bytes in, bytes out."""

from __future__ import annotations

import ipaddress
import struct

NO_METHOD = b"\x05\xff"
LONGEST = 1024
"""Bytes after which what is said is no greeting."""


class NotSocks(ValueError):
    """What was said is not SOCKS, or asks for what is not offered; `reply` says so in SOCKS."""

    def __init__(self, reply: bytes = b"") -> None:
        super().__init__("not SOCKS")
        self.reply = reply


class Greeting:
    """Feed what the client sends; `target` is set once it has said where to."""

    def __init__(self) -> None:
        self.target: tuple[str, int] | None = None
        self.rest = b""
        """What came after the greeting."""
        self._said = b""
        self._version = 0

    def feed(self, data: bytes) -> bytes:
        """What to answer now, possibly nothing.

        Raises:
            NotSocks: hang up, after its `reply`.
        """
        self._said += data
        if len(self._said) > LONGEST and self.target is None:
            raise NotSocks
        answer = b""
        if not self._version and self._said:
            if self._said[0] == 4:
                self._version = 4
            elif self._said[0] != 5:
                raise NotSocks
            elif len(self._said) >= 2 and len(self._said) >= 2 + self._said[1]:
                methods = self._said[2 : 2 + self._said[1]]
                if 0 not in methods:
                    raise NotSocks(NO_METHOD)
                self._said = self._said[2 + len(methods) :]
                self._version = 5
                answer = b"\x05\x00"
        if self._version == 4:
            self._read_four()
        elif self._version == 5:
            self._read_five()
        return answer

    def granted(self) -> bytes:
        """The answer once the way to the target is open."""
        return self._reply(0x5A, 0x00)

    def refused(self) -> bytes:
        """The answer when the target does not answer."""
        return self._reply(0x5B, 0x05)

    def _reply(self, four: int, five: int) -> bytes:
        if self._version == 4:
            return bytes((0, four)) + bytes(6)
        return bytes((5, five, 0, 1)) + bytes(6)

    def _read_four(self) -> None:
        if len(self._said) < 9 or 0 not in self._said[8:]:
            return
        if self._said[1] != 1:
            raise NotSocks(self._reply(0x5B, 0))
        (port,) = struct.unpack(">H", self._said[2:4])
        address = self._said[4:8]
        _, _, rest = self._said[8:].partition(b"\0")
        host = str(ipaddress.IPv4Address(address))
        if address[:3] == bytes(3) and address[3]:
            name, end, rest = rest.partition(b"\0")
            if not end:
                return
            host = _name(name, self.refused())
        self.target, self.rest = (host, port), rest

    def _read_five(self) -> None:
        said = self._said
        if len(said) < 5:
            return
        if said[1] != 1:
            raise NotSocks(self._reply(0, 0x07))
        sizes = {1: 4, 3: 1 + said[4], 4: 16}
        if said[3] not in sizes:
            raise NotSocks(self._reply(0, 0x08))
        end = 4 + sizes[said[3]]
        if len(said) < end + 2:
            return
        raw = said[4:end]
        if said[3] == 1:
            host = str(ipaddress.IPv4Address(raw))
        elif said[3] == 4:
            host = str(ipaddress.IPv6Address(raw))
        else:
            host = _name(raw[1:], self.refused())
        (port,) = struct.unpack(">H", said[end : end + 2])
        self.target, self.rest = (host, port), said[end + 2 :]


def _name(raw: bytes, reply: bytes) -> str:
    name = raw.decode("ascii", "replace")
    if not name or not name.isascii() or not name.isprintable() or " " in name:
        raise NotSocks(reply)
    return name
