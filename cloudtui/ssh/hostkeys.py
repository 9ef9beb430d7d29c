"""known_hosts files: is this the host that was met before, and writing down a new one."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import asyncssh

from cloudtui.model.errors import CloudtuiError
from cloudtui.model.remote import Route

Standing = Literal["known", "unknown", "changed", "revoked"]

ALGORITHMS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)
"""Host key signatures asked for, best first; SHA-1 RSA is left out, as in OpenSSH."""


@dataclass(frozen=True, slots=True)
class Record:
    """One key line of a known_hosts file."""

    file: Path
    number: int
    marker: str
    """`@cert-authority`, `@revoked` or empty."""
    patterns: str
    algorithm: str
    blob: str
    """The key in base64."""

    @property
    def place(self) -> str:
        return f"{self.file} line {self.number}"


@dataclass(frozen=True, slots=True)
class Trusted:
    """The keys on record for one host, parsed, and the algorithms to ask the server for."""

    keys: Sequence[asyncssh.SSHKey]
    authorities: Sequence[asyncssh.SSHKey]
    revoked: Sequence[asyncssh.SSHKey]
    algorithms: Sequence[str]


def name_on_record(route: Route, host: str = "") -> str:
    """The name known_hosts files use: `host`, `[host]:port`, or the HostKeyAlias."""
    if route.host_key_alias and not host:
        return route.host_key_alias.lower()
    name = (host or route.host).lower()
    return name if route.port == 22 else f"[{name}]:{route.port}"


def known(route: Route, key: asyncssh.SSHKey) -> Standing:
    """How a server's key stands with what is on record for its host.

    A host on record under another key, of whatever type, counts as changed.
    """
    blob = base64.b64encode(key.public_data).decode()
    records = _records(route, name_on_record(route))
    if any(r.marker == "@revoked" and r.blob == blob for r in records):
        return "revoked"
    plain = [r for r in records if not r.marker]
    if any(r.blob == blob for r in plain):
        return "known"
    if route.port != 22 and not route.host_key_alias:
        without_port = _records(route, route.host.lower())
        if any(r.blob == blob and not r.marker for r in without_port):
            return "known"
    return "changed" if plain else "unknown"


def trusted(route: Route) -> Trusted:
    """What to hand to the handshake; the types on record are asked for first."""
    records = _records(route, name_on_record(route))
    if route.port != 22 and not route.host_key_alias and not any(not r.marker for r in records):
        records += [r for r in _records(route, route.host.lower()) if not r.marker]
    revoked = {r.blob for r in records if r.marker == "@revoked"}
    keys = [r for r in records if not r.marker and r.blob not in revoked]
    authorities = [r for r in records if r.marker == "@cert-authority"]
    types = {r.algorithm for r in keys}
    first = [a for a in ALGORITHMS if a in types or ("ssh-rsa" in types and "rsa-sha2" in a)]
    rest = [a for a in ALGORITHMS if a not in first]
    certificates = [a for a in map(_certificate, ALGORITHMS) if authorities]
    return Trusted(
        _keys(keys),
        _keys(authorities),
        _keys([r for r in records if r.marker == "@revoked"]),
        [*certificates, *first, *rest],
    )


def remember(route: Route, key: asyncssh.SSHKey) -> None:
    """Append the key to the route's first known_hosts file (0600; its folder 0700).

    Raises:
        CloudtuiError: the file cannot be written.
    """
    path = _files(route)[0]
    kind, blob = key.export_public_key("openssh").decode().split()[:2]
    line = f"{name_on_record(route)} {kind} {blob}\n".encode()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "ab") as file:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                line = b"\n" + line
            file.write(line)
    except OSError as error:
        raise CloudtuiError(
            f"The host key of {route.host} could not be written to {path}.",
            str(error),
            "Make the file writable, or name another with UserKnownHostsFile.",
        ) from error


def where_known(route: Route, host: str = "") -> list[str]:
    """`FILE line N` of each key on record for the route's host, or for `host` at its port."""
    return [r.place for r in _records(route, name_on_record(route, host)) if not r.marker]


def where_revoked(route: Route) -> list[str]:
    """`FILE line N` of each revoked key of the route's host."""
    records = _records(route, name_on_record(route))
    return [r.place for r in records if r.marker == "@revoked"]


def _files(route: Route) -> tuple[Path, ...]:
    return route.known_hosts or (Path.home() / ".ssh" / "known_hosts",)


def _records(route: Route, name: str) -> list[Record]:
    files = (*_files(route), *route.global_known_hosts)
    return [r for file in files for r in _read(file) if _matches(r.patterns, name)]


def _read(file: Path) -> Iterator[Record]:
    """The key lines of one file; a missing or unreadable file has none."""
    try:
        data = file.read_bytes() if file.is_file() else b""
    except OSError:
        return
    for number, line in enumerate(data.decode(errors="replace").split("\n"), 1):
        words = line.split()
        marker = words.pop(0) if words and words[0].startswith("@") else ""
        if len(words) >= 3 and not words[0].startswith("#"):
            yield Record(file, number, marker, words[0], words[1], words[2])


def _matches(patterns: str, name: str) -> bool:
    if patterns.startswith("|"):
        return _hash_matches(patterns, name)
    matched = False
    for pattern in patterns.lower().split(","):
        if pattern.startswith("!"):
            if _like(name, pattern[1:]):
                return False
        elif _like(name, pattern):
            matched = True
    return matched


def _hash_matches(text: str, name: str) -> bool:
    """`|1|salt|hash`: HMAC-SHA1 of the name, both in base64."""
    parts = text.split("|")
    if len(parts) != 4 or parts[1] != "1":
        return False
    try:
        salt, digest = (binascii.a2b_base64(part) for part in parts[2:])
    except ValueError:  # no base64
        return False
    return hmac.compare_digest(hmac.new(salt, name.encode(), hashlib.sha1).digest(), digest)


def _like(name: str, pattern: str) -> bool:
    if "*" not in pattern and "?" not in pattern:
        return name == pattern
    regex = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(regex, name) is not None


def _certificate(algorithm: str) -> str:
    stem, at, _ = algorithm.partition("@")
    return f"{stem}-cert-v01@openssh.com" if at else f"{algorithm}-cert-v01@openssh.com"


def _keys(records: Sequence[Record]) -> list[asyncssh.SSHKey]:
    keys = []
    for record in records:
        try:
            keys.append(asyncssh.import_public_key(f"{record.algorithm} {record.blob}"))
        except asyncssh.KeyImportError:
            continue
    return keys
