"""The files of a machine, for cloudtui at the other end of standard input and output.

Python 3.6 and its standard library, nothing else. It runs from memory and leaves nothing behind, so
that a full disk or a home that cannot be written keeps nobody from his files: `program` is one
text of the modules here, and `START` the line that has a Python there read and run it.
"""

import re
from functools import cache
from importlib import resources

PARTS = ("frames", "questions", "copies", "serve")
NO_PYTHON = 97
"""The exit status where no Python is new enough."""
_OWN = re.compile(r"^from cloudtui\.host\.files\.\w+ import (?:\([^)]*\)|.*)$", re.MULTILINE)


@cache
def program() -> bytes:
    """The whole program."""
    here = resources.files("cloudtui.host.files")
    return b"\n".join(
        _OWN.sub("", here.joinpath(f"{part}.py").read_text("utf-8")).encode() for part in PARTS
    )


def start() -> str:
    """Python on one line, without quotes of the shell's: it reads the program from its standard
    input, byte for byte, and runs it."""
    return (
        "import sys;"
        f"sys.version_info<(3,6) and sys.exit({NO_PYTHON});"
        f'f=open(0,"rb",0,closefd=False);b=bytearray({len(program())});v=memoryview(b);n=0;'
        'exec("while n<len(b):n+=f.readinto(v[n:])or sys.exit(98)");'
        'exec(compile(bytes(b),"cloudtui","exec"),{"__name__":"__main__"})'
    )
