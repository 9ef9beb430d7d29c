"""What was recorded, for cloudtui to read."""

import json
import os
import select
import sys
import time
from typing import Any, Dict, List

from . import keeping, recording, running
from .recording import state_path, version

_CHUNK = 1 << 20


def told(home: str) -> Dict[str, Any]:
    """The recorder's state and what there is of each kernel."""
    state = keeping.read_json(state_path(home))
    alive = recording.running(home)
    live = {k.get("id"): k.get("state") for k in state.get("kernels") or ()} if alive else {}
    recordings = keeping.recordings(home)
    there = [about["id"] for about in recordings]
    for kernel in (state.get("kernels") or ()) if alive else ():
        if kernel.get("id") not in there:
            recordings.append({"id": kernel.get("id"), "path": kernel.get("path"), "bytes": 0})
    for about in recordings:
        about["state"] = live.get(about["id"], "ended" if alive else "")
        about["run"] = running.told(os.path.join(home, about["id"]))
    return {
        "running": alive,
        "state": state,
        "kernels": recordings,
        "now": time.time(),
        "program": version(),
    }


def print_log(home: str, kernel: str, offset: int, tail: int, follow: bool) -> int:
    """Print each record after `offset`: the offset behind it, a space, and its JSON.

    `tail` bytes at most are printed of what is there already; 0 prints all. With `follow` it
    goes on until its standard input ends, and tells by a record `now` that it has printed all there
    was. How far a run of all cells is comes as a record `run`, at once and when that changes.
    """
    folder = os.path.join(home, os.path.basename(kernel))
    there = keeping.segments(folder)
    if not there:
        return 3
    end = there[-1][0] + keeping.size(there[-1][1])
    cut = bool(tail) and end - max(offset, there[0][0]) > tail
    if cut:
        offset = end - tail
    out = sys.stdout.buffer
    if offset < there[0][0] or offset > end:
        lost = there[0][0] - offset
        offset = there[0][0] if lost > 0 else end
        if lost > 0 and not cut:
            _print(out, offset, {"kind": "dropped", "bytes": lost})
    caught_up = False
    seen: List[float] = []
    while True:
        moved = _print_from(out, folder, offset, cut)
        cut = cut and moved == offset
        if moved != offset:
            offset = moved
            continue
        out.flush()
        if not follow:
            return 0
        told = running.told(folder) if _changed(folder, seen) else {}
        if told:
            _print(out, offset, dict(told, kind="run"))
            out.flush()
        if not caught_up:
            caught_up = True
            _print(out, offset, {"kind": "now"})
            out.flush()
        if select.select([0], [], [], 0.1)[0] and not os.read(0, 4096):
            return 0


def _changed(folder: str, seen: List[float]) -> bool:
    """Whether the word on the kernel's run is another than at the last look."""
    try:
        when = os.stat(running.run_path(folder)).st_mtime
    except OSError:
        return False
    if [when] == seen:
        return False
    seen[:] = [when]
    return True


def _print_from(out: Any, folder: str, offset: int, cut: bool) -> int:
    """Print whole records from there on; the offset behind the last."""
    there = [entry for entry in keeping.segments(folder) if entry[0] <= offset]
    if not there:
        return offset
    begin, path = there[-1]
    try:
        with open(path, "rb") as file:
            file.seek(offset - begin)
            data = file.read(_CHUNK)
            while data and b"\n" not in data:
                more = file.read(_CHUNK)
                if not more:
                    break
                data += more
    except OSError:
        return offset
    if not data:
        following = keeping.segment(folder, begin + keeping.size(path))
        later = [start for start, _ in keeping.segments(folder) if start > begin]
        if os.path.exists(following) or not later:
            return offset
        return later[0]
    whole = data.rfind(b"\n") + 1
    lines = data[:whole].split(b"\n")[:-1]
    if cut and lines:
        offset += len(lines.pop(0)) + 1
    parts = []
    for line in lines:
        offset += len(line) + 1
        parts.append(b"%d %s\n" % (offset, line))
    out.write(b"".join(parts))
    return offset


def _print(out: Any, offset: int, record: Dict[str, Any]) -> None:
    out.write(b"%d %s\n" % (offset, json.dumps(record).encode()))
