"""Passphrases asked once: remembered in memory, never on disk, until this process ends."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from cloudtui.model.remote import HostKey, NoPrompts, Prompts


class Passphrases:
    """Prompts that ask for the passphrase of a file once, and anew when it turns out wrong."""

    def __init__(self, prompts: Prompts) -> None:
        self._prompts = prompts
        self._known: dict[Path, str] = {}
        self._asking: dict[Path, asyncio.Lock] = {}

    @property
    def remembered(self) -> Prompts:
        """Asks nobody, and answers with what was given before."""
        return _Remembered(self._known)

    async def trust_host_key(self, key: HostKey) -> bool:
        return await self._prompts.trust_host_key(key)

    async def passphrase(self, key_file: Path, again: bool) -> str | None:
        async with self._asking.setdefault(key_file, asyncio.Lock()):
            if again:
                self._known.pop(key_file, None)
            elif key_file in self._known:
                return self._known[key_file]
            given = await self._prompts.passphrase(key_file, again)
            if given is not None:
                self._known[key_file] = given
            return given

    async def answers(self, title: str, prompts: tuple[tuple[str, bool], ...]) -> list[str] | None:
        return await self._prompts.answers(title, prompts)


class _Remembered(NoPrompts):
    def __init__(self, known: Mapping[Path, str]) -> None:
        self._known = known

    async def passphrase(self, key_file: Path, again: bool) -> str | None:
        return None if again else self._known.get(key_file)
