"""Jupyter on the host: real JupyterLab servers, found and started."""

# ruff: noqa: ASYNC220, ASYNC221

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest

from cloudtui.model.errors import ConnectionCut, NotFound, Refused
from cloudtui.model.notebook import JupyterServer
from cloudtui.model.session import Program, SessionList
from cloudtui.ssh.connect import Connection
from cloudtui.ssh.jupyter import Failed, Found, answers, find, install, install_plan, start
from cloudtui.ssh.multiplexer import list_sessions, new_session
from tests.ssh.conftest import Open
from tests.sshd import Sshd, free_port


def runtime_file(sshd: Sshd, name: str, port: int, token: str = "t") -> None:
    folder = sshd.home / ".local/share/jupyter/runtime"
    folder.mkdir(parents=True, exist_ok=True)
    data = {
        "port": port,
        "token": token,
        "base_url": "/",
        "root_dir": "/x",
        "hostname": "localhost",
    }
    (folder / name).write_text(json.dumps(data, indent=2))


async def contents(server: JupyterServer, port: int) -> list[str]:
    """The names in the server's root folder, asked for with its token."""

    def ask() -> list[str]:
        url = f"http://127.0.0.1:{port}{server.base_url}api/contents?token={server.token}"
        with urllib.request.urlopen(url, timeout=30) as reply:
            return sorted(entry["name"] for entry in json.load(reply)["content"])

    return await asyncio.to_thread(ask)


def is_this_one(environment: str) -> bool:
    """Whether it is the environment of the tests, by whichever path."""
    return Path(environment).samefile(sys.prefix)


class TestRealServers:
    @pytest.fixture(autouse=True)
    def jupyter(self, sshd: Sshd) -> None:
        sshd.with_jupyter()

    async def test_a_server_that_forbids_forwarding_is_told(
        self, sshd: Sshd, open_connection: Open
    ) -> None:
        sshd.config = ["AllowTcpForwarding no"]
        sshd.restart()
        conn = await open_connection()
        with pytest.raises(Refused, match="forbids port forwarding"):
            await start(conn, await find(conn), sessions=await list_sessions(conn))

    @pytest.mark.parametrize("how", ["tmux", "screen", "neither"])
    async def test_started_it_stays_and_is_found(
        self, sshd: Sshd, open_connection: Open, how: str
    ) -> None:
        (sshd.home / "work").mkdir()
        (sshd.home / "work" / "a.ipynb").write_text("{}")
        conn = await open_connection()
        found = await find(conn)
        assert found.servers == ()
        assert found.executable == str(sshd.bin / "jupyter")
        assert found.lab
        listing = await list_sessions(conn)
        if how == "screen":
            listing = replace(listing, tmux_version="")
        elif how == "neither":
            listing = SessionList()
        port = free_port()
        server = await start(conn, found, folder="~/work", port=port, sessions=listing)
        assert server.port == port
        assert len(server.token) == 48
        assert (
            server.token
            not in subprocess.run(
                ["ps", "-eww", "-o", "args"], capture_output=True, text=True, check=True
            ).stdout
        )
        forward = await conn.forward(server.host, server.port)
        assert await answers(server, forward.local_port)
        assert await contents(server, forward.local_port) == ["a.ipynb"]
        await forward.close()
        sshd.cut()
        again = await open_connection()
        (there,) = (await find(again)).servers
        assert replace(there, environment="") == server
        assert is_this_one(there.environment)
        sessions = (await list_sessions(again)).sessions
        expected = [] if how == "neither" else [(Program(how), "jupyter")]
        assert [(s.program, s.name) for s in sessions] == expected

    async def test_a_taken_port_and_a_taken_name(self, conn: Connection) -> None:
        found = await find(conn)
        await new_session(conn, Program.TMUX, "jupyter")
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            listing = await list_sessions(conn)
            server = await start(conn, found, port=port, sessions=listing)
        assert server.port != port
        names = {s.name for s in (await list_sessions(conn)).sessions}
        assert names == {"jupyter", "jupyter-2"}

    async def test_a_folder_that_is_missing(self, conn: Connection) -> None:
        found = await find(conn)
        with pytest.raises(NotFound, match="has no folder no/such"):
            await start(conn, found, folder="no/such", sessions=SessionList())


class TestFinding:
    async def test_nothing_is_installed(self, sshd: Sshd, conn: Connection) -> None:
        found = await find(conn)
        assert (found.servers, found.executable) == ((), "")
        assert found.python
        with pytest.raises(NotFound, match="has no Jupyter"):
            await start(conn, found, sessions=SessionList())

    async def test_leftovers_are_dropped(self, sshd: Sshd, conn: Connection) -> None:
        runtime_file(sshd, "jpserver-999999.json", sshd.port)
        assert (await find(conn)).servers == ()
        process = subprocess.Popen(["sleep", "60"])
        try:
            runtime_file(sshd, f"jpserver-{process.pid}.json", free_port())
            assert (await find(conn)).servers == ()
            runtime_file(sshd, f"jpserver-{process.pid}.json", sshd.port, "good")
            (server,) = (await find(conn)).servers
            assert (server.port, server.token) == (sshd.port, "good")
        finally:
            process.kill()
            process.wait()

    async def test_the_old_list_command(self, sshd: Sshd, conn: Connection) -> None:
        line = json.dumps(
            {"base_url": "/user/me/", "hostname": "localhost", "notebook_dir": "/home/me",
             "password": False, "pid": 1, "port": sshd.port, "secure": False, "token": "old"}
        )  # fmt: skip
        sshd.script(
            "jupyter",
            '#!/bin/sh\n[ "$1" = notebook ] || { echo "no such command" >&2; exit 1; }\n'
            f"echo 'Currently running servers:' >&2\necho '{line}'\n",
        )
        sshd.script("jupyter-notebook", "#!/bin/sh\nexec sleep 60\n")
        runs = subprocess.Popen(
            ["bash", "-c", "exec -a 'python jupyter-notebook' sleep 60"], env=sshd.env
        )
        try:
            found = await find(conn)
        finally:
            runs.kill()
            runs.wait()
        (server,) = found.servers
        assert (server.port, server.token, server.base_url) == (sshd.port, "old", "/user/me/")
        assert not server.lab
        assert not found.lab
        assert found.executable == str(sshd.bin / "jupyter")

    async def test_the_environment_cloudtui_made(self, sshd: Sshd, conn: Connection) -> None:
        folder = sshd.home / ".local/share/cloudtui/jupyter/bin"
        folder.mkdir(parents=True)
        for name in ("jupyter", "jupyter-lab"):
            (folder / name).write_text("#!/bin/sh\n")
            (folder / name).chmod(0o755)
        found = await find(conn)
        assert found.executable == str(folder / "jupyter")


class TestFailing:
    def fake(self, sshd: Sshd, lab: str) -> None:
        sshd.script("jupyter", f"#!/bin/sh\ncase $1 in lab) {lab};; esac\n")
        sshd.script("jupyter-lab", "#!/bin/sh\n")

    @pytest.mark.parametrize("programs", [True, False], ids=["tmux", "nohup"])
    async def test_the_last_lines_are_told(
        self, sshd: Sshd, conn: Connection, programs: bool
    ) -> None:
        self.fake(sshd, 'echo "token=$JUPYTER_TOKEN"; echo "No module named jedi" >&2; exit 1')
        sessions = await list_sessions(conn) if programs else SessionList()
        with pytest.raises(Failed, match="did not start") as caught:
            await start(conn, await find(conn), sessions=sessions)
        assert caught.value.detail == "token=…\nNo module named jedi"

    async def test_one_that_never_gets_ready(
        self, sshd: Sshd, conn: Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("cloudtui.ssh.jupyter.START_SECONDS", 1)
        self.fake(sshd, 'echo "thinking"; exec sleep 60')
        with pytest.raises(Failed, match="did not start within 1 s") as caught:
            await start(conn, await find(conn), sessions=await list_sessions(conn))
        assert caught.value.detail == "thinking"

    async def test_an_odd_folder_for_the_program(self, sshd: Sshd, conn: Connection) -> None:
        folder = sshd.home / "my envs; it's"
        folder.mkdir()
        (folder / "jupyter").write_text("#!/bin/sh\n[ $1 = lab ] && echo odd but run\n")
        (folder / "jupyter").chmod(0o755)
        found = Found(executable=str(folder / "jupyter"))
        with pytest.raises(Failed) as caught:
            await start(conn, found, sessions=await list_sessions(conn))
        assert caught.value.detail == "odd but run"


class TestAnswers:
    async def test_nothing_there(self) -> None:
        assert not await answers(JupyterServer(port=1), free_port(), timeout=0.3)

    async def test_something_else_there(self, sshd: Sshd) -> None:
        assert not await answers(JupyterServer(port=1), sshd.port, timeout=0.3)

    async def test_a_server_in_trouble(self) -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readline()
            writer.write(b"HTTP/1.1 503 Busy\r\n\r\n")
            await writer.drain()
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            assert not await answers(JupyterServer(port=1), port, timeout=0.3)


class TestInstalling:
    def test_the_plans(self) -> None:
        assert "no Python 3" in install_plan(Found())[0]
        sentence, command = install_plan(Found(python="/usr/bin/python3", pip=True, venv=True))
        assert command == "/usr/bin/python3 -m pip install --user jupyterlab"
        assert "pip" in sentence
        sentence, command = install_plan(Found(python="/usr/bin/python3", venv=True))
        assert command.startswith("/usr/bin/python3 -m venv ")
        assert "~/.local/share/cloudtui/jupyter" in sentence
        sentence, command = install_plan(Found(python="/usr/bin/python3"))
        assert not command
        assert "sudo apt install -y python3-venv" in sentence

    async def test_what_python_says_of_itself(self, sshd: Sshd, conn: Connection) -> None:
        sshd.script("python3", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        found = await find(conn)
        assert found.python == str(sshd.bin / "python3")
        assert not found.pip, "inside a virtual environment --user is refused"
        assert found.venv

    async def test_each_line_is_told(self, sshd: Sshd, conn: Connection) -> None:
        sshd.script(
            "python3",
            '#!/bin/sh\n[ "$*" = "-m pip install --user jupyterlab" ] || exit 9\n'
            "printf 'Collecting jupyterlab\\r\\n'; printf 'WARNING: old pip' >&2; printf done\n",
        )
        found = Found(python=str(sshd.bin / "python3"), pip=True)
        lines: list[str] = []
        await install(conn, found, lines.append)
        assert sorted(lines) == ["Collecting jupyterlab", "WARNING: old pip", "done"]

    async def test_an_environment_of_its_own(self, sshd: Sshd, conn: Connection) -> None:
        sshd.script(
            "python3",
            '#!/bin/sh\nmkdir -p "$3/bin"\n'
            'printf "#!/bin/sh\\necho pip \\$3 \\$4\\n" >"$3/bin/python"\n'
            'chmod +x "$3/bin/python"\n',
        )
        lines: list[str] = []
        await install(conn, Found(python=str(sshd.bin / "python3"), venv=True), lines.append)
        assert lines == ["pip install jupyterlab"]
        assert (sshd.home / ".local/share/cloudtui/jupyter/bin/python").exists()

    async def test_a_failure_shows_its_last_lines(self, sshd: Sshd, conn: Connection) -> None:
        sshd.script("python3", "#!/bin/sh\nseq 30; echo no space left >&2; exit 1\n")
        found = Found(python=str(sshd.bin / "python3"), pip=True)
        with pytest.raises(Failed, match="exit status 1") as caught:
            await install(conn, found, lambda _: None)
        assert "no space left" in caught.value.detail
        assert len(caught.value.detail.splitlines()) == 12
        with pytest.raises(Failed, match="cannot be installed"):
            await install(conn, Found(), lambda _: None)

    async def test_a_cut_on_the_way(self, sshd: Sshd, conn: Connection) -> None:
        sshd.script("python3", "#!/bin/sh\necho begun; exec sleep 60\n")
        found = Found(python=str(sshd.bin / "python3"), pip=True)
        with pytest.raises(ConnectionCut):
            await install(conn, found, lambda _: sshd.cut())
