"""Random streams show in the engine what they show in a real tmux."""

from __future__ import annotations

import random
import subprocess
import time
from pathlib import Path

from rich.cells import cell_len

from cloudtui.vt.engine import load

COLUMNS, ROWS = 40, 10
STREAMS, LENGTH = 40, 12

WORDS = ["hello", "x", "中文", "a b  c", "é", "0123456789", "─│┌", "tail "]


def part(dice: random.Random) -> bytes:
    """One thing a program does: text, moving, erasing, inserting, colours, margins."""
    number = dice.randint(1, 6)
    row, column = dice.randint(1, ROWS), dice.randint(1, COLUMNS)
    return dice.choice(
        [
            dice.choice(WORDS).encode(),
            dice.choice(WORDS).encode(),
            b"\r\n",
            b"\t",
            b"\x08",
            b"\x1b[%d;%dH" % (row, column),
            b"\x1b[%dA" % number,
            b"\x1b[%dB" % number,
            b"\x1b[%dC" % number,
            b"\x1b[%dD" % number,
            b"\x1b[%dG" % column,
            b"\x1b[%dd" % row,
            b"\x1b[%dK" % dice.randint(0, 2),
            b"\x1b[%dJ" % dice.randint(0, 2),
            b"\x1b[%dX" % number,
            b"\x1b[%dP" % number,
            b"\x1b[%d@" % number,
            b"\r\x1b[%dL" % number,
            b"\r\x1b[%dM" % number,
            b"\x1b[%dS" % number,
            b"\x1b[3%d;4%dm" % (number, number),
            b"\x1b[m",
            b"\x1b7\x1b[1;1Hz\x1b8",
            b"\x1bM",
        ]
    )


def in_tmux(folder: Path, streams: list[bytes]) -> list[tuple[list[str], tuple[int, int]]]:
    """What a tmux pane of its own shows after each stream."""
    base = ["tmux", "-u", "-S", str(folder / "t"), "-f", "/dev/null"]

    def tmux(*words: str) -> str:
        done = subprocess.run([*base, *words], capture_output=True, text=True, check=True)
        return done.stdout

    found = []
    commands = ["set -g status off"]
    for number, stream in enumerate(streams):
        path = folder / f"s{number}"
        path.write_bytes(stream)
        show = f"stty raw -echo; cat {path}; : > {path}.done; exec sleep 600"
        commands.append(f'new-session -d -s s{number} -x {COLUMNS} -y {ROWS} "{show}"')
    (folder / "conf").write_text("\n".join(commands) + "\n")
    tmux("start-server", ";", "source-file", str(folder / "conf"))
    try:
        for number in range(len(streams)):
            before = None
            while True:
                # Shown is what was printed once two looks after the program's last are alike.
                done = (folder / f"s{number}.done").exists()
                place = tmux("display-message", "-p", "-t", f"s{number}", "#{cursor_x} #{cursor_y}")
                lines = tmux("capture-pane", "-p", "-t", f"s{number}").split("\n")[:ROWS]
                x, y = map(int, place.split())
                now = [line.rstrip() for line in lines], (min(x, COLUMNS - 1), y)
                if done and now == before:
                    break
                before = now if done else None
                time.sleep(0.02)
            found.append(now)
    finally:
        subprocess.run([*base, "kill-server"], capture_output=True)
    return found


def test_random_streams_look_the_same(short_tmp: Path) -> None:
    dice = random.Random(20261121)
    streams = [b"".join(part(dice) for _ in range(LENGTH)) for _ in range(STREAMS)]
    same = 0
    for stream, (lines, cursor) in zip(streams, in_tmux(short_tmp, streams), strict=True):
        engine = load()(COLUMNS, ROWS, cell_len=cell_len)
        engine.feed(stream)
        place = engine.cursor
        same += (engine.text().split("\n"), (place.x, place.y)) == (lines, cursor)
        engine.close()
    assert same >= STREAMS * 0.95
