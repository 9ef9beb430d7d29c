"""The words of `cloudtui run`."""

from __future__ import annotations

import argparse

FORMS = """\
  cloudtui run bert-gpu -- python3 train.py --epochs 3
  cloudtui run bert-gpu --name bert --cwd ~/bert --env WANDB_MODE=offline -- python3 train.py
  cloudtui run bert-gpu --follow -- sh -c 'python3 prepare.py && python3 train.py'

The run goes on when the connection, this computer or the tmux server there ends. The words after --
arrive as they are; what a shell does, such as && and *, needs a shell: sh -c '...'.
See it again: cloudtui jobs, cloudtui logs NAME RUN -f, cloudtui attach NAME:RUN
"""


def add_words(run: argparse.ArgumentParser) -> None:
    """`cloudtui run NAME -- COMMAND`."""
    run.epilog = FORMS
    run.add_argument("name", metavar="NAME")
    run.add_argument(
        "--name",
        dest="job_name",
        default="",
        metavar="RUN",
        help="what to call it (default: made of the command)",
    )
    run.add_argument(
        "--cwd", default="", metavar="DIR", help="the folder there (default: the home folder)"
    )
    run.add_argument(
        "--env",
        action="append",
        default=[],
        metavar="K=V",
        help="a variable of its environment; K alone has the value that it has here",
    )
    run.add_argument(
        "--in",
        dest="holder",
        choices=["tmux", "screen", "none"],
        help="where its terminal is shown there (default: tmux, else screen, else none)",
    )
    run.add_argument(
        "--follow",
        action="store_true",
        help="print its log until it ends, and pass its exit status on; Ctrl-C leaves it running",
    )
    run.add_argument("command", nargs="*", default=[], metavar="-- COMMAND")
