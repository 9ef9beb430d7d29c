"""What may be meant by the beginning of a word in a field: shown behind it, taken with Right."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from textual.suggester import Suggester

from cloudtui.core.tasks import aside


class Known(Suggester):
    """One of the words that `known` gives when it is asked; with `words` for the last word of
    several, otherwise for all that is typed."""

    def __init__(self, known: Callable[[], Iterable[str]], *, words: bool = False) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._known, self._words = known, words

    async def get_suggestion(self, value: str) -> str | None:
        start = max(value.rfind(" "), value.rfind(",")) + 1 if self._words else 0
        before, typed = value[:start], value[start:]
        found = (word for word in self._known() if typed and word.startswith(typed))
        return next((before + word for word in found if word != typed), None)


class Folders(Suggester):
    """A folder of this computer, in front of the first colon."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        return None if ":" in value else await aside(lambda: _folder(value))


def _folder(value: str) -> str | None:
    above, slash, typed = value.rpartition("/")
    if not typed:
        return None
    try:
        inside = sorted(Path(above + slash or ".").expanduser().iterdir())
        found = (p.name for p in inside if p.name.startswith(typed) and p.is_dir())
        name = next(found, None)
    except (OSError, RuntimeError, ValueError):
        return None
    return f"{above}{slash}{name}" if name and name != typed else None
