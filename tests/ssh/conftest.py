"""Connections to the real server, closed at the end, and prompts that answer by themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cloudtui.model.remote import HostKey
from cloudtui.ssh.connect import Connection, connect
from tests.sshd import Sshd


@dataclass
class Answers:
    """A person at the prompts; what they were asked is kept."""

    trust: bool = True
    passphrases: list[str | None] = field(default_factory=list)
    replies: list[list[str] | None] = field(default_factory=list)
    keys: list[HostKey] = field(default_factory=list)
    asked: list[tuple[Path, bool]] = field(default_factory=list)
    titles: list[tuple[str, tuple[tuple[str, bool], ...]]] = field(default_factory=list)

    async def trust_host_key(self, key: HostKey) -> bool:
        self.keys.append(key)
        return self.trust

    async def passphrase(self, key_file: Path, again: bool) -> str | None:
        self.asked.append((key_file, again))
        return self.passphrases.pop(0) if self.passphrases else None

    async def answers(self, title: str, prompts: tuple[tuple[str, bool], ...]) -> list[str] | None:
        self.titles.append((title, prompts))
        return self.replies.pop(0) if self.replies else None


@pytest.fixture
def prompts() -> Answers:
    return Answers()


Open = Callable[..., Awaitable[Connection]]


@pytest.fixture
async def open_connection(sshd: Sshd, prompts: Answers) -> AsyncIterator[Open]:
    """Connect to the server with changes to its route; closed at the end."""
    connections: list[Connection] = []

    async def open_connection(**changes: object) -> Connection:
        connection = await connect(sshd.route(**changes), prompts)
        connections.append(connection)
        return connection

    yield open_connection
    for connection in connections:
        await connection.close()


@pytest.fixture
async def conn(open_connection: Open) -> Connection:
    return await open_connection()
