"""What core says to do next, in the console's words: a key where the shell has a command."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from cloudtui.ui.actions import key_words

_START = re.compile(r"Start it first: cloudtui start (?:'(?:[^']|'\"'\"')*'|[^\s']+)")


def in_console(text: str, keys: Mapping[str, Sequence[str]]) -> str:
    """`text` with `cloudtui start NAME` as the key that starts the machine; `keys` are those of
    each action."""
    pressed = f"Start it first: press {key_words(keys['machine.start'][0])} on the machine"
    return _START.sub(lambda _: pressed, text)
