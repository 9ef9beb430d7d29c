"""The processes of pretend hosts: told apart by a mark in their environment, ended by it.

A mark is one `NAME=VALUE` entry of the environment. Everything a host's shell starts inherits it,
also what detaches itself from terminal, session and parent. Linux is asked through /proc,
other systems through `ps -E`.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

PROC = Path("/proc")
HAS_PROC = (PROC / "self" / "environ").exists()
_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends (Linux), so that none gets lost."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _all() -> list[tuple[int, Path]]:
    if not HAS_PROC:
        return []
    return [(int(folder.name), folder) for folder in PROC.iterdir() if folder.name.isdigit()]


def marked(mark: str) -> set[int]:
    """Ids of this user's processes that carry the mark, zombies left out."""
    if not HAS_PROC:
        return _marked_by_ps(mark)
    entry = b"\0" + os.fsencode(mark) + b"\0"
    found = set()
    for pid, folder in _all():
        try:
            environment = (folder / "environ").read_bytes()
        except OSError:
            continue
        if entry in b"\0" + environment + b"\0":
            found.add(pid)
    return found


def _marked_by_ps(mark: str) -> set[int]:
    answer = subprocess.run(
        ["ps", "-A", "-E", "-ww", "-o", "pid=,command="],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    found = set()
    for line in answer.stdout.splitlines():
        pid, _, command = line.strip().partition(" ")
        if f" {mark} " in f"{command} " and pid.isdigit():
            found.add(int(pid))
    return found


def _parents() -> dict[int, int]:
    """Parent by process id; zombies left out."""
    parents = {}
    for pid, folder in _all():
        try:
            stat = (folder / "stat").read_text("ascii", "replace")
        except OSError:
            continue
        state, parent = stat.rpartition(")")[2].split()[:2]
        if state not in "ZX":
            parents[pid] = int(parent)
    return parents


def descendants(roots: Iterable[int]) -> set[int]:
    """Ids of all that descend from `roots`, which are left out."""
    children: dict[int, list[int]] = {}
    for pid, parent in _parents().items():
        children.setdefault(parent, []).append(pid)
    found: set[int] = set()
    waiting = list(roots)
    while waiting:
        for pid in children.get(waiting.pop(), ()):
            if pid not in found:
                found.add(pid)
                waiting.append(pid)
    return found


def end_marked(mark: str, *, grace: float = 0.4, limit: float = 8.0) -> None:
    """SIGTERM to everything marked and what descends from it, SIGKILL to what is left.

    Blocks for `grace` seconds at most where all end in time, `limit` in the worst case.
    """
    started = time.monotonic()
    doomed: set[int] = set()
    told: set[int] = set()
    while (now := time.monotonic()) < started + limit:
        found = marked(mark)
        doomed |= found | descendants(found)
        doomed &= _alive(doomed)
        if not doomed:
            return
        killing = now > started + grace
        for pid in doomed if killing else doomed - told:
            _signal(pid, signal.SIGKILL if killing else signal.SIGTERM)
            _signal(pid, signal.SIGCONT)
        told |= doomed
        time.sleep(0.02)


def end_descendants(limit: float = 5.0) -> None:
    """SIGKILL to whatever still descends from this process; blocks until none is left."""
    deadline = time.monotonic() + limit
    while (left := descendants([os.getpid()])) and time.monotonic() < deadline:
        for pid in left:
            _signal(pid, signal.SIGKILL)
        time.sleep(0.02)


def _alive(pids: Iterable[int]) -> set[int]:
    if HAS_PROC:
        return set(pids) & _parents().keys()
    return {pid for pid in pids if _signal(pid, 0)}


def _signal(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True
