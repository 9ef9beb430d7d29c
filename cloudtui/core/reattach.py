"""An attachment that outlives its connection: lost, connected again, the same session attached.

open -- cut --> lost -- attached again --> open
                 |-- session gone, login refused, host key changed, left --> end
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from cloudtui.core.attachment import Attachment, AttachmentEnd, OnData
from cloudtui.core.events import SessionsState
from cloudtui.core.tasks import cancel, keep
from cloudtui.core.tunnels import RETRY_FIRST, RETRY_MOST
from cloudtui.model.errors import CloudtuiError, HostKeyChanged, Unreachable
from cloudtui.model.instance import Instance
from cloudtui.model.session import Ending, Program, Session, SessionList
from cloudtui.model.words import duration

FRESH = b"\x18\x1b\\\x1bc"
"""Ends a sequence that the cut left half told, and resets the terminal for the new client."""

Pause = Callable[[float, asyncio.Event], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Loss:
    """A connection that is gone for now."""

    since: datetime
    next_try: datetime | None = None
    """When the next try is due; None while one is being made."""
    error: CloudtuiError | None = None
    """Why the last try failed."""

    def words(self, now: datetime) -> str:
        """`Connection lost 12 s ago. Next try in 4 s; Enter tries now.`"""
        ago = duration((now - self.since).total_seconds())
        if self.next_try is None:
            return f"Connection lost {ago} ago. Connecting again …"
        left = duration((self.next_try - now).total_seconds())
        why = f" {self.error.title}" if self.error else ""
        return f"Connection lost {ago} ago. Next try in {left}; Enter tries now.{why}"


class Rooms(Protocol):
    """What is needed of `core.sessions.Sessions`."""

    async def list(self, instance: Instance) -> SessionsState: ...

    async def attach(
        self, instance: Instance, session: Session, columns: int, rows: int, on_data: OnData
    ) -> Attachment: ...


async def pause(seconds: float, enough: asyncio.Event) -> None:
    """Wait so long, or until someone has enough of it."""
    try:
        async with asyncio.timeout(seconds):
            await enough.wait()
    except TimeoutError:
        return


class KeptAttachment:
    """A session attached, and attached again after each cut, by the rules of the tunnels.

    While the connection is lost, what is written is dropped and the size remembered.
    """

    def __init__(
        self,
        sessions: Rooms,
        instance: Instance,
        session: Session,
        on_data: OnData,
        *,
        on_change: Callable[[Loss | None], None] = lambda _: None,
        pause: Pause = pause,
    ) -> None:
        """`on_change` is told of every loss, every try after it, and None when it is back."""
        self._sessions = sessions
        self.instance = instance
        self.session = session
        self._on_data = on_data
        self._on_change = on_change
        self._pause = pause
        self._attachment: Attachment | None = None
        self._size = (80, 24)
        self._stale = False
        self._now = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._over: asyncio.Future[AttachmentEnd] = asyncio.get_running_loop().create_future()
        self.loss: Loss | None = None

    async def open(self, columns: int, rows: int) -> KeptAttachment:
        """Attach for the first time; a failure of that is raised and not tried again."""
        self._size = (columns, rows)
        self._attachment = await self._attach()
        self._keeper = keep(self._keep(), f"session {self.session.name}")
        return self

    @property
    def attachment(self) -> Attachment | None:
        """The attachment of now; None while the connection is lost."""
        return self._attachment

    def write(self, data: bytes) -> None:
        if self._attachment:
            self._attachment.write(data)

    def resize(self, columns: int, rows: int) -> None:
        self._size = (columns, rows)
        if self._attachment:
            self._attachment.resize(columns, rows)

    def pause(self) -> None:
        if self._attachment:
            self._attachment.pause()

    def resume(self) -> None:
        if self._attachment:
            self._attachment.resume()

    def try_now(self) -> None:
        """Do not wait for the next try."""
        self._now.set()

    async def wait(self) -> AttachmentEnd:
        """Returns when it is over for good: detached, ended, gone or refused."""
        return await asyncio.shield(self._over)

    async def close(self) -> None:
        """Leave the session, which goes on; ends the tries, too."""
        keeper, self._keeper = self._keeper, None
        await cancel(keeper)
        if self._attachment:
            await self._attachment.close()
        self._finish(AttachmentEnd(Ending.DETACHED, "Detached."))

    def _finish(self, end: AttachmentEnd) -> None:
        if not self._over.done():
            self._over.set_result(end)

    async def _keep(self) -> None:
        while True:
            assert self._attachment
            end = await self._attachment.wait()
            if end.ending is not Ending.LOST:
                self._finish(end)
                return
            self._attachment = None
            lost = datetime.now(UTC)
            try:
                self._attachment = await self._again(lost)
            except _Gone as gone:
                self._finish(AttachmentEnd(Ending.ENDED, gone.args[0]))
                return
            except CloudtuiError as error:
                self._finish(AttachmentEnd(Ending.FAILED, _refused(error)))
                return
            finally:
                self._change(None)
            self._attachment.resize(*self._size)

    async def _again(self, lost: datetime) -> Attachment:
        delay = RETRY_FIRST
        error: CloudtuiError | None = None
        while True:
            self._now.clear()
            self._change(Loss(lost, error=error))
            try:
                self.session = await self._find(lost)
                return await self._attach(again=True)
            except Unreachable as failure:
                error = failure
            seconds = delay * random.uniform(0.8, 1.2)
            self._change(Loss(lost, datetime.now(UTC) + timedelta(seconds=seconds), error))
            await self._pause(seconds, self._now)
            delay = min(delay * 2, RETRY_MOST)

    async def _find(self, lost: datetime) -> Session:
        state = await self._sessions.list(self.instance)
        if state.error:
            raise state.error
        found = same_session(self.session, state.listing or SessionList())
        if found is None:
            ago = duration((datetime.now(UTC) - lost).total_seconds())
            raise _Gone(
                f"The {self.session.program} session {self.session.name} ended on "
                f"{self.instance.spoken} while the connection was lost ({ago})."
            )
        return found

    async def _attach(self, again: bool = False) -> Attachment:
        self._stale = again
        return await self._sessions.attach(self.instance, self.session, *self._size, self._take)

    def _take(self, data: bytes) -> None:
        # The frozen screen stays until the new client paints its own over it.
        fresh, self._stale = FRESH if self._stale else b"", False
        self._on_data(fresh + data)

    def _change(self, loss: Loss | None) -> None:
        if loss != self.loss:
            self.loss = loss
            self._on_change(loss)


class _Gone(Exception):
    """The session is not there any more."""


def same_session(old: Session, listing: SessionList) -> Session | None:
    """The session that `old` is now: by its id when it is that very one, else by its name.

    A new tmux server counts its ids from $0 again, so an id alone proves nothing.
    """
    alive = [s for s in listing.sessions if s.program is old.program and not s.dead]
    for session in alive:
        if session.id == old.id and (
            old.program is Program.SCREEN
            or None in (session.created, old.created)
            or session.created == old.created
        ):
            return session
    named = [s for s in alive if s.name == old.name]
    return named[0] if len(named) == 1 else None


def _refused(error: CloudtuiError) -> str:
    kept = " No further try is made." if isinstance(error, HostKeyChanged) else " r tries again."
    return f"Not attached again: {error.title}{kept}"
