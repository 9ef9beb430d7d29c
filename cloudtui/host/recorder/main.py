"""The recorder's words: record, ready, stop, list, log, run."""

import json
import os
import sys
from typing import List

from . import keeping, reading, recording


def _run(home: str, name: str, port: int) -> int:
    from . import running

    try:
        answer = running.main(home, name, port)
    except running.Refused as error:
        answer = {"error": str(error), "status": error.status, "candidates": error.candidates}
    json.dump(answer, sys.stdout)
    return 0


def main(words: List[str]) -> int:
    """The exit status: 0 done, 1 failed, 2 no such words, 3 nothing of that name."""
    os.umask(0o077)
    home = keeping.home()
    verb = words[0] if words else ""
    if verb == "record":
        recording.Recorder(home).record()
        return 0
    if verb == "ready":
        sys.stdout.write("runs" if recording.make_way(home) else "free")
        return 0
    if verb == "stop":
        recording.stop(home)
        return 1 if recording.running(home) else 0
    if verb == "list":
        json.dump(reading.told(home), sys.stdout)
        return 0
    if verb == "log":
        kernel, offset, tail, follow = words[1:]
        return reading.print_log(home, kernel, int(offset), int(tail), follow == "follow")
    if verb == "run":
        return _run(home, words[1], int(words[2]))
    sys.stderr.write(
        "record, ready, stop, list, log KERNEL OFFSET TAIL FOLLOW, run NOTEBOOK PORT\n"
    )
    return 2
