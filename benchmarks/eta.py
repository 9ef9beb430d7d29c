"""How well the end of a run is told: `python -m benchmarks.eta`.

Runs that were recorded with their times are watched every 5 s; told is how far the end that is
foreseen is from the true one, in parts of the whole run, from 30 % of the run on.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from time import perf_counter

from cloudtui.model.training import Training, read

FOLDER = Path(__file__).parent.parent / "tests/recordings/training"
EVERY = 5.0
MUST = 0.05


def watched(rows: list[tuple[float, str]]) -> tuple[list[float], float]:
    """The errors at each look, and the seconds of processor time of one look."""
    end = rows[-1][0]
    found, place, now, last = Training(), 0, 0.0, 0.0
    errors, begun = [], perf_counter()
    while now < 0.9 * end:
        now += EVERY
        text = ""
        while place < len(rows) and rows[place][0] <= now:
            last = rows[place][0]
            text += rows[place][1]
            place += 1
        found = read(text, found, when=last, started=0.0, now=now)
        if now >= 0.3 * end and found.eta is not None and found.whole:
            errors.append(abs(now + found.eta - end) / end)
    return errors, (perf_counter() - begun) / (now / EVERY)


def main(quick: bool = False) -> bool:
    worst = 0.0
    for path in sorted(FOLDER.glob("*.log")):
        rows = [tuple(json.loads(line)) for line in path.read_text("utf-8").splitlines()]
        errors, look = watched(rows)
        if not errors:
            print(f"{path.stem:<26} says nothing of the whole run")
            continue
        worst = max(worst, *errors)
        print(
            f"{path.stem:<26} end within {max(errors) * 100:4.1f} %   usually "
            f"{statistics.median(errors) * 100:4.1f} %   a look {look * 1e6:5.0f} µs"
        )
    print(f"{'worst':<26} end within {worst * 100:4.1f} %   must <= {MUST * 100:.0f} %")
    return worst <= MUST


if __name__ == "__main__":
    sys.exit(not main())
