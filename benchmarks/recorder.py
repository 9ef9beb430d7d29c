"""The black box: a cell prints 600 lines while browser, SSH server and console go, one by one.

A real Jupyter server behind a loopback sshd; consoles are processes of their own.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

from cloudtui.host.recorder import keeping
from tests.core.test_recordings import Jupyter, execute, heard
from tests.lab import Lab
from tests.moto_child import KEYS, moto_server
from tests.sshd import Sshd

LINES = 600
SECONDS, QUICK_SECONDS = 60.0, 6.0
FLOOD = 2000
CELL = """\
import time
begin = time.monotonic()
for i in range({lines}):
    print("line", i, flush=True)
    time.sleep(max(0, begin + (i + 1) * {pause} - time.monotonic()))
"""
TICK = os.sysconf("SC_CLK_TCK")


def console(words: list[str], said: Path) -> subprocess.Popen[bytes]:
    """`cloudtui` with these words, printing into a file."""
    with said.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "cloudtui", *words], stdout=file, stderr=subprocess.DEVNULL
        )


def printed(said: Path) -> list[int]:
    """The numbers of the lines that a console printed."""
    return [int(n) for n in re.findall(r"^line (\d+)$", said.read_text(), re.MULTILINE)]


def seconds_of(pid: int) -> float:
    """Processor seconds of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def memory(pid: int) -> float:
    """MiB, at most so far."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition("VmHWM:")[2].split()[0]) / 1024


def away(jupyter: Jupyter, kernel: str, seconds: float) -> int:
    """Lines that a browser has in the end that closes for half of them and comes back."""
    session = uuid.uuid4().hex
    browser = jupyter.browser(kernel, session)
    request = execute(browser, CELL.format(lines=100, pause=seconds / 100))
    text = heard(browser, request, 20)
    browser.shutdown()  # type: ignore[no-untyped-call]
    time.sleep(seconds / 2)
    browser = jupyter.browser(kernel, session)
    text += heard(browser, request)
    browser.close()
    return len(set(re.findall(r"line \d+\n", text)))


def flood(jupyter: Jupyter, kernel: str) -> float:
    """Seconds of a cell that prints as fast as it can."""
    browser = jupyter.browser(kernel, uuid.uuid4().hex)
    code = f"for i in range({FLOOD}): print('flood', i, flush=True)"
    start = time.perf_counter()
    heard(browser, execute(browser, code))
    took = time.perf_counter() - start
    browser.close()
    return took


class Bars:
    """Prints each figure, and remembers whether all held."""

    good = True

    def bar(
        self, name: str, value: float, limit: float, words: str, *, least: bool = False
    ) -> None:
        held = value >= limit if least else value <= limit
        self.good = self.good and held
        sys.stdout.write(f"{name:<52} {words:<38} {'ok' if held else 'MISSED'}\n")


def story(lab: Lab, jupyter: Jupyter, folder: Path, seconds: float, bars: Bars) -> None:
    """Browser closed at 1/6, sshd killed at 2/6, console quit at 3/6, started at 5/6."""
    kernel = jupyter.session("story.ipynb")
    wait_recorded(lab, kernel)
    log = ["kernels", "log", "bert-gpu", "story.ipynb", "-f"]
    pid = state(lab)["pid"]
    before = seconds_of(pid)
    browser = jupyter.browser(kernel, uuid.uuid4().hex)
    first = console(log, folder / "first")
    while not (folder / "first").read_text():
        time.sleep(0.05)
    start = time.monotonic()
    execute(browser, CELL.format(lines=LINES, pause=seconds / LINES))
    for sixth, what in (
        (1, browser.shutdown), (2, lab.sshd.cut), (3, first.kill),
    ):  # fmt: skip
        time.sleep(max(0.0, start + sixth * seconds / 6 - time.monotonic()))
        what()
    first.wait()
    half = printed(folder / "first")
    time.sleep(max(0.0, start + 5 * seconds / 6 - time.monotonic()))
    second = console(log, folder / "second")
    end = time.monotonic() + seconds / 6 + 15
    while len(printed(folder / "second")) < LINES and time.monotonic() < end:
        time.sleep(0.1)
    second.kill()
    second.wait()
    every = printed(folder / "second")
    right = every == list(range(LINES))
    bars.bar(
        "lines in order, after all that (600)", len(every) if right else 0, LINES,
        f"{len(every)}{'' if right else ', not in order'}", least=True,
    )  # fmt: skip
    whole = half == list(range(len(half)))
    least = LINES * 0.4
    bars.bar(
        "  the console that was cut off, until it was quit", len(half) if whole else 0, least,
        f"{len(half)}{'' if whole else ', not in order'}", least=True,
    )  # fmt: skip
    used = (seconds_of(pid) - before) / (time.monotonic() - start)
    most = 0.02 * max(1.0, 30 / seconds)
    bars.bar(f"recorder's processor while it prints (<= {most:.0%})", used, most, f"{used:.2%}")


def state(lab: Lab) -> dict[str, Any]:
    return keeping.read_json(str(lab.sshd.home / ".local/share/cloudtui/recordings/state.json"))


def wait_recorded(lab: Lab, kernel: str) -> None:
    end = time.monotonic() + 30
    while not any(
        k["id"] == kernel and k["state"] == "recorded" for k in state(lab).get("kernels") or ()
    ):
        if time.monotonic() > end:
            raise TimeoutError("the kernel is not recorded")
        time.sleep(0.05)


async def switch(lab: Lab, *, on: bool) -> None:
    async with lab.bench() as bench:
        (instance,) = (await bench.inventory.load()).instances
        await (bench.recordings.start(instance) if on else bench.recordings.stop(instance))


def measure(folder: Path, quick: bool) -> bool:
    bars, home = Bars(), folder / "home"
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    os.environ.update(HOME=str(home), XDG_STATE_HOME=f"{home}/s", XDG_CONFIG_HOME=f"{home}/c")
    os.environ.pop("SSH_AUTH_SOCK", None)
    (folder / "sshd").mkdir()
    sshd = Sshd(folder / "sshd")
    sshd.start()
    lab = Lab(home, sshd)
    jupyter = Jupyter(sshd)
    try:
        kernel = jupyter.session("peer.ipynb")
        span = 3.0
        flood(jupyter, kernel)
        alone, slow = away(jupyter, kernel, span), min(flood(jupyter, kernel) for _ in range(3))
        asyncio.run(switch(lab, on=True))
        wait_recorded(lab, kernel)
        beside, slower = away(jupyter, kernel, span), min(flood(jupyter, kernel) for _ in range(3))
        bars.bar(
            "lines a returning browser has / without it (>= 0.95)", beside / max(1, alone), 0.95,
            f"{beside} / {alone}", least=True,
        )  # fmt: skip
        ratio = slower / slow
        bars.bar(
            f"a cell of {FLOOD} lines, beside without (<= 1.25)", ratio, 1.25,
            f"{ratio:.2f}  ({slower:.2f} / {slow:.2f} s)",
        )  # fmt: skip
        (told,) = jupyter.ask("GET", "api/kernels")
        count = told["connections"]
        bars.bar("clients that the server counts for it (0)", count, 0, str(count))
        story(lab, jupyter, folder, QUICK_SECONDS if quick else SECONDS, bars)
        pid = state(lab)["pid"]
        before, start = seconds_of(pid), time.monotonic()
        time.sleep(5)
        used = (seconds_of(pid) - before) / (time.monotonic() - start)
        bars.bar("recorder's processor, idle (<= 1 %)", used, 0.01, f"{used:.2%}")
        held = memory(pid)
        bars.bar("  memory, the most (<= 30 MB)", held, 30, f"{held:.0f} MiB")
    finally:
        jupyter.process.kill()
        sshd.end()
    return bars.good


def main(quick: bool) -> bool:
    """Whether every bar holds."""
    with (
        tempfile.TemporaryDirectory(prefix="ct", ignore_cleanup_errors=True) as name,
        moto_server() as endpoint,
    ):
        os.environ.update(KEYS, AWS_ENDPOINT_URL=endpoint, AWS_EC2_METADATA_DISABLED="true")
        return measure(Path(name).resolve(), quick)


if __name__ == "__main__":
    sys.exit(0 if main("--quick" in sys.argv) else 1)
