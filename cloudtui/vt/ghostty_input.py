"""Keys, mouse events and pasted text as the bytes a terminal sends for them."""

from __future__ import annotations

import re
from typing import Any

from pyghostty import ffi, lib
from pyghostty._ffi import check
from pyghostty.core import init_sized

from cloudtui.vt.engine import Key, MouseAction, MouseButton

_SHIFT, _CTRL, _ALT, _SUPER = 1, 2, 4, 8

_NAMED = {
    "backspace": "BACKSPACE",
    "enter": "ENTER",
    "escape": "ESCAPE",
    "tab": "TAB",
    "space": "SPACE",
    " ": "SPACE",
    "up": "ARROW_UP",
    "down": "ARROW_DOWN",
    "left": "ARROW_LEFT",
    "right": "ARROW_RIGHT",
    "home": "HOME",
    "end": "END",
    "pageup": "PAGE_UP",
    "pagedown": "PAGE_DOWN",
    "insert": "INSERT",
    "delete": "DELETE",
    "menu": "CONTEXT_MENU",
    "pause": "PAUSE",
    "print_screen": "PRINT_SCREEN",
    "scroll_lock": "SCROLL_LOCK",
    "kp_begin": "NUMPAD_BEGIN",
    "kp_pageup": "NUMPAD_PAGE_UP",
    "kp_pagedown": "NUMPAD_PAGE_DOWN",
    "`": "BACKQUOTE",
    "\\": "BACKSLASH",
    "[": "BRACKET_LEFT",
    "]": "BRACKET_RIGHT",
    ",": "COMMA",
    "=": "EQUAL",
    "-": "MINUS",
    ".": "PERIOD",
    "'": "QUOTE",
    ";": "SEMICOLON",
    "/": "SLASH",
}
_NAMED |= {str(digit): f"DIGIT_{digit}" for digit in range(10)}
_NAMED |= {letter.lower(): letter for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
_NAMED |= {f"f{number}": f"F{number}" for number in range(1, 26)}

_NAMED |= {f"kp_{digit}": f"NUMPAD_{digit}" for digit in range(10)}
_NAMED |= {
    f"kp_{name}": f"NUMPAD_{name.upper()}"
    for name in (
        *("decimal", "divide", "multiply", "subtract", "add", "enter", "equal", "separator"),
        *("left", "right", "up", "down", "home", "end", "insert", "delete"),
    )
}

_ENHANCED = re.compile(rb"\x1b\[(?:27;\d+;\d+~|\d+;\d+u)")
_F3 = re.compile(rb"\x1b\[13;(\d+)~")
"""F3 as kitty writes it, not to look like a report of the cursor; xterm does not mind."""
_SAME_AS_CTRL = {"i": b"\t", "m": b"\r", "[": b"\x1b", "@": b"\0", "?": b"\x7f"}

_BUTTONS = {
    "left": "LEFT",
    "middle": "MIDDLE",
    "right": "RIGHT",
    "wheelup": "FOUR",
    "wheeldown": "FIVE",
    "wheelleft": "SIX",
    "wheelright": "SEVEN",
}
_ACTIONS = {"press": "PRESS", "release": "RELEASE", "move": "MOTION"}


class InputEncoder:
    """The encoders of one terminal; each call follows the modes the program has set."""

    def __init__(self, terminal: Any) -> None:
        self._terminal = terminal
        keys = ffi.new("GhosttyKeyEncoder*")
        check(lib.ghostty_key_encoder_new(ffi.NULL, keys), "key_encoder_new")
        key = ffi.new("GhosttyKeyEvent*")
        check(lib.ghostty_key_event_new(ffi.NULL, key), "key_event_new")
        mice = ffi.new("GhosttyMouseEncoder*")
        check(lib.ghostty_mouse_encoder_new(ffi.NULL, mice), "mouse_encoder_new")
        mouse = ffi.new("GhosttyMouseEvent*")
        check(lib.ghostty_mouse_event_new(ffi.NULL, mouse), "mouse_event_new")
        self._keys, self._key = keys[0], key[0]
        self._mice, self._mouse = mice[0], mouse[0]
        self._buffer = ffi.new("char[256]")
        self._length = ffi.new("size_t*")
        self._yes = ffi.new("GhosttyOptionAsAlt*", lib.GHOSTTY_OPTION_AS_ALT_TRUE)

    def close(self) -> None:
        lib.ghostty_key_event_free(self._key)
        lib.ghostty_key_encoder_free(self._keys)
        lib.ghostty_mouse_event_free(self._mouse)
        lib.ghostty_mouse_encoder_free(self._mice)

    def key(self, key: Key) -> bytes:
        kitty = self._kitty_flags()
        if key.text and not (kitty or key.ctrl or key.alt or key.super):
            return key.text.encode()
        found = self._encode_key(key)
        if not kitty and key.name == "f3" and (held := _F3.fullmatch(found)):
            return b"\x1b[1;%sR" % held[1]
        if kitty or not _ENHANCED.fullmatch(found) or self._modifies_other_keys():
            return found
        return self._plain_key(key)

    def _kitty_flags(self) -> int:
        """What the program asked of the kitty keyboard protocol; 0 for nothing."""
        flags = ffi.new("uint8_t*")
        data = lib.GHOSTTY_TERMINAL_DATA_KITTY_KEYBOARD_FLAGS
        return 0 if lib.ghostty_terminal_get(self._terminal, data, flags) else int(flags[0])

    def _modifies_other_keys(self) -> bool:
        """Whether the program asked for xterm's modifyOtherKeys 2, which only shows in use."""
        return self._encode_key(Key("a", alt=True)) != b"\x1ba"

    def _plain_key(self, key: Key) -> bytes:
        """What xterm sends where the key has no sequence of its own, like Shift+Enter."""
        prefix = b"\x1b" if key.alt else b""
        if key.ctrl and key.name in _SAME_AS_CTRL:
            return prefix + _SAME_AS_CTRL[key.name]
        shift = key.shift and key.name == "tab"
        letter = key.ctrl and len(key.name) == 1 and "a" <= key.name <= "z"
        return self._encode_key(key._replace(shift=shift, super=False, ctrl=letter))

    def _encode_key(self, key: Key) -> bytes:
        event, name = self._key, key.name
        base = name if len(name) == 1 else " " if name == "space" else ""
        text = key.text
        # The library wants what the key would type without Ctrl and Alt.
        if not text and base:
            text = base.upper() if key.shift and base.isalpha() else base
        mods = _SHIFT * key.shift | _CTRL * key.ctrl | _ALT * key.alt | _SUPER * key.super
        lib.ghostty_key_encoder_setopt_from_terminal(self._keys, self._terminal)
        option = lib.GHOSTTY_KEY_ENCODER_OPT_MACOS_OPTION_AS_ALT
        lib.ghostty_key_encoder_setopt(self._keys, option, self._yes)
        code = getattr(lib, f"GHOSTTY_KEY_{_NAMED.get(name, 'UNIDENTIFIED')}")
        lib.ghostty_key_event_set_action(event, lib.GHOSTTY_KEY_ACTION_PRESS)
        lib.ghostty_key_event_set_key(event, code)
        lib.ghostty_key_event_set_mods(event, mods)
        shifted = key.shift and bool(text) and not key.ctrl
        lib.ghostty_key_event_set_consumed_mods(event, _SHIFT if shifted else 0)
        raw = text.encode()
        held = ffi.from_buffer("char[]", raw) if raw else ffi.NULL
        lib.ghostty_key_event_set_utf8(event, held, len(raw))
        lib.ghostty_key_event_set_unshifted_codepoint(event, ord(base) if base else 0)
        code = lib.ghostty_key_encoder_encode(
            self._keys, event, self._buffer, len(self._buffer), self._length
        )
        if code:
            return raw
        return bytes(ffi.buffer(self._buffer, self._length[0]))

    def mouse(
        self,
        action: MouseAction,
        button: MouseButton,
        cell: tuple[int, int],
        size: tuple[int, int],
        mods: tuple[bool, bool, bool],
    ) -> bytes:
        """`cell` and `size` in columns and rows; `mods` are shift, ctrl, alt."""
        encoder, event = self._mice, self._mouse
        lib.ghostty_mouse_encoder_setopt_from_terminal(encoder, self._terminal)
        area = init_sized("GhosttyMouseEncoderSize")
        area.screen_width, area.screen_height = size
        area.cell_width = area.cell_height = 1
        lib.ghostty_mouse_encoder_setopt(encoder, lib.GHOSTTY_MOUSE_ENCODER_OPT_SIZE, area)
        pressed = ffi.new("bool*", bool(button) and action != "release")
        option = lib.GHOSTTY_MOUSE_ENCODER_OPT_ANY_BUTTON_PRESSED
        lib.ghostty_mouse_encoder_setopt(encoder, option, pressed)
        code = getattr(lib, f"GHOSTTY_MOUSE_ACTION_{_ACTIONS[action]}")
        lib.ghostty_mouse_event_set_action(event, code)
        shift, ctrl, alt = mods
        lib.ghostty_mouse_event_set_mods(event, _SHIFT * shift | _CTRL * ctrl | _ALT * alt)
        if button:
            code = getattr(lib, f"GHOSTTY_MOUSE_BUTTON_{_BUTTONS[button]}")
            lib.ghostty_mouse_event_set_button(event, code)
        else:
            lib.ghostty_mouse_event_clear_button(event)
        lib.ghostty_mouse_event_set_position(event, {"x": cell[0], "y": cell[1]})
        code = lib.ghostty_mouse_encoder_encode(
            encoder, event, self._buffer, len(self._buffer), self._length
        )
        return b"" if code else bytes(ffi.buffer(self._buffer, self._length[0]))

    def paste(self, text: str, bracketed: bool) -> bytes:
        if not text:
            return b""
        raw = bytearray(text.encode("utf-8", "replace"))
        room = ffi.new("char[]", len(raw) * 2 + 64)
        data = ffi.from_buffer("char[]", raw)
        check(
            lib.ghostty_paste_encode(data, len(raw), bracketed, room, len(room), self._length),
            "paste_encode",
        )
        return bytes(ffi.buffer(room, self._length[0]))

    def focus(self, gained: bool) -> bytes:
        return b"\x1b[I" if gained else b"\x1b[O"
