"""What OpenSSH makes of a config: `ssh -G`, whose word decides whether an edit may be saved.

`ssh -G` opens no connection, but it runs the commands of the `Match exec` lines that it comes
to, as every ssh does: once a host that is asked about, before and after the edit.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cloudtui.model.errors import Refused, Timeout
from cloudtui.ssh.child import begin, said
from cloudtui.ssh.resolve import SYSTEM_CONFIG

SECONDS = 10.0
SEVERAL = frozenset(
    ("identityfile", "certificatefile", "localforward", "remoteforward", "dynamicforward")
) | frozenset(("sendenv", "setenv", "permitremoteopen"))
"""Keywords whose values add up; of the others the first counts."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one `ssh -G` said."""

    code: int
    text: str
    """The options, one a line; empty when ssh refused."""
    words: str
    """What it said on standard error."""

    @property
    def good(self) -> bool:
        """Whether ssh took the config."""
        return self.code == 0

    def values(self, keyword: str) -> tuple[str, ...]:
        """The values of a keyword, in order."""
        begin = keyword.lower() + " "
        return tuple(
            line.removeprefix(begin) for line in self.text.split("\n") if line.startswith(begin)
        )


def write_asked(path: Path, main: bytes) -> Path:
    """A config at `path` that reads a user's main file, then the system's, as plain ssh does.

    `main` is a word of an Include line, so that ssh looks at that file's mode too. At the
    system's it does not look otherwise: one that it would refuse here is left out.
    """
    lines = b"Include " + main + b"\n"
    with contextlib.suppress(OSError):
        found = SYSTEM_CONFIG.stat()
        if found.st_uid in (0, os.getuid()) and not found.st_mode & 0o022:
            lines += b"Include " + os.fsencode(SYSTEM_CONFIG) + b"\n"
    path.write_bytes(lines)
    return path


Question = tuple[Path | None, str] | tuple[Path | None, str, Sequence[str]]
"""What `Oracle.ask` takes: the config, the host, and options that go first."""


class Oracle:
    """Asks ssh, a few at a time."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(max(2, os.cpu_count() or 1))

    async def ask(self, config: Path | None, host: str, options: Iterable[str] = ()) -> Answer:
        """What ssh makes of `host` with this config, None for none; `options` go first.

        Raises:
            Refused: there is no ssh.
            Timeout: it did not answer in 10 s.
        """
        arguments = ["ssh", "-G", "-T", "-F", str(config or "none")]
        for option in options:
            arguments += ["-o", option]
        async with self._slots:
            try:
                process = await begin(
                    *(*arguments, "--", host),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.PIPE,
                )
            except FileNotFoundError:
                raise Refused(
                    "There is no ssh on PATH to ask what a change would do: nothing was saved.",
                    hint="Install OpenSSH's client (openssh-client), then do it again.",
                ) from None
            try:
                stdout, stderr = await said(process, seconds=SECONDS)
            except TimeoutError:
                raise Timeout(
                    f"ssh -G {host} gave no answer within {SECONDS:.0f} s: nothing was saved.",
                    hint="Look for a slow Match exec in the ssh config.",
                ) from None
        return Answer(
            process.returncode or 0,
            stdout.decode("utf-8", "surrogateescape"),
            stderr.decode("utf-8", "replace").replace("\r", "").strip(),
        )

    async def ask_all(self, *questions: Question) -> tuple[Answer, ...]:
        """The answers in order; with the first failure the others are not waited for.

        Raises:
            Refused, Timeout: as `ask`.
        """
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self.ask(*question)) for question in questions]
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        return tuple(task.result() for task in tasks)


def effective(keyword: str, found: Answer, wanted: Answer) -> bool:
    """Whether `found` says of the keyword what `wanted` does."""
    if keyword.lower() in SEVERAL:
        return set(wanted.values(keyword)) <= set(found.values(keyword))
    return wanted.values(keyword) == found.values(keyword)
