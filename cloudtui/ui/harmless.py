"""Nothing that a machine said is obeyed by the terminal, wherever it is shown.

Textual takes five control characters out of a text, and leaves Esc in it.
"""

from __future__ import annotations

from textual import content

_CONTROLS = [n for n in (*range(32), *range(127, 160)) if chr(n) not in "\t\n"]


def strip_controls() -> None:
    """Let Textual take all of them out, of every text from now on."""
    table: dict[int, None] = content._CONTROL_STRIP_TRANSLATE
    table.update(dict.fromkeys(_CONTROLS))
