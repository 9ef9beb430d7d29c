"""A terminal on a host: attached to a session, or a plain shell, and how it stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance
from cloudtui.model.session import Ending, Session

if TYPE_CHECKING:
    from cloudtui.ssh.connect import Connection
    from cloudtui.ssh.terminal import Terminal, TerminalEnd

OnData = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class AttachmentEnd:
    """How an attachment stopped, with the sentence to show and the remote exit status."""

    ending: Ending
    sentence: str
    exit_status: int | None = None


class Attachment:
    """A terminal on a host: one session, or a plain shell when `session` is None."""

    def __init__(
        self,
        connection: Connection,
        terminal: Terminal,
        instance: Instance,
        session: Session | None,
    ) -> None:
        self._connection = connection
        self._terminal = terminal
        self.instance = instance
        self.session = session

    @property
    def title(self) -> str:
        """`bert-gpu: bert (tmux)`, or `bert-gpu: shell`."""
        if self.session is None:
            return f"{self.instance.spoken}: shell"
        return f"{self.instance.spoken}: {self.session.name} ({self.session.program})"

    async def latency(self) -> float:
        """Seconds of one round trip to the host."""
        return await self._connection.latency()

    def write(self, data: bytes) -> None:
        self._terminal.write(data)

    def resize(self, columns: int, rows: int) -> None:
        self._terminal.resize(columns, rows)

    def pause(self) -> None:
        """Stop reading from the host until `resume`; the host's program waits."""
        self._terminal.pause()

    def resume(self) -> None:
        self._terminal.resume()

    async def wait(self) -> AttachmentEnd:
        """Returns when the terminal is gone: detached, ended, or the connection lost."""
        end = await self._terminal.wait()
        if self.session is None:
            return self._shell_end(end)
        from cloudtui.ssh import multiplexer

        connection = None if end.lost else self._connection
        try:
            ending = await multiplexer.how_it_ended(connection, self.session, end)
        except CloudtuiError:
            ending = Ending.LOST  # cut while the host was being asked
        where = f"{self.session.program} session {self.session.name} on {self.instance.spoken}"
        return AttachmentEnd(ending, _sentence(ending, where, end), end.exit_status)

    async def close(self) -> None:
        """Leave: a session is detached and goes on, a plain shell is hung up."""
        await self._terminal.close()

    def _shell_end(self, end: TerminalEnd) -> AttachmentEnd:
        where = f"Shell on {self.instance.spoken}"
        if end.lost:
            ending = Ending.LOST
        elif end.exit_status in (126, 127):
            ending = Ending.FAILED
        else:
            ending = Ending.ENDED
        return AttachmentEnd(ending, _sentence(ending, where, end), end.exit_status)


def _sentence(ending: Ending, where: str, end: TerminalEnd) -> str:
    match ending:
        case Ending.DETACHED:
            return f"Detached. {where} goes on."
        case Ending.LOST:
            return f"Connection lost. {where} was left as it is."
        case Ending.ENDED:
            status = f" with exit status {end.exit_status}" if end.exit_status else ""
            return f"{where} has ended{status}."
        case Ending.FAILED:
            said = f": {end.tail}" if end.tail else "."
            return f"{where} could not be opened{said}"
