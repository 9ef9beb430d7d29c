"""A passphrase is asked for once, by whichever connection comes first."""

from __future__ import annotations

import asyncio
from pathlib import Path

from cloudtui.core.passphrases import Passphrases
from tests.lab import Person

FILE, OTHER = Path("/k/one"), Path("/k/two")


async def test_once_and_anew_when_it_was_wrong() -> None:
    person = Person(passphrases=["wrong", "right", None, "other"])
    prompts = Passphrases(person)
    both = await asyncio.gather(*(prompts.passphrase(FILE, False) for _ in range(2)))
    assert (both, person.asked) == (["wrong", "wrong"], [FILE])
    assert await prompts.passphrase(FILE, True) == "right"
    assert await prompts.passphrase(FILE, False) == "right"
    assert await prompts.remembered.passphrase(OTHER, False) is None
    assert await prompts.passphrase(OTHER, False) is None
    assert await prompts.passphrase(OTHER, False) == "other"
    assert await prompts.remembered.passphrase(OTHER, False) == "other"
    assert await prompts.remembered.passphrase(OTHER, True) is None
    assert person.asked == [FILE, FILE, OTHER, OTHER]
