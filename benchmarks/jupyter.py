"""From the command to Jupyter's first answer on localhost: `python -m benchmarks.jupyter`.

The peer is ssh by hand: one `ssh -L` that makes the tmux session with JupyterLab in it. Both are
timed from the start of the process to HTTP 200 on /api through the tunnel, in turns, each time
with a new server, and once more with one that runs. What JupyterLab itself takes to start on the
host is measured in the same round and taken off. AWS is `benchmarks.replay`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from benchmarks.replay import Replay
from tests.sshd import Sshd, free_port

ROUNDS, QUICK = 7, 3
BAR = 1.2
"""Of the whole, Jupyter's own start included."""
LAB = "jupyter lab --no-browser --allow-root --ip=127.0.0.1 --ServerApp.port_retries=0"


class Rig:
    """One sshd host, and what reaches it."""

    def __init__(self, sshd: Sshd, home: Path, environment: dict[str, str]) -> None:
        self.sshd, self.home = sshd, home
        self.environment = environment
        self.name = ""
        self.config = home / ".ssh/config"
        self.config.parent.mkdir(mode=0o700, exist_ok=True)

    def write_config(self, instance: Mapping[str, str]) -> None:
        """An entry of ~/.ssh/config that names the instance."""
        self.name = instance["name"]
        known = self.home / ".ssh/known_hosts"
        self.sshd.known_hosts(known)
        self.config.write_text(
            f"Host {self.name}\n  HostName {self.sshd.host}\n  Port {self.sshd.port}\n"
            f"  User {self.sshd.user}\n  IdentityFile {self.sshd.key}\n"
            f"  UserKnownHostsFile {known}\n"
        )
        self.config.chmod(0o600)

    def kill(self) -> None:
        """End every Jupyter and session on the host."""
        tmux = {**os.environ, **self.sshd.env}
        subprocess.run(["tmux", "kill-server"], env=tmux, capture_output=True, check=False)
        for file in self.sshd.home.glob(".local/share/jupyter/runtime/jpserver-*.json"):
            with contextlib.suppress(ProcessLookupError, ValueError):
                pid = int(file.stem.rpartition("-")[2])
                os.kill(pid, signal.SIGKILL)
            file.unlink(missing_ok=True)


def answered(port: int, began: float) -> float:
    """Seconds from `began` until /api answers on the local port."""
    while time.perf_counter() - began < 60:
        with (
            contextlib.suppress(OSError, urllib.error.URLError),
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api", timeout=5) as answer,
        ):
            if answer.status == 200:
                return time.perf_counter() - began
        time.sleep(0.005)
    raise TimeoutError("Jupyter did not answer")


@contextlib.contextmanager
def running(command: list[str], environment: dict[str, str]) -> Iterator[float]:
    """The moment at which the command was begun; it is ended afterwards."""
    began = time.perf_counter()
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        yield began
    except TimeoutError:
        os.killpg(process.pid, signal.SIGTERM)
        assert process.stderr
        sys.stderr.write(process.stderr.read().decode(errors="replace"))
        raise
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def alone(rig: Rig) -> float:
    """JupyterLab started on the host itself."""
    port = free_port()
    command = ["sh", "-c", f"exec {LAB} --port={port}"]
    with running(command, {**os.environ, **rig.sshd.env}) as began:
        return answered(port, began)


def by_hand(rig: Rig, there: int) -> float:
    """ssh -L and tmux; host and client are one computer, so the port differs."""
    port = free_port()
    line = f"tmux new-session -d -s jupyter '{LAB} --port={there}'; exec sleep 1000"
    command = ["ssh", "-F", str(rig.config), "-L", f"{port}:127.0.0.1:{there}", rig.name, line]
    with running(command, rig.environment) as began:
        return answered(port, began)


def only_tunnel(rig: Rig, there: int) -> float:
    """ssh -L to a server that runs."""
    port = free_port()
    command = ["ssh", "-F", str(rig.config), "-N", "-L", f"{port}:127.0.0.1:{there}", rig.name]
    with running(command, rig.environment) as began:
        return answered(port, began)


def ours(rig: Rig) -> float:
    """cloudtui jupyter, whether a server runs or not."""
    port = free_port()
    command = [sys.executable, "-m", "cloudtui", "jupyter", rig.name, "--no-browser"]
    with running([*command, "--local-port", str(port)], rig.environment) as began:
        return answered(port, began)


def measure(rig: Rig, rounds: int) -> dict[str, float]:
    """Medians in seconds."""
    found: dict[str, list[float]] = {}

    def note(name: str, take: Callable[[], float]) -> None:
        found.setdefault(name, []).append(take())

    for number in range(rounds + 1):
        if number == 1:
            found.clear()  # the first round fills caches
        rig.kill()
        note("alone", lambda: alone(rig))
        rig.kill()
        port = free_port()
        note("by hand", lambda: by_hand(rig, port))  # noqa: B023 - called at once
        note("by hand, running", lambda: only_tunnel(rig, port))  # noqa: B023
        rig.kill()
        note("cloudtui", lambda: ours(rig))
        note("cloudtui, running", lambda: ours(rig))
    rig.kill()
    return {name: statistics.median(values) for name, values in found.items()}


def main(quick: bool = False) -> bool:
    """Print the figures; whether the bar holds."""
    with (
        tempfile.TemporaryDirectory(prefix="ct") as name,
        Replay({"us-east-1": 20}) as replay,
    ):
        folder, home = Path(name) / "host", Path(name) / "home"
        folder.mkdir()
        home.mkdir()
        sshd = Sshd(folder)
        sshd.with_jupyter()
        sshd.start()
        try:
            rig = Rig(sshd, home, replay.environment(home))
            listing = subprocess.run(
                [sys.executable, "-m", "cloudtui", "ls", "--json", "state:running"],
                env=rig.environment, capture_output=True, check=True, text=True,
            )  # fmt: skip
            rig.write_config(json.loads(listing.stdout)["instances"][0])
            found = measure(rig, QUICK if quick else ROUNDS)
        finally:
            sshd.stop()
    return _told(found)


def _told(found: dict[str, float]) -> bool:
    own = found["alone"]
    beyond = (found["cloudtui"] - own) / max(0.001, found["by hand"] - own)
    whole = found["cloudtui"] / found["by hand"]
    joined = found["cloudtui, running"] / found["by hand, running"]
    for key, value in found.items():
        print(f"{key:<20} {value * 1000:6.0f} ms")
    print(
        f"a new server: {whole:.2f} x by hand (bar {BAR}); without Jupyter's start {beyond:.2f} x"
    )
    print(f"one that runs: {joined:.2f} x by hand")
    return whole <= BAR


if __name__ == "__main__":
    sys.exit(0 if main("--quick" in sys.argv) else 1)
