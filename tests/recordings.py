"""Real programs recorded with a real tmux beside them: `python -m tests.recordings`.

Each session runs on a tmux pane of 80x24 whose bytes are piped to a file. A step is a key, the
bytes that came after it, and tmux's screen and cursor then. `read` gives them back.
"""

from __future__ import annotations

import json
import lzma
import os
import shutil
import subprocess
import sys
import tempfile
import time
from base64 import b85decode, b85encode
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

COLUMNS, ROWS = 80, 24
FOLDER = Path(__file__).parent / "recordings"
_QUIET = 0.35
_PATIENCE = 6.0


class Step(NamedTuple):
    """Bytes, and what tmux shows after them; cursor as column and row."""

    key: str
    data: bytes
    screen: list[str]
    cursor: tuple[int, int]


BASH = "bash --norc --noprofile -i"
TEXT = "/usr/share/common-licenses/GPL-3"
TMUX = "tmux -u -L inner{tag} -f /dev/null new-session"

SESSIONS: dict[str, tuple[str, list[str]]] = {
    "vim": (
        f"vim -u NONE -c 'set nocp ruler hls' -c 'syntax on' {__file__}",
        [
            "C-d",
            "C-u",
            "j",
            "/step",
            "Enter",
            "n",
            "o",
            "new 中文 line",
            "Escape",
            "u",
            "G",
            "gg",
            ":split",
            "Enter",
            "C-w",
            "j",
            "dd",
            ":set nu",
            "Enter",
            "Left",
            "i",
            "é",
            "Escape",
            ":qa!",
            "Enter",
        ],
    ),
    "less": (f"less {TEXT}", ["Space", "b", "/free", "Enter", "n", "G", "g", "-S", "Enter", "q"]),
    "man": ("man bash", ["Space", "Space", "/signal", "Enter", "n", "G", "h", "q", "q"]),
    "htop": ("htop -d 100", ["Down", "F5", "F6", "Escape", "F2", "Escape", "Escape", "q"]),
    "top": ("top -d 100", ["M", "c", "1", "z", "x", "h", "q", "q"]),
    "nano": (
        f"nano -I {TEXT}",
        [
            "Down",
            "hello",
            "C-w",
            "free",
            "Enter",
            "C-k",
            "C-u",
            "C-v",
            "C-y",
            "C-g",
            "C-x",
            "C-x",
            "n",
        ],
    ),
    "mc": ("mc -a -x /usr /etc", ["Down", "Enter", "Tab", "F9", "Escape", "F3", "F10", "F10", "y"]),
    "emacs": (
        f"emacs -nw -Q {TEXT}",
        [
            "C-n",
            "C-v",
            "M-v",
            "C-s",
            "free",
            "Enter",
            "C-x",
            "2",
            "C-x",
            "o",
            "hello",
            "C-_",
            "M-x",
            "C-g",
            "C-x",
            "C-c",
            "n",
            "yes",
            "Enter",
        ],
    ),
    "python": (
        f"{sys.executable} -q",
        [
            "1+1",
            "Enter",
            "def f(a):",
            "Enter",
            "    return a*2",
            "Enter",
            "Enter",
            "f(21)",
            "Enter",
            "Up",
            "C-a",
            "print(",
            "C-e",
            ")",
            "Enter",
            "1/0",
            "Enter",
            "C-d",
        ],
    ),
    "ipython": (
        f"{Path(sys.executable).parent}/ipython --no-banner --no-confirm-exit --colors=Linux",
        [
            "1+1",
            "Enter",
            "import os",
            "Enter",
            "os.pa",
            "Tab",
            "Tab",
            "C-c",
            "Up",
            "Up",
            "Enter",
            "%timeit?",
            "Enter",
            "q",
            "C-r",
            "imp",
            "Escape",
            "C-c",
            "C-d",
        ],
    ),
    "bash": (
        BASH,
        [
            "echo one two",
            "Enter",
            "Up",
            "C-a",
            "M-f",
            "C-w",
            "C-y",
            "C-r",
            "ec",
            "C-g",
            "C-l",
            "printf '\\e[7mx\\e[0m\\t%s\\n' 中文 é",
            "Enter",
            "ls --color /usr",
            "Enter",
            "exit",
            "Enter",
        ],
    ),
    "tmux": (
        f"{TMUX} '{BASH}'",
        [
            "C-b",
            '"',
            "echo low",
            "Enter",
            "C-b",
            "%",
            "echo right",
            "Enter",
            "C-b",
            "z",
            "C-b",
            "z",
            "C-b",
            "[",
            "Up",
            "q",
            "C-b",
            "w",
            "q",
            "C-b",
            "Space",
            "C-b",
            "d",
        ],
    ),
    "screen": (
        f"screen -c /dev/null -U {BASH}",
        [
            "Enter",
            "echo hi",
            "Enter",
            "C-a",
            "S",
            "C-a",
            "Tab",
            "C-a",
            "c",
            "ls /",
            "Enter",
            "C-a",
            "?",
            "Enter",
            "C-a",
            "[",
            "Up",
            "Escape",
            "C-a",
            "d",
        ],
    ),
    "watch": ("watch -n 1 -t 'seq 1 30; echo end'", ["x", "q", "C-c"]),
    "tqdm": (
        f'{sys.executable} -c "import sys,time\n'
        "for i in range(0, 101, 5):\n"
        " print(f'\\r{i:3d}%|' + '█'*(i//4) + ' '*(25-i//4) + f'| {i}/100', end='', flush=True)\n"
        ' time.sleep(.05)\nprint(); input()"',
        ["Enter"],
    ),
}


class Recorder:
    """One program in a tmux of its own, its output piped to a file."""

    def __init__(self, folder: Path, command: str) -> None:
        self._base = ["tmux", "-u", "-S", str(folder / "tmux"), "-f", "/dev/null"]
        self._raw = folder / "raw"
        self._raw.touch()
        self._at = 0
        go = folder / "go"
        tag = folder.name
        script = folder / "run"
        script.write_text(
            f"trap : INT; stty sane; while [ ! -e {go} ]; do sleep 0.05; done; clear\n"
            + command.replace("{tag}", tag)
            + "\necho; echo left; exec cat\n"
        )
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "PS1": "$ ",
            "TERM": "xterm-256color",
        }
        words = [f"{name}={value}" for name, value in environment.items()]
        self._tmux(
            *("start-server", ";", "set", "-g", "status", "off", ";", "set", "-g"),
            *("default-terminal", "xterm-256color", ";", "set", "-g", "escape-time", "0", ";"),
            *("set", "-g", "remain-on-exit", "on", ";"),
            *("new-session", "-d", "-x", str(COLUMNS), "-y", str(ROWS)),
            *("env", "-i", *words, "sh", str(script)),
        )
        self._tmux("pipe-pane", f"cat >> {self._raw}")
        time.sleep(0.3)
        go.touch()

    def step(self, key: str) -> Step:
        """Press a key, wait for quiet, and say what came and what is shown."""
        if key:
            named = len(key) > 1 and (key in _NAMES or key[:2] in ("C-", "M-"))
            self._tmux("send-keys", *(() if named else ("-l",)), "--", key)
        for _ in range(4):
            self._settle()
            size = self._raw.stat().st_size
            x, y = self._tmux("display-message", "-p", "#{cursor_x} #{cursor_y}").split()
            lines = self._tmux("capture-pane", "-p").split("\n")[:ROWS]
            time.sleep(0.05)
            if self._raw.stat().st_size == size:
                break
        data = self._raw.read_bytes()[self._at : size]
        self._at = size
        return Step(key, data, [line.rstrip() for line in lines], (int(x), int(y)))

    def close(self) -> None:
        subprocess.run([*self._base, "kill-server"], capture_output=True)

    def _settle(self) -> None:
        end = time.monotonic() + _PATIENCE
        size, since = -1, time.monotonic()
        while time.monotonic() < end:
            now = self._raw.stat().st_size
            if now != size:
                size, since = now, time.monotonic()
            elif time.monotonic() - since > _QUIET:
                return
            time.sleep(0.03)

    def _tmux(self, *words: str) -> str:
        done = subprocess.run([*self._base, *words], capture_output=True, text=True, check=True)
        return done.stdout


_NAMES = {
    "Enter",
    "Escape",
    "Tab",
    "Space",
    "Up",
    "Down",
    "Left",
    "Right",
    *(f"F{n}" for n in range(1, 13)),
}


def record(name: str) -> list[Step]:
    command, keys = SESSIONS[name]
    folder = Path(tempfile.mkdtemp(prefix="ctrec-"))
    recorder = Recorder(folder, command)
    try:
        return [recorder.step(key) for key in ["", *keys]]
    finally:
        recorder.close()
        subprocess.run(["tmux", "-L", f"inner{folder.name}", "kill-server"], capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


def write(name: str, steps: list[Step]) -> Path:
    rows = [
        {"key": s.key, "data": s.data.decode("latin-1"), "screen": s.screen, "cursor": s.cursor}
        for s in steps
    ]
    packed = lzma.compress(json.dumps(rows).encode(), preset=9)
    path = FOLDER / f"{name}.json"
    made = {"columns": COLUMNS, "rows": ROWS, "steps": b85encode(packed).decode()}
    path.write_text(json.dumps(made, indent=1) + "\n")
    return path


def read(path: Path) -> Iterator[Step]:
    """The steps of a recording."""
    found = json.loads(lzma.decompress(b85decode(json.loads(path.read_text())["steps"])))
    for step in found:
        x, y = step["cursor"]
        yield Step(step["key"], step["data"].encode("latin-1"), step["screen"], (x, y))


def main(names: list[str]) -> None:
    FOLDER.mkdir(exist_ok=True)
    for name in names or SESSIONS:
        steps = record(name)
        path = write(name, steps)
        size = sum(len(step.data) for step in steps)
        sys.stdout.write(f"{name}: {len(steps)} steps, {size} bytes, {path.stat().st_size} kept\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
