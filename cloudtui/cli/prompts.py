"""Questions of a connection, asked on the terminal itself even when stdout is a pipe."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import sys
import termios
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from cloudtui.cli.output import narrate
from cloudtui.core.tasks import aside
from cloudtui.model.errors import Refused
from cloudtui.model.remote import HostKey

TERMINAL = Path("/dev/tty")


class TerminalPrompts:
    """Asks on /dev/tty; without a terminal every answer is no. `yes` answers questions for it."""

    def __init__(self, *, yes: bool = False) -> None:
        self._yes = yes
        self._one_at_a_time = asyncio.Lock()

    async def trust_host_key(self, key: HostKey) -> bool:
        """First contact is never answered by --yes: the fingerprint has to be looked at."""
        async with self._one_at_a_time:
            return await self._trust(key)

    async def _trust(self, key: HostKey) -> bool:
        where = key.host if key.port == 22 else f"{key.host} port {key.port}"
        if key.name and key.name != key.host:
            where = f"{key.name} ({where})"
        narrate(f"First contact with {where}. Its {key.algorithm} host key has the fingerprint")
        narrate(f"  {key.fingerprint}")
        if key.note:
            narrate(key.note)
        return await self._ask("Trust it and remember it? Type yes or no: ")

    async def passphrase(self, key_file: Path, again: bool) -> str | None:
        wrong = "Wrong passphrase. " if again else ""
        async with self._one_at_a_time:
            return await _hidden(f"{wrong}Passphrase of {key_file}: ")

    async def answers(self, title: str, prompts: tuple[tuple[str, bool], ...]) -> list[str] | None:
        async with self._one_at_a_time:
            return await self._given(title, prompts)

    async def _given(self, title: str, prompts: tuple[tuple[str, bool], ...]) -> list[str] | None:
        if title and prompts:
            narrate(title)
        given: list[str] = []
        for text, echo in prompts:
            answer = await (_echoed(text) if echo else _hidden(text))
            if answer is None:
                return None
            given.append(answer)
        return given

    async def confirm(self, sentence: str) -> bool:
        """A yes-or-no question; --yes answers it."""
        narrate(sentence)
        return self._yes or _agrees(await answer("Do it? Type yes or no: "))

    async def agrees(self, question: str) -> bool:
        """A yes-or-no question that --yes does not answer."""
        return await self._ask(f"{question} Type yes or no: ")

    async def _ask(self, question: str) -> bool:
        return _agrees(await _echoed(question))


async def agree(question: str, undone: str, again: str, *, yes: bool) -> None:
    """Ask before a change; the answer is no by itself, and --yes is a yes. `undone` says that
    nothing happened, without its full stop; `again` is the command line to confirm beforehand.

    Raises:
        Refused: the answer was no, or there was none.
    """
    if yes:
        return
    given = await answer(f"{question} [y/N] ")
    if given is None:
        raise Refused(
            f"{undone}: it has to be confirmed, and there is no terminal to answer on.",
            hint=f"Confirm it beforehand: {again} --yes",
        )
    if given.strip().lower() not in ("y", "yes"):
        raise Refused(f"{undone}.")


def _agrees(answer: str | None) -> bool:
    if answer is None:
        narrate("There is no terminal to answer on, so the answer is no.")
    return (answer or "").strip().lower() in ("yes", "y")


async def answer(question: str) -> str | None:
    """What is typed to confirm a change; None without a terminal to answer on, and where the
    standard input is another: a script says so, whose user may not look."""
    if not sys.stdin or not sys.stdin.isatty():
        return None
    given = await TerminalPrompts().answers("", ((question, True),))
    return given[0] if given else None


async def _echoed(question: str) -> str | None:
    with _left_alone():
        return await aside(partial(_line, question))


@contextlib.contextmanager
def _left_alone() -> Iterator[None]:
    """Ctrl-C at a question ends its line: the shell's prompt begins on the next one."""
    try:
        yield
    except asyncio.CancelledError:
        with contextlib.suppress(OSError), TERMINAL.open("wb", buffering=0) as terminal:
            terminal.write(b"\n")
        raise


def _line(question: str) -> str | None:
    """The line typed after the question; what was typed before is no answer, as with ssh."""
    try:
        with TERMINAL.open("r+b", buffering=0) as terminal:
            with contextlib.suppress(termios.error):
                termios.tcflush(terminal, termios.TCIFLUSH)
            terminal.write(question.encode())
            answer = b""
            while not answer.endswith(b"\n"):
                more = terminal.read(1024)
                if not more:
                    return None
                answer += more
            return answer.decode(errors="replace")
    except OSError:
        return None


async def _hidden(question: str) -> str | None:
    """A line that is not echoed; the echo is back also when nobody waits for the answer."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(_echo_kept())
        except (OSError, termios.error):
            return None
        with _left_alone():
            return await aside(partial(_secret, question))


@contextlib.contextmanager
def _echo_kept() -> Iterator[None]:
    with TERMINAL.open("r+b", buffering=0) as terminal:
        before = termios.tcgetattr(terminal)
        try:
            yield
        finally:
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def _secret(question: str) -> str | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", getpass.GetPassWarning)
            return getpass.getpass(question)
    except (OSError, EOFError, termios.error, getpass.GetPassWarning):
        return None
