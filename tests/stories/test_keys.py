"""Every key that a real terminal sends reaches a remote program as it would without the console."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import Lab
from tests.terminal import PATIENCE

LISTENER = """#!/usr/bin/env python3
import os, sys, termios, tty
before = termios.tcgetattr(0)
tty.setraw(0)
os.write(1, os.fsencode(sys.argv[2]).decode("unicode_escape").encode() + b"listening")
file = open(sys.argv[1], "ab", buffering=0)
while True:
    file.write(os.read(0, 4096))
"""


_KEYPAD = re.compile("kp[^p].*|k[abc][123]|kent|kmous")


class Keyboard:
    """A terminal without a screen: bytes in, bytes out."""

    def __init__(self) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 34, 120, 0, 0))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "cloudtui"],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env=os.environ | {"TERM": "xterm-256color"},
        )
        os.close(slave)
        self.seen = b""

    def type(self, data: bytes) -> None:
        os.write(self.master, data)

    def shows(self, text: bytes) -> None:
        """Wait until it has been written since the last wait."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.seen:
            assert time.monotonic() < deadline, f"{text!r} never came: {self.seen[-2000:]!r}"
            self.look(0.2)
        self.seen = self.seen.split(text, 1)[1]

    def look(self, seconds: float) -> None:
        if select.select([self.master], [], [], seconds)[0]:
            self.seen += os.read(self.master, 65_536)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self.master)


@pytest.fixture
def keyboard(lab: Lab) -> Iterator[Keyboard]:
    made = Keyboard()
    yield made
    made.close()


def terminfo(name: str) -> dict[str, bytes]:
    """The keys of a terminal, those of the keypad of 1978 left out: nothing asks for its mode."""
    told = subprocess.run(
        ["infocmp", "-x", "-1", name], capture_output=True, text=True, check=True
    ).stdout
    found = {}
    for line in told.splitlines():
        word, equal, value = line.strip().rstrip(",").partition("=")
        if equal and word.startswith("k") and not _KEYPAD.fullmatch(word):
            value = value.replace("^?", "\x7f").replace("^H", "\x08")
            found[word] = value.replace("\\E", "\x1b").encode()
    return found


KITTY = [
    b"\x1b[97;;97u",
    b"\x1b[97:65;2;65u",
    b"\x1b[46:62;2;62u",
    b"\x1b[105;5u",
    b"\x1b[13;2u",
    b"\x1b[27u",
    b"\x1b[98;3u",
    b"\x1b[32;;32u",
    b"\x1b[57400;;49u",
    b"\x1b[1;5A",
    b"\x1b[13;2~",
    b"\x1b[57376u",
]
OTHERS = [
    *(bytes([code]) for code in range(0x7F) if code not in (0x1B, 0x1D)),
    *(b"\x1b" + bytes([code]) for code in range(0x01, 0x7F) if code != 0x1B),
    "é中🙂".encode(),
    b"\x1b",
]


def listen(keyboard: Keyboard, lab: Lab, modes: str) -> Path:
    """A program on the host that writes down what it gets."""
    program = lab.sshd.script("listen", LISTENER)
    heard = lab.home / "heard"
    keyboard.shows(b"bert-gpu")
    keyboard.shows(b"running")
    keyboard.type(b"s")
    keyboard.shows(b"leaves")
    keyboard.type(f"{program} {heard} '{modes}'\r".encode())
    keyboard.shows(b"listening")
    return heard


def press(keyboard: Keyboard, heard: Path, key: bytes) -> bytes:
    """What the program hears of one key."""
    before = heard.stat().st_size
    keyboard.type(key)
    deadline = time.monotonic() + PATIENCE
    while heard.stat().st_size < before + len(key) and time.monotonic() < deadline:
        keyboard.look(0.005)
    return heard.read_bytes()[before:]


def test_every_key_of_xterm_s_terminfo(lab: Lab, keyboard: Keyboard) -> None:
    heard = listen(keyboard, lab, r"\x1b[?1h\x1b=")
    keys = [*terminfo("xterm-256color").values(), *OTHERS]
    assert len(keys) > 350
    wrong = {key: got for key in keys if (got := press(keyboard, heard, key)) != key}
    assert not wrong


def test_keys_of_the_kitty_protocol_when_both_sides_have_it(lab: Lab, keyboard: Keyboard) -> None:
    heard = listen(keyboard, lab, r"\x1b[>29u")
    assert {key: press(keyboard, heard, key) for key in KITTY} == {key: key for key in KITTY}
