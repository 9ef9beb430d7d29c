"""Slips of the finger: which known word somebody meant."""

from __future__ import annotations

from collections.abc import Iterable

MOST = 3
"""Slips in a word beyond which it is taken for another word."""


def slips(typed: str, meant: str) -> int:
    """How many letters are missing, too many, wrong, or have changed places with the next one."""
    before: list[int] = []
    row = list(range(len(meant) + 1))
    for i, letter in enumerate(typed, 1):
        earlier, before, row = before, row, [i]
        for j, wanted in enumerate(meant, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == meant[j - 2] and typed[i - 2] == wanted:
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
    return row[-1]


def nearest(typed: str, known: Iterable[str]) -> str:
    """The known word with the fewest slips, the first of equals; empty when none is near."""
    found = min(known, key=lambda word: slips(typed, word), default="")
    return found if slips(typed, found) <= min(MOST, len(typed) // 2) else ""
