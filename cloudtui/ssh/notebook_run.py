"""A notebook as a run: `host/notebook_run.py` executes it on the host."""

from __future__ import annotations

from collections.abc import Sequence

from cloudtui.ssh.host_program import path, placing
from cloudtui.ssh.jobs import quoted

PROGRAM = "notebook_run.py"


def is_notebook(command: Sequence[str]) -> bool:
    """Whether the command is a notebook alone, or with options of `notebook_run.py`."""
    return bool(command) and command[0].endswith(".ipynb")


def lines(command: Sequence[str]) -> list[str]:
    """Sh for `ssh.jobs.start`: the record keeps the notebook as the command, and what is run is
    the program with it."""
    words = " ".join(map(quoted, command))
    runs = (
        "command -v python3 >/dev/null || { echo 'There is no python3 here to run a notebook with. "
        "Install it: sudo apt install -y python3, or sudo dnf install -y python3'; exit 127; }\n"
        f'set -- python3 "{path(PROGRAM)}" {words}'
    )
    return [
        placing(PROGRAM).rstrip("\n") + " || bad=1",
        f"printf '%s\\0' {words} >\"$d/command\" || bad=1",
        f"put words {quoted(runs)}",
    ]
