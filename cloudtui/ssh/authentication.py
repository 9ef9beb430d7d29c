"""Proving who asks: private keys, their passphrases, the agent, questions from the server."""

from __future__ import annotations

import asyncio
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh

from cloudtui.model.errors import CloudtuiError, CredentialsProblem, Refused
from cloudtui.model.remote import Prompts, Route, SendKey

TRIES = 3
"""Times a passphrase or a set of answers is asked for."""


@dataclass(slots=True)
class Offers:
    """What a login may offer, in order, and what became of it."""

    pairs: list[Pair] = field(default_factory=list)
    open_files: list[tuple[Path, int]] = field(default_factory=list)
    """Key files left out because others may read them, with their mode."""
    unreadable: list[str] = field(default_factory=list)
    """Key files left out, with the reason."""
    tried: list[str] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)
    """Sentences about keys that were not usable in the end."""
    agent: asyncssh.SSHAgentClient | None = None
    failure: CloudtuiError | None = None
    """Why the machine was not told of a one-time key."""

    async def close(self) -> None:
        """Let go of the agent's socket."""
        if self.agent:
            self.agent.close()
            await self.agent.wait_closed()
            self.agent = None


@dataclass(frozen=True, slots=True)
class Pair:
    """A key to offer: its name for sentences and the pair, or the file to unlock first."""

    label: str
    pair: asyncssh.SSHKeyPair | None
    locked: Lock | OneTime | None = None


class OneTime:
    """A key for one login: made when the server asks for keys, told to the machine, never saved."""

    LABEL = "a one-time key of EC2 Instance Connect"

    def __init__(self, user: str, send: SendKey, offers: Offers) -> None:
        self._user, self._send, self._offers = user, send, offers

    async def open(self) -> asyncssh.SSHKey | None:
        """The private key, or None when the machine could not be told; then `failure` says why."""
        key = await asyncio.to_thread(asyncssh.generate_private_key, "ssh-ed25519")
        public = " ".join(key.export_public_key("openssh").decode().split()[:2])
        try:
            await self._send(self._user, public)
        except CloudtuiError as error:
            self._offers.failure = error
            return None
        return key


class Lock:
    """A private key file under a passphrase: asks for it, up to three times."""

    def __init__(self, path: Path, data: bytes, prompts: Prompts, offers: Offers) -> None:
        self.path = path
        self._data = data
        self._prompts = prompts
        self._offers = offers

    async def open(self) -> asyncssh.SSHKey | None:
        """The private key, or None when the passphrase was not given."""
        for attempt in range(TRIES):
            passphrase = await self._prompts.passphrase(self.path, attempt > 0)
            if passphrase is None:
                self._offers.trouble.append(f"No passphrase was given for {self.path}.")
                return None
            try:
                return await asyncio.to_thread(asyncssh.import_private_key, self._data, passphrase)
            except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError):
                continue
        self._offers.trouble.append(f"The passphrase of {self.path} was wrong {TRIES} times.")
        return None


class LockedPair(asyncssh.SSHKeyPair):
    """A key pair whose public half is known: the passphrase is asked for when the server has
    accepted the key, not before."""

    _key_type = "local"

    def __init__(self, public: asyncssh.SSHKey, lock: Lock) -> None:
        super().__init__(
            public.algorithm,
            public.algorithm,
            public.sig_algorithms,
            public.sig_algorithms,
            public.public_data,
            public.get_comment_bytes(),
        )
        self._lock = lock

    async def sign_async(self, data: bytes) -> bytes:
        """The signature; ValueError (asyncssh then tries the next key) without a passphrase."""
        key = await self._lock.open()
        if key is None:
            raise ValueError("locked")
        return key.sign(data, self.sig_algorithm)


async def gather(route: Route, prompts: Prompts, send: SendKey | None = None) -> Offers:
    """The keys for a route, cheapest first: those of its files that the agent holds, its open
    files, the agent's other keys, then files under a passphrase. With `send` a one-time key alone.

    Raises:
        Refused: there are key files, but every one of them can be read by other users.
    """
    offers = Offers()
    if send:
        offers.pairs = [Pair(OneTime.LABEL, None, OneTime(route.user, send, offers))]
        return offers
    files = await asyncio.to_thread(_load_files, route, prompts, offers)
    wanted = {public for _, public in files if public}
    agent = await _agent_pairs(route, offers)
    held = {pair.key_public_data for pair in agent}
    ours = [p for p in agent if p.key_public_data in wanted]
    others = [] if route.identities_only else [p for p in agent if p not in ours]
    usable = [pair for pair, public in files if public not in held]
    offers.pairs = [
        *(Pair(_agent_label(p), p) for p in ours),
        *(p for p in usable if not p.locked and p.pair),
        *(Pair(_agent_label(p), p) for p in others),
        *(p for p in usable if p.locked),
    ]
    if offers.open_files and not offers.pairs:
        raise open_key_file(*offers.open_files[0])
    return offers


def open_key_file(path: Path, mode: int) -> Refused:
    """The refusal of a private key that other users may read; the mode is of `st_mode`."""
    return Refused(
        f"The private key {path} can be read by others (mode {mode:04o}), so it is not used.",
        hint=f"Close it with: chmod 400 {path}",
    )


def denied(route: Route, offers: Offers) -> CloudtuiError:
    """Why a server let nobody in, and what to look at."""
    if offers.failure:
        return offers.failure
    if offers.tried == [OneTime.LABEL]:
        return CredentialsProblem(
            f"{route.place} does not let {route.user} in, not with {OneTime.LABEL} either.",
            "EC2 took the key, but the machine's SSH server did not ask for it.",
            "The machine needs the package ec2-instance-connect, which Amazon Linux and Ubuntu "
            "have, and the login user has to exist; name it with User in ~/.ssh/config.",
        )
    if offers.open_files:
        return open_key_file(*offers.open_files[0])
    tried = ", ".join(offers.tried) or "none"
    detail = " ".join([f"Keys tried: {tried}.", *offers.trouble, *offers.unreadable])
    if offers.trouble:
        hint = "Connect again and give the passphrase, or load the key with: ssh-add FILE"
    else:
        hint = (
            "Check the login user (ubuntu, ec2-user, admin) and that the key is the one the "
            "instance was launched with; name both in ~/.ssh/config with User and IdentityFile."
        )
    return CredentialsProblem(f"{route.place} does not let {route.user} in.", detail, hint)


def _load_files(route: Route, prompts: Prompts, offers: Offers) -> list[tuple[Pair, bytes | None]]:
    """The route's key files as pairs with their public data, where it can be known."""
    loaded: list[tuple[Pair, bytes | None]] = []
    for path in route.identity_files:
        try:
            found = _load(path, prompts, offers)
        except OSError as error:
            offers.unreadable.append(f"{path} cannot be read: {error.strerror}.")
        except asyncssh.KeyImportError as error:
            offers.unreadable.append(f"{path} holds no private key: {error}.")
        else:
            loaded += found
    return loaded


def _load(path: Path, prompts: Prompts, offers: Offers) -> list[tuple[Pair, bytes | None]]:
    if path.suffix == ".pub":
        return [(Pair(str(path), None), asyncssh.read_public_key(path).public_data)]
    status = path.stat()
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077 and status.st_uid == os.getuid():
        offers.open_files.append((path, mode))
        return []
    data = path.read_bytes()
    try:
        key = asyncssh.import_private_key(data)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError):
        if b"ENCRYPTED" not in data and b"OPENSSH PRIVATE KEY" not in data:
            raise
    else:
        certificate = path.with_name(path.name + "-cert.pub")
        try:
            source = (str(path), str(certificate)) if certificate.is_file() else key
            pairs = asyncssh.load_keypairs([source])
        except ValueError:  # the certificate is rubbish, or of another key
            pairs = asyncssh.load_keypairs([key])
        return [(Pair(str(path), pair), key.public_data) for pair in pairs]
    lock = Lock(path, data, prompts, offers)
    public = _public_half(path)
    pair = LockedPair(public, lock) if public else None
    return [(Pair(str(path), pair, lock), public.public_data if public else None)]


def _public_half(path: Path) -> asyncssh.SSHKey | None:
    """The public key beside or inside an encrypted private key file."""
    for place in (path.with_name(path.name + ".pub"), path):
        try:
            return asyncssh.read_public_key(place)
        except (OSError, asyncssh.KeyImportError):
            continue
    return None


async def _agent_pairs(route: Route, offers: Offers) -> list[asyncssh.SSHKeyPair]:
    """The agent's keys; none when there is no agent or it does not answer."""
    path = route.identity_agent or os.environ.get("SSH_AUTH_SOCK", "")
    if not path or path == "none":
        return []
    try:
        async with asyncio.timeout(5):
            offers.agent = await asyncssh.connect_agent(path)
            return list(await offers.agent.get_keys())
    except (OSError, ValueError, TimeoutError):
        return []


def _agent_label(pair: asyncssh.SSHKeyPair) -> str:
    comment = pair.get_comment(errors="replace") or pair.get_algorithm()
    return f"{comment} (agent)"
