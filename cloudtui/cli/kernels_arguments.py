"""The words of `cloudtui kernels`."""

from __future__ import annotations

import argparse

FORMS = """\
  cloudtui kernels                        of every running instance
  cloudtui kernels NAME                   servers, kernels and terminals of one
  cloudtui kernels stop NAME KERNEL       end a kernel; its variables are lost. Asks first.
  cloudtui kernels stop NAME --server 8888
                                          end a server with all its kernels. Asks first.
  cloudtui kernels interrupt NAME KERNEL  stop the cell it runs
  cloudtui kernels restart NAME KERNEL    begin it anew; its variables are lost. Asks first.

KERNEL is the path or file name of its notebook, its id, or a unique beginning of that
"""


def add_words(kernels: argparse.ArgumentParser) -> None:
    """`cloudtui kernels [NAME]` and its verbs: the first word is one, or the NAME."""
    kernels.epilog = FORMS
    kernels.add_argument(
        "name", nargs="?", default="", metavar="NAME|VERB", help="default: every running instance"
    )
    kernels.add_argument("rest", nargs="*", default=[], metavar="NAME KERNEL")
    kernels.add_argument("--server", type=int, metavar="PORT", help="the server there, by its port")
