"""Programs in a pane of the console beside the same programs outside it, key by key.

`python -m tests.side_by_side NAME [--program vim ...] [--cut NAMESPACE]` needs an instance NAME
that cloudtui reaches. Every program runs twice on it, each in a tmux session of its own: A is
attached by `cloudtui attach` in a bare terminal, B in a pane of the console. Both get the same
keys, and after each step `tmux capture-pane` of both must be equal. `--cut` cuts the host's
network (`ip netns exec NAMESPACE`) while vim in the pane has unsaved text.
"""

from __future__ import annotations

import argparse
import base64
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

COLUMNS, ROWS = 100, 30
PATIENCE = 5.0
STILL = 0.35
"""Seconds that both must be equal and unchanged before a step counts as equal."""
BLINK = 1.5
"""Seconds in which a blinking cursor is surely once to be seen."""
SERVER = f"side{os.getpid()}"

Step = str | tuple[str, ...]
"""Text to type, or names of keys; an empty tuple only looks again."""


@dataclass(frozen=True, slots=True)
class Mask:
    pattern: str
    put: str
    why: str


@dataclass(frozen=True, slots=True)
class Program:
    name: str
    command: str
    steps: tuple[Step, ...]
    ready: str
    masks: tuple[Mask, ...] = ()
    moving: bool = False
    """Its colours follow numbers that differ: they are not compared."""


FOLDER = Mask(r"sbs-\w{6}/[ab]\b", "sbs-DIR", "own temporary folder")
PROGRAMS = (
    Program(
        "vim",
        "vim -u vimrc code.py",
        (
            ("j", "j", "w", "w"),
            ("o",),
            "    # grün 漢字 ✓ 👍 e\u0301 tab\tend",
            ("Escape",),
            ("V", "k", "k"),
            ("Escape", "u"),
            "/def",
            ("Enter",),
            ":vsplit text.txt",
            ("Enter",),
            ("C-d",),
            ("C-d",),
            ("C-w", "w"),
            ":set list cursorline",
            ("Enter",),
            ("G", "z", "t"),
            ":help",
            ("Enter",),
            ":qa!",
        ),
        "import",
    ),
    Program(
        "less",
        "less -R -N text.txt",
        ("f", "f", "b", "jj", "/wide", ("Enter",), "n", ("G",), ("g",), "-S", ("Right",), "h"),
        "line 1 ",
    ),
    Program(
        "htop",
        "htop -d 20 --sort-key PID -u ubuntu",
        (
            ("Down", "Down"),
            ("F5",),
            ("F5",),
            ("F6",),
            ("Escape",),
            ("F3",),
            "tmux",
            ("Escape",),
            ("F2",),
            ("Down", "Down"),
            ("Escape",),
            ("?",),
            ("Escape",),
        ),
        "F10",
        (
            Mask(r"\[[^\]\n]*\]", "[METER]", "meters"),
            Mask(r"(?m)^.*(Tasks:|Load average|Uptime).*$", r"\1", "tasks, load, uptime"),
            Mask(r"\d+", "#", "numbers"),
            Mask(r" +", " ", "columns as wide as their numbers"),
            Mask(r" [RSD] #", " STATE #", "states of processes"),
            Mask(r"#[.:MKG]#[.:MKG#]*|#[MKG]", "#", "numbers with units"),
            FOLDER,
        ),
        moving=True,
    ),
    Program(
        "mc",
        "mc -u",
        (
            ("Down", "Down"),
            ("Tab",),
            ("F9",),
            ("Enter",),
            ("Escape", "Escape"),
            ("Tab",),
            ("End",),
            ("F3",),
            ("Down",),
            ("F10",),
            ("F5",),
            ("Escape", "Escape"),
            "echo typed",
            ("F1",),
            ("F10",),
        ),
        "10Quit",
        (
            FOLDER,
            Mask(r"(?m)^Hint:.*$", "HINT", "a hint by chance"),
            Mask(r"(\w{3} )?[ \d]\d \d\d:\d\d", "TIME", "times of folders"),
            Mask(r"[\d.]+[GMK]? */ *[\d.]+[GMK]? *\(\d+%\)", "FREE", "free space"),
        ),
    ),
    Program(
        "nano",
        "nano -I -l text.txt",
        (
            ("Down", "Down", "End"),
            " äöü 漢字",
            ("C-w",),
            "wide",
            ("Enter",),
            ("M-a",),
            ("Down", "Down"),
            ("C-k",),
            ("C-v",),
            ("C-y",),
            ("C-g",),
            ("C-x",),
            ("C-x",),
        ),
        "GNU nano",
    ),
    Program(
        "emacs",
        "emacs -nw -Q code.py",
        (
            ("C-n", "C-n", "C-e"),
            " # grün 漢字",
            ("C-Space",),
            ("C-n", "C-n"),
            ("C-g",),
            ("C-s",),
            "def",
            ("Enter",),
            ("C-x", "3"),
            ("C-x", "o"),
            ("C-x", "C-f"),
            ("C-g",),
            ("M-x",),
            "dired",
            ("C-g",),
            ("M-<",),
            ("C-x", "2"),
            ("F10",),
            ("C-g",),
        ),
        "code.py",
        (FOLDER,),
    ),
    Program(
        "ipython",
        "ipython --TerminalInteractiveShell.enable_tip=False",
        (
            "[n ** 2 for n in range(40)]",
            ("Enter",),
            "imp",
            ("Tab",),
            ("C-c",),
            "def f(x):",
            ("Enter",),
            "return 'äöü 漢字'",
            ("Enter",),
            ("Enter",),
            "1 / 0",
            ("Enter",),
            ("Up", "Up"),
            ("C-c",),
            ("C-r",),
            "range",
            ("C-c",),
            "str?",
            ("Enter",),
            "q",
        ),
        "In [1]:",
        (FOLDER,),
    ),
    Program(
        "tmux",
        "env -u TMUX tmux -L INNER -f tmuxrc new-session -s in sh",
        (
            "cat colours.txt",
            ("Enter",),
            ("C-a", "%"),
            "cat text.txt",
            ("Enter",),
            ("C-a", '"'),
            "seq 50",
            ("Enter",),
            ("C-a", "["),
            ("PageUp",),
            ("Space", "Up", "Up"),
            ("q",),
            ("C-a", "z"),
            ("C-a", "z"),
            ("C-a", "o"),
            ("C-a", "c"),
            ("C-a", "w"),
            ("q",),
            ("C-a", "t"),
            ("q",),
            ("C-a", "?"),
            ("q",),
        ),
        "[in]",
        (
            Mask(r"\d\d:\d\d \d\d-\w{3}-\d\d", "CLOCK", "clock of the status line"),
            Mask(r"(?m)^[ █]*██[ █]*$", "CLOCK", "clock of the clock mode"),
            Mask(r"\d\d:\d\d(:\d\d)?", "CLOCK", "clock of the tree"),
        ),
    ),
    Program(
        "screen",
        "screen -c screenrc -S INNER sh",
        (
            "cat colours.txt",
            ("Enter",),
            ("C-a", "S"),
            ("C-a", "Tab"),
            ("C-a", "c"),
            "cat text.txt",
            ("Enter",),
            ("C-a", "["),
            ("C-u",),
            ("Escape",),
            ("C-a", "Q"),
            ("C-a", '"'),
            ("Escape",),
            ("C-a", "?"),
            ("Enter",),
        ),
        "$",
    ),
    Program(
        "watch",
        "watch -c -n 1 'date +%T; cat colours.txt; uname'",
        ((), (), ("Space",), ()),
        "Linux",
        (
            Mask(r"\w{3} \w{3} +\d+ \d\d:\d\d:\d\d \d{4}", "CLOCK", "clock of the heading"),
            Mask(r"\d\d:\d\d:\d\d", "CLOCK", "date +%T"),
        ),
    ),
    Program(
        "bar",
        "python3 bar.py",
        (
            ("Enter",),
            ("Enter",),
            ("Enter", "Enter", "Enter"),
            "run",
            ("Enter",),
            "print",
            ("Enter",),
            ("Enter",),
        ),
        "0%",
    ),
    Program("emoji", "python3 bar.py", ("emoji", ("Enter",)), "0%"),
)

BAR = r"""
import sys, termios, time
quiet = termios.tcgetattr(0)
quiet[3] &= ~termios.ECHO
termios.tcsetattr(0, termios.TCSANOW, quiet)
EIGHTHS = " ▏▎▍▌▋▊▉█"
def bar(name, part, colour, width=40):
    full = part * width
    drawn = "█" * int(full) + (EIGHTHS[int(full % 1 * 8)] if part < 1 else "")
    return f"{name}: {part:4.0%}|\033[{colour}m{drawn:<{width}}\033[0m| {part*250:3.0f}/250"
def draw(part):
    sys.stdout.write("\r" + bar("epoch 漢", part, "38;5;208"))
    loss = bar("⠹ \033[1mloss\033[0m", part ** 2, "38;2;90;200;90")
    sys.stdout.write("\n\r\033[K" + loss + "\033[A")
    sys.stdout.flush()
part = 0.0
draw(part)
for line in sys.stdin:
    if line.strip() == "run":
        for n in range(250):
            draw((n + 1) / 250)
            time.sleep(0.008)
    elif line.strip() == "print":
        sys.stdout.write("\r\033[K\n\033[K\033[7mwritten above\033[0m \033[4munder\033[0m\n")
        draw(0.5)
    elif line.strip() == "emoji":
        sys.stdout.write("\r\033[K\n\033[K❤️|👍🏽|👩‍💻|🇩🇪|✅|e\u0301|한글|ﷺ|⚠️|☑|½|→\n")
        draw(0.75)
    else:
        part += 0.037
        draw(part)
"""

PREPARE = r"""
set -e
D=$(mktemp -d /tmp/sbs-XXXXXX)
for s in a b; do
mkdir -p $D/$s/files; cd $D/$s
i=1; while [ $i -le 200 ]; do
x=$(printf '%*s' $((i % 90)) '' | tr ' ' x)
echo "line $i äöü 漢字 wide ✓ █▓▒░ $x" >> text.txt; i=$((i+1)); done
cat > code.py <<'E'
import os
from pathlib import Path

class Thing:
    '''A thing.'''
    def first(self, name: str) -> int:
        return len(name) + 42  # äöü 漢字

    def second(self) -> str:
	return f"tab {self.first('x')!r}"

def main() -> None:
    print(Thing().second(), os.environ, Path())
E
echo 'set nocompatible number ruler showcmd hlsearch incsearch encoding=utf-8 noswapfile' > vimrc
echo 'syntax on' >> vimrc
printf 'set -g prefix C-a\nsetw -g automatic-rename off\n' > tmuxrc
printf 'startup_message off\ndefutf8 on\nterm screen-256color\n' > screenrc
for n in 1 2 3 4 5 7; do
printf '\033[3%dmcolour\033[0m \033[1;4%dmbold\033[0m \033[38;5;%d7m256\033[0m ' $n $n $n
done > colours.txt
printf '\n\033[3mitalic\033[0m \033[4munder\033[0m \033[7mreverse\033[0m ' >> colours.txt
printf '\033[2mdim\033[0m \033[9mstruck\033[0m 漢字 ✓\n' >> colours.txt
cat > bar.py <<'E'
BAR
E
touch -d 2026-01-02T03:04 files/one files/zwei-äöü files/三 * files
done
echo $D
"""


def tmux(*words: str) -> str:
    return subprocess.run(
        ["tmux", "-u", "-L", SERVER, "-f", "/dev/null", *words],
        capture_output=True,
        text=True,
        check=True,
        env={k: v for k, v in os.environ.items() if k != "TMUX"} | {"LC_ALL": "C.UTF-8"},
    ).stdout


def cloudtui(*words: str) -> list[str]:
    return [sys.executable, "-m", "cloudtui", *words]


def on_host(name: str, script: str) -> str:
    packed = base64.b64encode(script.encode()).decode()
    command = cloudtui("ssh", name, "--", f"echo {packed} | base64 -d | sh")
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise SystemExit(f"on {name}: {done.stderr or done.stdout}")
    return done.stdout.strip()


Cell = tuple[str, str]
"""A character and its colours and attributes as SGR words."""


def cells(captured: str) -> list[list[Cell]]:
    """The lines of `capture-pane -e`; what one line sets holds on the next."""
    rows: list[list[Cell]] = [[]]
    now: dict[str, str] = {}
    for sgr, char in re.findall(r"\x1b\[([\d;:]*)m|(?:\x1b[()].)|([^\x1b\x0e\x0f])", captured):
        if char == "\n":
            rows.append([])
            continue
        if char:
            rows[-1].append((char, ";".join(f"{k}{v}" for k, v in sorted(now.items()))))
            continue
        words = sgr.split(";")
        while words:
            word = words.pop(0)
            if word in ("", "0"):
                now.clear()
            elif word in ("38", "48"):
                many = 2 if words[0] == "5" else 4
                now["f" if word == "38" else "b"] = ",".join(words[:many])
                del words[:many]
            elif word in ("39", "49"):
                now.pop("f" if word == "39" else "b", None)
            elif word[0] in "39" and len(word) == 2:
                now["f"] = word
            elif word[0] in "41" and len(word.split(":")[0]) > 1:
                now["b"] = word
            else:
                now[f"a{word}"] = ""
    return rows


def width(char: str) -> int:
    if unicodedata.combining(char) or char in "\u200d\ufe0f":
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


@dataclass(slots=True)
class Outside:
    """One window of the outer tmux."""

    target: str
    title: int
    """How many lines on top are not the program's."""

    def open(self, command: list[str]) -> None:
        inside = f"{shlex.join(command)}; echo left:$?; exec cat"
        size = ["-x", str(COLUMNS), "-y", str(ROWS + self.title)]
        tmux("new-session", "-d", "-s", self.target, *size, f"sh -c {shlex.quote(inside)}")
        tmux("set-option", "-t", self.target, "status", "off")
        tmux("resize-window", "-t", self.target, *size)

    def send(self, step: Step) -> None:
        if isinstance(step, str):
            tmux("send-keys", "-t", self.target, "-l", "--", step)
        elif step:
            tmux("send-keys", "-t", self.target, *step)

    def everything(self) -> str:
        return tmux("capture-pane", "-p", "-t", self.target)

    def lines(self) -> list[str]:
        lines = self.everything().split("\n")[self.title :]
        lines += [""] * (ROWS - len(lines))
        return [line.rstrip() for line in lines[:ROWS]]

    def styles(self) -> list[list[Cell]]:
        captured = tmux("capture-pane", "-p", "-e", "-N", "-t", self.target)
        return cells(captured)[self.title :][:ROWS]

    def cursor(self) -> tuple[int, int] | None:
        form = "#{cursor_x} #{cursor_y} #{cursor_flag}"
        x, y, shown = map(int, tmux("display-message", "-p", "-t", self.target, form).split())
        return (x, y - self.title) if shown else None

    def wait(self, holds: Callable[[str], bool], what: str, patience: float = 15) -> str:
        end = time.monotonic() + patience
        while time.monotonic() < end:
            if holds(seen := self.everything()):
                return seen
            time.sleep(0.05)
        raise SystemExit(f"{self.target}: {what} never came:\n{self.everything()}")

    def close(self) -> None:
        subprocess.run(
            ["tmux", "-L", SERVER, "kill-session", "-t", self.target], capture_output=True
        )


def attach_in_pane(window: Outside, name: str, session: str) -> None:
    """Drive the console by keys from the machines to the session."""
    window.open(cloudtui())
    window.wait(lambda seen: name in seen and "Enter sessions" in seen, "the machines")
    for words, then in ((name, "Enter attach"), (session, "leaves")):
        window.send("/")
        time.sleep(0.2)
        window.send(words)
        window.send(("Enter",))
        window.wait(lambda seen, words=words: seen.count(words) > 1, words)  # type: ignore[misc]
        time.sleep(0.4)
        window.send(("Enter",))
        window.wait(lambda seen, then=then: then in seen, then)  # type: ignore[misc]


@dataclass(slots=True)
class Result:
    program: str
    steps: int = 0
    equal: int = 0
    first: str = ""
    styles: int = 0
    style: str = ""
    slowest: float = 0.0
    masked: set[str] = field(default_factory=set)


def masked(lines: list[str], masks: tuple[Mask, ...], used: set[str]) -> str:
    text = "\n".join(lines)
    for mask in masks:
        text, times = re.subn(mask.pattern, mask.put, text)
        if times:
            used.add(mask.why)
    return "\n".join(line.rstrip() for line in text.split("\n"))


def joined(lines: list[str]) -> str:
    return "\n".join(lines)


def difference(a: str, b: str) -> str:
    for number, (one, other) in enumerate(zip(a.split("\n"), b.split("\n"), strict=False), 1):
        if one != other:
            return f"line {number}: {one!r} | {other!r}"
    return ""


def style_difference(a: Outside, b: Outside) -> str:
    """Each look of A must be one look in B, and the cursor must stand out where A's is."""
    looks: dict[tuple[bool, str], Counter[str]] = defaultdict(Counter)
    places: list[tuple[int, int, str, tuple[bool, str], str]] = []
    cursor = a.cursor()
    at_cursor: tuple[tuple[bool, str], str] | None = None
    for y, (one, other) in enumerate(zip(a.styles(), b.styles(), strict=False)):
        x = 0
        for n, (char, look) in enumerate(other):
            was, old = one[n] if n < len(one) else (" ", "")
            if char == was:
                key = (char == " ", old)
                if (x, y) == cursor:
                    at_cursor = (key, look)
                else:
                    if char == " ":
                        look = re.sub(r"(^|;)f[^;]*", "", look) if "a7" not in look else look
                    looks[key][look] += 1
                    places.append((x, y, char, key, look))
            x += width(char)
    for x, y, char, key, look in places:
        usual = looks[key].most_common(1)[0][0]
        if look != usual:
            return f"({x},{y}) {char!r} of {key[1] or 'plain'}: {look} not {usual}"
    if at_cursor and looks[at_cursor[0]]:
        key, look = at_cursor
        bare = re.sub(r"(^|;)f[^;]*", "", look) if key[0] and "a7" not in look else look
        if bare == looks[key].most_common(1)[0][0]:
            return f"no cursor at {cursor}"
    return ""


def inner(session: str) -> str:
    """The name of the tmux or screen inside; cloudtui lists its screen too."""
    return session.replace("sbs-", "in-")


def start(name: str, folder: str, side: str, program: Program) -> str:
    session = f"{Path(folder).name}-{program.name}-{side}"
    command = program.command.replace("INNER", inner(session))
    env = f"HOME={folder}/{side} HTOPRC={folder}/{side}/htoprc TERM=tmux-256color LANG=C.UTF-8"
    names = "echo update_process_names=1 >htoprc"  # an sshd's name changes with its terminals
    inside = shlex.quote(f"cd {folder}/{side}; {names}; PS1='$ ' {env} exec env {command}")
    on_host(
        name,
        f"tmux new-session -d -s {session} -x {COLUMNS} -y {ROWS} {inside} "
        f"\\; set-option -t ={session}: status off",
    )
    return session


def end(name: str, session: str) -> None:
    on_host(
        name,
        f"tmux kill-session -t ={session}; tmux -L {inner(session)} kill-server 2>/dev/null; "
        f"screen -S {inner(session)} -X quit >/dev/null; true",
    )


def both(name: str, folder: str, program: Program) -> Result:
    result = Result(program.name)
    sessions = [start(name, folder, side, program) for side in "ab"]
    a, b = Outside(f"a-{program.name}", 0), Outside(f"b-{program.name}", 1)
    try:
        a.open(cloudtui("attach", f"{name}:{sessions[0]}"))
        attach_in_pane(b, name, sessions[1])
        for window in (a, b):
            window.wait(lambda seen: program.ready in seen, program.ready)
        for number, step in enumerate(((), *program.steps)):
            before = a.lines()
            for window in (a, b):
                window.send(step)
            began = time.monotonic()
            while step and a.lines() == before and time.monotonic() < began + 1:
                time.sleep(0.03)
            since, last = time.monotonic(), ""
            while True:
                one, other = (masked(w.lines(), program.masks, result.masked) for w in (a, b))
                now = time.monotonic()
                if one != other or one != last:
                    since, last = now, one
                if now - since > STILL or now > began + PATIENCE:
                    break
                time.sleep(0.05)
            result.steps += 1
            result.slowest = max(result.slowest, since - began)
            if one == other:
                result.equal += 1
            elif not result.first:
                result.first = f"step {number} {step!r}: {difference(one, other)}"
            if one == other and not program.moving:
                wrong = style_difference(a, b)
                while wrong and time.monotonic() < now + BLINK:
                    time.sleep(0.1)
                    wrong = style_difference(a, b)
                if wrong:
                    result.style = result.style or f"step {number} {step!r}: {wrong}"
                else:
                    result.styles += 1
    finally:
        a.close()
        b.close()
        for session in sessions:
            end(name, session)
    return result


def cut(name: str, folder: str, namespace: str, seconds: float) -> list[str]:
    """vim with unsaved text in the pane while the host's network is away."""
    program = next(program for program in PROGRAMS if program.name == "vim")
    session = start(name, folder, "b", program)
    b = Outside("b-cut", 1)
    told = []

    def link(to: str) -> None:
        subprocess.run(
            ["ip", "netns", "exec", namespace, "ip", "link", "set", "eth0", to], check=True
        )

    try:
        attach_in_pane(b, name, session)
        b.wait(lambda seen: program.ready in seen, program.ready)
        for step in (("j", "j", "o"), "unsaved äöü 漢字 ✓", ("Escape", "0", "w")):
            b.send(step)
            time.sleep(0.5)
        time.sleep(1)
        before, title = b.lines(), b.everything().split("\n")[0]
        form = "#{cursor_x},#{cursor_y}"
        ask = f"tmux display-message -p -t ={session}: '{form}'; grep -c unsaved {folder}/b/code.py"
        there = on_host(name, ask + "; true")
        link("down")
        began = time.monotonic()
        try:
            time.sleep(seconds / 2)
            b.send("ddOTYPED DURING THE CUT")
            b.send(("Escape",))
            time.sleep(seconds / 2)
            during = b.everything().split("\n")
        finally:
            link("up")
        back = time.monotonic()
        told.append(f"title before: {title.strip()}")
        told.append(f"title at {back - began:.0f} s of the cut: {during[0].strip()}")
        changed = difference(joined(before), "\n".join(line.rstrip() for line in during[1:]))
        told.append(f"during the cut the pane {changed or 'is as it was'}")
        while time.monotonic() < back + 90:
            lines, head = b.lines(), b.everything().split("\n")[0]
            if lines == before and "leaves" in head and "ms" in head:
                break
            time.sleep(0.1)
        told.append(f"title {time.monotonic() - back:.1f} s after the return: {head.strip()}")
        time.sleep(1.5)
        lines = b.lines()
        told.append(f"text equal: {lines == before} {difference(joined(before), joined(lines))}")
        again = on_host(name, ask + "; true")
        told.append(f"host's cursor and saved lines before {there.split()} after {again.split()}")
        told.append(f"typed during the cut arrived: {any('TYPED' in line for line in lines)}")
        b.send(("x",))
        time.sleep(1)
        told.append(f"the next key acts: {difference(joined(before), joined(b.lines()))}")
        b.send(":w")
        b.send(("Enter",))
        time.sleep(1)
        saved = on_host(name, f"grep -n unsaved {folder}/b/code.py; true")
        told.append(f"saved only now: {saved!r}; {b.everything().splitlines()[-1].strip()!r}")
    finally:
        b.close()
        end(name, session)
    return told


def main() -> None:
    global COLUMNS, ROWS
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    names = [program.name for program in PROGRAMS]
    parser.add_argument("--program", nargs="+", choices=[*names, "none"], default=names)
    parser.add_argument("--size", default=f"{COLUMNS}x{ROWS}")
    parser.add_argument("--cut", metavar="NAMESPACE")
    parser.add_argument("--cut-for", type=float, default=25)
    asked = parser.parse_args()
    COLUMNS, ROWS = map(int, asked.size.split("x"))
    say = sys.stdout.write
    folder = on_host(asked.name, PREPARE.replace("BAR", BAR))
    kept = tempfile.mkdtemp(prefix="side-")
    os.environ["TMUX_TMPDIR"] = kept
    os.environ["XDG_STATE_HOME"] = f"{kept}/state"
    wrong = False
    try:
        say("program  steps equal looks slowest  first difference\n")
        for program in PROGRAMS:
            if program.name not in asked.program:
                continue
            r = both(asked.name, folder, program)
            wrong |= r.equal < r.steps
            looks = "-" if program.moving else str(r.styles)
            say(f"{r.program:8} {r.steps:5} {r.equal:5} {looks:>5} {r.slowest:6.1f}s  ")
            say(f"{r.first}\n")
            if r.style:
                say(f"{'':9}look: {r.style}\n")
            if r.masked:
                say(f"{'':9}masked: {', '.join(sorted(r.masked))}\n")
            sys.stdout.flush()
        if asked.cut:
            for line in cut(asked.name, folder, asked.cut, asked.cut_for):
                say(f"cut: {line}\n")
    finally:
        subprocess.run(["tmux", "-L", SERVER, "kill-server"], capture_output=True)
        on_host(asked.name, f"rm -rf {folder}")
        subprocess.run(["rm", "-rf", kept], check=True)
    raise SystemExit(wrong)


if __name__ == "__main__":
    main()
