from __future__ import annotations

import os
import subprocess
from pathlib import Path

from cloudtui.demo.gpus import FOLDER, nvidia_smi
from cloudtui.demo.home import SYSTEM_PATH
from cloudtui.model.vitals_reader import parse_compute_apps, parse_gpus


def test_pretend_gpus_are_busy_while_a_process_is_on_them(tmp_path: Path) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(nvidia_smi("g5.12xlarge", SYSTEM_PATH))
    program.chmod(0o755)

    def asked(what: str) -> list[str]:
        done = subprocess.run(
            [program, what], env={"TMPDIR": str(tmp_path)}, capture_output=True, text=True,
            check=True,
        )  # fmt: skip
        return done.stdout.splitlines()

    gpus = parse_gpus(asked("--query-gpu=index,..."))
    assert [(g.index, g.name, g.utilisation) for g in gpus] == [(n, "A10G", 0) for n in range(4)]
    folder = tmp_path / FOLDER
    folder.mkdir()
    (folder / str(os.getpid())).write_text("2 14190\n")
    (folder / "4194305").write_text("0 500\n")  # ended, and left its note lying
    gpus = parse_gpus(asked("--query-gpu=index,..."))
    assert [bool(g.utilisation) for g in gpus] == [False, False, True, False]
    assert gpus[2].memory_used == 14201 << 20
    assert parse_compute_apps(asked("--query-compute-apps=pid")) == {os.getpid(): 14190 << 20}
    assert nvidia_smi("t3.xlarge", SYSTEM_PATH) == ""
