"""The recorder itself: looks for kernels again and again, and records each."""

import os
import signal
import threading
import time
from typing import Any, Dict, List

from . import keeping, servers
from .tape import Tape

_LOOK, _PROCESSES, _SESSIONS, _BEAT, _PRUNE = 0.25, 5.0, 30.0, 5.0, 10.0
"""Seconds between looks at the runtime folders, at processes, at the servers' lists of notebooks,
between heartbeats, and between looks at the size of everything."""
_EARLY = 20.0
"""Seconds from its start in which a recorder meets the kernels that an earlier one recorded."""


def version() -> str:
    """Which program this is: the name of the folder it was brought to the host in."""
    return os.path.basename(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def running(home: str) -> bool:
    """Whether a recorder of this user runs on this host."""
    if not os.path.isdir(home):
        return False
    held = keeping.open_lock(os.path.join(home, "lock"))
    if held is None:
        return True
    os.close(held)
    return False


def state_path(home: str) -> str:
    return os.path.join(home, "state.json")


def stop(home: str, seconds: float = 10.0) -> bool:
    """End the recorder of this host; False when it runs on, or none did."""
    if not running(home):
        return False
    pid = keeping.read_json(state_path(home)).get("pid")
    if not isinstance(pid, int):
        return False
    try:
        os.kill(pid, signal.SIGTERM)
    except OSError:
        return False
    end = time.time() + seconds
    while time.time() < end:
        if not running(home):
            return True
        time.sleep(0.02)
    return False


def make_way(home: str) -> bool:
    """Whether this version records already; one of another version is ended."""
    if running(home):
        if keeping.read_json(state_path(home)).get("version") == version():
            return True
        stop(home)
    return False


class Recorder:
    """One for each user and host."""

    def __init__(self, home: str) -> None:
        self._home = home
        self._tapes: Dict[str, Tape] = {}
        self._servers: List[servers.Server] = []
        self._problems: Dict[int, str] = {}
        self._names: Dict[str, str] = {}
        self._mtimes: List[float] = []
        self._processes: Dict[str, int] = {}
        self._bytes = 0
        self._wake = threading.Event()
        self._stopping = False
        self._since = time.time()
        self._asked = 0.0
        self._after = 0.0

    def record(self) -> bool:
        """Record until a signal; False when another recorder of this version does already."""
        os.makedirs(self._home, 0o700, exist_ok=True)
        os.chmod(self._home, 0o700)
        lock = self._locked()
        if lock is None:
            return False
        before = keeping.read_json(state_path(self._home))
        if before.get("pid") and not before.get("stopped"):
            self._after = float(before.get("beat") or 0)
        self._file = keeping.StateFile(state_path(self._home))
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._end)
        self._say()
        looked = beaten = pruned = 0.0
        while not self._stopping:
            now = time.time()
            if now - looked > _PROCESSES or self._touched():
                self._look(now - looked > _PROCESSES)
                looked = now if now - looked > _PROCESSES else looked
            self._name(now)
            if now - pruned > _PRUNE or now < pruned:
                alive = [key for key, tape in self._tapes.items() if not tape.ended]
                self._bytes = keeping.prune(self._home, alive)
                pruned = now
            if now - beaten > _BEAT or now < beaten or self._wake.is_set():
                self._wake.clear()
                for tape in self._tapes.values():
                    tape.retry()
                self._say()
                beaten = now
            self._wake.wait(_LOOK)
        for tape in self._tapes.values():
            tape.flush()
        self._say()
        return True

    def _locked(self) -> Any:
        path = os.path.join(self._home, "lock")
        for _ in range(3):
            lock = keeping.open_lock(path)
            if lock is not None:
                return lock
            time.sleep(0.05)  # who only looked whether one runs has let go by then
            if make_way(self._home):
                return None
        return None

    def _end(self, number: int, frame: Any) -> None:
        self._stopping = True
        self._wake.set()

    def _folders(self) -> List[str]:
        return servers.runtime_folders(sorted({os.path.dirname(p) for p in self._processes}))

    def _touched(self) -> bool:
        """Whether a file came or went where Jupyter keeps those of running servers and kernels."""
        times = []
        for folder in self._folders():
            try:
                times.append(os.stat(folder).st_mtime)
            except OSError:
                times.append(0.0)
        before, self._mtimes = self._mtimes, times
        return before != times

    def _look(self, thoroughly: bool) -> None:
        if thoroughly:
            self._processes = servers.kernel_processes()
        folders = self._folders()
        self._servers = servers.running_servers(folders)
        for kernel in servers.live_kernels(folders, self._processes):
            tape = self._tapes.get(kernel.id)
            if tape is None or tape.ended or not tape.is_alive():
                known = keeping.segments(os.path.join(self._home, kernel.id))
                early = time.time() - self._since < _EARLY
                after = self._after if known and early else 0.0
                tape = Tape(kernel, self._home, self._wake.set, after)
                self._tapes[kernel.id] = tape
                self._asked = 0.0
                tape.start()
            elif kernel.pid:
                tape.kernel.pid = kernel.pid
        if len(self._tapes) > 200:
            self._tapes = {key: tape for key, tape in self._tapes.items() if not tape.ended}

    def _name(self, now: float) -> None:
        """Learn which notebook each kernel belongs to."""
        live = [tape for tape in self._tapes.values() if not tape.ended]
        new = any(not tape.notebook and time.time() - tape.since < 60 for tape in live)
        if 0 <= now - self._asked < (2.0 if new else _SESSIONS):
            return
        self._asked = now
        for server in self._servers:
            try:
                told = server.sessions()
            except servers.Failed as error:
                self._problems[server.port] = str(error)
                continue
            self._problems.pop(server.port, None)
            for kernel_id, (path, name) in told.items():
                tape = self._tapes.get(kernel_id)
                if tape:
                    tape.notebook = path or tape.notebook
                    tape.about(path=path, name=name, port=server.port, root=server.root)
        for tape in live:
            if not tape.notebook:
                path = servers.notebook_of(tape.kernel.pid)
                if path:
                    tape.notebook = servers.below_root(path, self._servers)
                    tape.about(path=tape.notebook)

    def _say(self) -> None:
        live = [tape for tape in self._tapes.values() if not tape.ended]
        full = any(tape.state == "full" for tape in live) or not keeping.room(self._home)
        self._file.say(
            {
                "pid": os.getpid(),
                "version": version(),
                "since": self._since,
                "beat": time.time(),
                "stopped": self._stopping,
                "killed": self._after,
                "bytes": self._bytes,
                "problem": "full" if full else "",
                "servers": [
                    {"port": s.port, "problem": self._problems.get(s.port, "")}
                    for s in self._servers
                ],
                "kernels": [
                    {"id": t.kernel.id, "state": t.state, "path": t.notebook} for t in live
                ],
            }
        )
