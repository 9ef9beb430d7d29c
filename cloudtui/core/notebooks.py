"""The Jupyter servers of every running machine: their kernels and terminals, and ending them."""

from __future__ import annotations

import asyncio
import importlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from shlex import quote
from typing import TYPE_CHECKING, Any

from cloudtui.core.connections import Connections
from cloudtui.core.events import Events, NotebooksChanged, NotebooksState
from cloudtui.core.inventory import Inventory
from cloudtui.core.running_hosts import RunningHost, RunningHosts, running_hosts
from cloudtui.model.errors import (
    READ_ONLY,
    Ambiguous,
    CloudtuiError,
    CredentialsProblem,
    NotFound,
    Refused,
)
from cloudtui.model.instance import Instance
from cloudtui.model.kernel import Kernel, NotebookServer, find_kernel
from cloudtui.model.notebook import JupyterServer
from cloudtui.model.remote import Prompts

if TYPE_CHECKING:
    from cloudtui.ssh.connection import Connection
    from cloudtui.ssh.jupyter_rest import Answer, Login


@dataclass(frozen=True, slots=True)
class HostNotebooks(RunningHost[NotebooksState]):
    """A running machine and what is known of its Jupyter servers."""

    @property
    def servers(self) -> tuple[NotebookServer, ...]:
        return self.state.servers or ()

    @property
    def words(self) -> str:
        """Why it has no rows of its own, or why they are old; empty when all is well."""
        if self.state.error:
            return self.state.error.title
        if self.state.servers is None:
            return "asking …" if self.state.loading else "not asked yet"
        return "" if self.servers else "no Jupyter server runs"


def wants_password(server: NotebookServer) -> bool:
    """Whether it told nothing because its password was not given."""
    return server.server.tokenless and isinstance(server.error, CredentialsProblem)


class Notebooks(RunningHosts):
    """Keeps the last state per instance; every change is emitted as NotebooksChanged.

    A password is asked through the prompts and exchanged for the server's cookies, which are kept
    as long as this is; the password is not.
    """

    def __init__(
        self,
        inventory: Inventory,
        connections: Connections,
        events: Events,
        prompts: Prompts,
        *,
        read_only: bool,
    ) -> None:
        self._inventory = inventory
        self._connections = connections
        self._events = events
        self._prompts = prompts
        self._read_only = read_only
        self._states: dict[str, NotebooksState] = {}
        self._logins: dict[tuple[str, str, int | None], Login] = {}

    # Looking

    def state(self, instance_id: str) -> NotebooksState:
        """The last state known; without servers before the first answer."""
        return self._states.get(instance_id) or NotebooksState(instance_id)

    @property
    def hosts(self) -> tuple[HostNotebooks, ...]:
        """Every running machine, by name."""
        return tuple(
            HostNotebooks(i, self.state(i.id), self._connections.peek(i) is not None)
            for i in running_hosts(self._inventory)
        )

    async def list(self, instance: Instance, *, ask: bool = True) -> NotebooksState:
        """Ask the host; a failure is in the state's `error`, with the old servers kept, and that
        of one server in its own. Without `ask` a connection that would put a question is such a
        failure. No password is asked for: see `log_in`."""
        self._set(replace(self.state(instance.id), loading=True))
        try:
            connection = await self._connection(instance, ask=ask)
            servers = await self._look(connection, instance)
        except CloudtuiError as error:
            self._set(replace(self.state(instance.id), loading=False, error=error))
        except asyncio.CancelledError:
            self._set(replace(self.state(instance.id), loading=False))
            raise
        else:
            self._set(NotebooksState(instance.id, servers, updated=datetime.now(UTC)))
        return self.state(instance.id)

    async def _look(self, connection: Connection, instance: Instance) -> tuple[NotebookServer, ...]:
        from cloudtui.ssh import notebook_servers

        known = await notebook_servers.running(connection)
        answers = await asyncio.gather(
            *(connection.probe_port(server.host, server.port) for server in known.servers)
        )
        alive = [s for s, answer in zip(known.servers, answers, strict=True) if answer]

        async def look(server: JupyterServer) -> NotebookServer:
            login = self._login(instance, server)
            locked = self._locked(instance, server)
            if locked and login is None:
                return locked  # every question without the password is a line in its log
            return await notebook_servers.look(connection, instance.id, server, known, login=login)

        return tuple(await asyncio.gather(*map(look, alive)))

    def _locked(self, instance: Instance, server: JupyterServer) -> NotebookServer | None:
        """The same server as it was when it wanted its password."""
        return next(
            (
                known
                for known in self.state(instance.id).servers or ()
                if known.server == server and wants_password(known)
            ),
            None,
        )

    async def find(
        self, instance: Instance, text: str, *, port: int | None = None
    ) -> tuple[NotebookServer, Kernel]:
        """The kernel by its notebook's path or file name, its id or a beginning of that; with
        `port` only among those of the server there.

        Raises:
            NotFound: none, or several (`Ambiguous`); the detail lists those there are.
            CloudtuiError: the host could not be asked.
        """
        state = await self.list(instance)
        if state.error:
            raise state.error
        meant = [s for s in state.servers or () if port in (None, s.server.port)]
        try:
            return find_kernel(meant, text)
        except NotFound as error:
            error.hint = error.hint or f"See: cloudtui kernels {quote(instance.spoken)}"
            locked = [s.server for s in meant if wants_password(s)]
            if isinstance(error, Ambiguous) or not locked:
                raise
        for server in locked:
            await self.log_in(instance, server)
        state = self.state(instance.id)
        return find_kernel([s for s in state.servers or () if port in (None, s.server.port)], text)

    # Passwords

    async def log_in(self, instance: Instance, server: JupyterServer) -> None:
        """Ask for the server's password, and ask the server again.

        Raises:
            CredentialsProblem: it was not given, or is another one.
            CloudtuiError: no connection, or the server does not answer.
        """
        from cloudtui.ssh import jupyter_rest

        connection = await self._connection(instance)
        title = f"Jupyter on {instance.label}, port {server.port}"
        given = await self._prompts.answers(title, (("Password: ", False),))
        if not given:
            raise CredentialsProblem(
                f"{title} wants its password, and none was given.",
                hint="The password is the one that was set there with: jupyter server password",
            )
        login = await jupyter_rest.log_in(connection, server, given[0])
        self._logins[instance.id, server.key, server.pid] = login
        await self.list(instance)

    def _login(self, instance: Instance, server: JupyterServer) -> Login | None:
        return self._logins.get((instance.id, server.key, server.pid))

    # Doing

    async def ask(
        self,
        instance: Instance,
        server: JupyterServer,
        method: str,
        path: str,
        body: Any = None,
        *,
        timeout: float | None = None,
    ) -> Answer:
        """One request to the server's REST interface; see `ssh.jupyter_rest.ask`."""
        from cloudtui.ssh import jupyter_rest

        connection = await self._connection(instance)
        login = self._login(instance, server)
        return await jupyter_rest.ask(
            connection, server, method, path, body, login=login, timeout=timeout
        )

    def may_change(self) -> None:
        """Raises Refused in read-only mode."""
        if self._read_only:
            raise Refused(READ_ONLY, hint="Leave out --read-only to change it.")

    async def interrupt(self, instance: Instance, server: NotebookServer, kernel: Kernel) -> None:
        """Stop the cell it runs, as a keyboard interrupt does.

        Raises:
            Refused: read-only.
            NotFound: the kernel is gone.
            CloudtuiError: no connection, or the server refuses.
        """
        await self._change(instance, server, "POST", f"api/kernels/{kernel.id}/interrupt")

    async def restart(self, instance: Instance, server: NotebookServer, kernel: Kernel) -> None:
        """Begin it anew: its variables are lost. Raises as `interrupt`."""
        path = f"api/kernels/{kernel.id}/restart"
        await self._change(instance, server, "POST", path, timeout=60.0)

    async def shutdown(self, instance: Instance, server: NotebookServer, kernel: Kernel) -> None:
        """End it: its variables and the cell it runs are lost. Raises as `interrupt`."""
        path = f"api/kernels/{kernel.id}"
        if kernel.session_id:  # its notebook is told too
            path = f"api/sessions/{kernel.session_id}"
        await self._change(instance, server, "DELETE", path, timeout=30.0)

    async def shutdown_terminal(
        self, instance: Instance, server: NotebookServer, name: str
    ) -> None:
        """End the terminal and the programs in it. Raises as `interrupt`."""
        from cloudtui.ssh.jupyter_rest import quoted

        await self._change(instance, server, "DELETE", f"api/terminals/{quoted(name)}")

    async def shutdown_server(self, instance: Instance, server: NotebookServer) -> None:
        """End the server with all its kernels and terminals. Raises as `interrupt`."""
        await self._change(instance, server, "POST", "api/shutdown")

    async def _change(
        self,
        instance: Instance,
        server: NotebookServer,
        method: str,
        path: str,
        *,
        timeout: float | None = None,
    ) -> None:
        self.may_change()
        try:
            await self.ask(instance, server.server, method, path, timeout=timeout)
        finally:
            await self.list(instance)

    async def _connection(self, instance: Instance, *, ask: bool = True) -> Connection:
        connection = await self._connections.get(instance, ask=ask)
        await asyncio.to_thread(importlib.import_module, "cloudtui.ssh.notebook_servers")
        return connection

    def _set(self, state: NotebooksState) -> None:
        self._states[state.instance_id] = state
        self._events.emit(NotebooksChanged(state))
