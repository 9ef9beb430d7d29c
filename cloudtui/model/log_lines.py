"""A log as a terminal would have left it: the last state of every line, and not too many of them.

Carriage returns, backspaces, erasures and moves of the cursor are done; colours stay in the lines
as SGR sequences, each line having all of its own.
"""

from __future__ import annotations

import re
import unicodedata
from codecs import getincrementaldecoder

LINES_KEPT = 20_000
CHARACTERS_KEPT = 12_000_000
LONGEST = 16_000
"""Characters of one line; what goes beyond is left out."""
_UNFINISHED = 4096
"""Characters of an escape sequence whose end has not come."""
_TAB = 8
_SLACK = 0.9
"""Of the characters allowed, those left when there were too many: not every line drops one."""

_TOKEN = re.compile(
    r"(?P<text>[^\x00-\x1f\x7f-\x9f]+)"
    r"|(?P<end>\n)|(?P<back>\r+)|(?P<step>\x08+)|(?P<tab>\t+)"
    r"|\x1b\[(?P<parameters>[0-?]*)[ -/]*(?P<final>[@-~])"
    r"|\x1b[\]P^_X][^\x00-\x1f\x7f]*(?:\x07|\x1b\\)"
    r"|(?P<cut>\x1b(?:\[[0-?]*[ -/]*|[\]P^_X][^\x00-\x1f\x7f]*\x1b?|[ -/]*)?\Z)"
    r"|\x1b[ -/]*[0-Z\\^-~]"
    r"|[\x00-\x1f\x7f-\x9f]"
)
_NARROW = re.compile(r"[\x1b\x20-\x7e\u00a1-\u02ff\u2010-\u22ff\u2500-\u25ff]*\Z")
"""Text whose characters take one cell each."""
_SGR = re.compile(r"\x1b\[[0-9;:]*m")
_SPLIT = re.compile(r"(\x1b\[[0-9;:]*m)")
_LASTING = 12
"""SGR sequences remembered of those that none has ended yet."""

Cell = tuple[str, str]
"""A character and the SGR sequences that hold for it; the second half of a wide one is empty."""


def plain(line: str) -> str:
    """A line without its colours."""
    return _SGR.sub("", line) if "\x1b" in line else line


class LogLines:
    """The last lines of a log that is fed in pieces."""

    def __init__(self, most: int = LINES_KEPT, characters: int = CHARACTERS_KEPT) -> None:
        self.lines: list[str] = [""]
        """Oldest first; the last one is still being written."""
        self.first = 0
        """The number of the first line kept: so many were dropped before it."""
        self._most, self._characters = most, characters
        self._size = 0
        self._decoder = getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._row = 0
        """Where the next character goes, counted from the first line kept."""
        self._column: int | None = None
        """None: behind the last character of the line."""
        self._inks: list[str] = []
        self._changed = 0

    def __len__(self) -> int:
        """How many lines there are to show: not the empty one after the last line's end."""
        return len(self.lines) - (not self.lines[-1])

    def feed(self, data: bytes) -> int:
        """Take in what came; the number of the first line that is another one now."""
        text = self._rest + self._decoder.decode(data)
        self._rest = ""
        self._changed = self.first + len(self.lines)
        for token in _TOKEN.finditer(text):
            match token.lastgroup:
                case "text":
                    self._write(token[0])
                case "end":
                    self._next()
                case "back":
                    self._column = 0
                case "step":
                    self._column = max(0, self._at() - len(token[0]))
                case "tab":
                    at = self._at()
                    self._write(" " * (_TAB * len(token[0]) - at % _TAB))
                case "final":
                    self._control(token["parameters"], token["final"], token[0])
                case "cut":
                    self._rest = token[0] if len(token[0]) < _UNFINISHED else ""
        self._trim()
        return max(self._changed, self.first)

    # The cursor

    def _at(self) -> int:
        return len(_cells(self.lines[self._row])) if self._column is None else self._column

    def _next(self) -> None:
        self._row += 1
        self._column = None
        if self._row == len(self.lines):
            self.lines.append("")
            if len(self.lines) > self._most * 1.2:
                self._trim()
        else:
            self._column = 0

    def _write(self, text: str) -> None:
        line = self.lines[self._row]
        ink = "".join(self._inks)
        if self._column is None:
            if len(line) + len(text) > LONGEST:
                text = text[: max(0, LONGEST - len(line))]
            self._put(line + (ink + text if ink and not line else text))
            return
        if self._column == 0 and (
            not line or (len(text) >= len(plain(line)) and _NARROW.match(line + text))
        ):
            self._column = None
            self._put((ink + text)[:LONGEST])
            return
        cells = _cells(line)
        new = _cells(ink + text)
        if self._column > LONGEST:
            return
        cells += [(" ", "")] * (self._column - len(cells))
        cells[self._column : self._column + len(new)] = new
        self._column += len(new)
        if self._column >= len(cells):
            self._column = None
        self._put(_joined(cells[:LONGEST], ink if self._column is None else ""))

    def _put(self, line: str, row: int | None = None) -> None:
        row = self._row if row is None else row
        self._size += len(line) - len(self.lines[row])
        self.lines[row] = line
        self._changed = min(self._changed, self.first + row)

    def _control(self, parameters: str, final: str, whole: str) -> None:
        if final == "m":
            self._ink(parameters, whole)
            return
        if parameters[:1] in ("?", ">", "<", "="):
            return
        number = parameters.partition(";")[0]
        count = min(int(number), LONGEST) if number.isdecimal() else 0
        step = max(1, count)
        match final:
            case "K":
                self._erase(count)
            case "J" if count == 0:
                self._erase(0)
                for row in range(self._row + 1, len(self.lines)):
                    self._put("", row)
            case "A" | "F":
                self._column = self._at() if final == "A" else 0
                self._row = max(0, self._row - step)
            case "B" | "E":
                self._column = self._at() if final == "B" else 0
                self._row = min(len(self.lines) - 1, self._row + step)
            case "C":
                self._column = min(LONGEST, self._at() + step)
            case "D":
                self._column = max(0, self._at() - step)
            case "G":
                self._column = step - 1

    def _erase(self, how: int) -> None:
        line = self.lines[self._row]
        if how == 0 and self._column is None:
            return
        at = self._at()
        cells = _cells(line)
        if how == 1:
            cells[: at + 1] = [(" ", "")] * min(at + 1, len(cells))
        elif how == 2:
            cells = []
        else:
            cells = cells[:at]
        self._column = at if at else 0
        self._put(_joined(cells, ""))

    def _ink(self, parameters: str, whole: str) -> None:
        if not parameters.strip("0"):
            self._inks = []
        elif parameters.startswith(("0;", ";")):
            self._inks = [whole]
        else:
            self._inks = [*self._inks, whole][-_LASTING:]
        if self._column is None and self.lines[self._row]:
            self._put(self.lines[self._row] + whole)

    def _trim(self) -> None:
        over = max(0, len(self.lines) - self._most)
        size = self._size - sum(map(len, self.lines[:over]))
        if size > self._characters:
            while size > self._characters * _SLACK and over < len(self.lines) - 1:
                size -= len(self.lines[over])
                over += 1
        over = min(over, len(self.lines) - 1, self._row)
        if over > 0:
            self._size -= sum(map(len, self.lines[:over]))
            del self.lines[:over]
            self.first += over
            self._row -= over


def _cells(line: str) -> list[Cell]:
    if "\x1b" not in line:
        if line.isascii():
            return [(letter, "") for letter in line]
        parts = [line]
    else:
        parts = _SPLIT.split(line)
    cells: list[Cell] = []
    inks: list[str] = []
    for part in parts:
        if part.startswith("\x1b["):
            inner = part[2:-1]
            if not inner.strip("0"):
                inks = []
            else:
                inks = [part] if inner.startswith(("0;", ";")) else [*inks, part][-_LASTING:]
            continue
        ink = "".join(inks)
        for letter in part:
            if letter.isascii():
                cells.append((letter, ink))
            elif unicodedata.combining(letter) and cells:
                cells[-1] = (cells[-1][0] + letter, cells[-1][1])
            else:
                cells.append((letter, ink))
                if unicodedata.east_asian_width(letter) in ("W", "F"):
                    cells.append(("", ink))
    return cells


def _joined(cells: list[Cell], ink_after: str) -> str:
    """A line again; what is written behind it has `ink_after`."""
    parts: list[str] = []
    now = ""
    for letter, ink in cells:
        if ink != now:
            parts.append("\x1b[0m" + ink if now else ink)
            now = ink
        parts.append(letter)
    if now != ink_after:
        parts.append("\x1b[0m" + ink_after if now else ink_after)
    return "".join(parts)
