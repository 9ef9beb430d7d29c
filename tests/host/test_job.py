"""`job.sh` as a host runs it, under real shells, with real tmux and screen; no SSH here."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
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
    deadline = time.monotonic() + 30
    while not question():
        assert time.monotonic() < deadline, what or "not within 10 s"
        time.sleep(0.01)


class Host:
    """A machine of its own: HOME, PATH, sockets, and the shell that runs the program."""

    def __init__(self, folder: Path, shell: str = "dash") -> None:
        folder = folder / "host"
        folder.mkdir()
        self.home = folder / "home"
        first, *rest = SHELLS[shell]
        self.shell = [shutil.which(first) or first, *rest]
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
        sh.write_text(f'#!/bin/sh\nexec {shlex.join(self.shell)} "$@"\n')
        sh.chmod(0o755)
        self.program = folder / "job.sh"
        self.program.write_text(TEXT.replace("/bin/sh", str(sh)))

    def only(self, *programs: str) -> None:
        """Take all programs off PATH but the usual ones of a small host, and these."""
        bin = Path(self.env["CT_HOST"]) / "bin"
        bin.mkdir()
        usual = (
            "cat cp cut date dd env grep head ls mkdir mkfifo mv rm sed seq setsid sh sleep stat"
        )
        for name in (*usual.split(), "stty", "tail", "test", "tr", "tty", "wc", *programs):
            (bin / name).symlink_to(shutil.which(name, path="/usr/bin:/bin") or name)
        self.env["PATH"] = str(bin)

    def busybox(self, *programs: str) -> None:
        """BusyBox's programs on PATH, and these."""
        self.only(*programs)
        bin = Path(self.env["PATH"])
        told = subprocess.run(["busybox", "--list"], capture_output=True, text=True, check=True)
        for name in set(told.stdout.split()) - set(programs):
            (bin / name).unlink(missing_ok=True)
            (bin / name).symlink_to(shutil.which("busybox") or "busybox")

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
    gone, plain = host.start("./gone.py"), host.start("/etc/passwd")
    assert (gone.exit, gone.log) == (("127", ""), "./gone.py: no such file\n")
    assert plain.exit == ("126", "")
    assert plain.log.startswith("/etc/passwd: not executable: name what runs it, such as python3")
    assert host.start("/etc").exit == ("126", "")
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
    until(lambda: not runs_of(host, "sleep 77"))
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
    until(lambda: not runs_of(host, f"tail -c +1 -f {goes.folder}/log"))


def test_the_log_of_a_run_has_every_line_however_fast_it_ends(plain: Host) -> None:
    lines = "".join(f"{n}\n" for n in range(1, 20_001))
    for name in ("a", "b", "c"):
        run = plain.start("seq", "20000", name=name)
        assert run.exit == ("0", "")
        assert run.log == lines


@pytest.mark.parametrize("busybox", [False, True])
def test_a_run_outlives_the_tmux_server_that_shows_it(plain: Host, busybox: bool) -> None:
    if busybox:
        plain.busybox("tmux", "script")
    run = plain.start("sh", "-c", 'echo ready; read x; echo "got $x"; read y', holder="tmux")
    assert run.told("session").endswith(" bert")
    run.prints("ready")
    until(lambda: "ready" in plain.tmux("capture-pane", "-p", "-t", "bert"))
    plain.tmux("send-keys", "-t", "bert", "hello", "Enter")
    run.prints("got hello")
    plain.tmux("resize-window", "-t", "bert", "-x", "91", "-y", "31")
    tty = run.told("tty")

    def size() -> bytes:
        return subprocess.run(
            ["/bin/stty", "-F", tty, "size"], capture_output=True, check=False
        ).stdout

    until(lambda: size() == b"31 91\n")
    plain.tmux("kill-server")
    until(lambda: not runs_of(plain, f"tail -c 60000 -f {run.folder}/log"))
    assert run.told("exit") == ""
    assert plain.do("show", "bert").returncode == 0
    until(lambda: "got hello" in plain.tmux("capture-pane", "-p", "-t", "bert"))
    plain.tmux("send-keys", "-t", "bert", "C-c")
    assert run.exit == ("130", "INT")
    until(lambda: not plain.tmux("list-sessions"))
    assert plain.do("show", "bert").returncode == 96


def test_what_shows_a_run_ends_with_it_however_fast_that_is(plain: Host) -> None:
    for name in "abcdef":
        assert plain.start("true", name=name, holder="tmux").exit == ("0", "")
    until(lambda: not plain.tmux("list-sessions"))


def test_screen_shows_a_run_where_there_is_no_tmux(plain: Host) -> None:
    plain.only("screen", "script")
    run = plain.start("sh", "-c", "echo ready; read x; exit 9", holder="", name="it's a run")
    assert run.told("holder") == "screen"
    until(lambda: run.told("session").endswith(".it's a run"))
    pid = run.told("session").partition(".")[0]
    run.prints("ready")
    subprocess.run(["screen", "-S", pid, "-X", "stuff", "\n"], env=plain.env, check=True)
    assert run.exit == ("9", "")
    refused = plain.do("start", "x", "tmux", stdin=b"put cwd ''")
    assert refused.returncode == 91


@pytest.mark.parametrize("programs", [("python3",), ("script",), ()])
def test_a_host_with_next_to_nothing_runs_it_too(plain: Host, programs: tuple[str, ...]) -> None:
    plain.only(*programs)
    if not programs:
        for name in ("setsid", "stat"):
            (Path(plain.env["PATH"]) / name).unlink()
    run = plain.start(
        "sh", "-c", "test -t 1 && echo terminal; echo ready; read x; exit 9", holder=""
    )
    assert run.told("holder") == "none"
    run.prints("ready")
    assert ("terminal" in run.log) == bool(programs)
    run.type(b"\n")
    assert run.exit == ("9", "")
    other = plain.start("sh", "-c", LOOP, holder="")
    other.prints("up")
    assert plain.do("stop", other.id, "3" if programs else "0").returncode == 0
    assert other.exit == (("130", "INT") if programs else ("143", "TERM"))


@pytest.mark.parametrize("shell", ["bash", "fish", "tcsh", "sh", "false"])
def test_the_environment_is_that_of_the_login_shell(plain: Host, shell: str) -> None:
    """Of an interactive one, as conda is there; what its start-up files print is not in the log."""
    plain.env["SHELL"] = shutil.which(shell) or shell
    line = "echo noise; export FROM=rc d=1 id=2 me=3 runs=4 signal=5 got=6 RUNS=7\n"
    files = {
        "bash": (".bash_profile", line),
        "fish": (".config/fish/config.fish", "echo noise; set -gx FROM rc\n"),
        "tcsh": (".tcshrc", "echo noise; setenv FROM rc\n"),
        "sh": (".profile", line),
    }
    if shell in files:
        name, text = files[shell]
        (plain.home / name).parent.mkdir(parents=True, exist_ok=True)
        (plain.home / name).write_text(text)
    run = plain.start(
        "sh",
        "-c",
        'echo "$FROM $SECRET $SHELL"; umask; echo "$d$id$me$runs$signal$got$RUNS"; kill -INT $$',
        more=(f"put env {quoted('export SECRET=' + quoted('a' + chr(10) + 'b'))}",),
    )
    mine = "1234567" if shell in ("bash", "sh") else ""
    assert run.exit == ("130", "INT")
    assert run.log == f"{'rc' if shell in files else ''} a\nb {plain.env['SHELL']}\n0022\n{mine}\n"
    assert (run.folder / "env").stat().st_mode & 0o777 == 0o600


def test_a_start_up_file_that_never_ends_is_not_waited_for(plain: Host) -> None:
    plain.program.write_text(plain.program.read_text().replace("sleep 15", "sleep 0.3"))
    plain.env["SHELL"] = "/bin/bash"
    (plain.home / ".bash_profile").write_text("read answer </dev/tty\n")
    assert plain.start("echo", "on", name="rc").exit == ("0", "")


def test_what_vanished_is_lost_and_a_killed_supervisor_is_not(plain: Host) -> None:
    after = (f"put after 'date >>{plain.home}/after'",)
    run = plain.start("sh", "-c", f'trap "exit 5" TERM; {LOOP}', more=after)
    run.prints("up")
    os.kill(int(run.told("supervisor").split()[0]), signal.SIGKILL)
    assert plain.do("remove", run.id).returncode == 95
    assert plain.do("stop", run.id, "0").returncode == 0
    assert run.exit[0] in ("5", "130")
    until((plain.home / "after").exists)  # its work is done by another
    other = plain.start("sleep", "98")
    for name in ("supervisor", "pid"):
        os.kill(int(other.told(name).split()[0]), signal.SIGKILL)
    until(lambda: not runs_of(plain, "sleep 98"))
    assert plain.do("stop", other.id, "0").returncode == 96
    assert other.told("exit") == ""


def test_what_lost_its_terminal_goes_on_before_what_follows_it(plain: Host) -> None:
    script = f'trap "" HUP; until [ -e {plain.home}/go ]; do sleep 0.05; done; exit 4'
    run = plain.start("sh", "-c", script, more=(f"put after 'touch {plain.home}/after'",))
    until(lambda: run.told("pid"))
    shell = plain.program.parent / "sh"
    script = f'script -qfc exec {shell} "$CLOUDTUI_SH" login /dev/null'
    os.kill(runs_of(plain, script)[0], signal.SIGKILL)
    until(lambda: not runs_of(plain, script))
    assert not run.told("ended")
    (plain.home / "go").touch()
    assert run.exit == ("4", "")
    until((plain.home / "after").exists)


def test_death_for_want_of_memory_is_told(plain: Host) -> None:
    kills = plain.home / "vmstat"
    kills.write_text("nr_free_pages 9\noom_kill 3\n")
    plain.program.write_text(plain.program.read_text().replace("/proc/vmstat", str(kills)))
    run = plain.start("sh", "-c", "read x; kill -KILL $$")
    until(lambda: run.told("oom"))
    kills.write_text("nr_free_pages 9\noom_kill 4\n")
    run.type(b"\n")
    assert run.exit == ("137", "KILL")
    assert run.told("why") == "out of memory"
    other = plain.start("sh", "-c", "kill -KILL $$")
    assert other.exit == ("137", "KILL")
    assert not other.told("why")


def test_stop_kills_no_other_process_that_has_the_number_now(plain: Host) -> None:
    run = plain.start("sleep", "100")
    innocent = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        (plain.runs / run.id / "pid").write_text(f"{innocent.pid} 1\n")
        plain.do("stop", run.id, "0")
        assert innocent.poll() is None
    finally:
        innocent.kill()
        innocent.wait()


def test_a_home_that_takes_nothing(plain: Host) -> None:
    (plain.home / ".local").write_text("a file, not a folder")
    refused = plain.do("start", "bert", "none", stdin=b"put cwd ''\nput words 'set -- true'")
    assert refused.returncode == 92
    assert b"Not a directory" in refused.stderr


def test_a_disk_that_is_full_for_a_while_costs_output_and_not_the_run(plain: Host) -> None:
    plain.only("script")
    full, cat = plain.home / "full", Path(plain.env["PATH"]) / "cat"
    cat.unlink()
    cat.write_text(
        f"#!{sys.executable}\n"
        "import os, sys\n"
        "if sys.argv[1:] or not os.readlink('/proc/self/fd/1').endswith('/log'):\n"
        "    os.execv('/bin/cat', sys.argv)\n"
        "while data := os.read(0, 4096):\n"
        f"    if os.path.exists('{full}'): sys.exit(1)\n"
        "    os.write(1, data)\n"
    )
    cat.chmod(0o755)
    run = plain.start("sh", "-c", "echo before; read x; seq 9000; read y; echo after; exit 7")
    run.prints("before\n")
    full.touch()
    run.type(b"\n")
    until(lambda: not runs_of(plain, f"{sys.executable} {cat}"))
    missing = run.folder / "missing"
    until(missing.exists)
    assert abs(int(missing.read_text()) - time.time()) < 60
    full.unlink()
    run.prints("[the disk was full here, and output is missing]\n")
    run.prints("9000\n")
    run.type(b"\n")
    assert run.exit == ("7", "")
    assert run.log.startswith("before\n")
    assert run.log.endswith("8999\n9000\n\nafter\n")


WORDS = st.lists(
    st.binary(max_size=30)
    | st.text("'\"\\$`#%{}()[];&|<>~*?!^=@: \n\tü漢-", max_size=12).map(str.encode),
    max_size=4,
).map(lambda words: [word.replace(b"\0", b"") for word in words])


@pytest.mark.parametrize("shell", SHELLS)
def test_any_argument_list_arrives_as_typed(tmp_path: Path, shell: str) -> None:
    """What `inner` does with the words, without the rest of a run."""
    sh = SHELLS[shell]

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(WORDS)
    def arrives(words: list[bytes]) -> None:
        typed = ["printf", "%s\\0", *map(os.fsdecode, words)]
        put = f"put words {quoted('set -- ' + ' '.join(map(quoted, typed)))}"
        script = f'd={tmp_path}\n{functions}\n{put}\ngo() {{ . "$d/words"; exec "$@"; }}\ngo 1 2'
        done = subprocess.run(
            [*sh, "-s"], input=os.fsencode(script), capture_output=True, check=False, timeout=30
        )
        assert done.stdout == b"".join(word + b"\0" for word in words or [b""]), done.stderr

    functions = TEXT[TEXT.index("# put NAME") : TEXT.index("# get NAME")]
    arrives()
