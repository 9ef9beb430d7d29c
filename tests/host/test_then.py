"""What a shutdown behind a run waits for, told by the figures of /proc."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from cloudtui.ssh.host_program import text

SHELLS = [["dash"], ["bash", "--posix"], ["busybox", "sh"]]


def worked(shell: list[str], *looks: tuple[int, dict[int, tuple[int, int]]]) -> list[bool]:
    """What is said of process 7 at each moment, with the parent and the ticks of each process."""
    program = text("then.sh")
    begin = program.index("worked() {")
    script = program[begin : program.index("\n}\n", begin) + 3]
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
        return {1: (0, 99_999), 7: (1, 300), 8: (7, 20), 9: (8, kernel), 20: (1, kernel * 50)}

    begin = (1000, jupyter(100))
    assert worked(shell, begin, (1300, jupyter(130)), (1600, jupyter(160))) == [True, True, False]
    idle = (begin, (1600, jupyter(160)), (1630, jupyter(165)))
    assert worked(shell, *idle)[1:] == [False, False]
    busy = (1700, jupyter(160 + 300))
    assert worked(shell, *idle, busy, (2299, jupyter(470)))[3:] == [True, True], "a cell runs"
    always = [(1000 + 60 * n, jupyter(100 + 300 * n)) for n in range(30)]
    assert all(worked(shell, *always))
