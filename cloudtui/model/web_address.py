"""Addresses that a program prints: which may be opened, and which mean the host it runs on."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

WEB = ("http", "https", "ftp", "mailto")
"""What is opened here on behalf of a program; `file` too for one that runs here."""
_PORTS = {"http": 80, "https": 443, "ftp": 21}


class Inside(NamedTuple):
    """A port of the host's own loopback."""

    host: str
    """As the host itself reaches it: `localhost`, or an address such as `127.0.1.1`."""
    port: int

    @property
    def wanted(self) -> int:
        """The local port to try first: the same, or 8000 above one that needs root."""
        return self.port if self.port >= 1024 else self.port + 8000


def may_open(url: str, *, here: bool) -> bool:
    """Whether the address is one of the web; with `here` a local file is well, too."""
    parts = _parts(url)
    return parts is not None and (parts.scheme in WEB or (here and parts.scheme == "file"))


def inside(url: str) -> Inside | None:
    """The port of the machine's own that an http address means; None for other machines."""
    parts = _parts(url)
    if parts is None or parts.scheme not in ("http", "https"):
        return None
    try:
        port = parts.port or _PORTS[parts.scheme]
    except ValueError:
        return None
    host = _loopback(parts.hostname or "")
    return Inside(host, port) if host else None


def at_port(url: str, port: int) -> str:
    """The address with another port of this computer; path, query and the rest are kept."""
    parts = urlsplit(url)
    user, at, _ = parts.netloc.rpartition("@")
    host = "127.0.0.1" if parts.hostname == "127.0.0.1" else "localhost"
    return parts._replace(netloc=f"{user}{at}{host}:{port}").geturl()


def _parts(url: str) -> SplitResult | None:
    if not url.isprintable() or " " in url:
        return None
    try:
        return urlsplit(url)
    except ValueError:
        return None


def _loopback(host: str) -> str:
    """How the host reaches itself under that name; empty when the name is another machine's."""
    if host == "localhost" or host.endswith(".localhost"):
        return "localhost"
    try:
        address = ip_address(host)
    except ValueError:
        return ""
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if address.is_unspecified or str(address) in ("127.0.0.1", "::1"):
        return "localhost"
    return str(address) if address.is_loopback else ""
