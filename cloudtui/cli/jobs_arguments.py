"""The words of `cloudtui jobs` and `cloudtui logs`."""

from __future__ import annotations

import argparse

FORMS = """\
  cloudtui jobs                   the runs of every running instance
  cloudtui jobs NAME              of one; tmux and screen sessions begun by hand too
  cloudtui jobs --since last      what ended since the last visit, last lines and money spent
  cloudtui jobs stop NAME RUN     SIGINT, then SIGTERM, then SIGKILL; asks first; of a session
                                  begun by hand what runs in it, and then the session
  cloudtui jobs rerun NAME RUN    the same command once more; asks when it still runs
  cloudtui jobs rm NAME RUN...    remove the record and the log of runs that are over
  cloudtui jobs rm NAME --ended   of all that are over; asks, and says how many

RUN is its name, or a unique beginning of it.
"""
ACTS = ("stop", "rerun", "rm")


def add_jobs_words(jobs: argparse.ArgumentParser) -> None:
    """`cloudtui jobs [NAME]`, `jobs stop`, `jobs rerun` and `jobs rm`."""
    jobs.epilog = FORMS
    jobs.add_argument(
        "names",
        nargs="*",
        default=[],
        metavar="[stop|rerun|rm] NAME [RUN]",
        help="default: every running instance",
    )
    jobs.add_argument(
        "--since",
        choices=["last"],
        help="last: what ended since this was last asked or the console was open, with costs; "
        "copies that runs have for this computer are fetched",
    )
    jobs.add_argument(
        "--ended",
        action="store_true",
        help="with rm, in place of RUN: all that have ended and that nothing follows any more",
    )
    jobs.add_argument(
        "--grace",
        type=_seconds,
        default=10.0,
        metavar="SECONDS",
        help="with stop: how long each signal is given (default 10)",
    )


def add_logs_words(logs: argparse.ArgumentParser) -> None:
    """`cloudtui logs NAME RUN`."""
    logs.add_argument("name", metavar="NAME")
    logs.add_argument("job", metavar="RUN", nargs="?", default="", help="default: the newest one")
    logs.add_argument(
        "-f",
        "--follow",
        action="store_true",
        help="go on to the end of the run, over lost connections too; Ctrl-C leaves it running",
    )
    logs.add_argument(
        "-n", "--lines", type=_count, metavar="N", help="the last N lines (default: all of it)"
    )


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 3600:
        raise argparse.ArgumentTypeError("a number of seconds from 0 to 3600")
    return value


def _count(text: str) -> int:
    if text.isascii() and text.isdigit():
        return int(text)
    raise argparse.ArgumentTypeError("a number of lines")
