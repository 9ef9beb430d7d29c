"""Jupyter servers on the host: those that run, starting one that stays, installing it."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shlex
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from cloudtui.model.environment import Environment, Has
from cloudtui.model.errors import CloudtuiError, NotFound, Unreachable
from cloudtui.model.notebook import JupyterServer, parse_servers
from cloudtui.model.session import SessionList
from cloudtui.ssh import jupyter_sh
from cloudtui.ssh.connection import Connection
from cloudtui.ssh.jupyter_rest import ask
from cloudtui.ssh.notebook_servers import parse_running

START_SECONDS = 60
ANSWER_SECONDS = 20


class Failed(CloudtuiError):
    """Jupyter did not start or could not be installed; `detail` is its last lines."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a host has of Jupyter."""

    servers: tuple[JupyterServer, ...] = ()
    """Servers of the login user that accept connections."""
    home: str = ""
    """The home folder."""
    executable: str = ""
    """Path of the `jupyter` program, or empty."""
    python: str = ""
    """Path of python3, or empty."""
    lab: bool = True
    """Whether the executable has JupyterLab; False for the classic notebook alone."""
    root: bool = False
    """Whether the login user is root, which Jupyter must be told."""
    pip: bool = False
    """Whether `python3 -m pip install --user` is possible and allowed."""
    venv: bool = False
    """Whether `python3 -m venv` works, pip included."""


async def find(conn: Connection) -> Found:
    """The servers running there for the login user, and the programs to start one with.

    Servers whose port does not answer on the host are left out.

    Raises:
        CloudtuiError: the host could not run the question.
    """
    done = await conn.run(jupyter_sh.FIND, timeout=40)
    facts: dict[str, str] = {}
    for line in done.stdout.splitlines():
        word, _, rest = line.partition(" ")
        if word in ("HOME", "ROOT", "PYTHON", "JUPYTER", "LAB", "PIP", "VENV"):
            facts[word] = rest.strip()
    if "JUPYTER" not in facts:
        raise CloudtuiError(
            f"{conn.route.spoken} did not say whether it has Jupyter.",
            (done.stderr or done.stdout).strip()[-400:],
            "Open a shell there and try: jupyter server list",
        )
    servers = parse_running(done.stdout, time.time()).servers
    alive = await asyncio.gather(*(conn.probe_port(s.host, s.port) for s in servers))
    return Found(
        servers=tuple(s for s, answer in zip(servers, alive, strict=True) if answer),
        home=facts.get("HOME", ""),
        executable=facts["JUPYTER"],
        python=facts.get("PYTHON", ""),
        lab=facts.get("LAB") == "yes",
        root=facts.get("ROOT") == "yes",
        pip=facts.get("PIP") == "yes",
        venv=facts.get("VENV") == "yes",
    )


async def start(
    conn: Connection,
    found: Found,
    *,
    folder: str = "",
    port: int = 8888,
    sessions: SessionList,
    environment: Environment | None = None,
) -> JupyterServer:
    """Start a server that outlives the connection and wait until it answers.

    It runs in a tmux session `jupyter` (or screen, or by nohup when the host has neither),
    listens on the host's 127.0.0.1 only, in `folder` (the home folder when empty), at `port` or
    the next free one, with the Jupyter of `environment` or else the one that was found.

    Raises:
        NotFound: no Jupyter there, or no such folder.
        Failed: it ended, or did not answer within 60 s; its last lines are the detail.
    """
    executable, lab = found.executable, found.lab
    if environment:
        executable = f"{environment.path}/bin/jupyter" if environment.ready else ""
        lab = environment.has is Has.LAB
    if not executable:
        raise NotFound(f"{conn.route.spoken} has no Jupyter.", hint="Install it first.")
    name = _free_name(sessions)
    token = secrets.token_hex(24)
    kind = "lab" if lab else "notebook"
    flags = ["--allow-root"] if found.root else []
    script = jupyter_sh.start(
        [executable, kind, "--no-browser", "--ip=127.0.0.1", f"--port={port}", *flags],
        token=token,
        folder=folder,
        session=name,
        programs=sessions.programs,
        seconds=START_SECONDS,
    )
    done = await conn.run(script, timeout=START_SECONDS + 15)
    word, _, rest = done.stdout.partition("\n")
    rest = rest.replace(token, "…")
    if word == "NOFOLDER":
        raise NotFound(f"{conn.route.spoken} has no folder {folder}.", hint="Give one that exists.")
    servers = parse_servers(done.stdout.partition("\n")[2].replace("\n", " "))
    if word != "READY" or not servers:
        took = f" within {START_SECONDS} s" if word == "SLOW" else ""
        raise Failed(
            f"Jupyter on {conn.route.spoken} did not start{took}.",
            (rest or done.stderr).strip(),
            "Its lines above say why; try it in a shell there: jupyter lab --no-browser",
        )
    prefix = environment.path if environment else ""
    server = replace(servers[0], lab=lab, environment=prefix)
    if not await _answers_there(conn, server):
        raise Failed(
            f"Jupyter on {conn.route.spoken} started but port {server.port} gives no answer.",
            hint=f"Attach to the session {name} to see what it does.",
        )
    return server


def _free_name(sessions: SessionList) -> str:
    taken = {s.name for s in sessions.sessions}
    names = ("jupyter", *(f"jupyter-{n}" for n in range(2, 1000)))
    return next(name for name in names if name not in taken)


async def _answers_there(conn: Connection, server: JupyterServer) -> bool:
    """Asks the server for its version from the host itself, through a direct channel: its file is
    there a moment before it listens."""
    deadline = time.monotonic() + ANSWER_SECONDS
    while (left := deadline - time.monotonic()) > 0:
        try:
            await ask(conn, server, "GET", "api", timeout=left)
        except Unreachable:
            if conn.closed:
                raise
            await asyncio.sleep(0.02)
        else:
            return True
    return False


async def answers(server: JupyterServer, local_port: int, *, timeout: float = 10.0) -> bool:
    """Whether the server answers through the tunnel on `local_port`: its `/api`, asked again and
    again for `timeout` seconds."""
    context: ssl.SSLContext | None = None
    if server.secure:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    deadline = time.monotonic() + timeout
    while (left := deadline - time.monotonic()) > 0:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(left):
                if await _asked(server, local_port, context):
                    return True
                await asyncio.sleep(0.1)
    return False


async def _asked(server: JupyterServer, local_port: int, context: ssl.SSLContext | None) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", local_port, ssl=context)
    except OSError:
        return False
    try:
        writer.write(_request(server))
        await writer.drain()
        head = await reader.readline()
    except OSError:
        return False
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    words = head.split()
    return len(words) > 1 and words[0].startswith(b"HTTP/1.") and words[1] < b"500"


def _request(server: JupyterServer) -> bytes:
    """Any Jupyter gives its version at `/api` to anyone, so no token is sent."""
    return (
        f"GET {server.base_url}api HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    ).encode()


def install_plan(found: Found, environment: Environment | None = None) -> tuple[str, str]:
    """A sentence for the question, and the command to run on the host; an empty command when
    only an administrator can help, with the sentence saying how."""
    if environment:
        python = shlex.quote(f"{environment.path}/bin/python")
        if environment.has is Has.PIP:
            sentence = f"It can be installed in the environment {environment.name} with pip."
            return sentence, f"{python} -m pip install jupyterlab"
        return (
            f"The environment {environment.name} has no pip to install it with. "
            "In a shell there: conda install jupyterlab, or uv pip install jupyterlab.",
            "",
        )
    if not found.python:
        return (
            "There is no Python 3 on it. Install it there first: "
            "sudo apt install -y python3-venv, or sudo dnf install -y python3-pip.",
            "",
        )
    python = shlex.quote(found.python)
    if found.pip:
        return (
            "It can be installed for your user there with pip.",
            f"{python} -m pip install --user jupyterlab",
        )
    if found.venv:
        return (
            "It can be installed there in a virtual environment of its own, "
            "~/.local/share/cloudtui/jupyter.",
            f'{python} -m venv "{jupyter_sh.OWN_FOLDER}" && '
            f'"{jupyter_sh.OWN_FOLDER}/bin/python" -m pip install jupyterlab',
        )
    return (
        "It has Python 3, but neither pip nor venv. Install one there first: "
        "sudo apt install -y python3-venv, or sudo dnf install -y python3-pip.",
        "",
    )


async def install(
    conn: Connection,
    found: Found,
    on_line: Callable[[str], None],
    environment: Environment | None = None,
) -> None:
    """Run the plan's command, each line it prints to `on_line`.

    Raises:
        Failed: there is no way, or it ended with an error; its last lines are the detail.
        ConnectionCut: the connection was lost on the way.
    """
    sentence, command = install_plan(found, environment)
    if not command:
        raise Failed(f"Jupyter cannot be installed on {conn.route.spoken}.", sentence)
    lines: list[str] = []

    def told(line: str) -> None:
        lines.append(line)
        del lines[:-12]
        on_line(line)

    out, err = _Lines(told), _Lines(told)
    script = f"sh -c {shlex.quote(f'exec </dev/null; {command}')}"
    process = await conn.command(script, out.take, err.take)
    try:
        status = await process.wait()
        out.take(b"\n")
        err.take(b"\n")
    finally:
        await process.close()
    if status:
        raise Failed(
            f"Installing Jupyter on {conn.route.spoken} failed (exit status {status}).",
            "\n".join(lines),
            f"Try it in a shell there: {command}",
        )


class _Lines:
    """Cuts one stream into lines; a carriage return ends one too, as progress bars do."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._rest = b""

    def take(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data.replace(b"\r", b"\n")).split(b"\n")
        for line in lines:
            if text := line.decode(errors="replace").rstrip():
                self._on_line(text)
