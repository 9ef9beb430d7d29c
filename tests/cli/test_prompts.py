"""Questions before a change, on a terminal that is there, answered or not."""

from __future__ import annotations

import asyncio
import os
import pty
import select
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest

from cloudtui.cli import prompts
from cloudtui.model.errors import Refused
from cloudtui.model.remote import HostKey


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The far end of a terminal that stands for /dev/tty and for the standard input."""
    master, slave = pty.openpty()
    monkeypatch.setattr(prompts, "TERMINAL", Path(os.ttyname(slave)))
    with open(slave, closefd=True) as stdin:  # noqa: PTH123
        monkeypatch.setattr(sys, "stdin", stdin)
        yield master
    os.close(master)


async def answering(terminal: int, question: bytes, answer: bytes) -> None:
    """Type the answer once the question is shown."""

    def answered() -> None:
        seen = b""
        while question not in seen:
            assert select.select([terminal], [], [], 25)[0], seen
            seen += os.read(terminal, 1024)
        os.write(terminal, answer)

    await asyncio.to_thread(answered)


async def test_a_change_is_asked_about_on_the_terminal(terminal: int) -> None:
    asking = ("Save this?", "Nothing was changed", "cloudtui hosts undo")
    await asyncio.gather(prompts.agree(*asking, yes=False), answering(terminal, b"[y/N] ", b"y\n"))
    with pytest.raises(Refused, match=r"Nothing was changed\.$"):
        await asyncio.gather(
            prompts.agree(*asking, yes=False), answering(terminal, b"[y/N] ", b"\n")
        )


async def test_what_was_typed_before_a_question_is_no_answer_to_it(terminal: int) -> None:
    key = HostKey("bert-gpu", 22, "ssh-ed25519", "SHA256:abc")
    os.write(terminal, b"yes\n")
    trusted, _ = await asyncio.gather(
        prompts.TerminalPrompts().trust_host_key(key),
        answering(terminal, b"Type yes or no: ", b"no\n"),
    )
    assert not trusted


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
