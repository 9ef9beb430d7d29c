"""A kernel's recording as lines to read: cell by cell, what it printed and when."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from cloudtui.model.answers import LATEST, count
from cloudtui.model.log_lines import LogLines
from cloudtui.model.recording import moment
from cloudtui.model.words import data_size, duration, plural

_BOLD, _DIM, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[0m"
_CODE = 120
"""Characters of a cell's first line that are shown."""
_CELLS = 100
"""Cells remembered, whose threads may print after their end."""


class Words:
    """Records, fed in order, as the text of a terminal."""

    def __init__(self) -> None:
        self.busy = False
        """Whether a cell runs."""
        self.failed = False
        """Whether the last cell ended with an error."""
        self.ended = False
        """Whether the kernel has ended."""
        self._cell = ""
        self._titles: dict[str, str] = {}
        self._begun: dict[str, float] = {}
        self._updates: dict[str, Mapping[str, Any]] = {}
        """What displays show that were changed after they were shown: told when the cell ends."""
        self._any = False
        self._fresh = True

    def say(self, record: Mapping[str, Any]) -> str:
        """What one record adds; often nothing."""
        text = self._text(record)
        if text:
            self._any, self._fresh = True, text.endswith("\n")
        return text

    # What each kind of record says

    def _text(self, record: Mapping[str, Any]) -> str:
        kind, cell = record["kind"], _text_of(record.get("cell"))
        if kind == "input":
            return self._new_cell(record, cell)
        if kind == "status":
            return self._status(record, cell)
        if kind == "kernel":
            return self._note(self._kernel(record))
        if kind == "gap":
            lost = plural(count(record.get("lost")), "message")
            return self._note(f"the disk was full: {lost} of the kernel not kept")
        if kind == "dropped":
            return self._note(f"{data_size(count(record.get('bytes')))} before this are gone")
        if kind == "update":
            self._updates[_text_of(record.get("display"))] = record
            return ""
        before = self._turned(cell)
        if kind == "stream":
            return before + _text_of(record.get("text"))
        if kind in ("result", "display"):
            return before + self._shown(record)
        if kind == "error":
            self.failed = True
            return before + self._error(record)
        if kind == "left_out":
            size = data_size(count(record.get("bytes")))
            return before + self._line(f"{_DIM}[an output of {size}, too large to be kept]{_PLAIN}")
        return ""

    def _line(self, text: str) -> str:
        return f"{'' if self._fresh else chr(10)}{text}\n"

    def _note(self, text: str) -> str:
        return self._line(f"{_DIM}── {text} ──{_PLAIN}")

    def _new_cell(self, record: Mapping[str, Any], cell: str) -> str:
        code = _text_of(record.get("code")).strip("\n")
        first, _, more = code.partition("\n")
        shown = first if len(first) <= _CODE else f"{first[:_CODE]}…"
        number = record.get("n")
        title = f"{_BOLD}In [{number if number is not None else '?'}]:{_PLAIN} {shown}"
        if more:
            title += f" {_DIM}… {plural(more.count(chr(10)) + 1, 'more line')}{_PLAIN}"
        self._cell, self.failed = cell, False
        self._titles[cell] = title
        if len(self._titles) > _CELLS:
            del self._titles[next(iter(self._titles))]
        gap = "\n" if self._any else ""
        return ("" if self._fresh else "\n") + gap + title + "\n"

    def _turned(self, cell: str) -> str:
        """The cell's title, when what comes now was printed by another cell than before."""
        if not cell or cell == self._cell:
            return ""
        self._cell = cell
        title = self._titles.get(cell, f"{_BOLD}In [?]:{_PLAIN} {_DIM}begun earlier{_PLAIN}")
        return self._line(title)

    def _status(self, record: Mapping[str, Any], cell: str) -> str:
        state, when = record.get("state"), record.get("t")
        now = _seconds(when) or 0.0
        self.busy = state == "busy"
        if self.busy:
            self._begun = {cell: now}
            return ""
        if state == "idle" and self._updates:
            updates, self._updates, text = self._updates, {}, self._turned(cell)
            for update in updates.values():
                text += self._shown(update)
                self._fresh = self._fresh or bool(text)
            return text + self._status(record, cell)
        if state == "idle" and (begun := self._begun.pop(cell, 0.0)) and now - begun >= 1:
            return self._line(f"{_DIM}· {duration(now - begun)}{_PLAIN}")
        if state in ("restarting", "dead"):
            return self._note("the kernel died" if state == "dead" else "the kernel restarts")
        return ""

    def _kernel(self, record: Mapping[str, Any]) -> str:
        state = record.get("state")
        at = _clock(record.get("t"))
        self.ended = state == "ended"
        if state in ("ended", "restarted"):
            self.busy = False
            return f"the kernel {'ended' if self.ended else 'was restarted'} {at}"
        if after := record.get("after"):
            return f"the recorder was killed: what was printed from {_clock(after)} to {at} is lost"
        return f"recorded from {at} on"

    def _shown(self, record: Mapping[str, Any]) -> str:
        mark = f"{_BOLD}Out[{record.get('n')}]:{_PLAIN} " if record["kind"] == "result" else ""
        text = _text_of(record.get("text"))
        parts = [
            f"[{part.get('type')}, {data_size(count(part.get('bytes')))}]"
            for part in _list_of(record.get("images"))
            if isinstance(part, Mapping)
        ]
        whole = "\n".join(part for part in (text, *parts) if part)
        if "\n" in whole and mark:
            mark = f"{mark}\n"
        return self._line(f"{mark}{whole}") if whole else ""

    def _error(self, record: Mapping[str, Any]) -> str:
        lines = [line for line in _list_of(record.get("traceback")) if isinstance(line, str)]
        if not lines:
            lines = [f"{_text_of(record.get('name'))}: {_text_of(record.get('value'))}"]
        return self._line("\n".join(lines) + _PLAIN)


class Transcript:
    """The same as lines, each with its time; carriage returns are done as a terminal would."""

    def __init__(self) -> None:
        self.words = Words()
        self.log = LogLines()
        self._times: list[tuple[int, float]] = []
        self._last = 0.0

    def feed(self, record: Mapping[str, Any]) -> None:
        """Take in one record."""
        text = self.words.say(record)
        when = record.get("t")
        self._last = _seconds(when) or self._last
        if not text:
            return
        changed = self.log.feed(text.encode("utf-8", "replace"))
        while self._times and self._times[-1][0] >= changed:
            self._times.pop()
        self._times.append((changed, self._last))

    def time(self, number: int) -> datetime | None:
        """When the line of that number was printed."""
        place = bisect_right(self._times, (number, float("inf")))
        return moment(self._times[place - 1][1]) if place else None

    @property
    def complete(self) -> int:
        """The number of the first line that may still change."""
        return self.log.first + len(self.log.lines) - 1

    def lines(self, start: int = 0) -> Iterator[tuple[datetime | None, str]]:
        """Each line from that number on, with its time; SGR colours are in the text."""
        for number in range(max(start, self.log.first), self.log.first + len(self.log)):
            yield self.time(number), self.log.lines[number - self.log.first]


def _list_of(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _seconds(value: Any) -> float | None:
    """Since 1970; None for what is none."""
    good = isinstance(value, int | float) and 0 < value < LATEST
    return float(value) if good else None


def _text_of(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _clock(seconds: Any) -> str:
    when = moment(seconds)
    if when is None:
        return "?"
    local, today = when.astimezone(), datetime.now(UTC).astimezone().date()
    return local.strftime("%H:%M:%S" if local.date() == today else "%Y-%m-%d %H:%M:%S")
