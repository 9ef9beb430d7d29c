"""The program in the test's own process: for words that ask nothing, and need no new one each."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from cloudtui.__main__ import main

Here = Callable[..., tuple[int, str]]
"""From the words to the exit code and all that was printed."""


@pytest.fixture
def here(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Here:
    """Run the program and read what it says."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # which main replaces

    def run(*words: str) -> tuple[int, str]:
        code = main(words)
        told = capsys.readouterr()
        return code, told.out + told.err

    return run
