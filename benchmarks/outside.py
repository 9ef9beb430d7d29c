"""A program as a person's terminal sees it, and what is timed from there."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import statistics
import struct
import termios
from collections.abc import Sequence
from fcntl import ioctl
from time import perf_counter

COLUMNS, ROWS = 80, 24
SHELL = ["bash", "--norc", "--noprofile", "-i"]
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": os.environ.get("HOME", "/"),
    "TERM": "xterm-256color",
    "COLORTERM": "truecolor",
    "LANG": "C.UTF-8",
    "PS1": "$ ",
    "PROMPT_COMMAND": "",
    "ESCDELAY": "20",
    "TEXTUAL_FPS": "120",
}


class Outside:
    """A program as a person's terminal sees it."""

    def __init__(self, argv: Sequence[str], extra: dict[str, str] | None = None) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe(argv[0], list(argv), {**ENVIRONMENT, **(extra or {})})
        ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.seen = b""

    def type(self, text: bytes) -> None:
        self.seen = b""
        os.write(self.fd, text)

    def until(self, text: bytes, seconds: float = 60.0) -> float:
        """Read until `text` was drawn; the moment it was."""
        end = perf_counter() + seconds
        while text not in self.seen:
            if not select.select([self.fd], [], [], max(0.0, end - perf_counter()))[0]:
                raise TimeoutError(f"{text!r} was not drawn; last: {self.seen[-300:]!r}")
            self.seen = self.seen[-4096:] + os.read(self.fd, 65_536)
        return perf_counter()

    def drain(self, seconds: float) -> None:
        """Read for so long."""
        end = perf_counter() + seconds
        while select.select([self.fd], [], [], max(0.0, end - perf_counter()))[0]:
            os.read(self.fd, 65_536)
            if perf_counter() > end:
                return

    def quiet(self, seconds: float = 0.3) -> None:
        """Read until nothing more comes, or the program is gone."""
        with contextlib.suppress(OSError):
            while select.select([self.fd], [], [], seconds)[0]:
                os.read(self.fd, 65_536)

    def close(self) -> None:
        os.kill(self.pid, signal.SIGTERM)
        self.quiet(0.5)
        os.close(self.fd)
        os.waitpid(self.pid, 0)


def timed(outside: Outside, command: str, number: int) -> float:
    """Seconds from Enter until what follows the command is drawn."""
    outside.type(f"clear; {command}; echo D''ONE{number}".encode())
    outside.quiet()
    begin = perf_counter()
    outside.type(b"\r")
    took = outside.until(b"DONE%d" % number) - begin
    outside.quiet()
    return took


def echo(outside: Outside, presses: int) -> list[float]:
    """Seconds from a key to its echo, in a program that does nothing else."""
    outside.type(b"cat\r")
    outside.quiet()
    found = []
    for number in range(presses):
        letter = b"abcdefghijklmnopqrstuvwxyz"[number % 26 : number % 26 + 1]
        begin = perf_counter()
        outside.type(letter)
        found.append(outside.until(letter, 5) - begin)
        if number % 40 == 39:
            outside.type(b"\r")
            outside.quiet(0.1)
        select.select([], [], [], 0.02)
    outside.type(b"\x03")
    outside.quiet()
    return found


def echo_beside(outside: Outside, presses: int) -> list[float]:
    """Seconds from a key at a shell's prompt to its echo, while other things are drawn all along.

    The letters stand in no escape sequence and in nothing else that is drawn.
    """
    found = []
    for number in range(presses):
        letter = b"QVWXYZ"[number % 6 : number % 6 + 1]
        outside.drain(0.05)
        begin = perf_counter()
        outside.type(letter)
        found.append(outside.until(letter, 5) - begin)
        outside.drain(0.02)
        outside.type(b"\x15")
    return found


def interrupt(outside: Outside) -> float:
    """Seconds from Ctrl-C in a flood until the shell answers the next command."""
    outside.type(b"yes\r")
    outside.until(b"y")
    outside.drain(1)
    begin = perf_counter()
    outside.type(b"\x03")
    took = outside.until(b"^C") - begin
    outside.quiet()
    return took


def quantile95(found: list[float]) -> float:
    return statistics.quantiles(found, n=20)[-1]
