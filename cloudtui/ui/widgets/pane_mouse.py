"""Mouse events of Textual as the bytes a program asked for."""

from __future__ import annotations

from collections.abc import Callable

from textual import events

from cloudtui.vt.engine import Engine, Key, MouseAction, MouseButton

WHEEL_LINES = 3
"""Lines one notch of the wheel moves."""

_BUTTONS: dict[int, MouseButton] = {1: "left", 2: "middle", 3: "right"}
_WHEELS: dict[type[events.MouseEvent], tuple[MouseButton, int]] = {
    events.MouseScrollUp: ("wheelup", -1),
    events.MouseScrollDown: ("wheeldown", 1),
    events.MouseScrollLeft: ("wheelleft", 0),
    events.MouseScrollRight: ("wheelright", 0),
}


class PaneMouse:
    """Remembers the button held and the last cell; `write` takes what goes to the program."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self.button: MouseButton = ""
        self._last = (-1, -1)

    def wheel(self, engine: Engine, event: events.MouseEvent, cell: tuple[int, int]) -> int:
        """Lines the scrollback is to move; 0 when the event went to the program."""
        button, step = _WHEELS[type(event)]
        if engine.mouse_tracking:
            self._send(engine, event, "press", button, cell)
            return 0
        if engine.wheel_to_keys:
            arrow = engine.encode_key(Key("up" if step < 0 else "down"))
            self._write(arrow * (WHEEL_LINES * abs(step)))
            return 0
        return step * WHEEL_LINES

    def press(self, engine: Engine, event: events.MouseEvent, cell: tuple[int, int]) -> None:
        self.button = _BUTTONS.get(event.button, "left")
        self._send(engine, event, "press", self.button, cell)

    def release(self, engine: Engine, event: events.MouseEvent, cell: tuple[int, int]) -> None:
        button, self.button = self.button, ""
        self._send(engine, event, "release", button, cell)

    def move(self, engine: Engine, event: events.MouseEvent, cell: tuple[int, int]) -> None:
        if cell != self._last:
            self._send(engine, event, "move", self.button, cell)

    def _send(
        self,
        engine: Engine,
        event: events.MouseEvent,
        action: MouseAction,
        button: MouseButton,
        cell: tuple[int, int],
    ) -> None:
        self._last = cell
        held = {"shift": event.shift, "alt": event.meta, "ctrl": event.ctrl}
        self._write(engine.encode_mouse(action, button, *cell, **held))
