"""POSIX sh scripts on a host, over channels that a connection opens: one that ends with the script,
or one that stays and answers one question after the other."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from cloudtui.model.errors import CloudtuiError, Timeout
from cloudtui.ssh.beginning import Beginning
from cloudtui.ssh.terminal import Channel

OUTPUT_LIMIT = 8 << 20
"""Bytes of output a script may print."""

HANGING = 3
"""Questions that may hang on a host, in a file system that does not answer say, where not even
SIGKILL ends them; no other is asked until one of them has ended."""

Opened = Callable[[str, Channel], Awaitable[Channel]]
"""Opens a session channel that runs a command; `Connection._session`."""


@dataclass(frozen=True, slots=True)
class Completed:
    """A script that ran to its end."""

    stdout: str
    stderr: str
    """And before it what came instead of an answer, when no sh ran the script."""
    exit_status: int | None
    """128 + n for death by signal n."""
    signal: str = ""
    """The signal's name without SIG, or empty; always empty from a `StandingShell`."""


class _Output:
    """What a script prints, up to `OUTPUT_LIMIT` bytes."""

    def __init__(self, host: str) -> None:
        self._host = host
        self.out, self.err = bytearray(), bytearray()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Fails with CloudtuiError for more than that."""

    def printed(self, data: bytes) -> None:
        self._keep(data, self.out)

    def warned(self, data: bytes) -> None:
        self._keep(data, self.err)

    def _keep(self, data: bytes, kept: bytearray) -> None:
        if len(self.out) + len(self.err) + len(data) <= OUTPUT_LIMIT:
            kept.extend(data)
        else:
            self.flooded()

    def flooded(self) -> None:
        if not self.done.done():
            self.done.set_exception(
                CloudtuiError(
                    f"{self._host} printed more than {OUTPUT_LIMIT >> 20} MiB where a short "
                    "answer was expected.",
                    self.err.decode(errors="replace").strip()[-400:],
                    "Look for a start-up file of its shell that prints without end.",
                )
            )

    def ended(self) -> None:
        if not self.done.done():
            self.done.set_result(None)

    async def wait(self, channel: Channel, seconds: float) -> None:
        """Wait until it is `done`.

        Raises:
            Timeout: not in so many seconds; the script is sent SIGTERM.
        """
        try:
            async with asyncio.timeout(seconds):
                await self.done
        except TimeoutError:
            if channel.channel:
                with contextlib.suppress(OSError):
                    channel.channel.terminate()
            raise Timeout(
                f"{self._host} did not finish the question within {seconds:g} s.",
                self.err.decode(errors="replace").strip(),
                "The machine may be overloaded; try again in a minute.",
            ) from None

    def completed(self, before: bytes, status: int, signal: str = "") -> Completed:
        return Completed(
            self.out.decode(errors="replace"),
            (before + self.err).decode(errors="replace"),
            status,
            signal,
        )


async def run(host: str, opened: Opened, script: str, seconds: float) -> Completed | None:
    """Run a script to its end, on a channel of its own; None when the connection was lost.

    Raises:
        Timeout, CloudtuiError: see `Connection.run`.
    """
    output = _Output(host)
    said = Beginning(output.printed)

    def printed(data: bytes) -> None:
        said.take(data)
        if said.skipped > OUTPUT_LIMIT:
            output.flooded()

    channel = await opened("sh -s", Channel(printed, output.warned))
    assert channel.channel
    channel.ended.add_done_callback(lambda _: output.ended())
    channel.write(_encoded(f"{said.command}\n{{\n{script}\n}} </dev/null\n"))
    with contextlib.suppress(OSError):
        channel.channel.write_eof()
    try:
        await output.wait(channel, seconds)
    finally:
        channel.channel.close()
    status = channel.ended.result().exit_status
    if status is None:
        return None
    return output.completed(said.instead, status, channel.signal)


class StandingShell:
    """A shell on the host that stays: a question costs one round trip, and no new process of sshd
    and of the login shell, and what all questions of a kind have in common is told once."""

    def __init__(self, host: str, opened: Opened) -> None:
        self._host = host
        self._opened = opened
        self._channel: Channel | None = None
        self._names: dict[str, str] = {}
        self._output: _Output | None = None
        self._end = b""
        self._pid = b""
        self._hanging: list[bytes] = []
        """Process groups of shells that did not answer."""

    @property
    def busy(self) -> bool:
        """A question is being answered; it takes one at a time."""
        return self._output is not None

    async def ask(self, given: str, program: str, seconds: float) -> Completed | None:
        """Run `program` in a subshell, after `given`, such as the variables that it reads.

        None when the shell, or the connection, went away before the answer.

        Raises:
            Timeout, CloudtuiError: see `Connection.run`; the shell is ended. Timeout at once when
                `HANGING` earlier ones are still there.
            Refused, ConnectionCut: it cannot be begun.
        """
        assert not self.busy
        if len(self._hanging) >= HANGING:
            await self._look(seconds)
        return await self._answer(given, program, seconds)

    async def _look(self, seconds: float) -> None:
        groups = " ".join(group.decode() for group in self._hanging)
        look = f"for g in {groups}; do kill -0 -$g 2>/dev/null && echo $g; done; :"
        done = await self._answer(look, "", seconds)
        if done is None:
            return
        self._hanging = [group.encode() for group in done.stdout.split()]
        if len(self._hanging) >= HANGING:
            raise Timeout(
                f"{HANGING} earlier questions still hang on {self._host}.",
                f"The process groups {groups} do not end.",
                "A file system there may not answer: see dmesg and mount. It is asked again "
                "when one of them has ended.",
            )

    async def _answer(self, given: str, program: str, seconds: float) -> Completed | None:
        self._output = output = _Output(self._host)
        mark = secrets.token_hex(8)
        self._end = f"\n{mark} ".encode()
        done: Completed | None = None
        try:
            channel = await self._standing()
            if program and program not in self._names:
                self._names[program] = f"cloudtui_{len(self._names)}"
                channel.write(_encoded(f"{self._names[program]}() {{\n{program}\n}}\n"))
            asked = f"(\n{given}\n{self._names.get(program, ':')}\n) </dev/null\n"
            channel.write(_encoded(f"{asked}printf '\\n{mark} %s\\n' $?\n"))
            try:
                await output.wait(channel, seconds)
            except Timeout:
                if self._pid.strip().isdigit():
                    self._hanging.append(self._pid.strip())
                raise
            answer, found, status = output.out.rpartition(self._end)
            if found and len(status) < 9 and status.strip().isdigit():
                output.out = answer
                done = output.completed(b"", int(status))
        finally:
            self._output = None
            if not done:
                self.close()
        return done

    def close(self) -> None:
        """End it; the next question begins another."""
        if self._channel and self._channel.channel:
            self._channel.channel.close()
        self._channel = None

    async def gives_way(self) -> bool:
        """End it for another session of the connection, unless it is asked something; whether it
        stood."""
        channel = self._channel
        if self.busy or not channel or channel.ended.done():
            return False
        await channel.close()
        return True

    async def _standing(self) -> Channel:
        if self._channel and not self._channel.ended.done():
            return self._channel
        self._names.clear()
        said = Beginning(self._printed)

        def printed(data: bytes) -> None:
            said.take(data)
            if said.skipped > OUTPUT_LIMIT and self._output:
                self._output.flooded()

        # exec: nothing is left of the login shell, csh's and fish's too.
        channel = await self._opened("exec sh -s", Channel(printed, self._warned))
        channel.ended.add_done_callback(lambda _: self._gone(channel))
        self._pid = b""
        channel.write(f"{said.command}\necho $$ >&2\ncd /\n".encode())
        self._channel = channel
        return channel

    def _printed(self, data: bytes) -> None:
        output = self._output
        if output is None:
            return
        searched = max(0, len(output.out) - len(self._end) - 8)
        output.printed(data)
        if data.endswith(b"\n") and output.out.find(self._end, searched) >= 0:
            output.ended()

    def _warned(self, data: bytes) -> None:
        if not self._pid.endswith(b"\n"):
            line, newline, data = data.partition(b"\n")
            self._pid += line + newline
        if self._output:
            self._output.warned(data)

    def _gone(self, channel: Channel) -> None:
        if self._output and self._channel is channel:
            self._output.ended()


def _encoded(text: str) -> bytes:
    return text.encode(errors="surrogateescape")
