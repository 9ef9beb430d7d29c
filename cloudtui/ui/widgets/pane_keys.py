"""Key names of people and of Textual as terminal keys."""

from __future__ import annotations

from functools import lru_cache

from textual import events

from cloudtui.ui.keyboard import PUNCTUATION, KeyPress, name_of, normal_name, shown_name
from cloudtui.vt.engine import Key

__all__ = ["key_name", "normal_name", "pressed", "shown_name", "terminal_key"]

_MODIFIERS = ("shift", "alt", "ctrl", "super", "hyper", "meta")


_KEYPAD = {
    "decimal": ".",
    "divide": "/",
    "multiply": "*",
    "subtract": "-",
    "add": "+",
    "equal": "=",
    "separator": ",",
}


@lru_cache(1024)
def terminal_key(key: str, character: str | None) -> Key | None:
    """Textual's key event as a terminal key; None for keys a terminal has no word for."""
    if len(key) == 1:
        parts: list[str] = []
        last = key
    else:
        *parts, last = key.split("+")
    held = {part: True for part in parts if part in _MODIFIERS}
    name = PUNCTUATION.get(last, _KEYPAD.get(last, last))
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


def key_name(event: events.Key) -> str:
    """The key as bindings name it, but Alt+B as what it is: Textual takes it for Ctrl+Left."""
    if isinstance(event, KeyPress) and event.pressed.alt and len(event.pressed.name) == 1:
        return name_of(event.pressed)
    return event.key


def pressed(event: events.Key) -> Key | None:
    """The terminal key of an event; None for keys a terminal has no word for."""
    if isinstance(event, KeyPress):
        return event.pressed
    return terminal_key(event.key, event.character)
