"""To somebody who looks elsewhere: the terminal's bell, and a notification of the desktop.

A notification is OSC 9 or OSC 777, whichever the terminal shows; one that shows neither, or is not
known to, gets none. What an outer tmux or GNU screen would keep is wrapped.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from textual.app import App

BELL = "\x07"
LONGEST = 200
"""Characters of a title or a text."""
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]+")

OSC_9 = ("iTerm.app", "WezTerm", "ghostty", "WarpTerminal", "rio")
"""TERM_PROGRAM or LC_TERMINAL of terminals that show `OSC 9 ; text`."""
OSC_9_TERM = ("xterm-ghostty", "xterm-kitty", "wezterm")
OSC_777_TERM = ("foot", "rxvt-unicode", "urxvt", "contour", "st-")
"""How TERM begins in terminals that show `OSC 777 ; notify ; title ; text`."""


def sequences(title: str, text: str, wish: str, environment: Mapping[str, str]) -> str:
    """What to write to the terminal; `wish` is `bell`, `desktop`, `both` or `none`."""
    written = BELL if wish in ("bell", "both") else ""
    if wish in ("desktop", "both"):
        plain = _notification(_clean(title), _clean(text), environment)
        written = _wrapped(plain, environment) + written if plain else written or BELL
    return written


def _notification(title: str, text: str, environment: Mapping[str, str]) -> str:
    programs = {environment.get("TERM_PROGRAM", ""), environment.get("LC_TERMINAL", "")}
    term = environment.get("TERM", "")
    known_9 = programs & set(OSC_9) or term.startswith(OSC_9_TERM) or "KITTY_PID" in environment
    if known_9 or "GHOSTTY_RESOURCES_DIR" in environment or "WEZTERM_PANE" in environment:
        return f"\x1b]9;{title.rstrip('.')}: {text}\x1b\\" if text else f"\x1b]9;{title}\x1b\\"
    if term.startswith(OSC_777_TERM):
        return f"\x1b]777;notify;{title.replace(';', ',')};{text}\x1b\\"
    return ""


def _wrapped(plain: str, environment: Mapping[str, str]) -> str:
    if environment.get("TMUX"):
        return "\x1bPtmux;" + plain.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    if environment.get("STY"):
        # A string within a string of screen ends at the first ST: the bell ends the inner one.
        return f"\x1bP{plain.removesuffix(chr(27) + chr(92))}\x07\x1b\\"
    return plain


def _clean(text: str) -> str:
    """Nothing in it ends the sequence or moves the cursor."""
    return _UNSAFE.sub(" ", text).strip()[:LONGEST]


def call(app: App[Any], title: str, text: str, wish: str) -> None:
    """Ring and notify as the setting says, unless another program has the terminal."""
    driver = app._driver
    written = sequences(title, text, wish, os.environ)
    if driver is None or app.is_headless or getattr(app, "handed_over", False) or not written:
        return
    driver.write(written)
    driver.flush()
