"""The real terminal that the console runs in: Textual's driver, reading exact keys at once."""

from __future__ import annotations

import os
import selectors
from codecs import getincrementaldecoder

from textual._parser import ParseError
from textual._time import get_time
from textual.drivers.linux_driver import LinuxDriver

from cloudtui.ui.keyboard import KeyParser

_CHUNK = 4096
_LOOK = 0.1
"""Seconds after which it is looked whether reading is to end."""

_TELL_LAYOUT = "\x1b[=4;2u"
"""Keys of the kitty protocol tell their place on a Latin keyboard, so that Ctrl works in any
script; terminals without the protocol ignore it."""


class TerminalDriver(LinuxDriver):
    """Reads keys with `KeyParser`; Esc is a key after ESCDELAY, not at the next look."""

    def start_application_mode(self) -> None:
        super().start_application_mode()  # type: ignore[no-untyped-call]
        self.write(_TELL_LAYOUT)
        self.flush()

    def run_input_thread(self) -> None:
        parser = KeyParser(self._debug)
        decoder = getincrementaldecoder("utf-8")("replace")
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                due = parser.patience
                wait = _LOOK if due is None else max(0.0, min(_LOOK, due - get_time()))
                if selector.select(wait):
                    try:
                        data = os.read(self.fileno, _CHUNK)
                    except OSError:
                        data = b""
                    if not data:
                        break
                    for message in parser.feed(decoder.decode(data)):
                        self.process_message(message)
                for message in parser.tick():
                    self.process_message(message)
        try:
            for message in parser.feed(""):
                self.process_message(message)
        except (EOFError, ParseError):
            return
