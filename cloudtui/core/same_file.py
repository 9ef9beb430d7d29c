"""Whether a path here and one there are one file, on a disk that both sides share."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from cloudtui.core.file_system import FileSystem
from cloudtui.model.copy import Step

ASKED_AT_ONCE = 2000


async def one_and_the_same(
    source: FileSystem, target: FileSystem, steps: Iterable[Step]
) -> tuple[str, ...]:
    """The sources of steps that would be gone on both sides when they are removed.

    Told by inode and time of change, as EFS and NFS show them to every machine. SFTP tells
    neither: what is unchanged there already counts as one file.
    """
    asked = [step for step in steps if step.facts.kind != "d"]
    found: list[str] = []
    for at in range(0, len(asked), ASKED_AT_ONCE):
        some = asked[at : at + ASKED_AT_ONCE]
        ours, theirs = await asyncio.gather(
            source.ask("identity", paths=[step.source for step in some]),
            target.ask("identity", paths=[step.target for step in some]),
        )
        for step, one, other in zip(some, ours, theirs, strict=True):
            if one == other or not (one and other):
                found.append(step.source)
    return tuple(found)
