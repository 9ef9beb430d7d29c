"""What a terminal engine is to a pane: bytes in, styled rows, replies and events out.

Nothing here imports the native library; `load` does, and takes about 120 ms.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Literal, NamedTuple, Protocol

from cloudtui.model.errors import CloudtuiError

Color = None | int | tuple[int, int, int]
"""None is the theme's default, an int a palette index 0-255, a tuple red, green, blue 0-255."""

CellLen = Callable[[str], int]
"""Columns a text takes where it is drawn."""


class Style(NamedTuple):
    """How a run of cells looks; `underline` is 0 none, 1 single, 2 double, 3 and up other kinds."""

    fg: Color = None
    bg: Color = None
    bold: bool = False
    dim: bool = False
    italic: bool = False
    underline: int = 0
    reverse: bool = False
    strike: bool = False
    blink: bool = False
    conceal: bool = False
    overline: bool = False


PLAIN = Style()

Run = tuple[str, Style]
"""Text of neighbouring cells with one style."""


class Key(NamedTuple):
    """One key press.

    `name` is a lower-case name (`a`, `enter`, `up`, `f5`, `pageup`) or the character the key
    prints without Shift where that is known; `text` is what the press types, if anything.
    """

    name: str
    shift: bool = False
    alt: bool = False
    ctrl: bool = False
    super: bool = False
    text: str = ""


class Cursor(NamedTuple):
    """The cursor in the rows now shown, 0-based; not visible when hidden or scrolled away."""

    x: int
    y: int
    visible: bool
    shape: Literal["block", "bar", "underline"] = "block"
    blinking: bool = False


class Scrollbar(NamedTuple):
    """Rows in all, rows above the first one shown, rows shown."""

    total: int
    offset: int
    length: int

    @property
    def at_bottom(self) -> bool:
        return self.offset + self.length >= self.total


class Title(NamedTuple):
    """The program named its window."""

    text: str


class Bell(NamedTuple):
    """The program rang."""


class Folder(NamedTuple):
    """The program told its working folder as a URL (OSC 7)."""

    url: str


class ClipboardWrite(NamedTuple):
    """The program put text on the clipboard (OSC 52); `refused` is its size when it was too much.

    Sizes in bytes; a refused text is empty.
    """

    text: str
    refused: int = 0


class Notification(NamedTuple):
    """The program asked for a desktop notification (OSC 9, OSC 777)."""

    title: str
    body: str


class Progress(NamedTuple):
    """The program reported progress (OSC 9;4); `percent` is None when it is not known."""

    state: Literal["none", "running", "failed", "busy", "paused"]
    percent: int | None


class Mark(NamedTuple):
    """Columns of a row to draw in another way, the end not in it."""

    start: int
    end: int
    kind: Literal["selected", "match", "here", "link"]


class Found(NamedTuple):
    """The match gone to, counted from 1 at the newest, and how many there are."""

    at: int
    total: int


class Link(NamedTuple):
    """A link on the rows shown: its address and the pieces `(row, start, end)` it covers."""

    url: str
    pieces: tuple[tuple[int, int, int], ...]

    def covers(self, x: int, y: int) -> bool:
        return any(row == y and start <= x < end for row, start, end in self.pieces)


Unit = Literal["cell", "word", "line"]

Event = Title | Bell | Folder | ClipboardWrite | Notification | Progress

MouseAction = Literal["press", "release", "move"]
MouseButton = Literal[
    "", "left", "middle", "right", "wheelup", "wheeldown", "wheelleft", "wheelright"
]


class Engine(Protocol):
    """A terminal without a screen. Used from one thread at a time."""

    @property
    def columns(self) -> int: ...

    @property
    def rows(self) -> int: ...

    def feed(self, data: bytes) -> None:
        """Take output of the program; may end in the middle of a character or sequence."""

    def replies(self) -> bytes:
        """Answers the program waits for (device attributes, cursor reports), taken once."""

    def events(self) -> list[Event]:
        """What was told beside the text since the last call, the newest of each kind."""

    def resize(self, columns: int, rows: int) -> None:
        """Change the size, both at least 1, wrapping the lines anew."""

    def dirty_rows(self) -> dict[int, list[Run]]:
        """Rows shown that changed since the last call, by number from the top.

        The cell widths of each row, as `cell_len` counts them, sum to `columns`.
        """

    @property
    def cursor(self) -> Cursor: ...

    @property
    def held(self) -> bool:
        """Whether the program asked to hold painting until it is through (mode 2026)."""

    @property
    def mouse_tracking(self) -> bool:
        """Whether the program asked for the mouse."""

    @property
    def wheel_to_keys(self) -> bool:
        """Whether the wheel is to be sent as arrow keys (full-screen program without mouse)."""

    @property
    def bracketed_paste(self) -> bool: ...

    def encode_key(self, key: Key) -> bytes:
        """The bytes a terminal sends for the key in the modes the program has set."""

    def encode_mouse(
        self,
        action: MouseAction,
        button: MouseButton,
        x: int,
        y: int,
        *,
        shift: bool = False,
        alt: bool = False,
        ctrl: bool = False,
    ) -> bytes:
        """The bytes for a mouse event at a 0-based cell; empty when not asked for."""

    def encode_paste(self, text: str) -> bytes:
        """Pasted text, bracketed when the program asked for that, unable to end it early."""

    def encode_focus(self, gained: bool) -> bytes:
        """The focus report; empty when not asked for."""

    def scroll(self, delta: int) -> None:
        """Move the rows shown, negative towards the past."""

    def scroll_to_bottom(self) -> None: ...

    @property
    def scrollbar(self) -> Scrollbar: ...

    def set_colors(
        self,
        foreground: tuple[int, int, int],
        background: tuple[int, int, int],
        palette: list[tuple[int, int, int]],
        dark: bool,
    ) -> None:
        """Tell which colours are drawn, so that questions about them get true answers.

        `palette` replaces the first colours of the 256.
        """

    def text(self) -> str:
        """The rows shown, one per line, without trailing spaces."""

    def contents(self) -> str:
        """Scrollback and screen with wrapped lines joined."""

    def link_at(self, x: int, y: int) -> str:
        """The hyperlink (OSC 8) under a cell of the rows shown, or nothing."""

    def links(self) -> list[Link]:
        """Hyperlinks (OSC 8) and plain addresses on the rows shown, top to bottom."""

    @property
    def reversed(self) -> bool:
        """Whether the program swapped the two default colours (DECSCNM)."""

    @property
    def alternate_screen(self) -> bool:
        """Whether a full-screen program runs."""

    def select(self, x: int, y: int, unit: Unit = "cell") -> None:
        """Begin a selection at a cell of the rows shown; it stays on its text."""

    def select_to(self, x: int, y: int) -> None:
        """Move the end of the selection, in the unit it began with."""

    def clear_selection(self) -> None: ...

    @property
    def selection(self) -> str:
        """The text selected, wrapped lines joined, or nothing."""

    def search(self, words: str) -> Found:
        """Go to the newest match of `words`; no words end the search."""

    def next_match(self, step: int) -> Found:
        """Go to the next older match (1) or newer one (-1)."""

    def marks(self) -> dict[int, list[Mark]]:
        """What is selected and found on the rows shown, by row."""

    def restart(self) -> None:
        """Make ready for another program: its modes unset, what was shown moved to the past."""

    def compress(self) -> bool:
        """Take a step in making the scrollback small; False when there is no more to do."""

    def close(self) -> None:
        """Give native memory back. Nothing else may be called after."""


class EngineFactory(Protocol):
    """Makes engines of `columns` by `rows` keeping `scrollback` lines."""

    def __call__(
        self, columns: int, rows: int, *, cell_len: CellLen, scrollback: int = 10_000
    ) -> Engine: ...


_NO_PANES = (
    "Panes are not available on this system: the terminal engine pyghostty is not installed."
)
_INSTEAD = "Run `cloudtui attach NAME` to attach in the whole terminal."


def available() -> str:
    """Nothing when panes can be drawn here, else one sentence saying why not."""
    return "" if importlib.util.find_spec("pyghostty") else f"{_NO_PANES} {_INSTEAD}"


def load() -> EngineFactory:
    """Import the native library; call in a thread.

    Raises:
        CloudtuiError: it is not installed or does not load here.
    """
    if available():
        raise CloudtuiError(_NO_PANES, hint=_INSTEAD)
    try:
        from cloudtui.vt.ghostty import GhosttyEngine
    except (ImportError, OSError) as exc:
        raise CloudtuiError(
            "Panes are not available on this system: the terminal engine does not load.",
            str(exc),
            _INSTEAD,
        ) from exc
    return GhosttyEngine
