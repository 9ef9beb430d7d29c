"""`job.sh` as a host runs it, under real shells, with real tmux and screen; no SSH here."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudtui.ssh.jobs import quoted

SHELLS = {
    "dash": ["dash"],
    "busybox": ["busybox", "sh"],
    "bash": ["bash", "--posix"],
}
TEXT = resources.files("cloudtui.host").joinpath("job.sh").read_text()
LOOP = "echo up; while :; do sleep 0.05; done"


def until(question: Callable[[], object], what: str = "") -> None:
    """Ask again until it is so; 10 s."""
    deadline = time.monotonic() + 10
    while not question():
        assert time.monotonic() < deadline, what or "not within 10 s"
        time.sleep(0.01)


class Host:
    """A machine of its own: HOME, PATH, sockets, and the shell that runs the program."""

    def __init__(self, folder: Path, shell: str = "dash") -> None:
        folder = folder / "host"
        folder.mkdir()
        self.home = folder / "home"
        self.shell = SHELLS[shell]
        for name in ("home", "tmux", "screen"):
            (folder / name).mkdir(mode=0o700)
        self.mark = f"CT_HOST={folder}"
        self.env = {
            "HOME": str(self.home),
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "SHELL": "/bin/sh",
            "TMUX_TMPDIR": str(folder / "tmux"),
            "SCREENDIR": str(folder / "screen"),
            "CT_HOST": str(folder),
        }
        sh = folder / "sh"
        words = shlex.join([shutil.which(self.shell[0]) or "", *self.shell[1:]])
        sh.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        sh.chmod(0o755)
        self.program = folder / "job.sh"
        self.program.write_text(TEXT.replace("/bin/sh", str(sh)))

    def do(self, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*self.shell, str(self.program), *words],
            input=stdin,
            capture_output=True,
            env=self.env,
            check=False,
            timeout=30,
        )

    def start(
        self, *command: str, name: str = "bert", holder: str = "none", more: tuple[str, ...] = ()
    ) -> Run:
        lines = [
            "put cwd ''",
            f"put words {quoted('set -- ' + ' '.join(map(quoted, command)))}",
            *more,
        ]
        done = self.do("start", name, holder, stdin=os.fsencode("\n".join(lines)))
        assert done.returncode == 0, done.stderr
        return Run(self, done.stdout.decode().strip().removeprefix("ID "))

    @property
    def runs(self) -> Path:
        return self.home / ".local/share/cloudtui/runs"

    def tmux(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", *words], env=self.env, capture_output=True, text=True, check=False
        )
        return done.stdout

    def end(self) -> None:
        """Kill all that was started here."""
        for _ in range(50):
            left = [p for p in Path("/proc").glob("[0-9]*") if self.mark in environment(p)]
            if not left:
                return
            for path in left:
                try:
                    os.kill(int(path.name), signal.SIGKILL)
                except ProcessLookupError:
                    continue
            time.sleep(0.01)


class Run:
    def __init__(self, host: Host, id: str) -> None:
        self.host, self.id = host, id
        self.folder = host.runs / id

    def told(self, name: str) -> str:
        try:
            return (self.folder / name).read_text().strip()
        except FileNotFoundError:
            return ""

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    @property
    def exit(self) -> tuple[str, str]:
        """Status and signal, when all is over."""
        until(lambda: self.told("ended"), f"{self.id} goes on: {self.log}")
        status, _, rest = self.told("exit").partition(" ")
        return status, rest.partition(" ")[2]

    def prints(self, text: str) -> None:
        until(lambda: text in self.log, f"{self.id} never printed {text}")

    def type(self, data: bytes) -> None:
        descriptor = os.open(self.folder / "keys", os.O_RDWR)
        os.write(descriptor, data)
        os.close(descriptor)


def environment(process: Path) -> list[str]:
    try:
        return (process / "environ").read_text(errors="replace").split("\0")
    except OSError:
        return []


def runs_of(host: Host, words: str) -> list[int]:
    """Processes of the host that run just these words."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            line = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
        except OSError:
            continue
        if line == words and host.mark in environment(path):
            found.append(int(path.name))
    return found


@pytest.fixture(params=SHELLS)
def host(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Host]:
    host = Host(tmp_path, request.param)
    yield host
    host.end()


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Host]:
    """Under dash alone, for what no shell has a part in."""
    host = Host(tmp_path)
    yield host
    host.end()


def test_a_run_has_a_terminal_a_log_and_an_exit_status(host: Host) -> None:
    script = 'test -t 0 -a -t 1 -a -t 2 && stty size; printf "a\\rb\\377\\n"; pwd; trap; exit 3'
    run = host.start("sh", "-c", script)
    assert run.exit == ("3", "")
    assert (run.folder / "log").read_bytes() == b"48 160\na\rb\xff\n%s\n" % str(host.home).encode()
    assert run.folder.stat().st_mode & 0o777 == 0o700
    assert (run.folder / "command").read_bytes() == b"sh\0-c\0%s\0" % script.encode()
    missing = host.start("no-such-program")
    assert missing.exit == ("127", "")
    assert missing.log == "no-such-program: command not found\n"
    assert host.start("/etc/passwd").exit == ("126", "")
    assert host.start("sh", "-c", "kill -SEGV $$").exit == ("139", "SEGV")


def test_stop_sends_one_signal_after_the_other(host: Host) -> None:
    polite = host.start("sh", "-c", f'trap "echo saved; exit 5" INT; {LOOP}', name="polite")
    term = host.start("sh", "-c", f'trap "" INT; {LOOP}', name="term")
    deaf = host.start("sh", "-c", f'trap "" INT TERM; setsid sleep 77 & {LOOP}', name="deaf")
    for run in (polite, term, deaf):
        run.prints("up")
    assert host.do("remove", "deaf").returncode == 95
    assert host.do("stop", "polite", "5").returncode == 0
    assert polite.exit == ("5", "")
    assert polite.log.endswith("saved\n")
    assert host.do("stop", "term", "0").returncode == 0
    assert term.exit == ("143", "TERM")
    assert runs_of(host, "sleep 77")
    assert host.do("stop", "deaf", "0").returncode == 0
    assert deaf.exit == ("137", "KILL")
    assert not runs_of(host, "sleep 77")
    assert host.do("stop", "deaf", "0").returncode == 96
    assert host.do("stop", "none", "0").returncode == 94
    again = host.do("again", "polite")
    assert again.stdout == b"ID polite-2\n"
    rerun = Run(host, "polite-2")
    rerun.prints("up")
    rerun.type(b"\x03")
    assert rerun.exit == ("5", "")
    assert host.do("remove", "polite").returncode == 0
    assert not polite.folder.exists()


def test_following_tells_every_byte_from_an_offset_to_the_end(host: Host) -> None:
    run = host.start("sh", "-c", "seq 1 5; read go; seq 6 10")
    run.prints("5\n")
    with subprocess.Popen(
        [*host.shell, str(host.program), "follow", run.id, "4"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=host.env,
    ) as follower:
        assert follower.stdout
        assert [follower.stdout.readline() for _ in range(4)] == [b"4\n", b"3\n", b"4\n", b"5\n"]
        run.type(b"\n")
        rest = b"\n" + b"".join(b"%d\n" % n for n in range(6, 11))
        assert rest.startswith(follower.stdout.read())
        assert follower.wait(10) == 97
    whole = b"".join(b"%d\n" % n for n in range(1, 6)) + rest
    assert host.do("follow", run.id, "0").stdout == b"0\n" + whole
    assert host.do("follow", run.id, "-2").stdout == b"%d\n9\n10\n" % (len(whole) - 5)
    assert host.do("follow", run.id, "999").stdout == b"%d\n" % len(whole)
    goes = host.start("sh", "-c", LOOP)
    host.do("follow", goes.id, "0")  # returns: its standard input has ended
    assert not runs_of(host, f"tail -c +1 -f {goes.folder}/log")


WORDS = st.lists(
    st.binary(max_size=30)
    | st.text("'\"\\$`#%{}()[];&|<>~*?!^=@: \n\tü漢-", max_size=12).map(str.encode),
    max_size=4,
).map(lambda words: [word.replace(b"\0", b"") for word in words])


@pytest.mark.parametrize("shell", SHELLS)
def test_any_argument_list_arrives_as_typed(tmp_path: Path, shell: str) -> None:
    """What `inner` does with the words, without the rest of a run."""
    sh = SHELLS[shell]

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(WORDS)
    def arrives(words: list[bytes]) -> None:
        typed = ["printf", "%s\\0", *map(os.fsdecode, words)]
        put = f"put words {quoted('set -- ' + ' '.join(map(quoted, typed)))}"
        script = f'd={tmp_path}\n{functions}\n{put}\ngo() {{ . "$d/words"; exec "$@"; }}\ngo 1 2'
        done = subprocess.run(
            [*sh, "-s"], input=os.fsencode(script), capture_output=True, check=False, timeout=20
        )
        assert done.stdout == b"".join(word + b"\0" for word in words or [b""]), done.stderr

    functions = TEXT[TEXT.index("# put NAME") : TEXT.index("# get NAME")]
    arrives()
