"""Long runs on a pretend host: one that goes on, one that is done, one that failed."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

RUNS = ".local/share/cloudtui/runs"
PROGRAM = ".local/share/cloudtui/programs/job.sh"
RECORD = ".local/share/cloudtui/programs/roberta"
RUNNING = "roberta"

_EVAL = """\
***** Running Evaluation *****
  Num examples = 9,815
  Batch size = 64
100%|██████████| 154/154 [02:31<00:00,  1.02it/s]
{'eval_loss': 0.3641, 'eval_accuracy': 0.8734, 'eval_runtime': 151.2, 'epoch': 3.0}
"""
_SWEEP = """\
{'loss': 0.7012, 'grad_norm': 4.113, 'learning_rate': 4.9e-05, 'epoch': 0.02}
{'loss': 0.6934, 'grad_norm': 3.871, 'learning_rate': 4.8e-05, 'epoch': 0.04}
Traceback (most recent call last):
  File "/home/ubuntu/bert-finetune/train.py", line 88, in <module>
    main()
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.50 GiB.
"""


def furnish(home: Path, python: str) -> None:
    """Write the records of the runs that are over, and what the one that goes on is begun with;
    once for each home."""
    runs = home / RUNS
    if runs.exists():
        return
    (home / PROGRAM).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    runs.mkdir(parents=True, mode=0o700)
    program = resources.files("cloudtui.host").joinpath("job.sh").read_text("utf-8")
    (home / PROGRAM).write_text(program)
    words = (python, "train.py", "--model", "roberta-base", "--epochs", "1", "--from-step", "1200")
    (home / RECORD).write_text(
        f"put cwd '~/bert-finetune'\nput words {shlex.quote('set -- ' + shlex.join(words))}\n"
    )
    now = int(time.time())
    _over(runs / "eval", (python, "evaluate.py"), now - 5_400, 163, 0, _EVAL)
    sweep = (python, "train.py", "--batch-size", "128", "--lr", "5e-5")
    _over(runs / "sweep", sweep, now - 2_700, 74, 1, _SWEEP)


def start() -> tuple[str, ...]:
    """What begins the run that goes on, unless it was begun before."""
    script = f"""\
[ -e "$HOME/{RUNS}/{RUNNING}" ] || exec sh "$HOME/{PROGRAM}" start {RUNNING} none <"$HOME/{RECORD}"
"""
    return ("/bin/sh", "-c", script)


def _over(
    folder: Path, command: Sequence[str], begun: int, seconds: int, status: int, log: str
) -> None:
    folder.mkdir(mode=0o700)
    files = {
        "name": folder.name,
        "words": f"set -- {shlex.join(command)}",
        "cwd": "~/bert-finetune",
        "holder": "none",
        "queued": str(begun),
        "started": str(begun),
        "exit": f"{status} {begun + seconds}",
        "ended": str(begun + seconds),
    }
    for name, text in files.items():
        (folder / name).write_text(f"{text}\n")
    (folder / "command").write_text("".join(f"{word}\0" for word in command))
    (folder / "log").write_text(log)
