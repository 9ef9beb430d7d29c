"""Nothing that a machine said is obeyed by the terminal, wherever it is shown.

Textual takes five control characters out of a text, and leaves Esc in it, letters that turn the
order of those behind them around, and halves of letters, which no terminal can be sent.
"""

from __future__ import annotations

from textual import content

_CONTROLS = [n for n in (*range(32), *range(127, 160)) if chr(n) not in "\t\n"]
_TURNING = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
_HALVES = range(0xD800, 0xE000)


def strip_controls() -> None:
    """Let Textual take all of them out, of every text from now on."""
    table: dict[int, None] = content._CONTROL_STRIP_TRANSLATE
    table.update(dict.fromkeys((*_CONTROLS, *_TURNING, *_HALVES)))
