"""A remote machine as SSH sees it: where, as whom, with which key, through which hosts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Route:
    """Everything needed to connect to one host, resolved; `jumps` come first, in order."""

    alias: str
    """The name that was resolved: an ssh config alias, or the address itself."""
    host: str
    port: int = 22
    user: str = ""
    identity_files: tuple[Path, ...] = ()
    """Private keys that exist on disk, in the order they are tried."""
    identities_only: bool = False
    identity_agent: str = ""
    """Agent socket path; empty for $SSH_AUTH_SOCK, `none` for no agent."""
    known_hosts: tuple[Path, ...] = ()
    """User files; a new key is appended to the first."""
    global_known_hosts: tuple[Path, ...] = ()
    host_key_alias: str = ""
    strict_host_keys: str = "ask"
    """OpenSSH's StrictHostKeyChecking: `yes`, `ask`, `accept-new` or `no`."""
    proxy_command: str = ""
    """Tokens expanded; run with `sh -c`. Empty when jumps are used."""
    jumps: tuple[Route, ...] = ()
    connect_timeout: float = 10.0
    """Seconds for TCP and handshake of each hop."""
    keepalive_interval: float = 5.0
    """ServerAliveInterval, in seconds."""
    keepalive_count_max: int = 3
    """ServerAliveCountMax."""
    config_line: str = ""
    """`FILE line N` of the ssh config entry that named the host, or empty."""
    machine: str = ""
    """The id of the instance: its host key is on record under it, whatever its address is."""

    name: str = ""
    """What the instance is called."""

    @property
    def patience(self) -> float:
        """Seconds for which a host that says nothing is waited for: 20 with the defaults."""
        return self.keepalive_interval * (self.keepalive_count_max + 1)

    @property
    def spoken(self) -> str:
        """What people call the host."""
        return self.name or self.host

    @property
    def place(self) -> str:
        """`bert-gpu (54.1.2.3 port 22)`, for sentences about reaching it."""
        at = f"{self.host} port {self.port}"
        return f"{self.name} ({at})" if self.name and self.name != self.host else at

    @property
    def where(self) -> str:
        """`ubuntu@54.1.2.3 port 22`, for sentences."""
        who = f"{self.user}@" if self.user else ""
        return f"{who}{self.host} port {self.port}"


@dataclass(frozen=True, slots=True)
class HostKey:
    """A server's public key, as shown on first contact."""

    host: str
    port: int
    algorithm: str
    fingerprint: str
    """`SHA256:...` as ssh-keygen -l prints it."""
    public_key: str = ""
    """The key itself in base64."""
    machine: str = ""
    """The id of the instance; empty for a host that is none."""
    note: str = ""
    """Why EC2 could not tell whether it is the right one; a sentence."""
    name: str = ""
    """What the instance is called."""


class Prompts(Protocol):
    """The questions a connection may put to whoever sits in front of it."""

    async def trust_host_key(self, key: HostKey) -> bool:
        """First contact: show the fingerprint, return whether to go on and remember it."""
        ...

    async def passphrase(self, key_file: Path, again: bool) -> str | None:
        """The passphrase of a private key, or None to give up; `again` after a wrong one."""
        ...

    async def answers(self, title: str, prompts: tuple[tuple[str, bool], ...]) -> list[str] | None:
        """Keyboard-interactive (MFA): (text, echo) pairs; None gives up."""
        ...


class NoPrompts:
    """Answers no where nobody is to be asked."""

    async def trust_host_key(self, key: HostKey) -> bool:
        return False

    async def passphrase(self, key_file: Path, again: bool) -> str | None:
        return None

    async def answers(self, title: str, prompts: tuple[tuple[str, bool], ...]) -> list[str] | None:
        return None


LOGIN_USERS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("ubuntu",), "ubuntu"),
    (("debian",), "admin"),
    (("bitnami",), "bitnami"),
    (("centos",), "centos"),
    (("rocky",), "rocky"),
    (("fedora",), "fedora"),
    (("freebsd",), "ec2-user"),
    (("amzn", "al2023", "amazon linux", "amazon-linux", "rhel", "suse", "sles"), "ec2-user"),
)


def login_user(image_name: str, image_description: str = "") -> str:
    """The login user that an image's makers set up, guessed from its name; `ec2-user` otherwise.

    Source: AWS's list of default user names for AMIs.
    """
    for text in (image_name.lower(), image_description.lower()):
        for words, user in LOGIN_USERS:
            if any(word in text for word in words):
                return user
    return "ec2-user"


SendKey = Callable[[str, str], Awaitable[None]]
"""Tells the machine that a login user may come with this public key, `TYPE BASE64`, for a short
while."""

Ask = Callable[[str], Awaitable[bool]]
"""A yes-or-no question to the user; the sentence names what will be done and where."""
