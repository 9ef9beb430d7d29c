"""Host keys as cloud-init prints them on an instance's console, against the one a server shows."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from cloudtui.model.remote import HostKey

_PRINTS = "SSH HOST KEY FINGERPRINTS"
_KEYS = "SSH HOST KEY KEYS"
_MARK = re.compile(rf"-----(BEGIN|END) ({_PRINTS}|{_KEYS})-----")
_PRINT = re.compile(
    r"(?:^|\s)\d{2,5} (SHA256:[A-Za-z0-9+/]{43}|(?:MD5:)?(?:[0-9a-f]{2}:){15}[0-9a-f]{2})"
    r"(?: .*)? \((RSA|DSA|ECDSA|ED25519)\)$"
)
_KEY = re.compile(
    r"(?:^|\s)(ssh-ed25519|ssh-rsa|ssh-dss|ecdsa-sha2-nistp\d{3}) (AAAA[A-Za-z0-9+/]+={0,2})(?: |$)"
)
_FAMILIES = {"ssh-ed25519": "ED25519", "ssh-rsa": "RSA", "ssh-dss": "DSA"}


class Verdict(StrEnum):
    """What the console says about a host key."""

    MATCH = "match"
    MISMATCH = "mismatch"
    SILENT = "silent"
    """It says nothing about a key of this type."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A host key against the console."""

    verdict: Verdict
    announced: tuple[str, ...] = ()
    """The fingerprints that the console has for this type of key."""
    reason: str = ""
    """Why nothing could be compared; a sentence."""


NOT_PRINTED = (
    "The machine's console output holds no host key fingerprints: cloud-init prints them at the "
    "first start, and EC2 may show them some minutes later."
)


def compare(key: HostKey, console: Iterable[str]) -> Comparison:
    """Whether the key is the one of its type that the console announced.

    Only whole blocks count, since the console is cut at 64 KiB and lags; of several the last one,
    as of the last start. What whoever is root on the machine writes there is believed: who is
    root has its host keys too.
    """
    family = family_of(key.algorithm)
    prints: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    others: set[str] = set()
    for kind, lines in _blocks(console):
        found = dict[str, list[str]]()
        for line in lines:
            for name, fingerprint in _read(kind, line):
                found.setdefault(name, []).append(fingerprint)
        others.update(found)
        if family in found:
            now = tuple(dict.fromkeys(found[family]))
            prints, keys = (now, keys) if kind == _PRINTS else (prints, now)
    if not prints and not keys:
        told = ", ".join(sorted(others))
        return Comparison(
            Verdict.SILENT,
            reason=f"The machine's console output tells its {told} host keys, and no {family} key."
            if told
            else NOT_PRINTED,
        )
    mine = {key.fingerprint, md5_fingerprint(key.public_key)} - {""}
    agree = [any(_bare(p) in mine for p in part) for part in (prints, keys) if part]
    announced = tuple(dict.fromkeys((*prints, *keys)))
    if all(agree):
        return Comparison(Verdict.MATCH, announced)
    if any(agree):
        return Comparison(
            Verdict.SILENT,
            announced,
            f"The machine's console output contradicts itself about its {family} key.",
        )
    return Comparison(Verdict.MISMATCH, announced)


def announces(console: Iterable[str]) -> bool:
    """Whether the console holds a whole block of host keys."""
    return any(True for _ in _blocks(console))


def family_of(algorithm: str) -> str:
    """`ED25519`, `ECDSA`, `RSA`: the types that ssh-keygen prints."""
    return _FAMILIES.get(algorithm) or ("ECDSA" if algorithm.startswith("ecdsa") else algorithm)


def md5_fingerprint(public_key: str) -> str:
    """`aa:bb:...` of a key in base64, as old versions of cloud-init print it."""
    blob = _blob(public_key)
    return hashlib.md5(blob).digest().hex(":") if blob else ""


def _blob(public_key: str) -> bytes:
    try:
        return base64.b64decode(public_key, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _bare(fingerprint: str) -> str:
    return fingerprint.removeprefix("MD5:")


def _blocks(console: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """(kind, lines) of each block that has both its ends."""
    kind, lines = "", list[str]()
    for line in console:
        mark = _MARK.search(line)
        if mark is None:
            lines.append(line)
        elif mark[1] == "BEGIN":
            kind, lines = mark[2], []
        else:
            if mark[2] == kind:
                yield kind, lines
            kind = ""


def _read(kind: str, line: str) -> Iterator[tuple[str, str]]:
    """(type, fingerprint) that a line of a block tells."""
    line = line.rstrip()
    if kind == _PRINTS:
        if found := _PRINT.search(line):
            yield found[2], found[1]
    elif (found := _KEY.search(line)) and (blob := _blob(found[2])):
        digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
        yield family_of(found[1]), f"SHA256:{digest}"
