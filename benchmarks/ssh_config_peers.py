"""Other libraries that edit ssh configs, on the same samples; run by `benchmarks.ssh_config`.

Each is installed into a virtual environment under build/ at the first run, and each edit is what
its own documentation shows, in a process of its own.
"""

from __future__ import annotations

import subprocess
import venv
from collections import Counter
from pathlib import Path

from tests.ssh_configs import SAMPLES, contents, option, others, resolved, write

ROOT = Path(__file__).parent.parent
PEERS = {
    "sshconf==0.2.7": """
import sys, sshconf
what, alias, path = sys.argv[1:]
config = sshconf.read_ssh_config(path)
if what == "set":
    config.set(alias, HostName="203.0.113.7")
elif what == "add":
    config.add(alias, HostName="203.0.113.7")
config.save()
""",
    "ssh-config==0.1.6": """
import sys
from ssh_config import SSHConfig, Host
what, alias, path = sys.argv[1:]
config = SSHConfig(path)
if what == "set":
    config.update(alias, {"HostName": "203.0.113.7"})
elif what == "add":
    config.add(Host(alias, {"HostName": "203.0.113.7"}))
config.write()
""",
}


def python() -> Path | None:
    """The interpreter that has the peers, installed if they are not there; None when none can."""
    folder = ROOT / "build/benchmarks/ssh-config"
    program = folder / "bin/python"
    if not (folder / "complete").exists():
        venv.create(folder, with_pip=True)
        done = subprocess.run([folder / "bin/pip", "-q", "install", *PEERS], check=False)
        if done.returncode != 0:
            return None
        (folder / "complete").touch()
    return program


def samples(home: Path, program: Path, script: str) -> Counter[str]:
    """How many samples a peer leaves as they are, and changes for the one host alone."""
    good: Counter[str] = Counter()
    for files in SAMPLES.values():
        for what, alias in (("no-op", "web"), ("set", "web"), ("add", "fresh")):
            main = write(home, files)
            rest = others(files, alias)
            before = resolved(main, rest)
            done = subprocess.run(
                [program, "-c", script, what, alias, main], capture_output=True, check=False
            )
            if what == "no-op":
                good[what] += done.returncode == 0 and contents(home) == dict(sorted(files.items()))
                continue
            after = resolved(main, [*rest, alias])
            told = option(after.pop(alias), "hostname")
            good[what] += told == ["203.0.113.7"] and after == before
    return good
