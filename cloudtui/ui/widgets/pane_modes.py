"""What a pane does with keys that do not go to the program: a mode of its own at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from cloudtui.vt.engine import Engine, Link, Mark

Marks = dict[int, list[Mark]]


class Mode(Protocol):
    """Takes the keys until `key` says it is over; `line` is laid over a row."""

    def line(self) -> str: ...

    def point(self) -> tuple[int, int] | None:
        """The cell the person is at, drawn as the cursor."""

    def marks(self) -> Marks:
        """What to draw in another way, beside what the engine marks."""

    def key(self, key: str, character: str | None) -> bool:
        """Take a key; False when the mode is over."""

    def close(self) -> None:
        """Undo what is shown only for this mode."""


class PasteQuestion:
    """Newlines pasted into a bare shell run what is before them: `y` pastes, Enter does not."""

    def __init__(self, text: str, paste: Callable[[str], None]) -> None:
        self._text = text
        self._paste = paste

    def line(self) -> str:
        lines = self._text.rstrip("\r\n").splitlines()
        count = f"{len(lines)} lines that" if len(lines) > 1 else "a line that"
        start = "".join(c if c.isprintable() else " " for c in lines[0][:200]) if lines else ""
        return f" Paste {count} would run?  y paste  Esc cancel   {start}"

    def point(self) -> tuple[int, int] | None:
        return None

    def marks(self) -> Marks:
        return {}

    def key(self, key: str, character: str | None) -> bool:
        if character in ("y", "Y"):
            self._paste(self._text)
            return False
        return key not in ("escape", "n", "ctrl+c")

    def close(self) -> None:
        pass


def link_marks(link: Link) -> Marks:
    found: Marks = {}
    for y, start, end in link.pieces:
        found.setdefault(y, []).append(Mark(start, end, "link"))
    return found


class LinkList:
    """Goes through the addresses on the screen, the newest first."""

    def __init__(
        self, engine: Engine, open: Callable[[str], None], copy: Callable[[str], None]
    ) -> None:
        self._links: list[Link] = []
        for link in reversed(engine.links()):
            if all(link.url != other.url for other in self._links):
                self._links.append(link)
        self._open, self._copy = open, copy
        self._at = 0

    def line(self) -> str:
        if not self._links:
            return " No addresses on the screen.  Esc back"
        place = f"{self._at + 1} of {len(self._links)}"
        return f" {self._links[self._at].url}  {place}  Enter open  y copy  Up Down  Esc back"

    def point(self) -> tuple[int, int] | None:
        return None

    def marks(self) -> Marks:
        return link_marks(self._links[self._at]) if self._links else {}

    def key(self, key: str, character: str | None) -> bool:
        if not self._links or key in ("escape", "q", "ctrl+c"):
            return False
        if key in ("up", "k", "down", "j", "tab", "shift+tab", "n", "N"):
            step = -1 if key in ("down", "j", "shift+tab", "N") else 1
            self._at = (self._at + step) % len(self._links)
        elif key in ("enter", "y"):
            (self._open if key == "enter" else self._copy)(self._links[self._at].url)
            return False
        return True

    def close(self) -> None:
        pass
