"""What a program tells beside its text: title, bell, folder, clipboard, notifications, progress.

The library calls back in the middle of a feed: each callback copies and queues, nothing more.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal

from pyghostty import ffi, lib
from pyghostty._ffi import check
from pyghostty.core import init_sized

from cloudtui.vt.engine import (
    Bell,
    ClipboardWrite,
    Event,
    Folder,
    Notification,
    Progress,
    Title,
)

CLIPBOARD_LIMIT = 1 << 20
"""Bytes a program may put on the clipboard at once; more is refused."""

_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]+")
_TITLE_LIMIT = 200
_STATES: tuple[Literal["none", "running", "failed", "busy", "paused"], ...] = (
    "none",
    "running",
    "failed",
    "busy",
    "paused",
)


def one_line(text: str) -> str:
    """Text of a stranger as one short line that commands nothing."""
    return _CONTROLS.sub(" ", text).strip()[:_TITLE_LIMIT]


def _bytes(string: Any) -> bytes:
    return bytes(ffi.buffer(string.ptr, string.len)) if string.len else b""


def _text(string: Any) -> str:
    return _bytes(string).decode("utf-8", "replace")


class Channels:
    """Replies and events of one terminal, the newest event of each kind kept until taken."""

    def __init__(self, terminal: Any, size: Callable[[], tuple[int, int]]) -> None:
        self._terminal = terminal
        self._size = size
        self._replies: list[bytes] = []
        self._events: dict[type[Event], Event] = {}
        self._kept: list[Any] = []
        self.dark = True
        self._listen("WRITE_PTY", "WritePty", self._on_reply)
        self._listen("BELL", "Bell", lambda *_: self._tell(Bell()))
        self._listen("TITLE_CHANGED", "TitleChanged", self._on_title)
        self._listen("PWD_CHANGED", "PwdChanged", self._on_folder)
        self._listen("CLIPBOARD_WRITE", "ClipboardWrite", self._on_clipboard)
        self._listen("DESKTOP_NOTIFICATION", "DesktopNotification", self._on_notification)
        self._listen("PROGRESS_REPORT", "ProgressReport", self._on_progress)
        self._listen("SIZE", "Size", self._on_size)
        self._listen("COLOR_SCHEME", "ColorScheme", self._on_scheme)

    def take_replies(self) -> bytes:
        found = b"".join(self._replies)
        self._replies.clear()
        return found

    def take_events(self) -> list[Event]:
        found = list(self._events.values())
        self._events.clear()
        return found

    def _listen(self, option: str, kind: str, callback: Callable[..., Any]) -> None:
        native = ffi.callback(f"GhosttyTerminal{kind}Fn", callback)
        self._kept.append(native)
        code = getattr(lib, f"GHOSTTY_TERMINAL_OPT_{option}")
        check(lib.ghostty_terminal_set(self._terminal, code, native), option)

    def _tell(self, event: Event) -> None:
        self._events[type(event)] = event

    def _string(self, data: int) -> str:
        found = ffi.new("GhosttyString*")
        return "" if lib.ghostty_terminal_get(self._terminal, data, found) else _text(found[0])

    def _on_reply(self, _terminal: Any, _user: Any, data: Any, length: int) -> None:
        self._replies.append(bytes(ffi.buffer(data, length)))

    def _on_title(self, *_: Any) -> None:
        self._tell(Title(one_line(self._string(lib.GHOSTTY_TERMINAL_DATA_TITLE))))

    def _on_folder(self, *_: Any) -> None:
        self._tell(Folder(one_line(self._string(lib.GHOSTTY_TERMINAL_DATA_PWD))))

    def _on_clipboard(self, _terminal: Any, _user: Any, write: Any) -> None:
        found = [
            write.contents[i].data
            for i in range(write.contents_len)
            if _bytes(write.contents[i].mime).startswith(b"text/plain")
        ]
        accepted = bool(found) and found[0].len <= CLIPBOARD_LIMIT
        if accepted:
            self._tell(ClipboardWrite(_text(found[0])))
        elif found:
            self._tell(ClipboardWrite("", refused=int(found[0].len)))
        if write.reply != ffi.NULL:
            reply = init_sized("GhosttyClipboardWriteReply")
            reply.result = (
                lib.GHOSTTY_CLIPBOARD_WRITE_RESULT_SUCCESS
                if accepted
                else lib.GHOSTTY_CLIPBOARD_WRITE_RESULT_DENIED
            )
            write.reply(write, reply)

    def _on_notification(self, _terminal: Any, _user: Any, found: Any) -> None:
        self._tell(Notification(one_line(_text(found.title)), one_line(_text(found.body))))

    def _on_progress(self, _terminal: Any, _user: Any, found: Any) -> None:
        state = int(found.state)
        percent = int(found.progress)
        known = _STATES[state] if 0 <= state < len(_STATES) else "none"
        self._tell(Progress(known, percent if percent >= 0 else None))

    def _on_size(self, _terminal: Any, _user: Any, found: Any) -> bool:
        found.columns, found.rows = self._size()
        found.cell_width, found.cell_height = 8, 16
        return True

    def _on_scheme(self, _terminal: Any, _user: Any, found: Any) -> bool:
        found[0] = lib.GHOSTTY_COLOR_SCHEME_DARK if self.dark else lib.GHOSTTY_COLOR_SCHEME_LIGHT
        return True
