"""200 runs or tmux panes watched at a line a second each: `python -m benchmarks.watch [--quick]`.

Their logs grow, or their panes print, on loopback sshd hosts, one writer for all of them; the
console is a process of its own on a pty of 160x50 with its screen of runs in front, on a core
of its own: the hosts would be other machines. Told are the share of one core that it takes, and how
long its loop was not free.
"""

from __future__ import annotations

import asyncio
import json
import os
import pty
import select
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from contextlib import suppress
from fcntl import ioctl
from pathlib import Path
from typing import Any, TextIO, cast

from tests.sshd import Sshd

RUNS = 200
SECONDS, WARM = 20.0, 6.0
COLUMNS, LINES = 160, 50
SHARE, STALL = 0.20, 0.05
STEPS = 20_000


class Training(threading.Thread):
    """A line a second in each of these files, from `start` on; some of the past at once."""

    def __init__(self, logs: list[TextIO], ends: str = "\r") -> None:
        super().__init__(daemon=True)
        self._end = threading.Event()
        self._logs, self._ends = logs, ends
        for step in range(3600, 3700):
            self._line(step)

    def _line(self, step: int) -> None:
        hour, left = divmod(step, 3600), divmod(STEPS - step, 3600)
        clock = f"{hour[0]}:{hour[1] // 60:02d}:{hour[1] % 60:02d}"
        to_go = f"{left[0]}:{left[1] // 60:02d}:{left[1] % 60:02d}"
        for number, log in enumerate(self._logs):
            loss = 0.3 + 600 / (step + number)
            values = {"loss": round(loss, 4), "grad_norm": 2.41, "epoch": round(step / 6250, 4)}
            share = step * 100 // STEPS
            drawn = "█" * (share // 2)
            log.write(f"{values}\n{share:3d}%|{drawn:<50}| {step}/{STEPS} "
                      f"[{clock}<{to_go},  1.00it/s]{self._ends}")  # fmt: skip

    def run(self) -> None:
        step, due = 3700, time.monotonic()
        while not self._end.wait(max(0.0, due - time.monotonic())):
            self._line(step)
            step, due = step + 1, due + 1.0

    def end(self) -> None:
        self._end.set()
        if self.is_alive():
            self.join()


class Logs(Training):
    """Records of runs that belong to this process."""

    def __init__(self, homes: list[Path], each: int) -> None:
        logs: list[TextIO] = []
        begun = int(time.time()) - 3600
        stat = Path(f"/proc/{os.getpid()}/stat").read_text().rpartition(")")[2].split()
        for home in homes:
            for number in range(each):
                folder = home / f".local/share/cloudtui/runs/run-{number:03d}"
                folder.mkdir(parents=True)
                facts = {
                    "command": "python3\0train.py\0--fold\0" + f"{number}\0",
                    "holder": "none\n",
                    "started": f"{begun}\n",
                    "pid": f"{os.getpid()} {stat[19]}\n",
                    "boot": Path("/proc/sys/kernel/random/boot_id").read_text(),
                }
                for name, text in facts.items():
                    (folder / name).write_text(text)
                logs.append((folder / "log").open("a", buffering=1))
        super().__init__(logs)


class Panes(Training):
    """tmux sessions begun by hand, which this process prints in."""

    def __init__(self, servers: list[Sshd], each: int) -> None:
        panes: list[TextIO] = []
        for server in servers:
            env = {**os.environ, **server.env, "LC_ALL": "C.UTF-8"}
            words = ["tmux", "-u", "-f", "/dev/null"]
            for number in range(each):
                name = f"run-{number:03d}"
                made = subprocess.run(
                    [*words, "new-session", "-d", "-P", "-F", "#{pane_tty}", "-s", name,
                     "-x", "120", "-y", "40", "stty -echo; exec sleep 1000"],
                    env=env, check=True, capture_output=True, text=True,
                )  # fmt: skip
                tty = Path(made.stdout.strip())
                panes.append(tty.open("w", buffering=1, encoding="utf-8"))
        super().__init__(panes)


def watch(hosts: int, seconds: float, panes: bool) -> dict[str, float]:
    """The figures of the console with the runs, or panes, spread over so many hosts."""
    cores = os.sched_getaffinity(0)
    own = min(cores)
    os.sched_setaffinity(0, cores - {own} or cores)
    with tempfile.TemporaryDirectory(prefix="ct", ignore_cleanup_errors=True) as name:
        servers = []
        for number in range(hosts):
            folder = Path(name) / str(number)
            folder.mkdir()
            servers.append(Sshd(folder))
        logs: Training | None = None
        try:
            if panes:
                logs = Panes(servers, RUNS // hosts)
            else:
                logs = Logs([server.home for server in servers], RUNS // hosts)
            for server in servers:
                server.start()
                server.known_hosts()
            logs.start()
            told = Path(name) / "told.json"
            plan = {
                "told": str(told),
                "seconds": seconds,
                "hosts": [
                    {"port": s.port, "user": s.user, "key": str(s.key),
                     "known": str(s.folder / "known_hosts")}
                    for s in servers
                ],
            }  # fmt: skip
            _console(json.dumps(plan), seconds + WARM + 40, own)
            return cast("dict[str, float]", json.loads(told.read_text()))
        finally:
            if logs:
                logs.end()
            for server in servers:
                server.end()
            os.sched_setaffinity(0, cores)


def _console(plan: str, limit: float, core: int) -> None:
    pid, fd = pty.fork()
    if pid == 0:
        os.sched_setaffinity(0, {core})
        words = [sys.executable, "-m", "benchmarks.watch", "--console", plan]
        os.execvpe(words[0], words, {**os.environ, "TERM": "xterm-256color"})
    ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    end, last = time.monotonic() + limit, b""
    with suppress(OSError):
        while time.monotonic() < end and select.select([fd], [], [], limit)[0]:
            data = os.read(fd, 1 << 16)
            last = (last + data)[-2000:]
            if not data:
                break
    os.close(fd)
    if os.waitpid(pid, 0)[1]:
        raise RuntimeError(f"the console failed: {last.decode(errors='replace')}")


def console(plan: dict[str, Any]) -> None:
    """The process that is measured."""
    from cloudtui.core.events import JobsChanged
    from cloudtui.core.jobs import Jobs
    from cloudtui.core.workbench import Workbench
    from cloudtui.files.settings import Settings
    from cloudtui.model.remote import Route
    from cloudtui.ssh.connect import Connection, connect
    from cloudtui.ui.app import CloudtuiApp
    from cloudtui.ui.collector import calm
    from tests.lab import Person
    from tests.ui.fakes import FakeWorkbench, listed, machine

    fleet = tuple(machine(n + 1, f"gpu-{n:02d}") for n in range(len(plan["hosts"])))
    routes = [
        Route(
            alias="host", host="127.0.0.1", port=h["port"], user=h["user"],
            identity_files=(Path(h["key"]),), known_hosts=(Path(h["known"]),), connect_timeout=10.0,
        )
        for h in plan["hosts"]
    ]  # fmt: skip

    class Held:
        def __init__(self) -> None:
            self.open: dict[str, Connection] = {}

        async def get(self, instance: Any, *, ask: bool = True) -> Connection:
            return self.open[instance.id]

        def peek(self, instance: Any) -> Connection | None:
            return self.open.get(instance.id)

    held = Held()

    class Bench(FakeWorkbench):
        def __init__(self, prompts: Any, settings: Settings) -> None:
            super().__init__(prompts, settings, listed(fleet))
            given = cast(Any, self.inventory), cast(Any, held), cast(Any, self.sessions)
            self.connections = cast(Any, held)
            self.jobs = cast(Any, Jobs(*given, self._events, read_only=False))

    calm()  # as `ui.app.run` does

    async def main() -> None:
        for instance, route in zip(fleet, routes, strict=True):
            held.open[instance.id] = await connect(route, Person())
        settings = Settings()
        app = CloudtuiApp(lambda p: cast(Workbench, Bench(p, settings)), settings=settings)
        running = asyncio.create_task(app.run_async(), name="console")
        await asyncio.sleep(1.5)
        app.call_later(app.open_runs)
        await asyncio.sleep(WARM - 1.5)
        lags: list[float] = []
        answers: list[object] = []
        app.workbench.listen(
            lambda e: (
                answers.append(e) if isinstance(e, JobsChanged) and not e.state.loading else None
            )
        )
        begun, used = time.perf_counter(), time.process_time()
        while time.perf_counter() - begun < plan["seconds"]:
            due = time.perf_counter() + 0.016
            await asyncio.sleep(0.016)
            lags.append(time.perf_counter() - due)
        took, used = time.perf_counter() - begun, time.process_time() - used
        jobs = [job for i in fleet for job in app.workbench.jobs.state(i.id).jobs]
        assert not running.done()
        lags.sort()
        told = {
            "share": used / took,
            "worst": lags[-1],
            "often": lags[int(len(lags) * 0.99)],
            "runs": len(jobs),
            "answers": len(answers) / len(fleet),
            "losses": min((len(job.training.losses) for job in jobs), default=0),
        }
        Path(plan["told"]).write_text(json.dumps(told))  # noqa: ASYNC240
        os._exit(0)  # what the console leaves is of no interest here

    asyncio.run(main())


def main(quick: bool = False) -> bool:
    good = True
    for what, hosts in (("runs", 1), ("runs", 4), ("panes", 1), ("panes", 4)):
        found = watch(hosts, 10.0 if quick else SECONDS, what == "panes")
        holds = found["share"] < SHARE and found["worst"] < STALL and found["runs"] == RUNS
        good &= holds
        print(
            f"{RUNS} {what:<5} on {hosts} host{'s' if hosts > 1 else ' '}   "
            f"{found['share'] * 100:5.1f} % of a core, must < {SHARE * 100:.0f}   "
            f"loop late {found['often'] * 1000:5.1f} ms of 99 %, {found['worst'] * 1000:5.1f} ms "
            f"at worst, must < {STALL * 1000:.0f}   {found['runs']:.0f} seen, "
            f"{found['answers']:.0f} times, {found['losses']:.0f} losses each"
        )
    return good


if __name__ == "__main__":
    if sys.argv[1:2] == ["--console"]:
        console(json.loads(sys.argv[2]))
    else:
        sys.exit(not main("--quick" in sys.argv))
