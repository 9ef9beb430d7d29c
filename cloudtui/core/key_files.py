"""The private keys of this computer: listed, closed to others, converted, under another
passphrase."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from shlex import quote
from typing import TypeVar

from cloudtui.files import keys
from cloudtui.files.atomic import write_atomically
from cloudtui.files.paths import expanded
from cloudtui.files.settings import Settings
from cloudtui.model.errors import (
    READ_ONLY,
    CloudtuiError,
    CredentialsProblem,
    NotFound,
    Refused,
    UsageError,
)
from cloudtui.model.key_pair import AgentKey, KeyFormat, LocalKey

T = TypeVar("T")

TRIES = 3
LONGEST = 1024
"""Characters of a passphrase."""

AskPassphrase = Callable[[Path, bool], Awaitable[str | None]]
"""As `model.remote.Prompts.passphrase`."""


class KeyFiles:
    """Nothing here asks AWS."""

    def __init__(self, settings: Settings, *, read_only: bool = False) -> None:
        self._settings = settings
        self._read_only = read_only

    async def list(self) -> tuple[LocalKey, ...]:
        """Every private key in the usual places, and files that only look like one."""

        def look() -> tuple[LocalKey, ...]:
            return tuple(_seen(file) for file in keys.candidates(self._settings.key_folders))

        return await asyncio.to_thread(look)

    async def look(self, path: Path) -> LocalKey:
        """What a file holds.

        Raises:
            NotFound: there is none, or it cannot be a key.
        """
        return await asyncio.to_thread(lambda: _seen(_read(path)))

    async def named(self, key_name: str) -> LocalKey | None:
        """What is named like the key pair, whatever it holds."""
        names = (f"{key_name}.pem", key_name, f"{key_name}.key", f"{key_name}.ppk")

        def look() -> LocalKey | None:
            if not key_name or "/" in key_name:
                return None
            places = (expanded(str(f)) / n for f in self._settings.key_folders for n in names)
            files = (file for place in places if (file := keys.read(place)))
            return next((_seen(file) for file in files), None)

        return await asyncio.to_thread(look)

    async def public_key(self, path: Path) -> str:
        """`TYPE BASE64` of a public key file, or of a private key.

        Raises:
            CloudtuiError: there is none.
        """

        def find() -> str:
            from cloudtui.ssh import private_keys

            file = _read(path)
            if file.beside and not path.name.endswith(".pub"):
                seen = _seen(file)
                if seen.public_key:
                    return seen.public_key
            return private_keys.public_key(path, file.data)

        return await asyncio.to_thread(find)

    async def agent(self) -> tuple[AgentKey, ...]:
        """The keys of the ssh agent; none without an agent.

        Raises:
            CloudtuiError: the agent that SSH_AUTH_SOCK names does not answer.
        """
        place = os.environ.get("SSH_AUTH_SOCK", "")
        if not place:
            return ()
        from cloudtui.ssh.private_keys import agent_keys

        try:
            async with asyncio.timeout(5):
                return await agent_keys(place)
        except (OSError, ValueError, TimeoutError) as error:
            raise CloudtuiError(
                "The ssh agent does not answer.",
                f"SSH_AUTH_SOCK is {place}: {error or 'no answer in 5 s'}",
                "Start one: eval $(ssh-agent), or unset SSH_AUTH_SOCK.",
            ) from error

    async def to_fix(self, paths: Sequence[Path] = ()) -> tuple[LocalKey, ...]:
        """Private keys that others may read: of the usual places, or of `paths`.

        Raises:
            NotFound: a path leads to no file.
        """
        if paths:
            found = [await self.look(path) for path in paths]
        else:
            found = [key for key in await self.list() if key.format]
        return tuple(key for key in found if key.open_to_others)

    async def fix(self, path: Path) -> None:
        """Give a private key the mode 0400.

        Raises:
            Refused: read-only mode; or it is not this user's.
            CloudtuiError: the disk keeps no modes (a Windows drive in WSL).
        """
        self._may_change()
        path = expanded(str(path))
        try:
            await asyncio.to_thread(keys.close_to_others, path)
        except PermissionError as error:
            if "keeps no permissions" in str(error):
                raise CloudtuiError(
                    f"{path} stays open to others: its file system keeps no permissions.",
                    "Windows drives in WSL are like that.",
                    f"Copy it to ~/.ssh: install -m 400 {quote(str(path))} ~/.ssh/",
                ) from error
            raise Refused(
                f"The mode of {path} cannot be changed: it belongs to somebody else.",
                hint=f"ls -l {quote(str(path))} tells whose it is.",
            ) from error
        except OSError as error:
            raise CloudtuiError(f"The mode of {path} cannot be changed.", str(error)) from error

    async def convert(
        self, path: Path, wanted: KeyFormat, target: Path | None, ask: AskPassphrase
    ) -> Path:
        """Write the key in another format to a new file, under the same passphrase, and return
        its path. Without a target that is `NAME.ppk`, `NAME.pem`, or `NAME-openssh`.

        Raises:
            Refused: read-only mode, or there is a file of that name already.
            CredentialsProblem: its passphrase was not given.
            NotFound: PuTTY's format is meant and puttygen is not installed.
            CloudtuiError: it is no private key, or cannot be written.
        """
        self._may_change()
        from cloudtui.ssh import private_keys, puttygen

        path = expanded(str(path))
        file = await asyncio.to_thread(_read, path)
        found = await asyncio.to_thread(_seen, file)
        if found.format is None or (found.format is wanted and not found.problem):
            raise UsageError(
                found.problem or f"{path} is in {wanted.value}'s format already.", hint=found.cure
            )
        target = expanded(str(target)) if target else _beside(path, wanted)
        if reason := await asyncio.to_thread(keys.why_not_new, target):
            raise Refused(f"{path} was not converted: {reason}.", hint="Name another file: --out")

        async def made(passphrase: str) -> bytes:
            if found.format is KeyFormat.PUTTY:
                return await puttygen.from_putty(path, file.data, passphrase)
            data = await asyncio.to_thread(
                private_keys.rewritten, path, file.data, passphrase, passphrase
            )
            if wanted is KeyFormat.PUTTY:
                return await puttygen.to_putty(path, data, passphrase)
            return data

        data = await _unlocked(found, ask, made)
        await self._save(target, data)
        return target

    async def change_passphrase(
        self, path: Path, ask: AskPassphrase, new: Callable[[], Awaitable[str | None]]
    ) -> bool:
        """Put the key under another passphrase, or under none when `new` gives an empty one; the
        file becomes OpenSSH's format. False when no new one was given.

        Raises:
            Refused: read-only mode.
            CredentialsProblem: the old passphrase was not given.
            CloudtuiError: it is no key that can be rewritten, or the disk refuses.
        """
        self._may_change()
        from cloudtui.ssh import private_keys

        path = expanded(str(path))
        file = await asyncio.to_thread(_read, path)
        found = await asyncio.to_thread(_seen, file)
        if found.format is KeyFormat.PUTTY:
            raise UsageError(
                f"{path} is PuTTY's: its passphrase is changed by puttygen {quote(str(path))} -P"
            )

        async def opened(passphrase: str) -> str:
            await asyncio.to_thread(private_keys.rewritten, path, file.data, passphrase, "")
            return passphrase

        old = await _unlocked(found, ask, opened)
        passphrase = await new()
        if passphrase is None:
            return False
        if len(passphrase) > LONGEST or "\n" in passphrase:
            raise UsageError(f"A passphrase is one line of at most {LONGEST} characters.")
        data = await asyncio.to_thread(private_keys.rewritten, path, file.data, old, passphrase)
        now = await asyncio.to_thread(_read, path)
        if now.data != file.data:
            raise Refused(f"{path} was changed meanwhile, so it was left alone.")
        try:
            await asyncio.to_thread(write_atomically, path, data, keys.PRIVATE_MODE)
        except OSError as error:
            raise CloudtuiError(
                f"{path} cannot be written; it is as it was.", str(error)
            ) from error
        return True

    async def _save(self, target: Path, data: bytes) -> None:
        try:
            await asyncio.to_thread(keys.save_new, target, data)
        except FileExistsError as error:
            raise Refused(f"{target} exists already, and no key is ever overwritten.") from error
        except OSError as error:
            raise CloudtuiError(f"{target} cannot be written.", str(error)) from error

    def _may_change(self) -> None:
        if self._read_only:
            raise Refused(READ_ONLY, hint="Leave out --read-only to change keys.")


async def _unlocked(found: LocalKey, ask: AskPassphrase, use: Callable[[str], Awaitable[T]]) -> T:
    """What `use` makes of the key with its passphrase, which is asked for up to three times."""
    if not found.encrypted:
        return await use("")
    for attempt in range(TRIES):
        passphrase = await ask(found.path, attempt > 0)
        if passphrase is None:
            raise CredentialsProblem(f"No passphrase was given for {found.path}.")
        try:
            return await use(passphrase)
        except CredentialsProblem:
            if attempt == TRIES - 1:
                raise
    raise AssertionError


def _beside(path: Path, wanted: KeyFormat) -> Path:
    if wanted is KeyFormat.PUTTY:
        return path.with_name(f"{path.stem if path.suffix == '.pem' else path.name}.ppk")
    if path.suffix == ".ppk":
        return path.with_suffix(".pem")
    return path.with_name(f"{path.stem}-openssh{path.suffix if path.suffix == '.pem' else ''}")


def _read(path: Path) -> keys.KeyFile:
    path = expanded(str(path))
    file = keys.read(path)
    if file is None:
        raise NotFound(
            f"{path} is not there, or is no file of a key's size.",
            hint="List the private keys that are found: cloudtui keys ls",
        )
    return file


def _seen(file: keys.KeyFile) -> LocalKey:
    from cloudtui.ssh.private_keys import look

    if file.problem:
        return LocalKey(
            file.path,
            mode=file.mode,
            problem=f"{file.path} cannot be read: {file.problem}.",
            cure=f"ls -l {quote(str(file.path))} tells whose it is.",
        )
    return look(file.path, file.data, file.mode, file.beside)


def trouble(found: Iterable[LocalKey]) -> tuple[LocalKey, ...]:
    """The files that ssh would not use as they are."""
    return tuple(key for key in found if key.trouble)
