"""What a shutdown behind a run waits for, told by the figures of /proc."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cloudtui.ssh.host_program import text

SHELLS = [["dash"], ["bash", "--posix"], ["busybox", "sh"]]


def function(name: str) -> str:
    program = text("then.sh")
    begin = program.index(f"\n{name}() {{")
    return program[begin : program.index("\n}\n", begin) + 3]


def worked(shell: list[str], *looks: tuple[int, dict[int, tuple[int, int]]]) -> list[bool]:
    """What is said of process 7 at each moment, with the parent and the ticks of each process."""
    script = function("worked")
    for moment, processes in looks:
        lines = "\n".join(
            f"{pid} (odd ) name) S {parent} 0 0 0 0 0 0 0 0 0 {ticks} 0 0 0 20 0"
            for pid, (parent, ticks) in processes.items()
        )
        script += f"date() {{ echo {moment}; }}\ncat() {{ printf '%s\\n' '{lines}'; }}\n"
        script += "worked 7 99 && echo yes || echo no\n"
    done = subprocess.run([*shell, "-c", script], capture_output=True, text=True, check=True)
    assert not done.stderr
    return [line == "yes" for line in done.stdout.split()]


@pytest.mark.parametrize("shell", SHELLS, ids=lambda words: words[0])
def test_a_server_that_waits_is_at_work_for_ten_minutes(shell: list[str]) -> None:
    assert shutil.which(shell[0])

    def jupyter(kernel: int) -> dict[int, tuple[int, int]]:
        circle = {30: (31, kernel), 31: (30, kernel)}
        return {
            1: (0, 99_999), 7: (1, 300), 8: (7, 20), 9: (8, kernel), 20: (1, kernel * 50), **circle
        }  # fmt: skip

    begin = (1000, jupyter(100))
    assert worked(shell, begin, (1300, jupyter(130)), (1600, jupyter(160))) == [True, True, False]
    idle = (begin, (1600, jupyter(160)), (1630, jupyter(165)))
    assert worked(shell, *idle)[1:] == [False, False]
    busy = (1700, jupyter(160 + 300))
    assert worked(shell, *idle, busy, (2299, jupyter(470)))[3:] == [True, True], "a cell runs"
    always = [(1000 + 60 * n, jupyter(100 + 300 * n)) for n in range(30)]
    assert all(worked(shell, *always))


RENAMED = """import ctypes
ctypes.CDLL(None).prctl(15, b"two\\nlines")
print(flush=True)
input()
"""


@pytest.mark.parametrize("shell", SHELLS, ids=lambda words: words[0])
def test_a_process_whose_name_has_two_lines_holds_up_no_shutdown(
    shell: list[str], tmp_path: Path
) -> None:
    who = tmp_path / "who"
    who.write_text("#!/bin/sh\necho ada pts/99999\n")
    who.chmod(0o755)
    script = f"{function('worked')}{function('logins')}{function('in_use')}in_use; echo $?"
    with subprocess.Popen(
        [sys.executable, "-c", RENAMED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as odd:
        assert odd.stdout
        odd.stdout.readline()
        assert Path(f"/proc/{odd.pid}/comm").read_text() == "two\nlines\n"
        done = subprocess.run(
            [*shell, "-c", script], capture_output=True, text=True, env={
                "CLOUDTUI_WHO": str(who), "TMUX_TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin",
                "SCREENDIR": str(tmp_path),
            },
        )  # fmt: skip
        odd.communicate("\n")
    assert (done.stdout, done.stderr) == ("1\n", "")


LOGGED_IN = """import ctypes, os, pty, sys
ctypes.CDLL(None).prctl(15, sys.argv[1].encode())
pid, keyboard = pty.fork()
if pid == 0:
    print(os.ttyname(0), flush=True)
    os.execvp("sleep", ["sleep", "60"])
print(os.read(keyboard, 99).decode().strip(), flush=True)
input()
os.kill(pid, 9)
os.waitpid(pid, 0)
"""


@pytest.mark.parametrize("shell", SHELLS, ids=lambda words: words[0])
def test_a_login_is_seen_without_a_record_of_logins(shell: list[str]) -> None:
    with contextlib.ExitStack() as stack:
        ttys: dict[str, str] = {}
        for parent in ("sshd-session", "dropbear", "python3", "tmux: server"):
            login = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", LOGGED_IN, parent],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                )
            )  # fmt: skip
            assert login.stdout
            stack.callback(login.communicate, "\n")
            ttys[parent] = login.stdout.readline().strip().removeprefix("/dev/")

        def seen(who: str) -> set[str]:
            done = subprocess.run(
                [*shell, "-c", f"{function('logins')}logins"],
                capture_output=True, text=True, env={"CLOUDTUI_WHO": who, "PATH": "/usr/bin:/bin"},
            )  # fmt: skip
            assert done.stderr == ""
            found = {tty: name for name, tty in map(str.split, done.stdout.splitlines())}
            mine = found.keys() & set(ttys.values())
            assert all(Path("/dev", tty).owner() == found[tty] for tty in mine)
            return {parent for parent, tty in ttys.items() if tty in found}

        assert seen("/usr/bin/who") == seen("") == {"sshd-session", "dropbear"}
        assert seen("/a/demo/who") == set()
