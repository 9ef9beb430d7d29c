"""Sessions of a host: listed, attached, made, and told apart when they stop."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

from cloudtui.core.attachment import Attachment, OnData
from cloudtui.core.connections import Connections
from cloudtui.core.events import Events, SessionsChanged, SessionsState
from cloudtui.model.errors import READ_ONLY, CloudtuiError, NotFound, Refused, Unreachable
from cloudtui.model.instance import Instance
from cloudtui.model.preview import Pane, Preview
from cloudtui.model.session import Program, Session


class Sessions:
    """Keeps the last state per instance; every change is emitted as SessionsChanged."""

    def __init__(self, connections: Connections, events: Events, *, read_only: bool) -> None:
        self._connections = connections
        self._events = events
        self._read_only = read_only
        self._states: dict[str, SessionsState] = {}

    def state(self, instance_id: str) -> SessionsState:
        """The last state known; without a listing before the first answer."""
        return self._states.get(instance_id) or SessionsState(instance_id)

    async def list(self, instance: Instance, *, ask: bool = True) -> SessionsState:
        """Ask the host; a failure is in the state's `error`, with the old listing kept. Without
        `ask` a connection that would put a question is such a failure."""
        from cloudtui.ssh import multiplexer

        self._set(replace(self.state(instance.id), loading=True))
        try:
            connection = await self._connections.get(instance, ask=ask)
            known = self.state(instance.id).listing
            listing = await multiplexer.list_sessions(connection, known)
        except CloudtuiError as error:
            self._set(replace(self.state(instance.id), loading=False, error=error))
        except asyncio.CancelledError:
            self._set(replace(self.state(instance.id), loading=False))
            raise
        else:
            self._set(SessionsState(instance.id, listing, updated=datetime.now(UTC)))
        return self.state(instance.id)

    async def find(self, instance: Instance, name: str = "") -> Session:
        """The session of that name, `PID.NAME` or `$ID`; without a name the only one there is.

        Raises:
            NotFound: none, or several and no name given.
        """
        state = await self.list(instance)
        if state.error:
            raise state.error
        listing = state.listing
        alive = [s for s in listing.sessions if not s.dead] if listing else []
        if name:
            found = [s for s in alive if name in (s.id, s.key)] or [
                s for s in alive if s.name == name
            ]
        else:
            found = alive
        if len(found) == 1:
            return found[0]
        names = "\n".join(f"{s.program}  {s.name}  {s.id}" for s in found or alive)
        if found:
            what = f"the name {name}" if name else "no name given"
            raise NotFound(
                f"{instance.label} has {len(found)} sessions, {what}.",
                names,
                f"Name one: cloudtui attach {instance.spoken}:SESSION",
            )
        if name:
            raise NotFound(
                f"{instance.label} has no session called {name}.",
                names,
                f"List them with: cloudtui sessions {instance.spoken}",
            )
        missing = "" if listing and listing.programs else " Neither tmux nor screen is installed."
        raise NotFound(
            f"No session runs on {instance.label}.{missing}",
            hint=f"Make one: cloudtui attach {instance.spoken} --new NAME"
            if not missing
            else f"Install one there (sudo apt install tmux), or open a shell: "
            f"cloudtui ssh {instance.spoken}",
        )

    async def new(
        self,
        instance: Instance,
        program: Program,
        name: str,
        command: str = "",
        folder: str = "",
    ) -> Session:
        """Make a detached session and return it.

        Raises:
            Refused: read-only mode, the name is taken, or there is no such folder.
            UsageError: the program does not allow the name.
        """
        self._may_change()
        from cloudtui.ssh import multiplexer

        connection = await self._connections.get(instance)
        session = await multiplexer.new_session(connection, program, name, command, folder)
        await self.list(instance)
        return session

    async def attach(
        self, instance: Instance, session: Session, columns: int, rows: int, on_data: OnData
    ) -> Attachment:
        """Attach to a session beside whoever else is attached."""
        from cloudtui.ssh import multiplexer

        connection = await self._connections.get(instance)
        listing = self.state(instance.id).listing or await multiplexer.list_sessions(connection)
        command = multiplexer.attach_command(session, listing)
        terminal = await connection.terminal(command, columns, rows, on_data)
        return Attachment(connection, terminal, instance, session)

    async def shell(
        self, instance: Instance, columns: int, rows: int, on_data: OnData
    ) -> Attachment:
        """A login shell; it ends when it is left."""
        connection = await self._connections.get(instance)
        terminal = await connection.terminal(None, columns, rows, on_data)
        return Attachment(connection, terminal, instance, None)

    async def preview(self, instance: Instance, session: Session, pane: str = "") -> Preview:
        """What the session, or one tmux pane of it, shows now; over the kept connection only.

        Raises:
            Unreachable: no connection to the instance is open.
            NotFound: the session has gone.
        """
        from cloudtui.ssh import multiplexer_actions

        connection = self._connections.peek(instance)
        if connection is None:
            raise Unreachable(f"No connection to {instance.label} is open.")
        return await multiplexer_actions.preview(connection, session, pane)

    async def panes(self, instance: Instance, session: Session) -> tuple[Pane, ...]:
        """The windows of a session, and of tmux the panes in them."""
        from cloudtui.ssh import multiplexer_actions

        connection = await self._connections.get(instance)
        return await multiplexer_actions.panes(connection, session)

    async def choose(self, instance: Instance, session: Session, pane: Pane) -> Session:
        """Make a pane the active one of its session; the session to attach to then."""
        from cloudtui.ssh import multiplexer_actions

        connection = await self._connections.get(instance)
        return await multiplexer_actions.choose(connection, session, pane)

    async def rename(self, instance: Instance, session: Session, name: str) -> None:
        """Give the session another name.

        Raises:
            Refused: read-only mode.
            UsageError: the program does not allow the name.
        """
        self._may_change()
        from cloudtui.ssh import multiplexer_actions

        await multiplexer_actions.rename(await self._connections.get(instance), session, name)
        await self.list(instance)

    async def kill(self, instance: Instance, session: Session) -> None:
        """End the session and all that runs in it; whoever calls this has asked the user.

        Raises:
            Refused: read-only mode.
            NotFound: it has gone already.
        """
        self._may_change()
        from cloudtui.ssh import multiplexer_actions

        try:
            await multiplexer_actions.kill(await self._connections.get(instance), session)
        finally:
            await self.list(instance)

    async def detach(self, instance: Instance, session: Session) -> int:
        """Detach everyone else from the session, and say how many that were.

        Raises:
            Refused: read-only mode.
        """
        self._may_change()
        from cloudtui.ssh import multiplexer_actions

        connection = await self._connections.get(instance)
        count = await multiplexer_actions.detach(connection, session)
        await self.list(instance)
        return count

    async def wipe(self, instance: Instance) -> int:
        """Remove the sockets of the machine's dead screens, and say how many that were.

        Raises:
            Refused: read-only mode.
        """
        self._may_change()
        from cloudtui.ssh import multiplexer_actions

        listing = self.state(instance.id).listing
        dead = tuple(s for s in listing.sessions if s.dead) if listing else ()
        await multiplexer_actions.wipe(await self._connections.get(instance), dead)
        state = await self.list(instance)
        left = {s.id for s in state.listing.sessions if s.dead} if state.listing else set()
        return sum(s.id not in left for s in dead)

    def _may_change(self) -> None:
        if self._read_only:
            raise Refused(READ_ONLY, hint="Leave out --read-only to change sessions.")

    def _set(self, state: SessionsState) -> None:
        self._states[state.instance_id] = state
        self._events.emit(SessionsChanged(state))
