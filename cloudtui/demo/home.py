"""The home folder of a pretend host, and what was left lying in it."""

from __future__ import annotations

import json
import os
import shutil
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from cloudtui.demo import off, runs
from cloudtui.demo.gpus import nvidia_smi

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
if sys.platform == "darwin":
    SYSTEM_PATH += ":/opt/homebrew/bin:/opt/local/bin"

_PROFILE = """\
# ~/.profile: read by login shells.
PATH="{path}"
[ -d "$HOME/.local/bin" ] && PATH="$HOME/.local/bin:$PATH"
export PATH
[ -n "$BASH_VERSION" ] && [ -f "$HOME/.bashrc" ] && . "$HOME/.bashrc"
"""

_BASHRC = """\
# ~/.bashrc: read by interactive shells.
case $- in *i*) ;; *) return ;; esac
HISTCONTROL=ignoreboth
PS1='\\[\\e[01;32m\\]ubuntu@{name}\\[\\e[00m\\]:\\[\\e[01;34m\\]\\w\\[\\e[00m\\]$ '
alias ls='ls --color=auto' ll='ls -alF'
"""

_SS = """\
#!/bin/sh
# What listens on this host, and not on the computer that pretends to be it.
[ "$*" = -Htlnp ] || {{ PATH={path}; exec ss "$@"; }}
exec {python} -P -m cloudtui.demo.ports "CLOUDTUI_DEMO_HOST=$CLOUDTUI_DEMO_HOST"
"""
_HOSTNAME = """\
#!/bin/sh
case $* in
  ''|-s|-f|--short|--long|--fqdn) echo {name} ;;
  *) PATH={path}; exec hostname "$@" ;;
esac
"""

_TMUX = """\
set -g status-right "{name}  %H:%M "
set -g status-right-length 60
set -g history-limit 20000
"""


@dataclass(frozen=True, slots=True)
class Session:
    """A multiplexer session that runs from boot."""

    program: str
    name: str
    folder: str
    command: str


NOTEBOOKS = ".local/share/jupyter/pretend.py"
"""The server that has_notebooks speaks of, below the home folder."""


def python() -> str:
    """What runs the programs of a home."""
    return shutil.which("python3", path=SYSTEM_PATH) or sys.executable


def has_notebooks(name: str) -> bool:
    """Whether a Jupyter server runs on the machine from boot."""
    return name == "bert-gpu"


def has_runs(name: str) -> bool:
    """Whether long runs are, or were, on the machine."""
    return name == "bert-gpu"


def sessions(name: str) -> tuple[Session, ...]:
    """What runs on the machine of that name."""
    if name == "bert-gpu":
        return (
            Session(
                "tmux",
                "bert",
                "bert-finetune",
                f"{python()} train.py --model bert-base-uncased --epochs 3",
            ),
            Session("screen", "prep", "bert-finetune", f"{python()} tokenize_corpus.py"),
        )
    return ()


def furnish(home: Path, programs: Path, name: str, type: str = "") -> None:
    """Make the folders and their files; those that exist are kept."""
    home.mkdir(parents=True, exist_ok=True, mode=0o750)
    programs.mkdir(exist_ok=True, mode=0o755)
    host = name or "ip-172-31-0-10"
    _write(programs / "hostname", _HOSTNAME.format(name=host, path=SYSTEM_PATH))
    (programs / "hostname").chmod(0o755)
    _write(programs / "ss", _SS.format(python=sys.executable, path=SYSTEM_PATH))
    (programs / "ss").chmod(0o755)
    off.install(programs)
    if program := nvidia_smi(type, SYSTEM_PATH):
        _write(programs / "nvidia-smi", program)
        (programs / "nvidia-smi").chmod(0o755)
    _write(home / ".profile", _PROFILE.format(path=f"{programs}:{SYSTEM_PATH}"))
    _write(home / ".bashrc", _BASHRC.format(name=host))
    _write(home / ".tmux.conf", _TMUX.format(name=name))
    _write(home / ".screenrc", "startup_message off\ndefscrollback 20000\ndefutf8 on\n")
    if name == "bert-gpu":
        work = home / "bert-finetune"
        work.mkdir(exist_ok=True)
        ours = Path(__file__).parent
        _write(work / "train.py", (ours / "training.py").read_text("utf-8"))
        pretend = home / NOTEBOOKS
        pretend.parent.mkdir(parents=True, exist_ok=True)
        _write(pretend, (ours / "notebooks.py").read_text("utf-8"))
        _write(work / "tokenize_corpus.py", (ours / "tokenizing.py").read_text("utf-8"))
        runs.furnish(home, python())
    if name == "jupyter-lab":
        _install_jupyter(home)
        _write(home / "bert-finetune.ipynb", json.dumps(_notebook(), indent=1) + "\n")


def _install_jupyter(home: Path) -> None:
    """Link this Python's Jupyter, if there is one, to where `pip install --user` puts it."""
    scripts = Path(sysconfig.get_path("scripts"))
    if not (scripts / "jupyter-lab").exists():
        return
    programs = home / ".local" / "bin"
    programs.mkdir(parents=True, exist_ok=True)
    for script in scripts.glob("jupyter*"):
        link = programs / script.name
        if not link.is_symlink():
            link.symlink_to(script)
    settings: dict[str, object] = {"expose_app_in_browser": False}
    if os.geteuid() == 0:
        settings["allow_root"] = True
    folder = home / ".jupyter"
    folder.mkdir(exist_ok=True, mode=0o700)
    _write(folder / "jupyter_server_config.json", json.dumps({"ServerApp": settings}) + "\n")


def _notebook() -> dict[str, object]:
    return {
        "cells": [
            {
                "cell_type": "markdown",
                "id": "title",
                "metadata": {},
                "source": "# Fine-tuning BERT\n\nHow the loss falls over the first epoch.",
            },
            {
                "cell_type": "code",
                "id": "loss",
                "execution_count": None,
                "metadata": {},
                "outputs": [],
                "source": "import math\n\n"
                "loss = [0.31 + 0.42 * math.exp(-step / 900) for step in range(0, 3000, 250)]\n"
                "for step, value in enumerate(loss):\n"
                '    print(f"{step * 250:5d}  {value:.4f}  " + "█" * round(value * 60))',
            },
        ],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _write(path: Path, text: str) -> None:
    if not path.exists():
        path.write_text(text, "utf-8")
