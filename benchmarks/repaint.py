"""What one repaint and one idle pane cost: `python -m benchmarks.repaint`."""

from __future__ import annotations

import gc
import random
import statistics
import subprocess
import sys
from pathlib import Path
from time import thread_time

from rich.cells import cell_len

from cloudtui.ui.widgets.pane_colors import PaneColors
from cloudtui.ui.widgets.pane_rows import PaneRows
from cloudtui.vt.engine import load

COLUMNS, ROWS = 200, 50
IDLE_LINES = 10_000


def worst_screen(turn: int) -> bytes:
    """A screen on which every word has a colour of its own."""
    lines = []
    for y in range(ROWS):
        words = (
            f"\x1b[38;5;{(x * 7 + y * 13 + turn) % 256}mword{x % 10} " for x in range(COLUMNS // 6)
        )
        lines.append("".join(words)[:-1])
    return ("\x1b[H" + "\r\n".join(lines)).encode()


def repaint(rounds: int) -> tuple[float, float]:
    """Milliseconds of processor time of a full repaint and of one changed row, medians."""
    engine = load()(COLUMNS, ROWS, cell_len=cell_len)
    rows = PaneRows(PaneColors({}, (200, 200, 200), (0, 0, 0), dark=True))
    rows.resize(COLUMNS, ROWS)
    full, single = [], []
    for turn in range(rounds):
        engine.feed(worst_screen(turn))
        begin = thread_time()
        rows.update(engine.dirty_rows())
        full.append(thread_time() - begin)
        engine.feed(b"\x1b[10;1Hx%d" % turn)
        begin = thread_time()
        rows.update(engine.dirty_rows())
        single.append(thread_time() - begin)
    engine.close()
    return statistics.median(full) * 1000, statistics.median(single) * 1000


def _resident() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


def memory(panes: int, columns: int) -> float:
    """Megabytes of one idle pane with 10,000 lines of scrollback, nearly full."""
    factory = load()
    warm = factory(columns, 24, cell_len=cell_len)
    warm.dirty_rows()
    gc.collect()
    before = _resident()
    kept = []
    dice = random.Random(1)
    for _ in range(panes):
        engine = factory(columns, 24, cell_len=cell_len)
        rows = PaneRows(PaneColors({}, (200, 200, 200), (0, 0, 0), dark=True))
        rows.resize(columns, 24)
        for line in range(IDLE_LINES):
            noise = dice.randbytes((columns - 20) // 2).hex().encode()
            engine.feed(b"\x1b[3%dmline %d\x1b[m %s\r\n" % (line % 8, line, noise))
        rows.update(engine.dirty_rows())
        while engine.compress():
            pass
        kept.append((engine, rows))
    gc.collect()
    return (_resident() - before) / panes


def main(quick: bool = False) -> bool:
    full, single = repaint(20 if quick else 100)
    # In a process of its own: what others left behind is not a pane's.
    words = [sys.executable, "-m", "benchmarks.repaint", "--memory", "2" if quick else "8"]
    found = [
        float(subprocess.run([*words, columns], capture_output=True, text=True, check=True).stdout)
        for columns in ("80", "200")
    ]
    good = full <= 5 and max(found) <= 15
    print(f"{'full repaint 200x50, every word a colour':<44} {full:8.2f} ms   must <= 5")
    print(f"{'one changed row 200x50':<44} {single:8.2f} ms")
    for columns, each in zip((80, 200), found, strict=True):
        name = f"memory of an idle pane, 10,000 lines of {columns}"
        print(f"{name:<44} {each:8.2f} MB   must <= 15")
    return good


if __name__ == "__main__":
    if sys.argv[1:2] == ["--memory"]:
        print(memory(int(sys.argv[2]), int(sys.argv[3])))
    else:
        sys.exit(not main("--quick" in sys.argv))
