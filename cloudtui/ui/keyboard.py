"""What the outer terminal sends, as exact terminal keys beside Textual's names for them.

Textual names a key for the bindings of an app: Alt+B is Ctrl+Left, Alt+. has no Alt, Shift+F3 is
a cursor report. A program in a pane gets the key that was pressed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from textual import events
from textual._xterm_parser import XTermParser
from textual.keys import KEY_NAME_REPLACEMENTS, Keys
from textual.message import Message

from cloudtui.vt.engine import Key

_CSI = re.compile(
    r"\x1b\[(?:(?P<code>\d+)(?::(?P<shifted>\d*))?(?::(?P<base>\d+))?)?"
    r"(?:;(?P<mods>\d*)(?::(?P<event>\d+))?)?(?:;(?P<text>[\d:]*))?(?P<end>[u~A-FHPQRS])"
)
_OTHER = re.compile(r"\x1b\[27;(?P<mods>\d+);(?P<code>\d+)~")
_SS3 = re.compile(r"\x1bO(?P<mods>\d?)(?P<end>[A-FHPQRS])")

_LETTERS = {
    "A": "up",
    "B": "down",
    "C": "right",
    "D": "left",
    "E": "kp_begin",
    "F": "end",
    "H": "home",
    "P": "f1",
    "Q": "f2",
    "R": "f3",
    "S": "f4",
}
_EDITING = ("home", "insert", "delete", "end", "pageup", "pagedown", "home", "end")
_NUMBERS = dict(enumerate(_EDITING, 1))
_NUMBERS |= {
    number: f"f{key}"
    for key, number in enumerate(
        (11, 12, 13, 14, 15, 17, 18, 19, 20, 21, 23, 24, 25, 26, 28, 29, 31, 32, 33, 34), 1
    )
}
_CODES = {9: "tab", 13: "enter", 27: "escape", 32: "space", 127: "backspace"}
_CODES |= {57361: "print_screen", 57362: "pause", 57363: "menu", 57427: "kp_begin"}
_CODES |= {57376 + number: f"f{13 + number}" for number in range(13)}
_KEYPAD = (*(f"kp_{digit}" for digit in range(10)), "kp_decimal", "kp_divide", "kp_multiply")
_KEYPAD += ("kp_subtract", "kp_add", "kp_enter", "kp_equal", "kp_separator", "kp_left")
_KEYPAD += ("kp_right", "kp_up", "kp_down", "kp_pageup", "kp_pagedown", "kp_home", "kp_end")
_KEYPAD += ("kp_insert", "kp_delete")
_CODES |= {57399 + number: name for number, name in enumerate(_KEYPAD)}
_ALONE = range(57344, 63744)
"""Kitty's codes for keys that print nothing; those not named here a terminal has no word for."""
_CONTROLS = {0: "@", 9: "tab", 13: "enter", 27: "escape", 127: "backspace"}
_RELEASED = "3"


def _name_of(character: str) -> str:
    """Textual's name for a printable ASCII character that is no letter or digit."""
    name = unicodedata.name(character).lower().replace("-", "_").replace(" ", "_")
    return KEY_NAME_REPLACEMENTS.get(name, name)


PUNCTUATION = {
    _name_of(chr(code)): chr(code) for code in range(0x21, 0x7F) if not chr(code).isalnum()
}
_NAME_OF = {character: name for name, character in PUNCTUATION.items()}


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
    return f"{head}{plus}{PUNCTUATION.get(last, last)}"


def name_of(key: Key) -> str:
    """A terminal key as Textual would name it: `alt+full_stop`, `shift+f3`."""
    held = (word for word in ("alt", "ctrl", "shift", "super") if getattr(key, word))
    return normal_name("+".join([*held, key.name]))


class KeyPress(events.Key):
    """A key event that knows what was pressed."""

    def __init__(self, key: str, character: str | None, pressed: Key) -> None:
        super().__init__(key, character)
        self.pressed = pressed


KeyPress.handler_name = events.Key.handler_name


def pressed_keys(sequence: str, alt: bool = False) -> list[Key] | None:
    """The keys of one sequence; none for a release, None where only Textual's name is known.

    `alt` says that an ESC came before.
    """
    if len(sequence) == 1:
        return [_character(sequence, alt)]
    if len(sequence) == 2 and sequence[1] not in "[O":
        return [_character(sequence[1], True)]
    if sequence == "\x1b[Z":
        return [Key("tab", shift=True)]
    if found := _OTHER.fullmatch(sequence):
        return _coded(int(found["code"]), None, found["mods"], "")
    if found := _SS3.fullmatch(sequence):
        return [_held(Key(_LETTERS[found["end"]]), found["mods"])]
    if not (found := _CSI.fullmatch(sequence)):
        return None
    if found["event"] == _RELEASED:
        return []
    code, end = int(found["code"] or 1), found["end"]
    if end == "u":
        return _coded(code, found["base"], found["mods"] or "", found["text"] or "")
    name = _NUMBERS.get(code) if end == "~" else _LETTERS[end] if code == 1 else None
    return None if name is None else [_held(Key(name), found["mods"] or "")]


def _character(character: str, alt: bool) -> Key:
    code = ord(character)
    if code in _CONTROLS or code < 0x20:
        name = _CONTROLS.get(code, chr(code + 0x40).lower())
        return Key(name, alt=alt, ctrl=len(name) == 1)
    if character == " ":
        return Key("space", alt=alt, text="" if alt else " ")
    shift = character != character.lower()
    name = character.lower() if len(character.lower()) == 1 else character
    return Key(name, shift=shift, alt=alt, text="" if alt else character)


def _coded(code: int, base: str | None, mods: str, text: str) -> list[Key] | None:
    """A key by its code point; one key for each character it types."""
    name = _CODES.get(code)
    if name is None and code in _ALONE:
        return None
    key = _held(Key(name or (chr(code).lower() if code else "")), mods)
    if text:
        typed = [chr(int(part)) for part in text.split(":") if part]
        return [key._replace(alt=False, text=each) for each in typed if each.isprintable()]
    if base and code > 0x7F and (key.ctrl or key.alt):
        return [key._replace(name=chr(int(base)))]
    return [key]


def _held(key: Key, mods: str) -> Key:
    """The key with the modifiers of a number as xterm and kitty count them."""
    bits = int(mods) - 1 if mods and int(mods) else 0
    return key._replace(
        shift=bool(bits & 1), alt=bool(bits & 2), ctrl=bool(bits & 4), super=bool(bits & 8)
    )


class KeyParser(XTermParser):
    """Textual's parser; its key events know what was pressed, and no key is lost to a report."""

    @property
    def patience(self) -> float | None:
        """When an ESC that nothing follows is a key, by Textual's clock; None without one."""
        return self._timeout_time

    def _sequence_to_key_events(self, sequence: str, alt: bool = False) -> Iterable[events.Key]:
        try:
            keys = pressed_keys(sequence, alt)
            named = list(super()._sequence_to_key_events(_without_layouts(sequence), alt))
        except (ValueError, OverflowError):
            keys = []  # numbers that no terminal sends
        if keys == []:
            yield events.Key(Keys.Ignore, sequence)
        elif keys is None or any(event.key == Keys.Ignore for event in named):
            yield from named
        elif len(named) == len(keys):
            for event, key in zip(named, keys, strict=True):
                yield KeyPress(event.key, event.character, key)
        elif len(sequence) == 2:
            yield KeyPress(name_of(keys[0]), None, keys[0])
        else:
            yield from named

    def feed(self, data: str) -> Iterable[Message]:
        return map(_no_report, super().feed(data))

    def tick(self) -> Iterable[Message]:
        return map(_no_report, super().tick())


def _without_layouts(sequence: str) -> str:
    """Kitty's sequence without the parts that Textual cannot read."""
    found = _CSI.fullmatch(sequence)
    if not found or not (found["shifted"] is not None or found["base"] or found["event"]):
        return sequence
    text = f";{found['text']}" if found["text"] else ""
    return f"\x1b[{found['code']};{found['mods'] or ''}{text}{found['end']}"


def _no_report(message: Message) -> Message:
    """Shift+F3 and its like look as reports of the cursor in row 1, which nobody asks for."""
    if isinstance(message, events.CursorPosition) and message.y == 0 and 1 <= message.x < 16:
        key = _held(Key("f3"), str(message.x + 1))
        return KeyPress(name_of(key), None, key)
    return message
