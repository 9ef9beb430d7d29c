"""The end of it: questions are answered until standard input ends."""

import contextlib
import errno
import fcntl
import json
import os
import signal

from cloudtui.host.files.copies import receive, send
from cloudtui.host.files.frames import FAILURES, Input, Output, failure
from cloudtui.host.files.questions import (
    content,
    expand,
    hello,
    identity,
    listing,
    look,
    mkdir,
    remove,
    rename,
    space,
    sums,
    tree,
    whole,
)

PIPE_BYTES = 1 << 20

QUESTIONS = {
    "hello": hello,
    "whole": whole,
    "expand": expand,
    "tree": tree,
    "look": look,
    "identity": identity,
    "sums": sums,
    "list": listing,
    "space": space,
    "mkdir": mkdir,
    "rename": rename,
    "remove": remove,
    "content": content,
    "send": send,
}


def serve(source: Input, out: Output) -> None:
    """Answer until the input ends."""
    source.before = out.flush
    while True:
        kind, number, size = source.head()
        words = source.exactly(size)
        if kind != b"Q":
            continue
        name, asked = json.loads(words.decode())
        try:
            if name == "receive":
                answer = receive(out, number, asked, source)
            else:
                answer = QUESTIONS[name](out, number, asked)
            out.tell(b"R", number, answer)
        except FAILURES as error:
            out.tell(b"X", number, failure(error))
        except RecursionError:
            out.tell(b"X", number, [errno.ENAMETOOLONG, "its folders are too deep"])


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is cloudtui's to answer
    for fd in (0, 1):
        with contextlib.suppress(OSError):
            fcntl.fcntl(fd, 1031, PIPE_BYTES)  # F_SETPIPE_SZ of Linux
    try:
        serve(Input(), Output())
    except (BrokenPipeError, ConnectionResetError):
        os._exit(0)


if __name__ == "__main__":
    main()
