"""A run looked at: its log followed over cut connections, and its terminal."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING

from cloudtui.core.attachment import Attachment, AttachmentEnd, OnData
from cloudtui.core.connections import Connections
from cloudtui.core.tunnels import RETRY_FIRST, RETRY_MOST
from cloudtui.model.errors import CloudtuiError, HostKeyChanged, Refused, Unreachable
from cloudtui.model.instance import Instance
from cloudtui.model.job import Job
from cloudtui.model.session import Ending

if TYPE_CHECKING:
    from cloudtui.ssh.connection import Connection
    from cloudtui.ssh.terminal import Terminal

Trouble = Callable[[CloudtuiError | None], None]
"""Told of a connection that was lost, and of None when it is back."""


async def follow(
    connections: Connections,
    instance: Instance,
    id: str,
    *,
    lines: int | None,
    on_bytes: Callable[[bytes], None],
    on_trouble: Trouble,
    once: bool = False,
) -> None:
    """Tell the log, of which `lines` lines first, to the end of the run, or with `once` what is
    there now; each byte once and in order, over as many connections as it takes.

    Raises:
        NotFound: the run was removed.
        CloudtuiError: no connection, for a reason that trying again does not mend.
    """
    from cloudtui.ssh import jobs

    cursor = jobs.Cursor(last_lines=lines)
    delay, lost = 0.0, False
    while True:
        before = cursor.offset
        try:
            connection = await connections.get(instance)
            if lost:
                lost = False
                on_trouble(None)
            if await jobs.follow(connection, id, cursor, on_bytes, once=once):
                return
        except HostKeyChanged:
            raise
        except Unreachable as error:
            lost = True
            on_trouble(error)
        if cursor.offset != before:
            delay = 0.0
        await connections.pause(delay * random.uniform(0.8, 1.2))
        delay = min(max(RETRY_FIRST, delay * 2), RETRY_MOST)


class JobAttachment(Attachment):
    """The terminal of a run that no session shows."""

    def __init__(
        self, connection: Connection, terminal: Terminal, instance: Instance, id: str
    ) -> None:
        super().__init__(connection, terminal, instance, None)
        self.id = id

    @property
    def title(self) -> str:
        return f"{self.instance.spoken}: {self.id}"

    async def wait(self) -> AttachmentEnd:
        """Returns when the terminal is gone: left, the run over, or the connection lost."""
        end = await self._terminal.wait()
        where = f"The run {self.id} on {self.instance.spoken}"
        if end.lost:
            return AttachmentEnd(Ending.LOST, f"Connection lost. {where} goes on.")
        if end.tail.startswith(f"[{self.id} ended:"):
            how = end.tail.rpartition(": ")[2].rstrip("]")
            return AttachmentEnd(Ending.ENDED, f"{where} has ended: {how}.", 0)
        if end.exit_status:
            said = f": {end.tail}" if end.tail else "."
            return AttachmentEnd(Ending.FAILED, f"{where} could not be shown{said}")
        return AttachmentEnd(Ending.DETACHED, f"Detached. {where} goes on.", 0)


async def attach(
    connection: Connection, instance: Instance, job: Job, columns: int, rows: int, on_data: OnData
) -> JobAttachment:
    """The terminal of a run, without tmux or screen."""
    from cloudtui.ssh import jobs

    command = await jobs.view_command(connection, job.id)
    terminal = await connection.terminal(command, columns, rows, on_data)
    return JobAttachment(connection, terminal, instance, job.id)


def over(instance: Instance, job: Job) -> Refused:
    """It has no terminal any more."""
    return Refused(
        f"The run {job.id} on {instance.spoken} is over: {job.words}.",
        hint=f"Read what it printed: cloudtui logs {instance.spoken} {job.id}",
    )
