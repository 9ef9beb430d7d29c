"""The Jupyter servers of a host and what they hold: their own files first, then their REST."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from cloudtui.model.answers import count, whole
from cloudtui.model.errors import CloudtuiError, NotFound
from cloudtui.model.kernel import NotebookServer, parse_kernels, parse_terminals
from cloudtui.model.notebook import JupyterServer, parse_servers
from cloudtui.ssh import jupyter_sh
from cloudtui.ssh.connection import Connection
from cloudtui.ssh.jupyter_rest import Login, ask

A_CENTURY = 100 * 365 * 86_400
"""Seconds; a clock that is wronger tells nothing."""


@dataclass(frozen=True, slots=True)
class Running:
    """What a host says without asking the servers themselves."""

    servers: tuple[JupyterServer, ...] = ()
    """Of the login user, by port. Whether they answer is not known."""
    kernels: Mapping[str, int] = field(default_factory=dict)
    """Bytes of memory by kernel id."""
    processes: Mapping[int, int] = field(default_factory=dict)
    """Bytes of memory by pid."""
    ahead: timedelta = timedelta()
    """How far the host's clock is ahead of this one; 0 within two seconds."""


async def running(conn: Connection) -> Running:
    """One question to the host.

    Raises:
        CloudtuiError: the host could not run it.
    """
    before = time.time()
    done = await conn.run(jupyter_sh.SERVERS)
    middle = (before + time.time()) / 2
    if not done.stdout.startswith("NOW "):
        raise CloudtuiError(
            f"{conn.route.spoken} did not say which Jupyter servers it runs.",
            (done.stderr or done.stdout).strip()[-400:],
            "Open a shell there and try: jupyter server list",
        )
    return parse_running(done.stdout, middle)


def parse_running(text: str, now: float) -> Running:
    """What `jupyter_sh.SERVERS` printed; `now` is this computer's time then."""
    servers: list[str] = []
    kernels: dict[str, int] = {}
    processes: dict[int, int] = {}
    prefixes: dict[int, str] = {}
    ahead = timedelta()
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        first, _, last = rest.partition(" ")
        match word:
            case "SERVER":
                servers.append(rest)
            case "KERNEL":
                kernels[first] = max(_kib(last), kernels.get(first, 0))
            case "PROCESS" if (pid := whole(first)) is not None:
                size, _, prefix = last.partition(" ")
                processes[pid] = _kib(size)
                prefixes[pid] = prefix.strip()
            case "NOW" if (then := whole(first)) and 2 < abs(then - now) < A_CENTURY:
                ahead = timedelta(seconds=then - now)
    found = [
        replace(server, environment=prefixes.get(server.pid or 0, ""))
        for server in parse_servers("\n".join(servers))
    ]
    found.sort(key=lambda s: (s.port, s.host))
    return Running(tuple(found), kernels, processes, ahead)


def _kib(text: str) -> int:
    """Bytes of what ps prints: KiB, or BusyBox's `12m`."""
    number, unit = (text[:-1], text[-1]) if text[-1:] in ("m", "g") else (text, "")
    try:
        size = float(number) * (1 << {"": 10, "m": 20, "g": 30}[unit])
    except ValueError:
        return 0
    return count(size)


def _earlier(moment: datetime | None, ahead: timedelta) -> datetime | None:
    try:
        return moment and moment - ahead
    except OverflowError:
        return None


async def look(
    conn: Connection,
    instance_id: str,
    server: JupyterServer,
    known: Running,
    *,
    login: Login | None = None,
) -> NotebookServer:
    """The server with its kernels and terminals; why it did not tell is its `error`.

    Raises:
        ConnectionCut: the connection was lost.
    """
    memory = known.processes.get(server.pid) if server.pid is not None else None
    found = NotebookServer(server, instance_id, version=server.version, memory=memory)
    try:
        kernels, sessions, terminals = await asyncio.gather(
            _asked(conn, server, "api/kernels", login),
            _asked(conn, server, "api/sessions", login),
            _terminals(conn, server, login),
        )
        version = server.version or _version(await _asked(conn, server, "api", login))
    except CloudtuiError as error:
        if conn.closed:
            raise
        return replace(found, error=error)
    told = parse_kernels(kernels, sessions, known.kernels)
    if known.ahead:
        told = tuple(replace(k, last_activity=_earlier(k.last_activity, known.ahead)) for k in told)
    return replace(found, kernels=told, terminals=parse_terminals(terminals), version=version)


async def _asked(conn: Connection, server: JupyterServer, path: str, login: Login | None) -> object:
    return (await ask(conn, server, "GET", path, login=login)).json()


async def _terminals(conn: Connection, server: JupyterServer, login: Login | None) -> object:
    try:
        return await _asked(conn, server, "api/terminals", login)
    except NotFound:
        return []  # terminals are switched off, or terminado is not installed


def _version(value: object) -> str:
    version = value.get("version") if isinstance(value, dict) else None
    return version if isinstance(version, str) else ""
