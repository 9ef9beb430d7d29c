"""The folders of one machine, or of this computer, as a file screen walks through them."""

from __future__ import annotations

import asyncio
import posixpath
import shlex
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cloudtui.core.file_system import FileSystem, explained
from cloudtui.model.copy import Facts, Problem, facts_of, legible
from cloudtui.model.errors import READ_ONLY, CloudtuiError, ConnectionCut, Refused
from cloudtui.model.frames import HEAD, frame
from cloudtui.model.instance import Instance

VIEWED = 1 << 20
"""Bytes of a file that are shown."""
EDITED = 8 << 20
"""Bytes of a file that can be edited, at most."""
PIECE = 256 << 10


@dataclass(frozen=True, slots=True)
class FileRow:
    """One entry of a folder."""

    key: str
    """Its name."""
    facts: Facts


@dataclass(frozen=True, slots=True)
class Folder:
    """What is in a folder."""

    path: str
    rows: tuple[FileRow, ...]
    """Folders first, each kind by name."""
    free: int
    """Bytes free on its disk; 0 where that is not known."""


def _in_order(rows: list[list[Any]]) -> tuple[FileRow, ...]:
    found = [FileRow(name, Facts(*facts)) for name, *facts in rows]
    found.sort(key=lambda row: (not row.facts.folder, row.key.casefold(), row.key))
    return tuple(found)


def _partly(error: OSError, path: str, where: str) -> CloudtuiError:
    name, saved = legible(posixpath.basename(path)), shlex.quote(str(error.filename))
    return CloudtuiError(
        f"{name} on {where} was overwritten only in part: {error.strerror}.",
        f"All of the new one is on {where} in {legible(str(error.filename))}.",
        f"Once there is room, there: cat {saved} > {shlex.quote(path)} && rm {saved}",
    )


Open = Callable[[Instance | None], Awaitable[FileSystem]]


class Browsing:
    """One machine's side; opened when it is asked first, and again after a cut."""

    def __init__(self, instance: Instance | None, open: Open, *, read_only: bool = False) -> None:
        self.instance = instance
        self._open = open
        self._read_only = read_only and instance is not None
        self._files: FileSystem | None = None
        self._lock = asyncio.Lock()

    @property
    def name(self) -> str:
        return self.instance.spoken if self.instance else "this computer"

    def why_not_change(self) -> str:
        """Why nothing may be changed there; empty when it may."""
        return READ_ONLY if self._read_only else ""

    async def close(self) -> None:
        if self._files:
            await self._files.close()
            self._files = None

    async def _there(self) -> FileSystem:
        async with self._lock:
            if self._files and self._files.failed:
                await self.close()
            if self._files is None:
                self._files = await self._open(self.instance)
            return self._files

    async def _asked(self, what: str, name: str, **words: object) -> object:
        """An answer; a connection that was cut is opened once more for it."""
        for last in (False, True):
            files = await self._there()
            try:
                return await files.ask(name, **words)
            except ConnectionCut:
                if last:
                    raise
            except OSError as error:
                raise explained(error, legible(what), self.name) from error
        raise AssertionError

    async def folder(self, path: str) -> Folder:
        """What is in it.

        Raises:
            CloudtuiError: it cannot be read, or the machine cannot be reached.
        """
        for last in (False, True):
            files = await self._there()
            try:
                (whole, rows, _), space = await asyncio.gather(
                    files.ask_all("list", path=path), files.ask("space", path=path)
                )
            except ConnectionCut:
                if last:
                    raise
                continue
            except OSError as error:
                raise explained(error, legible(path), self.name) from error
            found = await asyncio.to_thread(_in_order, rows)
            return Folder(whole, found, space[0] if space[1] else 0)
        raise AssertionError

    def _refuse(self) -> None:
        if reason := self.why_not_change():
            raise Refused(reason)

    async def mkdir(self, path: str) -> None:
        """Make a folder.

        Raises:
            CloudtuiError: it cannot be made.
        """
        self._refuse()
        await self._asked(path, "mkdir", path=path)

    async def rename(self, old: str, new: str) -> None:
        """Give it another name, which nothing else may have.

        Raises:
            CloudtuiError: it cannot be renamed.
        """
        self._refuse()
        await self._asked(old, "rename", old=old, new=new)

    async def remove(self, paths: Sequence[str]) -> tuple[Problem, ...]:
        """Take away files, links and folders with all that is in them; what is left, and why.

        Raises:
            CloudtuiError: the machine cannot be reached, or nothing may be changed.
        """
        self._refuse()
        found = await self._asked("", "remove", paths=list(paths))
        assert isinstance(found, list)
        return tuple(Problem(path, why[1]) for path, why in found)

    async def content(
        self, path: str, most: int = VIEWED, *, end: bool = False
    ) -> tuple[bytes, Facts]:
        """The beginning of a file, or its `end`, and what it is.

        Raises:
            CloudtuiError: it cannot be read.
        """
        files = await self._there()
        try:
            facts, _, data = await files.ask_all("content", path=path, length=most, end=end)
        except OSError as error:
            raise explained(error, legible(path), self.name) from error
        return data, facts_of(facts)

    async def write(self, path: str, data: bytes, before: Facts) -> None:
        """Replace a file that is as it was `before`, at once and whole; its mode, owner and access
        list stay, and so do other names that it has.

        Raises:
            Refused: it is another one meanwhile.
            CloudtuiError: it cannot be written.
        """
        self._refuse()
        files = await self._there()
        ((row, _, _),) = await files.ask("look", paths=[path])
        now = facts_of(row) if row and not isinstance(row[0], int) else None
        if now is None or (now.size, now.mtime) != (before.size, before.mtime):
            raise Refused(
                f"{legible(posixpath.basename(path))} on {self.name} was changed by somebody else "
                "meanwhile, so it was not written.",
            )
        told: asyncio.Future[OSError | None] = asyncio.get_running_loop().create_future()

        def heard(kind: bytes, number: int, value: list[object]) -> None:
            if not told.done():
                failed = kind == b"F"
                told.set_result(OSError(*value) if failed else None)

        files.on_frame = heard
        received = asyncio.create_task(files.ask("receive"))
        await asyncio.sleep(0)
        asked = {
            "path": path, "size": len(data), "mode": before.mode, "mtime": None, "offset": 0,
            "keep": True,
        }  # fmt: skip
        files.pipe.write(frame(b"B", 0, asked))
        for start in range(0, len(data), PIECE):
            piece = data[start : start + PIECE]
            files.pipe.write(HEAD.pack(b"D", 0, len(piece)) + piece)
            await files.drain()
        files.pipe.write(frame(b"E", 0, [""]) + frame(b"Z", 0))
        await received
        if told.done() and (error := told.result()):
            if error.filename:
                raise _partly(error, path, self.name) from error
            raise explained(error, legible(path), self.name) from error
