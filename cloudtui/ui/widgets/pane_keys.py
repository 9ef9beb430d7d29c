"""Textual's key names as terminal keys, and Alt keys read exactly while a pane has the focus."""

from __future__ import annotations

import unicodedata
from enum import Enum
from functools import lru_cache
from typing import Any, cast

from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual.keys import KEY_NAME_REPLACEMENTS

from cloudtui.vt.engine import Key

_MODIFIERS = ("shift", "alt", "ctrl", "super", "hyper", "meta")


def _name_of(character: str) -> str:
    """Textual's name for a printable ASCII character that is no letter or digit."""
    name = unicodedata.name(character).lower().replace("-", "_").replace(" ", "_")
    return KEY_NAME_REPLACEMENTS.get(name, name)


_PUNCTUATION = {
    _name_of(chr(code)): chr(code) for code in range(0x21, 0x7F) if not chr(code).isalnum()
}
_NAME_OF = {character: name for name, character in _PUNCTUATION.items()}
_KEYPAD = {
    "decimal": ".",
    "divide": "/",
    "multiply": "*",
    "subtract": "-",
    "add": "+",
    "equal": "=",
    "separator": ",",
}


def normal_name(key: str) -> str:
    """A key as a person writes it (`ctrl+]`) as Textual names it (`ctrl+right_square_bracket`)."""
    head, plus, last = key.strip().rpartition("+")
    if plus and not last:
        head, last = head.removesuffix("+"), "+"
    parts = sorted(part.strip().lower() for part in head.split("+") if part.strip())
    last = last.strip()
    return "+".join([*parts, _NAME_OF.get(last, last.lower() if parts else last)])


def shown_name(key: str) -> str:
    """A key as a person writes it: the opposite of `normal_name`."""
    head, plus, last = key.rpartition("+")
    return f"{head}{plus}{_PUNCTUATION.get(last, last)}"


@lru_cache(1024)
def terminal_key(key: str, character: str | None) -> Key | None:
    """Textual's key event as a terminal key; None for keys a terminal has no word for."""
    if len(key) == 1:
        parts: list[str] = []
        last = key
    else:
        *parts, last = key.split("+")
    held = {part: True for part in parts if part in _MODIFIERS}
    name = _PUNCTUATION.get(last, _KEYPAD.get(last, last))
    shift, alt = held.get("shift", False), held.get("alt", False) or held.get("meta", False)
    ctrl, command = held.get("ctrl", False), held.get("super", False)
    if len(name) == 1 and name.isupper():
        name, shift = name.lower(), True
    text = ""
    if character and character.isprintable() and not (ctrl or alt or command):
        text = character
        if len(name) > 1 and name != "space":
            name = character if len(character) == 1 else ""
    elif len(name) > 1 and name.startswith(("left_", "right_", "iso_level")):
        return None
    return Key(name, shift, alt, ctrl, command, text)


class _AltKeys:
    """Entries of Textual's table of escape sequences, swapped while a pane has the focus.

    The table reads Alt+B and Alt+F as Ctrl+arrows, Ctrl+H as Backspace and leaves Alt off
    punctuation: fine for an input box, wrong for a shell. `ESC [` and `ESC O` begin other
    sequences and stay.
    """

    def __init__(self) -> None:
        names = {f"\x1b{character}": f"alt+{name}" for character, name in _NAME_OF.items()}
        for code in range(0x21, 0x7F):
            character = chr(code)
            if character.isalnum():
                shift = "shift+" if character.isupper() else ""
                names[f"\x1b{character}"] = f"alt+{shift}{character.lower()}"
        for code in range(1, 27):
            names[f"\x1b{chr(code)}"] = f"alt+ctrl+{chr(code + 96)}"
        names |= {
            "\x1b ": "alt+space",
            "\x1b\r": "alt+enter",
            "\x1b\t": "alt+tab",
            "\x1b\x7f": "alt+backspace",
            "\x08": "ctrl+h",
        }
        for beginning in ("\x1b[", "\x1bO"):
            names.pop(beginning)
        kinds = Enum("AltKey", {name: name for name in names.values()})  # type: ignore[misc]
        self._entries = {sequence: (kinds[name],) for sequence, name in names.items()}
        self._before: dict[str, Any] | None = None

    def use(self) -> None:
        table = cast("dict[str, Any]", ANSI_SEQUENCES_KEYS)
        if self._before is None:
            self._before = {name: table.get(name) for name in self._entries}
            table.update(self._entries)

    def restore(self) -> None:
        table = cast("dict[str, Any]", ANSI_SEQUENCES_KEYS)
        before, self._before = self._before, None
        for sequence, entry in (before or {}).items():
            if entry is None:
                table.pop(sequence, None)
            else:
                table[sequence] = entry


ALT_KEYS = _AltKeys()
