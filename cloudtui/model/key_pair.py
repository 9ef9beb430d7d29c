"""Key pairs of EC2, private keys on this disk, and which belongs to which."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from cloudtui.model.instance import Instance, State
from cloudtui.model.words import plural

NAME_LIMIT = 255
"""Characters of a key pair's name, all of them ASCII."""
PRIVATE_MODE = 0o400


class KeyType(StrEnum):
    """The types EC2 makes and takes, in its words."""

    ED25519 = "ed25519"
    RSA = "rsa"


class KeyFormat(StrEnum):
    """How a private key is written down."""

    OPENSSH = "OpenSSH"
    PKCS1 = "PKCS#1"
    PKCS8 = "PKCS#8"
    SEC1 = "SEC1"
    DER = "DER"
    PUTTY = "PuTTY"


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A key pair as EC2 knows it: the public half."""

    name: str
    region: str
    id: str = ""
    type: str = ""
    """`rsa` or `ed25519`."""
    fingerprint: str = ""
    """As EC2 writes it: hex bytes with colons (RSA), base64 (ed25519)."""
    public_key: str = ""
    """`ssh-ed25519 AAAA...`; empty when EC2 does not tell."""
    created: datetime | None = None
    profile: str = ""

    @property
    def label(self) -> str:
        """Name and id."""
        return f"{self.name} ({self.id})" if self.id else self.name

    @property
    def key(self) -> str:
        """What tells it from every other one in view."""
        return f"{self.profile}/{self.region}/{self.name}"


@dataclass(frozen=True, slots=True)
class LocalKey:
    """A private key file, as far as it can be read without its passphrase."""

    path: Path
    mode: int = PRIVATE_MODE
    """Permission bits."""
    format: KeyFormat | None = None
    algorithm: str = ""
    """`ssh-ed25519`, `ssh-rsa`, ...; empty when a passphrase hides even that."""
    bits: int = 0
    encrypted: bool = False
    comment: str = ""
    public_key: str = ""
    """`ssh-ed25519 AAAA...`; empty when it is not known."""
    fingerprints: frozenset[str] = frozenset()
    """What EC2 would call it, as `plain_fingerprint` writes it: created there or imported."""
    problem: str = ""
    """Why ssh cannot use the file as it is; a sentence, empty when it can."""
    cure: str = ""

    @property
    def open_to_others(self) -> bool:
        """Whether other users may read or change it, which ssh refuses."""
        return bool(self.mode & 0o077)

    @property
    def trouble(self) -> bool:
        """Whether it wants mending: ssh refuses it, though it is meant for ssh."""
        if self.format is KeyFormat.PUTTY and self.path.suffix.lower() == ".ppk":
            return False
        return bool(self.problem or (self.format and self.open_to_others))

    def matches(self, pair: KeyPair) -> bool:
        """Whether it is the private half of the pair."""
        if self.public_key and pair.public_key:
            return self.public_key == public_words(pair.public_key)
        return plain_fingerprint(pair.fingerprint) in self.fingerprints


@dataclass(frozen=True, slots=True)
class AgentKey:
    """A key that the ssh agent holds."""

    algorithm: str
    comment: str
    public_key: str
    """`ssh-ed25519 AAAA...`."""

    @property
    def fingerprint(self) -> str:
        """`SHA256:...`, as `ssh-add -l` prints it."""
        return sha256_fingerprint(self.public_key)


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key pair with what it is good for here."""

    pair: KeyPair
    files: tuple[LocalKey, ...] = ()
    """Private keys on this disk that match it, the one named like it first."""
    agent: tuple[AgentKey, ...] = ()
    machines: tuple[Instance, ...] = ()
    """Those launched with it that still exist."""

    @property
    def where(self) -> str:
        """The file of the private key, `agent`, or empty when it is not here."""
        if self.files:
            return str(self.files[0].path)
        return "agent" if self.agent else ""


def match(
    pairs: Iterable[KeyPair],
    files: Iterable[LocalKey],
    agent: Iterable[AgentKey],
    machines: Iterable[Instance],
) -> tuple[KeyRow, ...]:
    """Every pair with its private keys and its machines, by region and name."""
    files, agent, machines = tuple(files), tuple(agent), tuple(machines)
    rows = []
    for pair in sorted(pairs, key=lambda p: (p.region, p.name.casefold(), p.profile)):
        mine = sorted(
            (f for f in files if f.matches(pair)),
            key=lambda f: (f.path.stem != pair.name, bool(f.problem), len(f.path.parts)),
        )
        held = (
            a for a in agent if pair.public_key and a.public_key == public_words(pair.public_key)
        )
        if not pair.public_key:
            held = (a for a in agent if plain_fingerprint(pair.fingerprint) in imported(a))
        rows.append(KeyRow(pair, tuple(mine), tuple(held), users(pair, machines)))
    return tuple(rows)


def users(pair: KeyPair, machines: Iterable[Instance]) -> tuple[Instance, ...]:
    """The machines launched with the pair, those apart that are terminated."""
    return tuple(
        i
        for i in machines
        if i.key_name == pair.name
        and i.region == pair.region
        and i.profile == pair.profile
        and i.state is not State.TERMINATED
    )


def imported(key: AgentKey) -> frozenset[str]:
    """What EC2 would call the key had it been imported."""
    return frozenset({plain_fingerprint(sha256_fingerprint(key.public_key))})


def plain_fingerprint(text: str) -> str:
    """A fingerprint without what tools write differently: colons, `SHA256:`, `MD5:`, padding."""
    text = text.strip().removeprefix("SHA256:").removeprefix("MD5:").rstrip("=")
    bare = text.replace(":", "")
    return bare.lower() if re.fullmatch(r"[0-9a-fA-F]+", bare) and ":" in text else text


def public_words(text: str) -> str:
    """Type and base64 of a line of a public key, without its comment; empty when it is none."""
    words = text.split()
    return " ".join(words[:2]) if len(words) >= 2 else ""


def sha256_fingerprint(public_key: str) -> str:
    """`SHA256:...` of `TYPE BASE64`, as ssh-keygen -l prints it; empty when it is no key."""
    try:
        blob = base64.b64decode(public_key.split()[1], validate=True)
    except (IndexError, binascii.Error, ValueError):
        return ""
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode()
    return f"SHA256:{digest.rstrip('=')}"


def name_problem(name: str) -> str:
    """Why EC2 does not take the name; empty when it does."""
    if not name.strip():
        return "A key pair needs a name."
    if not name.isascii() or not name.isprintable():
        return "EC2 takes only ASCII characters in a key pair's name."
    if len(name) > NAME_LIMIT:
        return f"A key pair's name has at most {NAME_LIMIT} characters."
    if name != name.strip():
        return "A key pair's name neither begins nor ends with a space."
    return ""


def file_name(name: str) -> str:
    """The name of the private key's file, `NAME.pem`; empty when it can be none."""
    ends = name.startswith((".", "-")) or name != name.strip()
    return "" if "/" in name or "\0" in name or ends else f"{name}.pem"


def delete_words(row: KeyRow, short: Callable[[Path], str] = str) -> list[str]:
    """What is to be known before a key pair is deleted; `short` writes paths."""
    told = []
    if row.machines:
        named = ", ".join(m.label for m in row.machines[:8])
        more = f" and {len(row.machines) - 8} more" if len(row.machines) > 8 else ""
        told.append(
            f"{plural(len(row.machines), 'machine')} launched with it: {named}{more}. "
            "The public key stays there, so logging in works as before."
        )
    else:
        told.append("No machine listed here was launched with it.")
    kept = ", ".join(short(key.path) for key in row.files)
    told.append(f"The private key stays: {kept}." if kept else "Its private key is not here.")
    told.append("Launch templates that name it will fail to launch.")
    return told


@dataclass(frozen=True, slots=True)
class NewKeyPair:
    """A key pair that EC2 just made, the only time that it tells the private key."""

    pair: KeyPair
    material: str = field(repr=False)
    """The private key in PEM: never shown, never logged."""
