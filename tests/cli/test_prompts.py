"""Questions before a change, on a terminal that is there, answered or not."""

from __future__ import annotations

import os
import pty
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest

from cloudtui.cli import prompts
from cloudtui.model.errors import Refused


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The far end of a terminal that stands for /dev/tty and for the standard input."""
    master, slave = pty.openpty()
    monkeypatch.setattr(prompts, "TERMINAL", Path(os.ttyname(slave)))
    with open(slave, closefd=True) as stdin:  # noqa: PTH123
        monkeypatch.setattr(sys, "stdin", stdin)
        yield master
    os.close(master)


async def test_a_change_is_asked_about_on_the_terminal(terminal: int) -> None:
    os.write(terminal, b"y\n")
    await prompts.agree("Save this?", "Nothing was changed", "cloudtui hosts undo", yes=False)
    os.write(terminal, b"\n")
    with pytest.raises(Refused, match=r"Nothing was changed\.$"):
        await prompts.agree("Save this?", "Nothing was changed", "cloudtui hosts undo", yes=False)


async def test_with_another_standard_input_nobody_is_asked(
    terminal: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a script, `while read`, or `</dev/null`: the terminal is not read then."""
    monkeypatch.setattr(sys, "stdin", StringIO())
    os.write(terminal, b"y\n")
    with pytest.raises(Refused, match="no terminal") as caught:
        await prompts.agree("Save this?", "Nothing was changed", "cloudtui hosts undo", yes=False)
    assert "cloudtui hosts undo --yes" in caught.value.hint
    assert not await prompts.TerminalPrompts().confirm("Jupyter is not installed.")
    assert await prompts.TerminalPrompts(yes=True).confirm("Jupyter is not installed.")
