"""What stands where: what a copy asks both sides before it begins."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Sequence
from typing import Any

from cloudtui.core.file_system import FileSystem, explained
from cloudtui.core.transfer import lower
from cloudtui.model.copy import BLOCK, Entry, Facts, Problem, braces, facts_of, joined, legible


async def stands(target: FileSystem, path: str) -> Facts | None:
    ((row, _, _),) = await target.ask("look", paths=[path or "."])
    if row is not None and isinstance(row[0], int):
        if row[0] in (errno.ENOENT, errno.ENOTDIR):
            return None
        raise explained(OSError(*row), legible(path), target.label)
    return facts_of(row) if row else None


async def expanded(
    source: FileSystem, paths: Sequence[str], *, foreign: bool
) -> list[tuple[str, list[Any]]]:
    """What each path names; where a machine has nothing of that very name, its braces stand for
    several, as a shell there would have it."""
    found: list[tuple[str, list[Any]]] = []
    for typed, rows in zip(paths, await source.ask("expand", patterns=list(paths)), strict=True):
        nothing = not rows or (len(rows) == 1 and isinstance(rows[0][1][0], int))
        several = braces(typed) if nothing and foreign else []
        if len(several) > 1:
            found += zip(several, await source.ask("expand", patterns=several), strict=True)
        else:
            found.append((typed, rows))
    return found


async def tree(source: FileSystem, path: str, follow: bool) -> tuple[list[Entry], list[Problem]]:
    unread, rows, _ = await source.ask_all("tree", path=path, follow=follow)
    entries = await asyncio.to_thread(_entries, rows)
    problems = [
        Problem(joined(path, rel), f"{lower(why[1])} ({source.label})") for rel, why in unread
    ]
    return entries, problems


def _entries(rows: Sequence[list[Any]]) -> list[Entry]:
    return [Entry(rel, Facts(*row)) for rel, *row in rows]


async def sums(where: FileSystem, path: str, length: int, *, part: bool) -> list[str] | None:
    """Of each block; None where they cannot be had."""
    try:
        found: list[str] = await where.ask("sums", path=path, length=length, block=BLOCK, part=part)
    except OSError:
        return None
    return found
