"""The words of `cloudtui run`."""

from __future__ import annotations

import argparse

FORMS = """\
  cloudtui run bert-gpu -- python3 train.py --epochs 3
  cloudtui run bert-gpu --name bert --cwd ~/bert --env WANDB_MODE=offline -- python3 train.py
  cloudtui run bert-gpu --follow -- sh -c 'python3 prepare.py && python3 train.py'

  cloudtui run bert-gpu --sync . --gpu 1 --then s3:s3://bucket/bert --then stop -- python3 train.py
  cloudtui run bert-gpu --after train -- notebook.ipynb     runs it, outputs saved as it goes

actions, done by the instance in their order when the run has ended:
  copy:REMOTE:LOCAL             fetched by this computer: at once while the console is open here,
                                otherwise when cloudtui runs next and the instance does
  s3:[PATH:]s3://BUCKET/PREFIX  PATH, or the log and all that the run wrote in its folder, with
                                the instance's own aws or boto3 and its own role
  run:COMMAND                   a shell command in the run's folder
  stop                          shuts the instance down as soon as no other run is left there
Each is done when the run and those before went well, stop however the run ended (a failed run
costs as much an hour). In front of one: on-success:, on-fail:, on-end: (however it ended) or
always: (also when you stop the run yourself, which leaves out all others).

The run goes on when the connection, this computer or the tmux server there ends. The words after --
arrive as they are; what a shell does, such as && and *, needs a shell: sh -c '...'.
The exit code is 0 once it has begun; the run's own with --follow, and when it was over at once,
such as 127 for a command that is not there.
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
        "--sync",
        action="append",
        default=[],
        metavar="LOCAL[:REMOTE]",
        help="first send what changed in a folder here, without what .gitignore and "
        ".cloudtuiignore leave out; the run starts there (default REMOTE: the folder of that name "
        "in the home folder)",
    )
    run.add_argument(
        "--overwrite",
        action="store_true",
        help="with --sync: also over what was changed there, which is never overwritten otherwise",
    )
    run.add_argument(
        "--after",
        action="append",
        default=[],
        metavar="RUN",
        help="start when that run has ended; not at all when it failed",
    )
    run.add_argument("--after-any", action="store_true", help="with --after: however it ended")
    run.add_argument(
        "--queue", action="store_true", help="start when all that runs or waits there now has ended"
    )
    run.add_argument(
        "--gpu",
        type=_count,
        default=0,
        metavar="N",
        help="wait for N free GPUs and have CUDA_VISIBLE_DEVICES name them",
    )
    run.add_argument(
        "--then",
        action="append",
        default=[],
        metavar="ACTION",
        help="what the instance does afterwards, this computer closed or not; see below",
    )
    run.add_argument(
        "--follow",
        action="store_true",
        help="print its log until it ends, and pass its exit status on; Ctrl-C leaves it running",
    )
    run.add_argument(
        "command", nargs="*", default=[], metavar="-- COMMAND", help="or a notebook: x.ipynb"
    )


def _count(text: str) -> int:
    if text.isascii() and text.isdigit() and 0 < int(text) < 1000:
        return int(text)
    raise argparse.ArgumentTypeError("a number of GPUs, from 1")
