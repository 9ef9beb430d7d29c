"""The words of `cloudtui kernels`."""

from __future__ import annotations

import argparse

FORMS = """\
  cloudtui kernels                        of every running instance
  cloudtui kernels NAME                   servers, kernels and terminals of one
  cloudtui kernels stop NAME KERNEL       end a kernel; its variables are lost. Asks first.
  cloudtui kernels stop NAME --server 8888
                                          end a server with all its kernels, with a KERNEL that
                                          one of its kernels alone. Asks first.
  cloudtui kernels interrupt NAME KERNEL  stop the cell it runs
  cloudtui kernels restart NAME KERNEL    begin it anew; its variables are lost. Asks first.
  cloudtui kernels record NAME            keep what notebooks print there, also while no browser is
                                          open; --stop ends that
  cloudtui kernels log NAME               the kernels of which something was kept
  cloudtui kernels log NAME NOTEBOOK      what was kept of a notebook's kernel; -f goes on
  cloudtui kernels run NAME NOTEBOOK      run all its cells there, with or without this terminal;
                                          -f prints what they print, --server PORT names the server

KERNEL is the path or file name of its notebook, its id, or a unique beginning of that
"""


def add_words(kernels: argparse.ArgumentParser) -> None:
    """`cloudtui kernels [NAME]` and its verbs: the first word is one, or the NAME."""
    kernels.epilog = FORMS
    kernels.add_argument(
        "name", nargs="?", default="", metavar="NAME|VERB", help="default: every running instance"
    )
    kernels.add_argument("rest", nargs="*", default=[], metavar="NAME KERNEL")
    kernels.add_argument(
        "--server",
        type=int,
        metavar="PORT",
        help="the server there, by its port; log: of the kernel that runs on it",
    )
    kernels.add_argument("-f", "--follow", action="store_true", help="log, run: print what comes")
    kernels.add_argument(
        "-n", "--lines", type=_lines, default=0, metavar="N", help="log: the last N lines"
    )
    kernels.add_argument("--times", action="store_true", help="log: when each line was printed")
    kernels.add_argument("--stop", action="store_true", help="record: end it")


def _lines(text: str) -> int:
    if text.isascii() and text.isdigit() and 0 < int(text) < 10_000_000:
        return int(text)
    raise argparse.ArgumentTypeError("a number of lines, from 1")
