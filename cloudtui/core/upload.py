"""Sends a folder to a machine before a run: only what is not there yet, or is there otherwise."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shlex
import stat
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from cloudtui.core.connections import Connections
from cloudtui.core.tasks import aside
from cloudtui.files.archive import archive
from cloudtui.files.local_tree import walk
from cloudtui.model.copy import legible
from cloudtui.model.errors import READ_ONLY, CloudtuiError, Refused
from cloudtui.model.instance import Instance
from cloudtui.model.last_sent import Agreed, Verdict, of_link, to_learn, verdict
from cloudtui.model.upload import SPARE, Listed, LocalFile, There, differences
from cloudtui.model.words import data_size, duration, plural
from cloudtui.model.words import listed as listed_words

if TYPE_CHECKING:
    from cloudtui.ssh.connection import Connection

TELL_SECONDS = 0.1
NAMED, MOST_NAMED = 6, 20
"""Files that a sentence names, and those that are named below it."""


@dataclass(frozen=True, slots=True)
class Upload:
    """What is to be sent."""

    instance: Instance
    local: Path
    remote: str
    """The absolute path there."""
    files: tuple[LocalFile, ...]
    """Those to send, each folder before what is in it."""
    unchanged: int
    pax: bool = True
    size: int = 0
    """Bytes of the files to send."""
    newer: tuple[str, ...] = ()
    """Files that were changed there since they were written here; they stay."""
    there: Mapping[bytes, bytes] = field(default_factory=dict)
    """What the host said of files that are to be sent; they are not put over others."""
    learned: Mapping[bytes, Agreed] = field(default_factory=dict)
    """Files that were found to be the same on both sides."""

    @property
    def words(self) -> str:
        """`12 files, 3.4 MiB, to ~/project; 118 are there already`."""
        count = sum(not file.is_folder for file in self.files)
        there = f"; {self.unchanged} are there already" if self.unchanged else ""
        if not count:
            return f"Nothing to send to {self.remote}{there}"
        return f"{plural(count, 'file')}, {data_size(self.size)}, to {self.remote}{there}"


@dataclass(frozen=True, slots=True)
class Sent:
    """How far it is."""

    done: int
    total: int
    """Bytes, what a tar archive adds included in neither."""
    rate: float
    """Bytes a second."""

    @property
    def words(self) -> str:
        """`1.2 MiB of 3.4 MiB, 5.1 MiB/s, 12 s left`."""
        left = (self.total - self.done) / self.rate if self.rate else 0
        more = f", {data_size(int(self.rate))}/s, {duration(left)} left" if self.rate else ""
        return f"{data_size(self.done)} of {data_size(self.total)}{more}"


class Uploads:
    """`plan` asks and changes nothing, `send` does it."""

    def __init__(self, connections: Connections, *, read_only: bool) -> None:
        self._connections = connections
        self._read_only = read_only

    async def plan(
        self, instance: Instance, local: Path, remote: str, *, overwrite: bool = False
    ) -> Upload:
        """What of the folder `local` is to be sent to the folder `remote` of the machine. What
        was changed there in the meantime stays, but with `overwrite`.

        Raises:
            NotFound: there is no such folder here.
            Refused: read-only mode, a file that cannot be read, a folder there that cannot be
                written, a file that is a folder on the other side, or that was changed on both
                sides since it was sent last (but with `overwrite`).
            CloudtuiError: the disk there has no room, or nothing there can unpack.
        """
        if self._read_only:
            raise Refused(READ_ONLY, hint="Leave out --read-only to send files.")
        from cloudtui.files import last_sent
        from cloudtui.ssh import upload

        files = await aside(lambda: list(walk(local)))
        connection = await self._connections.get(instance)
        listed = await upload.listed(connection, remote, [file.path for file in files])
        self._refuse(instance, remote, listed)
        known = listed.there or {}
        found = await aside(lambda: differences(files, known))
        agreed = await aside(lambda: last_sent.load(instance.id, listed.folder))
        send, newer, same = list(found.send), list[LocalFile](), list(found.same)
        if overwrite:
            send += found.other
        asked = (*found.doubtful, *(() if overwrite else found.other))
        here, there = await self._digests(connection, local, remote, asked, known, agreed)
        conflicts: list[LocalFile] = []

        def sort() -> None:
            for file in asked:
                stands = known.get(file.path)
                if stands is None and file.path not in there:
                    send.append(file)
                    continue
                stands = stands or There(file.mode, file.size, 0, False, 0)
                digests = here.get(file.path), there.get(file.path)
                match verdict(file, digests[0], stands, digests[1], agreed.get(file.path)):
                    case Verdict.SAME:
                        same.append(file)
                    case Verdict.STAYS if not overwrite:
                        newer.append(file)
                    case Verdict.CONFLICT if not overwrite:
                        conflicts.append(file)
                    case _:
                        send.append(file)

        await aside(sort)
        if conflicts:
            raise _conflict(instance, listed.folder, conflicts, agreed)
        chosen = set(send)
        size = sum(file.size for file in send)
        if listed.free is not None and size + SPARE > listed.free:
            raise CloudtuiError(
                f"The disk of {instance.label} has no room for {data_size(size)}: "
                f"{data_size(listed.free)} are free at {listed.folder}.",
                hint="Make room there, or leave more out in a .cloudtuiignore.",
            )
        return await aside(
            lambda: Upload(
                instance,
                local,
                listed.folder,
                tuple(file for file in files if file in chosen),
                sum(not file.is_folder and file not in chosen for file in files) - len(newer),
                listed.tar == "pax",
                size,
                tuple(legible(file.path.decode(errors="replace")) for file in newer),
                {file.path: known[file.path].told for file in send if file.path in known},
                to_learn(same, here, agreed),
            )
        )

    async def _digests(
        self,
        connection: Connection,
        local: Path,
        remote: str,
        files: Sequence[LocalFile],
        known: Mapping[bytes, There],
        agreed: Mapping[bytes, Agreed],
    ) -> tuple[dict[bytes, str], dict[bytes, str]]:
        """What is in these files and links here and there, where that can be read and matters."""
        if not files:
            return {}, {}
        from cloudtui.ssh import upload

        here = {file.path: of_link(file.link) for file in files if file.is_link}
        plain, links = [], []
        for file in files:
            stands = known.get(file.path)
            mode = stands.mode if stands else file.mode
            if stat.S_ISREG(mode):
                plain.append(file.path)
            elif stat.S_ISLNK(mode):
                links.append(file.path)

        def matters(file: LocalFile) -> bool:
            """One of another size is another one."""
            others = known.get(file.path), agreed.get(file.path)
            return file.path not in known or any(each.size == file.size for each in others if each)

        some = [file for file in files if not file.is_link and matters(file)]
        read, there = await asyncio.gather(
            aside(lambda: _hashes(local, some)), upload.hashes(connection, remote, plain)
        )
        leads = await upload.links(connection, remote, links) if links else {}
        return here | read, there | {path: of_link(leads[path]) for path in leads if leads[path]}

    async def send(self, plan: Upload, on_progress: Callable[[Sent], None]) -> None:
        """Send it. Nothing there is changed before all of it has arrived, and nothing is deleted.

        Raises:
            Refused: a file here cannot be read, or the folder there not be written.
            CloudtuiError: the disk there is full.
            ConnectionCut: the connection was lost; nothing there was changed.
        """
        from cloudtui.files import last_sent
        from cloudtui.ssh import upload

        def remember(more: Mapping[bytes, Agreed]) -> None:
            if more:
                last_sent.add(plan.instance.id, plan.remote, more)

        if not plan.files:
            await aside(lambda: remember(plan.learned))
            return
        connection = await self._connections.get(plan.instance)
        began = told = time.monotonic()

        def on_sent(count: int) -> None:
            nonlocal told
            now = time.monotonic()
            if now - told >= TELL_SECONDS:
                told = now
                on_progress(Sent(min(count, plan.size), plan.size, count / (now - began)))

        read: dict[bytes, str] = {}
        blocks = archive(plan.local, plan.files, pax=plan.pax, there=plan.there, digests=read)
        await upload.send(connection, plan.remote, blocks, on_sent)
        read |= {file.path: of_link(file.link) for file in plan.files if file.is_link}
        sent = to_learn((file for file in plan.files if file.path in read), read, {})
        await aside(lambda: remember({**plan.learned, **sent}))

    def _refuse(self, instance: Instance, remote: str, listed: Listed) -> None:
        if listed.no_folder:
            raise Refused(
                f"{listed.no_folder} is no folder on {instance.label}, so {remote} cannot be one.",
                hint="Choose another: --sync LOCAL:REMOTE",
            )
        if listed.read_only:
            raise Refused(
                f"You may not write to {listed.read_only} on {instance.label}.",
                hint="Choose another: --sync LOCAL:REMOTE",
            )
        if listed.tar == "none":
            raise CloudtuiError(
                f"{instance.label} has neither tar nor python3 to unpack with.",
                hint="Install one there: sudo dnf install -y tar, or sudo apt install -y tar",
            )


def _conflict(
    instance: Instance,
    folder: str,
    files: Sequence[LocalFile],
    agreed: Mapping[bytes, Agreed],
) -> Refused:
    names = [file.path.decode(errors="replace") for file in files]
    told = [legible(name) for name in names]
    one = len(names) == 1
    if any(file.path in agreed for file in files):
        how = "is" if one else "are"
        why = f"{how} not what was sent from here last, and changed here too"
    else:
        why = f"{'is' if one else 'are'} there already, otherwise than here"
    first = PurePosixPath(folder) / names[0]
    fetch = shlex.join(["cloudtui", "cp", f"{instance.spoken}:{first}", f"{names[0]}.there"])
    return Refused(
        f"{listed_words(told)} in {folder} on {instance.label} {why}. Nothing was sent.",
        "\n".join(told[:MOST_NAMED]) if len(told) > NAMED else "",
        f"Look at what is there: {fetch}. "
        f"To put {'yours' if one else 'all of yours'} over it, overwrite (--overwrite).",
    )


def _hashes(root: Path, files: Sequence[LocalFile]) -> dict[bytes, str]:
    found = {}
    for each in files:
        try:
            with (root / os.fsdecode(each.path)).open("rb") as file:
                found[each.path] = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            continue  # it is sent, and what is wrong with it is told then
    return found
