"""Sends a folder to a machine before a run: only what is not there yet, or is there otherwise."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cloudtui.core.connections import Connections
from cloudtui.core.tasks import aside
from cloudtui.files.archive import archive
from cloudtui.files.local_tree import walk
from cloudtui.model.errors import READ_ONLY, CloudtuiError, Refused
from cloudtui.model.instance import Instance
from cloudtui.model.upload import SPARE, Listed, LocalFile, differences, newer_there
from cloudtui.model.words import data_size, duration, plural

TELL_SECONDS = 0.1


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
                written, a file that is a folder on the other side.
            CloudtuiError: the disk there has no room, or nothing there can unpack.
        """
        if self._read_only:
            raise Refused(READ_ONLY, hint="Leave out --read-only to send files.")
        from cloudtui.ssh import upload

        files = await aside(lambda: list(walk(local)))
        connection = await self._connections.get(instance)
        listed = await upload.listed(connection, remote, [file.path for file in files])
        self._refuse(instance, remote, listed)
        known = listed.there or {}
        found = differences(files, known, overwrite=overwrite)
        send, newer = list(found.send), list(found.newer)
        if some := [file for file in found.doubtful if not file.is_link]:
            here, there = await asyncio.gather(
                aside(lambda: _hashes(local, some)),
                upload.hashes(connection, remote, [file.path for file in some]),
            )
            for file in some:
                if here.get(file.path) != there.get(file.path):
                    stays = newer_there(file, known[file.path]) and not overwrite
                    (newer if stays else send).append(file)
        if some := [file for file in found.doubtful if file.is_link]:
            leads = await upload.links(connection, remote, [file.path for file in some])
            send += [f for f in some if f.link != leads.get(f.path)]
        chosen = set(send)
        size = sum(file.size for file in send)
        if listed.free is not None and size + SPARE > listed.free:
            raise CloudtuiError(
                f"The disk of {instance.label} has no room for {data_size(size)}: "
                f"{data_size(listed.free)} are free at {listed.folder}.",
                hint="Make room there, or leave more out in a .cloudtuiignore.",
            )
        return Upload(
            instance,
            local,
            listed.folder,
            tuple(file for file in files if file in chosen),
            sum(not file.is_folder and file not in chosen for file in files) - len(newer),
            listed.tar == "pax",
            size,
            tuple(file.path.decode(errors="replace") for file in newer),
        )

    async def send(self, plan: Upload, on_progress: Callable[[Sent], None]) -> None:
        """Send it. Nothing there is changed before all of it has arrived, and nothing is deleted.

        Raises:
            Refused: a file here cannot be read, or the folder there not be written.
            CloudtuiError: the disk there is full.
            ConnectionCut: the connection was lost; nothing there was changed.
        """
        from cloudtui.ssh import upload

        if not plan.files:
            return
        connection = await self._connections.get(plan.instance)
        began = told = time.monotonic()

        def on_sent(count: int) -> None:
            nonlocal told
            now = time.monotonic()
            if now - told >= TELL_SECONDS:
                told = now
                on_progress(Sent(min(count, plan.size), plan.size, count / (now - began)))

        blocks = archive(plan.local, plan.files, pax=plan.pax)
        await upload.send(connection, plan.remote, blocks, on_sent)

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


def _hashes(root: Path, files: Sequence[LocalFile]) -> dict[bytes, str]:
    found = {}
    for each in files:
        try:
            with (root / os.fsdecode(each.path)).open("rb") as file:
                found[each.path] = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            continue  # it is sent, and what is wrong with it is told then
    return found
