"""known_hosts files: is this the host that was met before, and writing down a new one."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
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


INSTANCE_ID = re.compile(r"i-[0-9a-f]{8,17}")


def name_on_record(route: Route) -> str:
    """The name that the host is on record under, or would be written under.

    A HostKeyAlias comes before the id of the instance, and both before `host` or `[host]:port`.
    """
    return _deciding(route, _records(route))[0]


def known(route: Route, key: asyncssh.SSHKey) -> Standing:
    """How a server's key stands with what is on record for its host.

    A host on record under another key, of whatever type, counts as changed. So it does when that
    was at its address only, unless the key there is known to be another instance's: addresses of
    EC2 go from one to the next.
    """
    blob = base64.b64encode(key.public_data).decode()
    records = _records(route)
    named = [r for r in records if any(_matches(r.patterns, n) for n in _names(route))]
    if any(r.marker == "@revoked" and r.blob == blob for r in named):
        return "revoked"
    _, plain = _deciding(route, records, blob)
    if any(r.blob == blob for r in plain):
        return "known"
    if not plain and any(r.blob == blob for r in _hearsay(route, records)):
        return "known"
    return "changed" if plain else "unknown"


def trusted(route: Route) -> Trusted:
    """What to hand to the handshake; the types on record are asked for first."""
    records = _records(route)
    named = [r for r in records if any(_matches(r.patterns, n) for n in _names(route))]
    revoked = [r for r in named if r.marker == "@revoked"]
    bad = {r.blob for r in revoked}
    _, plain = _deciding(route, records)
    keys = [r for r in plain or _hearsay(route, records) if r.blob not in bad]
    authorities = [r for r in named if r.marker == "@cert-authority"]
    types = {r.algorithm for r in keys}
    first = [a for a in ALGORITHMS if a in types or ("ssh-rsa" in types and "rsa-sha2" in a)]
    rest = [a for a in ALGORITHMS if a not in first]
    certificates = [a for a in map(_certificate, ALGORITHMS) if authorities]
    return Trusted(
        _keys(keys),
        _keys(authorities),
        _keys(revoked),
        [*certificates, *first, *rest],
    )


def remember(route: Route, key: asyncssh.SSHKey) -> None:
    """Append the key to the route's first known_hosts file (0600; its folder 0700).

    Under the HostKeyAlias and the id of the instance. Under the address for a host that is no
    instance, and beside the id where an ssh config entry would make OpenSSH look there.

    Raises:
        CloudtuiError: the file cannot be written.
    """
    names = list(_own_names(route))
    if not names or (route.config_line and not route.host_key_alias):
        names.append(_at_address(route))
    _append(route, names, key)


def learn(route: Route, key: asyncssh.SSHKey) -> None:
    """Put a key that is known by the host's address on record under the instance's id too.

    A file that cannot be written is no failure: the key is known by the address next time too.
    """
    records = _records(route)
    mine = [r for r in records if not r.marker and _matches(r.patterns, route.machine)]
    if not route.machine or mine or route.strict_host_keys in ("yes", "no"):
        return
    if known(route, key) == "known":
        with contextlib.suppress(CloudtuiError):
            _append(route, [route.machine], key)


def known_at(route: Route, addresses: Iterable[str]) -> list[asyncssh.SSHKey]:
    """Keys on record for addresses that the machine has or had, but for those of other instances.

    None when a key is on record under the machine's id already.
    """
    records = _records(route)
    if any(not r.marker and _matches(r.patterns, route.machine) for r in records):
        return []
    ways = (replace(route, host=a, host_key_alias="", alias=a) for a in addresses)
    return _keys(record for way in ways for record in _deciding(way, records)[1])


def put_under_id(route: Route, key: asyncssh.SSHKey) -> None:
    """Raises CloudtuiError when the file cannot be written."""
    _append(route, [route.machine], key)


def _append(route: Route, names: Sequence[str], key: asyncssh.SSHKey) -> None:
    path = _files(route)[0]
    kind, blob = key.export_public_key("openssh").decode().split()[:2]
    line = f"{','.join(names)} {kind} {blob}\n".encode()
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
            f"The host key of {route.spoken} could not be written to {path}.",
            str(error),
            "Make the file writable, or name another with UserKnownHostsFile.",
        ) from error


def where_known(route: Route) -> list[str]:
    """`FILE line N` of each key on record for the route's host."""
    return [r.place for r in _deciding(route, _records(route))[1]]


def where_revoked(route: Route) -> list[str]:
    """`FILE line N` of each revoked key of the route's host."""
    names = _names(route)
    return [
        r.place
        for r in _records(route)
        if r.marker == "@revoked" and any(_matches(r.patterns, n) for n in names)
    ]


def _own_names(route: Route) -> tuple[str, ...]:
    """Names that stay when the address changes."""
    return tuple(dict.fromkeys(filter(None, (route.host_key_alias.lower(), route.machine))))


def _at_address(route: Route) -> str:
    host = route.host.lower()
    return host if route.port == 22 else f"[{host}]:{route.port}"


def _names(route: Route) -> tuple[str, ...]:
    """The names to look under, the one that counts most first.

    As in OpenSSH a HostKeyAlias leaves the address out, except for an instance, which may have
    been met before it had one.
    """
    own = _own_names(route)
    return own if route.host_key_alias and not route.machine else (*own, _at_address(route))


def _deciding(route: Route, records: Sequence[Record], blob: str = "") -> tuple[str, list[Record]]:
    """The name that decides, which is the first with a key on record, and its keys.

    `blob` is the key that the server offers, when that is known.
    """
    names = _names(route)
    for name in names:
        plain = [r for r in records if not r.marker and _matches(r.patterns, name)]
        if route.machine and name not in _own_names(route):
            plain = [r for r in plain if r.blob == blob or not _of_another(r, route, records)]
        if plain:
            return name, plain
    return names[0], []


def _of_another(record: Record, route: Route, records: Sequence[Record]) -> bool:
    """Whether the key is on record under the id of another instance."""
    ids = (n for r in records if r.blob == record.blob for n in r.patterns.split(","))
    return any(INSTANCE_ID.fullmatch(n) and n != route.machine for n in ids)


def _hearsay(route: Route, records: Sequence[Record]) -> list[Record]:
    """Keys under names that count only when nothing else is on record: the host at any port, and
    the ssh config alias of an instance."""
    names = []
    if route.port != 22 and not route.host_key_alias:
        names.append(route.host.lower())
    if route.machine:
        names.append(route.alias.lower())
    return [r for r in records if not r.marker and any(_matches(r.patterns, n) for n in names)]


def _files(route: Route) -> tuple[Path, ...]:
    return route.known_hosts or (Path.home() / ".ssh" / "known_hosts",)


def _records(route: Route) -> list[Record]:
    return [r for file in (*_files(route), *route.global_known_hosts) for r in _read(file)]


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


def _keys(records: Iterable[Record]) -> list[asyncssh.SSHKey]:
    keys = []
    for record in records:
        try:
            keys.append(asyncssh.import_public_key(f"{record.algorithm} {record.blob}"))
        except asyncssh.KeyImportError:
            continue
    return keys
