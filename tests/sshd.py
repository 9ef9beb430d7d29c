"""A real OpenSSH server for tests: own port, keys, HOME, tmux and screen sockets."""

from __future__ import annotations

import errno
import getpass
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from cloudtui.model.remote import Route

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
MARK = "CT_TEST_HOST"


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "", *options: str) -> Path:
    """A fresh key pair by ssh-keygen at `path` and `path`.pub."""
    command = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", path.name, "-f", str(path)]
    size = ["-b", "2048"] if kind == "rsa" else []
    subprocess.run([*command, *size, *options], check=True, stdin=subprocess.DEVNULL)
    return path


def public_words(path: Path) -> str:
    """`TYPE BASE64` of the key pair at `path`."""
    return " ".join(path.with_name(path.name + ".pub").read_text().split()[:2])


_RESERVED: deque[socket.socket] = deque()


def free_port() -> int:
    """A port that is free on 127.0.0.1 and, where there is one, on ::1.

    It is below those that the system gives to connections, or another test's would take it. The
    UDP port of its number is kept for a while: whatever asks beside this process gets another.
    """
    while True:
        port = random.SystemRandom().randint(20_000, 32_000)
        mine = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            mine.bind(("127.0.0.1", port))
            with socket.create_server(("127.0.0.1", port)):
                pass
            with socket.socket(socket.AF_INET6) as six:
                six.bind(("::1", port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                mine.close()
                continue
        _RESERVED.append(mine)
        if len(_RESERVED) > 50:
            _RESERVED.popleft().close()
        return port


@dataclass
class Sshd:
    """One server. Its sessions have HOME, TMUX_TMPDIR and SCREENDIR of their own."""

    folder: Path
    host: str = "127.0.0.1"
    port: int = 0
    user: str = field(default_factory=getpass.getuser)
    env: dict[str, str] = field(default_factory=dict)
    """What sessions see; change it, then `restart()`."""
    config: list[str] = field(default_factory=list)
    """Further lines of sshd_config; the first value of a keyword wins, so they come first."""
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        for name in ("home", "tmux", "screen", "bin"):
            (self.folder / name).mkdir(mode=0o700)
        self.host_key = make_key(self.folder / "host_key")
        self.key = make_key(self.folder / "client_key")
        self.authorized = self.folder / "authorized_keys"
        self.authorized.write_text(public_words(self.key) + "\n")
        self.port = free_port()
        self.env = {
            "HOME": str(self.home),
            "TMUX_TMPDIR": str(self.folder / "tmux"),
            "SCREENDIR": str(self.folder / "screen"),
            "PATH": f"{self.bin}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            MARK: str(self.folder),
        }

    @property
    def home(self) -> Path:
        """HOME of the sessions."""
        return self.folder / "home"

    @property
    def bin(self) -> Path:
        """The first folder of the sessions' PATH, empty at first."""
        return self.folder / "bin"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def start(self) -> None:
        """Start and wait until it greets."""
        pairs = " ".join(f'{name}="{value}"' for name, value in self.env.items())
        lines = [
            *self.config,
            f"ListenAddress {self.host}:{self.port}",
            f"HostKey {self.host_key}",
            f"AuthorizedKeysFile {self.authorized}",
            "PidFile none",
            "StrictModes no",
            "UsePAM no",
            "PermitRootLogin yes",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "PrintMotd no",
            "PrintLastLog no",
            "UseDNS no",
            "AcceptEnv LANG LC_*",
            "MaxStartups 100",
            f"SetEnv {pairs}",
        ]
        path = self.folder / "sshd_config"
        path.write_text("".join(f"{line}\n" for line in lines))
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [SSHD, "-D", "-e", "-f", str(path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": os.environ["PATH"]},
            )
        deadline = time.monotonic() + 30
        while not self._greets():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"sshd did not start:\n{self.log}")
            time.sleep(0.01)

    def _greets(self) -> bool:
        try:
            with socket.create_connection((self.host, self.port), 5) as sock:
                return sock.recv(4) == b"SSH-"
        except OSError:
            return False

    def stop(self) -> None:
        """End the listener; sessions that are open stay."""
        if self.process:
            self.process.terminate()
            self.process.wait(30)
            self.process = None

    def restart(self) -> None:
        """Start again with the present `env` and `config`."""
        self.stop()
        self.start()

    def session_processes(self) -> list[int]:
        """The server's own processes for open connections, not what runs in them."""
        if not self.process:
            return []
        processes = _processes()
        found = {self.process.pid}
        while True:
            more = {
                pid
                for pid, (parent, name) in processes.items()
                if parent in found and pid not in found and name.startswith("sshd")
            }
            if not more:
                return sorted(found - {self.process.pid})
            found |= more

    def cut(self) -> None:
        """Kill every open connection, as a crash of the machine's network would."""
        for pid in self.session_processes():
            _kill(pid)

    def end(self) -> None:
        """Stop, and kill all that was started through it: sessions, tmux, screen, servers."""
        self.cut()
        self.stop()
        mark = f"{MARK}={self.folder}".encode()
        for _ in range(50):
            left = [pid for pid in _processes() if mark in _environment(pid)]
            if not left:
                return
            for pid in left:
                _kill(pid)
            time.sleep(0.01)

    def known_hosts(self, path: Path | None = None, key: Path | None = None) -> Path:
        """A known_hosts file that has this server, under `key` instead of its own if given."""
        path = path or self.folder / "known_hosts"
        line = f"[{self.host}]:{self.port} {public_words(key or self.host_key)}\n"
        with path.open("a") as file:
            file.write(line)
        return path

    def route(self, **changes: object) -> Route:
        """The way here, with the host key on record already."""
        known = self.folder / "known_hosts"
        if "known_hosts" not in changes and not known.exists():
            self.known_hosts(known)
        route = Route(
            alias="test-host",
            host=self.host,
            port=self.port,
            user=self.user,
            identity_files=(self.key,),
            known_hosts=(known,),
            connect_timeout=30.0,
        )
        return replace(route, **changes)  # type: ignore[arg-type]

    def script(self, name: str, text: str) -> Path:
        """A program in the first folder of the sessions' PATH."""
        path = self.bin / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def with_jupyter(self) -> None:
        """Put this checkout's Jupyter on the sessions' PATH."""
        for program in Path(sys.executable).parent.glob("jupyter*"):
            (self.bin / program.name).symlink_to(program)


def _processes() -> dict[int, tuple[int, str]]:
    """The parent and the name of every process, by pid."""
    found: dict[int, tuple[int, str]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text(errors="replace")
        except OSError:
            continue
        head, _, tail = text.rpartition(")")
        pid, _, name = head.partition(" (")
        found[int(pid)] = (int(tail.split()[1]), name)
    return found


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


@contextmanager
def running() -> Iterator[Sshd]:
    """A running server; everything started through it is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="ct", ignore_cleanup_errors=True) as name:
        server = Sshd(Path(name).resolve())
        server.start()
        try:
            yield server
        finally:
            server.end()


@pytest.fixture
def sshd() -> Iterator[Sshd]:
    with running() as server:
        yield server


@pytest.fixture
def second_sshd() -> Iterator[Sshd]:
    """Another machine beside `sshd`."""
    with running() as server:
        yield server
