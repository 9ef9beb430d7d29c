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

from cloudtui.model.errors import CloudtuiError, NotFound
from cloudtui.model.notebook import JupyterServer, parse_servers
from cloudtui.model.session import Program, SessionList
from cloudtui.ssh.connection import Connection
from cloudtui.ssh.multiplexer import EXTRA_PATH, start_line

START_SECONDS = 60
OWN_FOLDER = "$HOME/.local/share/cloudtui/jupyter"
"""The virtual environment cloudtui installs into."""


class Failed(CloudtuiError):
    """Jupyter did not start or could not be installed; `detail` is its last lines."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a host has of Jupyter."""

    servers: tuple[JupyterServer, ...] = ()
    """Servers of the login user that accept connections."""
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


_PATHS = f"""\
export PATH="$PATH:{EXTRA_PATH}" LC_ALL=C.UTF-8
own="{OWN_FOLDER}"
"""

_RUNTIME = """\
runtime_files() {
  for d in "$JUPYTER_RUNTIME_DIR" "${JUPYTER_DATA_DIR:+$JUPYTER_DATA_DIR/runtime}" \\
    "${XDG_DATA_HOME:+$XDG_DATA_HOME/jupyter/runtime}" "$HOME/.local/share/jupyter/runtime" \\
    "$HOME/Library/Jupyter/runtime" "$@"; do
    [ -n "$d" ] && for f in "$d"/jpserver-*.json "$d"/nbserver-*.json; do
      [ -s "$f" ] && printf '%s\\n' "$f"
    done
  done
}
"""

_FIND = (
    _PATHS
    + _RUNTIME
    + """\
echo "ROOT $([ "$(id -u)" = 0 ] && echo yes)"
P=$(command -v python3); echo "PYTHON $P"
for j in "$(command -v jupyter)" "$own/bin/jupyter" "$HOME"/*conda3/bin/jupyter \\
  "$HOME"/mini*3/bin/jupyter /opt/*conda*/bin/jupyter /opt/mini*/bin/jupyter \\
  /opt/pytorch/bin/jupyter /opt/tensorflow/bin/jupyter "$HOME"/.venv/bin/jupyter \\
  "$HOME"/venv/bin/jupyter "$HOME"/*conda3/envs/*/bin/jupyter "$HOME"/mini*3/envs/*/bin/jupyter \\
  /opt/*conda*/envs/*/bin/jupyter; do
  [ -n "$j" ] && [ -x "$j" ] || continue
  b=${j%/*}
  if [ -x "$b/jupyter-lab" ]; then J=$j; L=yes; break; fi
  [ -z "$J" ] && [ -x "$b/jupyter-notebook" ] && J=$j
done
echo "JUPYTER $J"; echo "LAB $L"
live=
for f in $(runtime_files); do
  p=${f##*-}; p=${p%.json}
  kill -0 "$p" 2>/dev/null || continue
  live=yes
  echo "SERVER $(tr -d '\\n\\r' <"$f")"
done
if [ -z "$live" ] && [ -n "$J$(command -v jupyter)" ]; then
  K=$(command -v jupyter || echo "$J"); PATH="${J%/*}:$PATH"
  umask 077; N=$(mktemp); "$K" notebook list --json >"$N" 2>/dev/null &
  "$K" server list --json 2>/dev/null | sed 's/^/SERVER /'
  wait; sed 's/^/SERVER /' "$N"; rm -f "$N"
fi
if [ -n "$P" ] && [ -z "$J" ]; then
  "$P" - <<'END'
import importlib.util as u, os, sys, sysconfig
there = lambda name: u.find_spec(name) is not None
managed = os.path.exists(os.path.join(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED"))
print("PIP", "yes" if there("pip") and not managed and sys.prefix == sys.base_prefix else "")
print("VENV", "yes" if there("venv") and there("ensurepip") else "")
END
fi
exit 0
"""
)


async def find(conn: Connection) -> Found:
    """The servers running there for the login user, and the programs to start one with.

    Servers whose port does not answer on the host are left out.

    Raises:
        CloudtuiError: the host could not run the question.
    """
    done = await conn.run(_FIND, timeout=40)
    facts: dict[str, str] = {}
    lines: list[str] = []
    for line in done.stdout.splitlines():
        word, _, rest = line.partition(" ")
        if word == "SERVER":
            lines.append(rest)
        elif word in ("ROOT", "PYTHON", "JUPYTER", "LAB", "PIP", "VENV"):
            facts[word] = rest.strip()
    if "JUPYTER" not in facts:
        raise CloudtuiError(
            f"{conn.route.host} did not say whether it has Jupyter.",
            (done.stderr or done.stdout).strip()[-400:],
            "Open a shell there and try: jupyter server list",
        )
    servers = parse_servers("\n".join(lines))
    alive = await asyncio.gather(*(conn.probe_port(s.host, s.port) for s in servers))
    return Found(
        servers=tuple(s for s, answer in zip(servers, alive, strict=True) if answer),
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
) -> JupyterServer:
    """Start a server that outlives the connection and wait until it answers.

    It runs in a tmux session `jupyter` (or screen, or by nohup when the host has neither),
    listens on the host's 127.0.0.1 only, in `folder` (the home folder when empty), at `port` or
    the next free one.

    Raises:
        NotFound: no Jupyter there, or no such folder.
        Failed: it ended, or did not answer within 60 s; its last lines are the detail.
    """
    if not found.executable:
        raise NotFound(f"{conn.route.host} has no Jupyter.", hint="Install it first.")
    name = _free_name(sessions)
    token = secrets.token_hex(24)
    script = _start_script(found, token, folder, port, name, sessions.programs)
    done = await conn.run(script, timeout=START_SECONDS + 15)
    word, _, rest = done.stdout.partition("\n")
    rest = rest.replace(token, "…")
    if word == "NOFOLDER":
        raise NotFound(f"{conn.route.host} has no folder {folder}.", hint="Give one that exists.")
    servers = parse_servers(done.stdout.partition("\n")[2].replace("\n", " "))
    if word != "READY" or not servers:
        took = f" within {START_SECONDS} s" if word == "SLOW" else ""
        raise Failed(
            f"Jupyter on {conn.route.host} did not start{took}.",
            (rest or done.stderr).strip(),
            "Its lines above say why; try it in a shell there: jupyter lab --no-browser",
        )
    server = replace(servers[0], lab=found.lab)
    if not await _answers_there(conn, server):
        raise Failed(
            f"Jupyter on {conn.route.host} started but port {server.port} gives no answer.",
            hint=f"Attach to the session {name} to see what it does.",
        )
    return server


def _free_name(sessions: SessionList) -> str:
    taken = {s.name for s in sessions.sessions}
    names = ("jupyter", *(f"jupyter-{n}" for n in range(2, 1000)))
    return next(name for name in names if name not in taken)


def _start_script(
    found: Found, token: str, folder: str, port: int, name: str, programs: tuple[Program, ...]
) -> str:
    """The sh script that starts Jupyter and prints READY and its runtime file, or FAILED or
    SLOW and its last lines. The token goes through a file only the login user can read."""
    quoted = shlex.quote(found.executable)
    kind = "lab" if found.lab else "notebook"
    root = " --allow-root" if found.root else ""
    line = f"{quoted} {kind} --no-browser --ip=127.0.0.1 --port={port}{root}"
    place = folder.removeprefix("~/") if folder != "~" else ""
    place = f"./{place}" if place.startswith("-") else place
    if Program.TMUX in programs:
        launch = start_line(Program.TMUX, name, "@")
    elif Program.SCREEN in programs:
        launch = start_line(Program.SCREEN, name, "@")
    else:
        launch = "nohup sh -c @ >/dev/null 2>&1 </dev/null &"
    launch = launch.replace("@", "\"sh '$run/start'\"")
    return f"""\
{_PATHS}{_RUNTIME}
unset LC_ALL; export TERM=xterm-256color LANG="${{LANG:-C.UTF-8}}"
umask 077
cd "$HOME" && cd {shlex.quote(place or ".")} 2>/dev/null || {{ echo NOFOLDER; exit; }}
runs="${{XDG_STATE_HOME:-$HOME/.local/state}}/cloudtui/jupyter"
mkdir -p "$runs" || {{ echo FAILED; exit; }}
run=$(mktemp -d "$runs/XXXXXX") || {{ echo FAILED; exit; }}
printf %s {token} >"$run/token"
{{
  printf 'PATH=%s\\nexport PATH\\n' "'$(dirname {quoted}):$PATH'"
  printf 'run=%s\\n' "'$run'"
  cat <<'END'
JUPYTER_TOKEN=$(cat "$run/token"); export JUPYTER_TOKEN; rm -f "$run/token"
sh -c 'echo $$ >"$0/pid"; exec "$@"' "$run" {line} 2>&1 | tee "$run/log"
touch "$run/ended"
END
}} >"$run/start"
{launch} || {{ echo FAILED; exit; }}
where=$({quoted} --runtime-dir 2>/dev/null)
i=0
while [ $i -lt {START_SECONDS * 10} ]; do
  p=$(cat "$run/pid" 2>/dev/null)
  if [ -n "$p" ]; then
    for f in $(runtime_files "$where" | grep -- "server-$p.json$"); do
      grep -q '}}' "$f" && {{ echo READY; cat "$f"; exit; }}
    done
  fi
  [ -e "$run/ended" ] && {{ echo FAILED; tail -n 12 "$run/log"; exit; }}
  sleep 0.1; i=$((i + 1))
done
echo SLOW; tail -n 12 "$run/log"
"""


async def _answers_there(conn: Connection, server: JupyterServer) -> bool:
    """Asks the server for its version from the host itself, through a direct channel."""
    try:
        async with asyncio.timeout(20):
            reader, writer = await conn.ssh.open_connection(server.host, server.port)
            writer.write(_request(server))
            head = await reader.read(12)
            writer.close()
    except (TimeoutError, OSError):
        return False
    return server.secure or head.startswith(b"HTTP/1.")


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


def install_plan(found: Found) -> tuple[str, str]:
    """A sentence for the question, and the command to run on the host; an empty command when
    only an administrator can help, with the sentence saying how."""
    if not found.python:
        return (
            "There is no Python 3 on the machine. Install it there first: "
            "sudo apt install -y python3-venv, or sudo dnf install -y python3-pip.",
            "",
        )
    python = shlex.quote(found.python)
    if found.pip:
        return (
            "JupyterLab is not installed on the machine. Install it for your user there with pip.",
            f"{python} -m pip install --user jupyterlab",
        )
    if found.venv:
        return (
            "JupyterLab is not installed on the machine. Install it there in a virtual "
            "environment of its own, ~/.local/share/cloudtui/jupyter.",
            f'{python} -m venv "{OWN_FOLDER}" && '
            f'"{OWN_FOLDER}/bin/python" -m pip install jupyterlab',
        )
    return (
        "Python 3 is on the machine, but neither pip nor venv. Install one there first: "
        "sudo apt install -y python3-venv, or sudo dnf install -y python3-pip.",
        "",
    )


async def install(conn: Connection, found: Found, on_line: Callable[[str], None]) -> None:
    """Run the plan's command, each line it prints to `on_line`.

    Raises:
        Failed: there is no way, or it ended with an error; its last lines are the detail.
        ConnectionCut: the connection was lost on the way.
    """
    sentence, command = install_plan(found)
    if not command:
        raise Failed(f"Jupyter cannot be installed on {conn.route.host}.", sentence)
    lines: list[str] = []
    rest = bytearray()

    def take(data: bytes) -> None:
        rest.extend(data.replace(b"\r", b"\n"))
        while (end := rest.find(b"\n")) >= 0:
            line = rest[:end].decode(errors="replace").rstrip()
            del rest[: end + 1]
            if line:
                lines.append(line)
                del lines[:-12]
                on_line(line)

    script = f"sh -c {shlex.quote(f'exec </dev/null; {command}')}"
    process = await conn.command(script, take, take)
    try:
        status = await process.wait()
        take(b"\n")
    finally:
        await process.close()
    if status:
        raise Failed(
            f"Installing Jupyter on {conn.route.host} failed (exit status {status}).",
            "\n".join(lines),
            f"Try it in a shell there: {command}",
        )
