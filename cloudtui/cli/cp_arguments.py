"""The words of `cloudtui cp`."""

from __future__ import annotations

import argparse

FORMS = """\
a machine's path is NAME:PATH, below its home folder unless PATH begins with /; any other argument
is a path here, and so is one with a slash before the colon, or a file that is here: ./odd:name

  cloudtui cp data.csv bert-gpu:             into the home folder there
  cloudtui cp bert-gpu:runs/7 .              a folder, with everything in it
  cloudtui cp 'bert-gpu:runs/*/loss.csv' .   patterns are matched there, {7,8} too; quote them
  cloudtui cp data/. bert-gpu:data           what is in the folder, not the folder itself
  cloudtui cp a-machine:model other:         from one machine to another, through this computer

Mode and time of every file are kept, but for setuid and setgid; holes stay holes, hard links
become files of their own, and pipes, sockets and devices in a folder are left out. What is there
already with the same size and time is left alone. A copy that was cut goes on by itself when the
connection returns; one that was stopped goes on where it was when the same command is given again.
"""


def add_words(cp: argparse.ArgumentParser) -> None:
    """`cloudtui cp SRC... DST`."""
    cp.epilog = FORMS
    cp.add_argument("sources", nargs="+", metavar="SRC")
    cp.add_argument("target", metavar="DST")
    cp.add_argument(
        "--all", action="store_true", help="copy files too that are there already, unchanged"
    )
    cp.add_argument(
        "--check",
        action="store_true",
        help="compare by SHA-256 instead of size and time, and what was written once more",
    )
    cp.add_argument(
        "-L",
        "--follow",
        action="store_true",
        help="copy what links in a folder lead to, not the links",
    )
    cp.add_argument(
        "-n", "--dry-run", action="store_true", help="say what would be copied; change nothing"
    )
    cp.add_argument("-r", "-p", "-a", action="store_true", dest="habit", help=argparse.SUPPRESS)
