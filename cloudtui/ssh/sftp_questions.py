"""Questions about the files of a host, answered by SFTP as `cloudtui.host.files` answers them."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import posixpath
import shlex
import stat
from collections.abc import Awaitable, Callable
from typing import Any, cast

import asyncssh
from asyncssh.sftp import SFTPAttrs, SFTPClient, SFTPError

from cloudtui.host.files.frames import BATCH, is_part, letter, part_of, raw, words
from cloudtui.host.files.frames import failure as program_failure
from cloudtui.model.frames import HEAD, PipeEnds, frame
from cloudtui.ssh.connection import Connection

AT_ONCE = 64
PIECE = 1 << 20
SUM_SECONDS = 600.0
DEEPEST = 60
_CODES = {
    asyncssh.FX_NO_SUCH_FILE: (errno.ENOENT, "No such file or directory"),
    asyncssh.FX_PERMISSION_DENIED: (errno.EACCES, "Permission denied"),
}

Question = Callable[[int, dict[str, Any]], Awaitable[Any]]


def failure(error: Exception) -> list[Any]:
    """Error number and words, as the program tells them."""
    if isinstance(error, SFTPError):
        return list(_CODES.get(error.code, (0, error.reason or "it failed")))
    if isinstance(error, OSError):
        return program_failure(error)
    return [0, str(error)]


FAILURES = (SFTPError, OSError, UnicodeEncodeError)


def token(attrs: SFTPAttrs) -> str:
    return f"{attrs.size}:{attrs.mtime}"


class SftpQuestions:
    """`known` has what answers each, by its name."""

    def __init__(self, connection: Connection, sftp: SFTPClient, ends: PipeEnds) -> None:
        self._connection, self._sftp, self._ends = connection, sftp, ends
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self.known: dict[str, Question] = {
            "hello": self.hello,
            "whole": self.whole,
            "expand": self.expand,
            "tree": self.tree,
            "look": self.look,
            "identity": self.identity,
            "sums": self.sums,
            "list": self.listing,
            "space": self.space,
            "mkdir": lambda _, asked: self._sftp.mkdir(raw(asked["path"])),
            "rename": self.rename,
            "remove": self.remove,
            "content": self.content,
        }

    def _tell(self, kind: bytes, number: int, value: object) -> None:
        self._ends.came(frame(kind, number, value))

    async def _home(self, text: str) -> bytes:
        if text == "~" or text.startswith("~/"):
            home: bytes = await self._sftp.realpath(b".")
            return posixpath.join(home, raw(text[2:])) if text[2:] else home
        return raw(text) or b"."

    async def hello(self, number: int, asked: dict[str, Any]) -> object:
        home = words(await self._sftp.realpath(b"."))
        return {"home": home, "cwd": home}

    async def whole(self, number: int, asked: dict[str, Any]) -> object:
        return words(await self._home(asked["path"]))

    async def _facts(
        self, path: bytes, attrs: SFTPAttrs | None = None, *, follow: bool = False
    ) -> list[Any]:
        if attrs is None:
            attrs = await (self._sftp.stat(path) if follow else self._sftp.lstat(path))
        kind, target, through = letter(attrs.permissions or 0), "", ""
        if kind == "l":
            target = words(await self._sftp.readlink(path))
            with contextlib.suppress(SFTPError):
                attrs = await self._sftp.stat(path)
                through = letter(attrs.permissions or 0)
        mode = stat.S_IMODE(attrs.permissions or 0) & 0o777
        return [kind, attrs.size or 0, mode, (attrs.mtime or 0) * 1_000_000_000, target, through]

    async def expand(self, number: int, asked: dict[str, Any]) -> object:
        found = []
        for text in asked["patterns"]:
            path = await self._home(text)
            there = await self._sftp.lexists(path)
            names: list[bytes] = [path]
            if not there and any(mark in path for mark in (b"*", b"?", b"[")):
                try:
                    names = sorted(
                        each for each in await self._sftp.glob(path) if isinstance(each, bytes)
                    )
                except SFTPError:
                    names = []
            rows = []
            for name in names:
                try:
                    rows.append([words(name), await self._facts(name, follow=True)])
                except SFTPError as error:
                    try:
                        rows.append([words(name), await self._facts(name)])
                    except SFTPError:
                        rows.append([words(name), failure(error)])
            found.append(rows)
        return found

    async def tree(self, number: int, asked: dict[str, Any]) -> object:
        root, follow = raw(asked["path"]), bool(asked.get("follow"))
        problems: list[Any] = []
        todo: list[tuple[bytes, int]] = [(b"", 0)]
        while todo:
            rel, depth = todo.pop()
            batch, folders = [], []
            try:
                if depth > DEEPEST:
                    raise OSError(errno.ELOOP, "it leads back to itself, or is too deep")
                entries = await self._entries(posixpath.join(root, rel) if rel else root)
            except FAILURES as error:
                problems.append([words(rel), failure(error)])
                continue
            for name, attrs in entries:
                if is_part(name):
                    continue
                path = posixpath.join(rel, name) if rel else name
                whole = posixpath.join(root, path)
                try:
                    row = (await self._facts(whole, attrs))[:5]
                    if follow and row[0] == "l":
                        with contextlib.suppress(SFTPError):
                            row = (await self._facts(whole, follow=True))[:5]
                except FAILURES as error:
                    problems.append([words(path), failure(error)])
                    continue
                if row[0] == "d":
                    folders.append((path, depth + 1))
                batch.append([words(path), *row])
            self._tell(b"N", number, batch)
            todo.extend(reversed(folders))
        return problems

    async def _entries(self, folder: bytes) -> list[tuple[bytes, SFTPAttrs]]:
        found = [
            (entry.filename, entry.attrs)
            for entry in await self._sftp.readdir(folder)
            if entry.filename not in (b".", b"..") and isinstance(entry.filename, bytes)
        ]
        return sorted(found, key=lambda each: each[0])

    async def identity(self, number: int, asked: dict[str, Any]) -> object:
        """SFTP does not tell."""
        return [""] * len(asked["paths"])

    async def look(self, number: int, asked: dict[str, Any]) -> object:
        async def one(text: str) -> list[Any]:
            async with self._at_once:
                path = await self._home(text)
                row: Any = None
                try:
                    row = await self._facts(path)
                except SFTPError as error:
                    if error.code != asyncssh.FX_NO_SUCH_FILE:
                        row = failure(error)
                part, mark = 0, ""
                if asked.get("parts"):
                    with contextlib.suppress(SFTPError):
                        attrs = await self._sftp.lstat(part_of(path))
                        if letter(attrs.permissions or 0) == "f":
                            part, mark = attrs.size or 0, token(attrs)
                return [row, part, mark]

        return await asyncio.gather(*(one(text) for text in asked["paths"]))

    async def sums(self, number: int, asked: dict[str, Any]) -> object:
        """By sha256sum or shasum of the host."""
        folder, name = posixpath.split(raw(asked["path"]))
        path = posixpath.join(await self._sftp.realpath(folder or b"."), name)
        file = shlex.quote((part_of(path) if asked.get("part") else path).decode())
        block, length = asked["block"], asked["length"]
        script = (
            "s=$(command -v sha256sum || command -v shasum) || exit 3\n"
            '[ "${s##*/}" = shasum ] && s="$s -a 256"\n'
        )
        for start in range(0, length, block):
            size = min(block, length - start)
            script += f"tail -c +{start + 1} {file} | head -c {size} | $s || exit 3\n"
        done = await self._connection.run(script, timeout=SUM_SECONDS)
        if done.exit_status:
            raise OSError(0, "it cannot be summed up there")
        return [line.split()[0] for line in done.stdout.splitlines() if line]

    async def listing(self, number: int, asked: dict[str, Any]) -> object:
        folder = await self._home(asked["path"])
        batch: list[Any] = []
        for name, attrs in await self._entries(folder):
            try:
                batch.append([words(name), *await self._facts(posixpath.join(folder, name), attrs)])
            except SFTPError:
                batch.append([words(name), "o", 0, 0, 0, "", ""])
            if len(batch) >= BATCH:
                self._tell(b"N", number, batch)
                batch = []
        self._tell(b"N", number, batch)
        return words(await self._sftp.realpath(folder))

    async def space(self, number: int, asked: dict[str, Any]) -> list[int]:
        """Bytes free, and in all; 0, 0: unknown."""
        path = await self._home(asked["path"])
        while path not in (b"", b"/", b".") and not await self._sftp.isdir(path):
            path = posixpath.dirname(path)
        try:
            info = await self._sftp.statvfs(path or b".")
        except SFTPError:
            return [0, 0]
        return [info.bavail * info.frsize, info.blocks * info.frsize]

    async def rename(self, number: int, asked: dict[str, Any]) -> object:
        new = raw(asked["new"])
        if await self._sftp.lexists(new):
            raise OSError(errno.EEXIST, "there is something of that name already")
        await self._sftp.rename(raw(asked["old"]), new)
        return None

    async def remove(self, number: int, asked: dict[str, Any]) -> object:
        problems: list[Any] = []
        for text in asked["paths"]:
            path = raw(text)
            try:
                if letter((await self._sftp.lstat(path)).permissions or 0) == "d":
                    await self._sftp.rmtree(path)
                else:
                    await self._sftp.remove(path)
            except FAILURES as error:
                problems.append([text, failure(error)])
        return problems

    async def content(self, number: int, asked: dict[str, Any]) -> object:
        path = raw(asked["path"])
        async with await self._sftp.open(path, "rb") as file:
            at = 0
            if asked.get("end"):
                at = max(0, ((await file.stat()).size or 0) - asked["length"])
            data = cast("bytes", await file.read(asked["length"], at))
        for start in range(0, len(data), PIECE):
            piece = data[start : start + PIECE]
            self._ends.came(HEAD.pack(b"D", number, len(piece)) + piece)
        return await self._facts(path, follow=True)
