"""The files of a host without Python: what `cloudtui.host.files` would say, asked over SFTP."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import stat
from typing import Any, cast

import asyncssh
from asyncssh.sftp import SFTPClient, SFTPClientFile

from cloudtui.host.files.frames import Partly, part_of, raw, saved_as, words
from cloudtui.model.errors import CloudtuiError, NotFound
from cloudtui.model.frames import HEAD, FrameReader, PipeEnds, frame
from cloudtui.ssh.connection import Connection
from cloudtui.ssh.sftp_questions import FAILURES, Question, SftpQuestions, failure, token

AT_ONCE = 64
"""Files that are open at the same time."""
PIECE = 1 << 20
UNTOLD = 4 << 20
"""Bytes that are read of a file that says it has none."""
LATEST = (1 << 32) - 1
"""The last second that SFTP can tell."""
AHEAD = 8 << 20
"""Bytes that wait for the host before the pipe counts as full."""


class SftpPipe:
    """A `model.frames.Pipe` that answers by SFTP."""

    def __init__(self, connection: Connection, sftp: SFTPClient, ends: PipeEnds) -> None:
        self._connection, self._sftp, self._ends = connection, sftp, ends
        self._heard: asyncio.Queue[tuple[bytes, int, Any]] = asyncio.Queue()
        self._waits = 0
        self._full = False
        self._go = asyncio.Event()
        self._go.set()
        self._reader = FrameReader(
            lambda kind, number, value: self._put(kind, number, value, 0),
            lambda number, data: self._put(b"D", number, bytes(data), len(data)),
        )
        self._taken: dict[int, asyncio.Queue[tuple[bytes, Any]]] = {}
        self._writing: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._questions = SftpQuestions(connection, sftp, ends)
        self._forget = connection.on_lost(self._lost)
        self._task = asyncio.create_task(self._serve())

    # The pipe

    @property
    def full(self) -> bool:
        return self._full

    def write(self, data: bytes) -> None:
        self._reader.feed(data)

    def pause(self) -> None:
        self._go.clear()

    def resume(self) -> None:
        self._go.set()

    async def close(self) -> None:
        self._forget()
        for task in (self._task, *self._writing):
            task.cancel()
        await asyncio.gather(self._task, *self._writing, return_exceptions=True)
        self._sftp.exit()

    def _lost(self, error: Exception) -> None:
        self._task.cancel()
        self._ends.ended(error)

    def _put(self, kind: bytes, number: int, value: Any, size: int) -> None:
        self._waits += size
        self._full = self._full or self._waits > AHEAD
        self._heard.put_nowait((kind, number, value))

    def _eased(self, size: int) -> None:
        self._waits -= size
        if self._full and self._waits < AHEAD // 4:
            self._full = False
            self._ends.room()

    def _tell(self, kind: bytes, number: int, value: object) -> None:
        self._ends.came(frame(kind, number, value))

    # Answers

    async def _serve(self) -> None:
        questions: dict[str, Question] = {
            **self._questions.known,
            "send": self._send,
            "receive": self._receive,
        }
        while True:
            kind, number, value = await self._heard.get()
            if kind != b"Q":
                continue
            name, asked = value
            try:
                self._tell(b"R", number, await questions[name](number, asked))
            except FAILURES as error:
                self._tell(b"X", number, failure(error))

    # Copies

    async def _send(self, number: int, asked: dict[str, Any]) -> object:
        async def one(index: int, text: str, offset: int, check: bool) -> None:
            async with self._slots:
                try:
                    await self._send_one(index, raw(text), offset, check)
                except FAILURES as error:
                    self._tell(b"F", index, failure(error))

        await asyncio.gather(*(one(*file) for file in asked["files"]))
        return None

    async def _send_one(self, index: int, path: bytes, offset: int, check: bool) -> None:
        async with await self._sftp.open(path, "rb") as file:
            before = await file.stat()
            size, mode = before.size or 0, stat.S_IMODE(before.permissions or 0) & 0o777
            sha = hashlib.sha256() if check else None
            if sha:
                await _summed(file, sha, offset)
            data = b""
            if not size:  # those of /proc say so
                data = cast("bytes", await file.read(UNTOLD, 0))
            self._tell(b"B", index, [len(data) or size, mode, (before.mtime or 0) * 1_000_000_000])
            if data:
                self._ends.came(HEAD.pack(b"D", index, len(data)) + data)
                if sha:
                    sha.update(data)
            while offset < size:
                await self._go.wait()
                data = cast("bytes", await file.read(min(PIECE, size - offset), offset))
                if not data:
                    raise OSError(0, "it became shorter while it was read")
                offset += len(data)
                if sha:
                    sha.update(data)
                self._ends.came(HEAD.pack(b"D", index, len(data)) + data)
            after = await file.stat()
            changed = (after.size, after.mtime) != (before.size, before.mtime)
            self._tell(b"E", index, [sha.hexdigest() if sha else "", changed])

    async def _receive(self, number: int, asked: dict[str, Any]) -> object:
        try:
            while True:
                kind, index, value = await self._heard.get()
                if kind == b"D":
                    if index in self._taken:
                        self._taken[index].put_nowait((kind, value))
                    else:
                        self._eased(len(value))
                elif kind == b"B":
                    await self._slots.acquire()
                    self._taken[index] = asyncio.Queue()
                    task = asyncio.create_task(self._written(index, value, self._taken[index]))
                    self._writing.add(task)
                    task.add_done_callback(self._writing.discard)
                elif kind in (b"H", b"E", b"A"):
                    if index in self._taken:
                        self._taken[index].put_nowait((kind, value))
                elif kind in (b"M", b"L", b"T", b"Z"):
                    if kind != b"M" and self._writing:
                        await asyncio.wait(set(self._writing))
                    if kind == b"Z":
                        return None
                    try:
                        await self._plain(kind, value)
                        self._tell(b"O", index, None)
                    except FAILURES as error:
                        self._tell(b"F", index, failure(error))
        finally:
            for task in list(self._writing):
                task.cancel()

    async def _plain(self, kind: bytes, asked: dict[str, Any]) -> None:
        path, sftp = raw(asked["path"]), self._sftp
        if kind == b"M":
            if not await sftp.isdir(path):
                await sftp.mkdir(path, asyncssh.SFTPAttrs(permissions=asked["mode"] | 0o700))
        elif kind == b"T":
            there = (await sftp.stat(path)).permissions or 0
            if stat.S_ISDIR(there):  # a team shares it by its set-group-ID
                asked = asked | {"mode": asked["mode"] | there & 0o7000}
            await self._attributes(path, asked)
        else:
            if await sftp.lexists(path):
                await sftp.remove(path)
            await sftp.symlink(raw(asked["target"]), path)

    async def _attributes(self, path: bytes, asked: dict[str, Any]) -> None:
        await self._sftp.chmod(path, asked["mode"])
        if asked["mtime"] is not None:
            seconds = min(max(0, asked["mtime"] // 1_000_000_000), LATEST)
            await self._sftp.utime(path, (seconds, seconds))

    async def _written(
        self, index: int, asked: dict[str, Any], said: asyncio.Queue[tuple[bytes, Any]]
    ) -> None:
        """One file, from its beginning to its end."""
        try:
            if await self._write_one(asked, said):
                self._tell(b"O", index, None)
        except FAILURES as error:
            told = failure(error)
            if not any(told[::2]) and await self._no_room(asked["path"]):
                told = [errno.ENOSPC, "No space left on device"]
            self._tell(b"F", index, told)
        finally:
            self._slots.release()
            del self._taken[index]
            while not said.empty():
                kind, value = said.get_nowait()
                if kind == b"D":
                    self._eased(len(value))

    async def _no_room(self, path: str) -> bool:
        free, whole = await self._questions.space(0, {"path": path})
        return bool(whole) and free < PIECE

    async def _write_one(
        self, asked: dict[str, Any], said: asyncio.Queue[tuple[bytes, Any]]
    ) -> bool:
        path, sftp = raw(asked["path"]), self._sftp
        if await sftp.isdir(path):
            raise OSError(errno.EISDIR, "a folder of that name is there")
        if await sftp.islink(path) and await sftp.exists(path):
            path = await sftp.realpath(path)
        part, at = part_of(path), asked["offset"]
        if at and token(await sftp.lstat(part)) != asked.get("token"):
            raise OSError(errno.ESTALE, "another copy went on with it")
        own = asyncssh.SFTPAttrs(permissions=0o600)
        async with await sftp.open(part, "r+b" if at else "wb", own) as file:
            if at:
                await file.truncate(at)
            at, sum = await self._pieces(file, at, said)
            if at is None:
                return False
            if at != asked["size"]:
                raise OSError(0, f"only {at} of {asked['size']} bytes came")
        if sum:
            await self._checked(part, sum, at)
        if asked.get("keep") and await self._within(part, path):
            return True
        await self._attributes(part, asked)
        try:
            await sftp.posix_rename(part, path)
        except asyncssh.SFTPOpUnsupported:
            if await sftp.lexists(path):
                await sftp.remove(path)
            await sftp.rename(part, path)
        return True

    async def _checked(self, part: bytes, sum: str, size: int) -> None:
        """Read what was written, and compare."""
        sha = hashlib.sha256()
        async with await self._sftp.open(part, "rb") as file:
            await _summed(file, sha, size)
        if sha.hexdigest() != sum:
            await self._sftp.remove(part)
            raise OSError(0, "what was written is not what was read: SHA-256 differs")

    async def _within(self, part: bytes, path: bytes) -> bool:
        """Put it into the file that is there if a new one cannot have that one's owner: first what
        is longer than that, so that a full disk leaves it as it was."""
        sftp = self._sftp
        own, there = await sftp.stat(part), await sftp.stat(path)
        if (own.uid, own.gid) == (there.uid, there.gid) or there.uid is None or there.gid is None:
            return False
        with contextlib.suppress(asyncssh.SFTPError):
            await sftp.chown(part, there.uid, there.gid)
            return False
        saved = await self._kept_as(part, path)
        try:
            async with await sftp.open(saved, "rb") as new, await sftp.open(path, "r+b") as file:
                data = cast("bytes", await new.read())
                old = (await file.stat()).size or 0
                try:
                    await file.write(data[old:], old)
                except asyncssh.SFTPError:
                    await file.truncate(old)
                    raise
                try:
                    await file.write(data[:old], 0)
                    await file.truncate(len(data))
                except asyncssh.SFTPError as error:
                    told = failure(error)
                    if await self._no_room(words(path)):
                        told = [errno.ENOSPC, "No space left on device"]
                    raise Partly(*told, words(saved)) from error
        except asyncssh.SFTPError:
            await sftp.remove(saved)
            raise
        await sftp.remove(saved)
        return True

    async def _kept_as(self, part: bytes, path: bytes) -> bytes:
        """The name that `part` has got, beside `path` and never another file's."""
        for number in range(1, 100):
            saved = saved_as(path, number)
            if not await self._sftp.lexists(saved):
                await self._sftp.rename(part, saved)
                return saved
        return part

    async def _pieces(
        self, file: SFTPClientFile, at: int, said: asyncio.Queue[tuple[bytes, Any]]
    ) -> tuple[int | None, str]:
        """Write what comes, many pieces at once; the end, or None when it is given up, and the
        SHA-256 that it should have."""
        under_way: set[asyncio.Task[Any]] = set()
        holes = False
        try:
            while True:
                kind, data = await said.get()
                if kind == b"H":
                    at += data
                    holes = True
                    continue
                if kind != b"D":
                    if under_way:
                        await asyncio.gather(*under_way)
                    if holes:
                        await file.truncate(at)
                    return (at, data[0]) if kind == b"E" else (None, "")
                task = asyncio.create_task(self._piece(file, data, at))
                under_way.add(task)
                at += len(data)
                if len(under_way) >= AT_ONCE:
                    done, under_way = await asyncio.wait(
                        under_way, return_when=asyncio.FIRST_COMPLETED
                    )
                    for each in done:
                        each.result()
        finally:
            for each in under_way:
                each.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _piece(self, file: SFTPClientFile, data: bytes, at: int) -> None:
        try:
            await file.write(data, at)
        finally:
            self._eased(len(data))


async def _summed(file: SFTPClientFile, sha: hashlib._Hash, upto: int) -> None:
    at = 0
    while at < upto:
        data = cast("bytes", await file.read(min(PIECE, upto - at), at))
        if not data:
            return
        at += len(data)
        sha.update(data)


async def start(connection: Connection, ends: PipeEnds, why: Exception) -> SftpPipe:
    """Files by SFTP; `why` the program that is better at it does not run.

    Raises:
        NotFound: the host has no SFTP either.
        ConnectionCut: the connection is gone.
    """
    host = connection.route.spoken
    try:
        sftp = await connection.with_room(lambda ssh: ssh.start_sftp_client(path_encoding=None))
    except (asyncssh.Error, OSError) as error:
        if connection.closed:
            raise connection.cut() from error
        said = why.title if isinstance(why, CloudtuiError) else "Its Python gave no answer in time."
        more = why.detail if isinstance(why, CloudtuiError) else ""
        raise NotFound(
            f"{host} has neither a Python 3.6 that can be run nor SFTP, one of which copies need.",
            f"{said} {more}".strip(),
            "Install one there: sudo apt install python3. Or a stream, by hand: "
            f"tar c FOLDER | cloudtui ssh {connection.route.alias} -- tar x",
        ) from error
    return SftpPipe(connection, sftp, ends)
