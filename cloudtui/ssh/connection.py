"""One open SSH connection: scripts, terminals, commands and forwarded ports over it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

import asyncssh
from asyncssh.constants import (
    OPEN_ADMINISTRATIVELY_PROHIBITED,
    OPEN_REQUEST_PTY_FAILED,
    OPEN_REQUEST_SESSION_FAILED,
)

from cloudtui.model.errors import CloudtuiError, ConnectionCut, Refused, Timeout
from cloudtui.model.remote import Route
from cloudtui.ssh import scripts, silence
from cloudtui.ssh.beginning import Beginning
from cloudtui.ssh.forward import Forward
from cloudtui.ssh.proxy import Proxy
from cloudtui.ssh.scripts import Completed
from cloudtui.ssh.terminal import Channel, Terminal
from cloudtui.ssh.way import forbidden

Stream = tuple[asyncssh.SSHReader[bytes], asyncssh.SSHWriter[bytes]]

T = TypeVar("T")

OPEN_SECONDS = 20.0
"""Time a server has to open a channel."""
CONNECTIONS = 4
"""A host is connected to at most so often, for the sessions that one connection may not hold."""
_NOT_THAT = (OPEN_REQUEST_PTY_FAILED, OPEN_REQUEST_SESSION_FAILED)
"""The session was opened, but what was asked of it was not done."""


class RemoteCommand:
    """A command without a terminal."""

    def __init__(self, connection: Connection, channel: Channel) -> None:
        self._connection = connection
        self._channel = channel

    def write(self, data: bytes) -> None:
        """Bytes for its standard input; ignored after its end."""
        self._channel.write(data)

    async def drain(self) -> None:
        """Wait while the host is slow to take what was written."""
        await self._channel.drain()

    def write_eof(self) -> None:
        """The end of its standard input."""
        if self._channel.channel and not self._channel.ended.done():
            self._channel.channel.write_eof()

    async def wait(self) -> int:
        """The exit status, 128 + n for death by signal n.

        Raises:
            ConnectionCut: the connection was lost first.
        """
        end = await asyncio.shield(self._channel.ended)
        if end.exit_status is None:
            raise self._connection.cut()
        return end.exit_status

    async def close(self) -> None:
        """Close the channel; the command sees its standard input and output closed."""
        await self._channel.close()


class Connection:
    """A logged-in connection. Its methods raise ConnectionCut once it is lost, and Refused when
    the server turns a channel down."""

    def __init__(self, route: Route) -> None:
        self.route = route
        self._chain: list[asyncssh.SSHClientConnection] = []
        self._proxy: Proxy | None = None
        self._closing = False
        self._lost: CloudtuiError | None = None
        self._listeners: list[Callable[[CloudtuiError], None]] = []
        self._shell = scripts.StandingShell(route.spoken, self._session)
        self._another: Callable[[], Awaitable[Connection]] | None = None
        self._left = 0
        """How many more connections there may be."""
        self._second: Connection | None = None
        self._seconding = asyncio.Lock()
        self._sessions = 0
        """Those that were opened, and are about to be."""
        self._lasting = 0
        """Terminals and commands that are gone when the connection is."""

    def widen(
        self, another: Callable[[], Awaitable[Connection]], left: int = CONNECTIONS - 1
    ) -> None:
        """Where the server opens no more sessions on it, open them on a second connection, which
        `another` makes, and so on `left` times. They are lost, and closed, together."""
        self._another, self._left = another, left

    def opened(self, chain: Sequence[asyncssh.SSHClientConnection]) -> None:
        """The hops, the route's own host last; called once by `connect`."""
        self._chain = list(chain)
        self._watch()

    def _watch(self) -> None:
        """Notice a cut path soon, unless what cannot be begun anew runs over it."""
        if self.closed:
            return
        hops = zip((*self.route.jumps, self.route), self._chain, strict=False)
        for number, (hop, each) in enumerate(hops):
            silence.watch(each, hop.patience, hurry=not self._lasting, direct=number == 0)
        if self._second:
            self._second._lasting = self._lasting
            self._second._watch()

    def _lasts(self, channel: Channel) -> None:
        def over(_: object) -> None:
            self._lasting -= 1
            self._watch()

        self._lasting += 1
        self._watch()
        channel.ended.add_done_callback(over)

    def keep(self, proxy: Proxy) -> None:
        """The command that carries the first hop; ended with the connection."""
        self._proxy = proxy

    def hop_lost(self, route: Route, error: Exception | None) -> None:
        """A hop of the chain is gone; before `opened` that is a failed login, not a loss."""
        if self._closing or self._lost or not self._chain:
            return
        self._lost = ConnectionCut(
            f"The connection to {route.spoken} was lost.",
            silence.words(error) if error else "The server closed it.",
            "What runs in tmux or screen there goes on; connect again.",
        )
        if self._proxy:
            self._proxy.kill()
        for each in self._chain:
            each.abort()  # the hops before it lead nowhere now
        if self._second:
            self._second.drop(self._lost.detail)
        for listener in list(self._listeners):
            listener(self._lost)

    @property
    def closed(self) -> bool:
        return self._closing or self._lost is not None

    @property
    def local_address(self) -> str:
        """This computer's own, which it was made from; empty behind a ProxyCommand."""
        place = self._chain[0].get_extra_info("sockname") if self._chain else None
        return str(place[0]) if isinstance(place, tuple) else ""

    @property
    def lost(self) -> CloudtuiError | None:
        """Why it is gone, when nobody here closed it."""
        return self._lost

    @property
    def ssh(self) -> asyncssh.SSHClientConnection:
        """The connection to the route's own host, for the rest of this room."""
        if self.closed:
            raise self.cut()
        return self._chain[-1]

    def cut(self) -> CloudtuiError:
        """The error to raise when the connection turned out to be gone."""
        return self._lost or ConnectionCut(f"The connection to {self.route.spoken} is closed.")

    def on_lost(self, callback: Callable[[CloudtuiError], None]) -> Callable[[], None]:
        """Call back once when the connection is lost, at once if it already is.

        Returns what takes the callback off again. It is not called for `close()`.
        """
        if self._lost:
            callback(self._lost)
            return lambda: None
        self._listeners.append(callback)

        def forget() -> None:
            with contextlib.suppress(ValueError):
                self._listeners.remove(callback)

        return forget

    async def run(self, script: str, *, timeout: float = 20.0) -> Completed:
        """Run a POSIX sh script on the host, whatever the login shell is.

        The script travels on standard input, so nothing of it shows in `ps`; its own standard
        input is empty. Output is decoded as UTF-8, odd bytes replaced.

        Raises:
            Timeout: it ran longer than `timeout` seconds; it is sent SIGTERM.
            CloudtuiError: it printed more than `scripts.OUTPUT_LIMIT` bytes; it is hung up on.
        """
        done = await scripts.run(self.route.spoken, self._session, script, timeout)
        if done is None:
            raise self.cut()
        return done

    async def ask(self, given: str, program: str = "", *, timeout: float = 20.0) -> Completed:
        """As `run` with `given`, such as lines that set variables, before `program`; for what
        is asked again and again and changes nothing: a shell that stays answers, with one round
        trip, and is told each program once. It gives way where the server's MaxSessions are used
        up.
        """
        if not self._shell.busy:
            done = await self._shell.ask(given, program, timeout)
            if done:
                return done
        return await self.run(f"{given}\n{program}", timeout=timeout)

    async def terminal(
        self,
        command: str | None,
        columns: int,
        rows: int,
        on_data: Callable[[bytes], None],
        *,
        term: str = "xterm-256color",
        env: Mapping[str, str] | None = None,
    ) -> Terminal:
        """The command, or the login shell for None, on a terminal of `columns` x `rows` cells.
        A cut path is noticed later while a login shell is open: it may come back in time.

        `env` is offered to the server, which takes what its AcceptEnv allows; None offers LANG.
        """
        offered = {"LANG": os.environ.get("LANG", "C.UTF-8")} if env is None else dict(env)
        channel = await self._session(
            command, Channel(on_data), term=term, size=(columns, rows), env=offered
        )
        if command is None:
            self._lasts(channel)
        return Terminal(channel)

    async def command(
        self,
        command: str,
        on_stdout: Callable[[bytes], None],
        on_stderr: Callable[[bytes], None],
        *,
        lasting: bool = False,
    ) -> RemoteCommand:
        """The command, run by the login shell without a terminal, as `ssh HOST COMMAND` does.
        `lasting` for one that cannot be begun anew: see `terminal`."""
        channel = await self._session(command, Channel(on_stdout, on_stderr))
        if lasting:
            self._lasts(channel)
        return RemoteCommand(self, channel)

    async def program(
        self,
        command: str,
        on_stdout: Callable[[bytes], None],
        on_stderr: Callable[[bytes], None],
    ) -> RemoteCommand:
        """As `command`, for one whose output is read here: what the shell's start-up files print
        before it is left out."""
        said = Beginning(on_stdout)
        return await self.command(f"{said.command}; {command}", said.take, on_stderr)

    async def forward(self, remote_host: str, remote_port: int, local_port: int = 0) -> Forward:
        """A local port, on 127.0.0.1 and ::1, that leads to a port as the host sees it.

        `local_port` 0 takes any free one. The forward outlives the connection: see `Forward`.

        Raises:
            PortTaken: something listens on `local_port` here already.
        """
        forward = Forward((remote_host, remote_port), self)
        await forward.listen(local_port)
        return forward

    @contextlib.asynccontextmanager
    async def stream(self, host: str, port: int) -> AsyncIterator[Stream | None]:
        """A byte stream to `host` and `port` as seen from the host; None when nothing answers.

        Raises:
            Refused: the server forbids forwarding.
        """
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                reader, writer = await _opened(
                    self.ssh.open_connection(host, port), lambda pair: pair[1].close()
                )
        except TimeoutError:
            yield None
            return
        except asyncssh.ChannelOpenError as error:
            if self.closed:
                raise self.cut() from error
            if error.code == OPEN_ADMINISTRATIVELY_PROHIBITED:
                raise forbidden(self.route) from error
            yield None
            return
        try:
            yield reader, writer
        finally:
            writer.close()

    async def probe_port(self, host: str, port: int) -> bool:
        """Whether something accepts connections on `host` and `port`, seen from the host.

        Raises:
            Refused: the server forbids forwarding.
        """
        async with self.stream(host, port) as stream:
            return stream is not None

    def drop(self, why: str) -> None:
        """Count it as lost now: whoever uses it is told, and nothing is waited for."""
        self.hop_lost(self.route, TimeoutError(why))

    async def latency(self) -> float:
        """Seconds of one round trip: asks for a port that never answers, starts nothing.

        Raises:
            Timeout: no answer in 20 s.
        """
        start = time.perf_counter()
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                _, writer = await _opened(
                    self.ssh.open_connection("127.0.0.1", 0), lambda pair: pair[1].close()
                )
                writer.close()
        except TimeoutError:
            raise Timeout(f"{self.route.spoken} gave no answer in {OPEN_SECONDS:.0f} s.") from None
        except asyncssh.ChannelOpenError as error:
            if self.closed:
                raise self.cut() from error
        return time.perf_counter() - start

    async def close(self) -> None:
        """Close it and its jump hosts, the farthest first; 2 s each at most."""
        self._closing = True
        self._listeners.clear()
        if self._second:
            await self._second.close()
        for each in reversed(self._chain):
            each.close()
            try:
                async with asyncio.timeout(2):
                    await each.wait_closed()
            except TimeoutError:
                each.abort()
                await each.wait_closed()
        if self._proxy:
            await self._proxy.close()

    async def with_room(self, opening: Callable[[asyncssh.SSHClientConnection], Awaitable[T]]) -> T:
        """What opens a session channel; where the server has no more of them on this connection
        it is tried again without the shell that answers `ask`, then on a second connection.

        Raises:
            asyncssh.ChannelOpenError: the server opens none.
        """
        self._sessions += 1
        try:
            return await opening(self.ssh)
        except asyncssh.ChannelOpenError as error:
            self._sessions -= 1
            if self.closed or error.code in _NOT_THAT:
                raise
            if self._second is None and await self._shell.gives_way():
                return await self.with_room(opening)
            second = await self._widened()
            if second is None:
                raise
            return await second.with_room(opening)

    async def _widened(self) -> Connection | None:
        """The second connection; None when there can be none."""
        if not self._another or not self._left or not self._sessions:
            return None
        async with self._seconding:
            if self._second is None:
                try:
                    second = await self._another()
                except CloudtuiError:
                    return None
                if self.closed:
                    await second.close()
                    return None
                second.widen(self._another, self._left - 1)
                second.on_lost(lambda error: self.drop(error.detail))
                self._second = second
                self._watch()
        return self._second

    async def _session(
        self,
        command: str | None,
        channel: Channel,
        *,
        term: str = "",
        size: tuple[int, int] = (80, 24),
        env: Mapping[str, str] | None = None,
    ) -> Channel:
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                opening = self.with_room(
                    lambda ssh: ssh.create_session(
                        lambda: channel,
                        command or (),
                        env=[f"{name}={value}" for name, value in (env or {}).items()],
                        request_pty="force" if term else False,
                        term_type=term or None,
                        term_size=size if term else (),
                        encoding=None,
                    )
                )
                await _opened(opening, lambda pair: pair[0].close())
        except TimeoutError:
            raise Timeout(
                f"{self.route.spoken} opened no session within {OPEN_SECONDS:.0f} s.",
                hint="The machine may be overloaded; try again in a minute.",
            ) from None
        except asyncssh.ChannelOpenError as error:
            if self.closed:
                raise self.cut() from error
            if error.code in _NOT_THAT:
                raise Refused(
                    f"{self.route.spoken} does not run that for {self.route.user}.",
                    str(error),
                    f"Either {self.route.user} may run no commands there, or there are as many "
                    "processes as may be (ulimit -u): end some, or start the machine anew.",
                ) from error
            raise Refused(
                f"{self.route.spoken} opens no more sessions on this connection.",
                str(error),
                "Its SSH server allows MaxSessions (10 by default) at once; leave a pane first.",
            ) from error
        except (asyncssh.Error, OSError) as error:
            raise self.cut() from error
        return channel


async def _opened(opening: Coroutine[Any, Any, T], close: Callable[[T], object]) -> T:
    """What opens; when nobody waits any more it is closed as soon as the server answers."""
    task = asyncio.ensure_future(opening)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:

        def late(done: asyncio.Task[T]) -> None:
            if not done.cancelled() and done.exception() is None:
                close(done.result())

        task.add_done_callback(late)
        raise
