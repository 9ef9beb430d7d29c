"""What is in a private key file, in whatever format; and the same key written anew."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
from dataclasses import replace
from pathlib import Path
from shlex import quote

import asyncssh

from cloudtui.model.errors import CloudtuiError, CredentialsProblem
from cloudtui.model.key_pair import (
    AgentKey,
    KeyFormat,
    LocalKey,
    public_words,
    sha256_fingerprint,
)

_BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----")
_FORMATS = {
    b"OPENSSH PRIVATE KEY": KeyFormat.OPENSSH,
    b"RSA PRIVATE KEY": KeyFormat.PKCS1,
    b"DSA PRIVATE KEY": KeyFormat.PKCS1,
    b"EC PRIVATE KEY": KeyFormat.SEC1,
    b"PRIVATE KEY": KeyFormat.PKCS8,
    b"ENCRYPTED PRIVATE KEY": KeyFormat.PKCS8,
}
_BOM = b"\xef\xbb\xbf"
_PPK = re.compile(rb"PuTTY-User-Key-File-\d+: *([\w.@-]+)")
_ARMOUR = 16
"""Rounds of bcrypt of a key under a passphrase: ssh-keygen's own."""


def look(path: Path, data: bytes, mode: int, beside: bytes = b"") -> LocalKey:
    """What the file holds. Never fails: what is no key says so in `problem`.

    `beside` is the content of `FILE.pub`, for keys whose passphrase hides the public half.
    """
    found = LocalKey(path, mode=mode)
    if _PPK.match(data):
        return _putty(found, data)
    form = _format(data)
    if form is None:
        return replace(found, problem=_no_key(path, data), cure=_other_half(data))
    found = replace(found, format=form, encrypted=_encrypted(data))
    try:
        key = asyncssh.import_private_key(data.removeprefix(_BOM))
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        if not found.encrypted:
            words = str(error).rstrip(".")
            return replace(
                found,
                problem=f"{path} is damaged or cut off: {words}.",
                cure="Copy it again from where it came, in binary mode.",
            )
        return _with_public(found, _public(data) or _public(beside))
    found = _with_public(found, key)
    if isinstance(key, asyncssh.rsa.RSAKey):
        private = hashlib.sha1(key.export_private_key("pkcs8-der")).hexdigest()
        found = replace(found, fingerprints=found.fingerprints | {private})
    return _as_ssh_sees_it(found, data)


def _with_public(found: LocalKey, key: asyncssh.SSHKey | None) -> LocalKey:
    if key is None:
        return found
    words = public_words(key.export_public_key("openssh").decode())
    names = {sha256_fingerprint(words).removeprefix("SHA256:")}
    bits = 256
    if isinstance(key, asyncssh.rsa.RSAKey):
        names.add(hashlib.md5(key.export_public_key("pkcs8-der")).hexdigest())
        bits = int(getattr(key.pyca_key, "key_size", 0))
    return replace(
        found,
        algorithm=key.get_algorithm(),
        bits=bits,
        comment=key.get_comment(errors="replace") or "",
        public_key=words,
        fingerprints=frozenset(names),
    )


def _as_ssh_sees_it(found: LocalKey, data: bytes) -> LocalKey:
    """The formats that OpenSSH's own ssh does not read though the key is whole."""
    if data.startswith(_BOM):
        why = "begins with a byte order mark"
    elif found.format is KeyFormat.DER:
        why = "is in DER, a binary format"
    elif found.format is KeyFormat.OPENSSH and b"\r\n" in data:
        why = "has Windows line ends"
    elif found.format is KeyFormat.PKCS8 and found.algorithm == "ssh-ed25519":
        why = "holds an ed25519 key in PKCS#8"
    else:
        return found
    return replace(
        found,
        problem=f"{found.path} {why}, which ssh does not read.",
        cure=f"Write it anew: cloudtui keys convert {quote(str(found.path))}",
    )


def _putty(found: LocalKey, data: bytes) -> LocalKey:
    text = data.decode(errors="replace").replace("\r\n", "\n")
    fields = dict(re.findall(r"^([\w-]+): *(.*)$", text, re.MULTILINE))
    count = fields.get("Public-Lines", "0")
    body = text.partition(f"Public-Lines: {count}\n")[2].split("\n")
    blob = "".join(body[: int(count)]) if count.isdigit() else ""
    kind = _PPK.match(data)
    assert kind is not None
    key = _public(f"{kind[1].decode()} {blob}".encode())
    named = found.path.suffix.lower() != ".ppk"
    return replace(
        _with_public(found, key),
        format=KeyFormat.PUTTY,
        encrypted=fields.get("Encryption", "none") != "none",
        comment=fields.get("Comment", ""),
        problem=f"{found.path} is PuTTY's .ppk{' under another name' if named else ''}, "
        "which ssh does not read.",
        cure=f"Make an OpenSSH key of it: cloudtui keys convert {quote(str(found.path))}",
    )


def _format(data: bytes) -> KeyFormat | None:
    begin = _BEGIN.search(data)
    if begin:
        return _FORMATS.get(begin[1])
    if not data.startswith(b"\x30"):
        return None
    with contextlib.suppress(asyncssh.KeyImportError, asyncssh.KeyEncryptionError):
        asyncssh.import_private_key(data)
        return KeyFormat.DER
    return None


def _encrypted(data: bytes) -> bool:
    if b"ENCRYPTED" in data:
        return True
    if b"OPENSSH PRIVATE KEY" not in data:
        return False
    try:
        asyncssh.import_private_key(data.removeprefix(_BOM))
    except asyncssh.KeyImportError as error:
        return "Passphrase" in str(error)
    except asyncssh.KeyEncryptionError:
        return True
    return False


def _public(data: bytes) -> asyncssh.SSHKey | None:
    try:
        return asyncssh.import_public_key(data)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, ValueError):
        return None


def _no_key(path: Path, data: bytes) -> str:
    if not data.strip():
        return f"{path} is empty."
    if b"CERTIFICATE-----" in data:
        return f"{path} is a certificate, not a private key."
    if _is_public(data):
        return f"{path} is a public key, not a private one."
    return f"{path} holds no private key."


def _other_half(data: bytes) -> str:
    return "Its private key is the file without .pub." if _is_public(data) else ""


def _is_public(data: bytes) -> bool:
    return b"PUBLIC KEY-----" in data or _public(data) is not None


def public_key(path: Path, data: bytes) -> str:
    """`TYPE BASE64` of a public key in any format, or of an open private key.

    Raises:
        CloudtuiError: there is none, or a passphrase hides it.
    """
    key = _public(data)
    if key is not None and _format(data) is None:
        return public_words(key.export_public_key("openssh").decode())
    found = look(path, data, 0)
    if found.public_key:
        return found.public_key
    if found.encrypted:
        name = quote(str(path))
        raise CredentialsProblem(
            f"The passphrase of {path} hides its public key too.",
            hint=f"Write the public key down first: ssh-keygen -y -f {name} > {name}.pub",
        )
    raise CloudtuiError(f"{path} holds no public key.", found.problem, found.cure)


def rewritten(path: Path, data: bytes, old: str, new: str) -> bytes:
    """The private key in OpenSSH's format under the passphrase `new`, open when that is empty.

    Raises:
        CredentialsProblem: `old` is not its passphrase.
        CloudtuiError: it is no private key.
    """
    found = look(path, data, 0)
    if found.format in (None, KeyFormat.PUTTY) or (found.problem and not found.algorithm):
        raise CloudtuiError(found.problem or f"{path} holds no private key.", hint=found.cure)
    try:
        key = asyncssh.import_private_key(data.removeprefix(_BOM), old or None)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        raise CredentialsProblem(f"That is not the passphrase of {path}.") from error
    if not new:
        return key.export_private_key("openssh")
    return key.export_private_key(
        "openssh", new, cipher_name="aes256-ctr", rounds=_ARMOUR, ignore_few_rounds=True
    )


async def agent_keys(path: str) -> tuple[AgentKey, ...]:
    """The keys that the agent at this socket holds.

    Raises:
        OSError, ValueError: no agent answers there.
    """
    async with asyncssh.connect_agent(path) as agent:
        pairs = await agent.get_keys()
    return tuple(
        AgentKey(
            kind := _kind(pair.key_public_data),
            pair.get_comment(errors="replace") or "",
            f"{kind} {base64.b64encode(pair.key_public_data).decode()}",
        )
        for pair in pairs
    )


def _kind(blob: bytes) -> str:
    """The type that a public key's blob begins with."""
    length = int.from_bytes(blob[:4], "big")
    return blob[4 : 4 + length].decode(errors="replace")
