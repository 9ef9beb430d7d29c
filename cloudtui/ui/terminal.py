"""The real terminal that the console runs in: Textual's driver, reading exact keys at once."""

from __future__ import annotations

import contextlib
import os
import selectors
from codecs import getincrementaldecoder
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any, TextIO, cast

from textual._parser import ParseError
from textual._time import get_time
from textual.drivers.linux_driver import LinuxDriver

from cloudtui.ui.keyboard import KeyParser

if TYPE_CHECKING:
    from textual.app import App

_CHUNK = 4096
_LOOK = 0.1
"""Seconds after which it is looked whether reading is to end."""

_TELL_LAYOUT = "\x1b[=4;2u"
"""Keys of the kitty protocol tell their place on a Latin keyboard, so that Ctrl works in any
script; terminals without the protocol ignore it."""


class _Output:
    """A terminal to write to. Once it is gone what is written goes nowhere: a failure would end
    Textual's writing thread, and whoever writes next would wait for it for ever."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self._file.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._file.flush()

    def fileno(self) -> int:
        return self._file.fileno()

    def isatty(self) -> bool:
        return self._file.isatty()


class TerminalDriver(LinuxDriver):
    """Reads keys with `KeyParser`; Esc is a key after ESCDELAY, not at the next look.

    A terminal that is gone ends the app, as SIGHUP does.
    """

    def __init__(self, app: App[Any], **options: Any) -> None:
        super().__init__(app, **options)
        self._file = cast(TextIOWrapper, _Output(cast(TextIO, self._file)))

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
                        self._ended()
                        break
                    for message in parser.feed(decoder.decode(data)):
                        self.process_message(message)
                for message in parser.tick():
                    self.process_message(message)
        self._finish(parser)

    def _ended(self) -> None:
        leave = getattr(self._app, "terminal_gone", None)
        if leave and not self.exit_event.is_set():
            with contextlib.suppress(RuntimeError):  # the loop is closed: the app has ended
                self._loop.call_soon_threadsafe(leave)

    def _finish(self, parser: KeyParser) -> None:
        try:
            for message in parser.feed(""):
                self.process_message(message)
        except (EOFError, ParseError):
            return
