"""The words of `cloudtui jupyter`."""

from __future__ import annotations

import argparse
from collections.abc import Callable

FORMS = """\
  cloudtui jupyter NAME                   the server that runs there, or a new one
  cloudtui jupyter NAME --port 8889       the one on that port there, of several
  cloudtui jupyter NAME --folder ~/data --env torch
                                          the one of that folder and environment, or a new one
  cloudtui jupyter NAME --new             a new one besides those that run
  cloudtui jupyter NAME --envs            the Python environments found there
  cloudtui jupyter NAME --background      the tunnel goes on without this terminal
  cloudtui kernels NAME                   what its servers hold
"""


def add_words(jupyter: argparse.ArgumentParser, port: Callable[[str], int]) -> None:
    """`cloudtui jupyter NAME`."""
    jupyter.epilog = FORMS
    jupyter.add_argument("name", metavar="NAME")
    jupyter.add_argument(
        "--port", type=port, metavar="PORT", help="the port there of a server that runs"
    )
    jupyter.add_argument(
        "--local-port", type=port, metavar="PORT", help="default 8888, or the next free one"
    )
    jupyter.add_argument(
        "--folder",
        default="",
        metavar="DIR",
        help="the server of this folder; where none is, one is started in it",
    )
    jupyter.add_argument(
        "--env",
        default="",
        metavar="ENV",
        help="conda environment or virtual environment of the server, by name or path",
    )
    jupyter.add_argument("--envs", action="store_true", help="list the environments and end")
    jupyter.add_argument("--new", action="store_true", help="start one in any case")
    jupyter.add_argument(
        "--background", action="store_true", help="keep the tunnel open without this terminal"
    )
    jupyter.add_argument("--no-browser", action="store_true", help="only print the address")
