"""One running instance: an SSH server, a home, sessions from boot, and an end to all of it."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import shutil
import subprocess
from pathlib import Path

import asyncssh
from asyncssh.channel import SSHChannel

from cloudtui.demo import first_login, processes, runs
from cloudtui.demo import home as homes
from cloudtui.demo.folder import Plan
from cloudtui.demo.reaper import Reaper
from cloudtui.demo.server import LOGIN, Files, Server
from cloudtui.demo.session import Session


class Host:
    """The machine behind one instance; keeps home and host key while it is stopped."""

    def __init__(
        self,
        plan: Plan,
        reaper: Reaper,
        instance_id: str,
        name: str,
        public_key: str,
        type: str = "",
    ) -> None:
        self.name, self.type = name, type
        self.mark = f"CLOUDTUI_DEMO_HOST={instance_id}"
        self.reaper = reaper
        self.address = ""
        """The public address, while it runs."""
        self.port = 0
        """The port of its SSH server; kept over stop and start."""
        self.boots = 0
        self.login_key = asyncssh.import_public_key(public_key)
        self.connections: set[asyncssh.SSHServerConnection] = set()
        self.sessions: set[Session] = set()
        self._plan = plan
        self._folder = plan.hosts / instance_id
        self._host_key = asyncssh.generate_private_key("ssh-ed25519", comment=f"root@{name}")
        first_login.announce(instance_id, self._host_key.export_public_key().decode())
        self._listener: asyncssh.SSHAcceptor | None = None
        self._programs = self._folder / "bin"
        self.home = self._folder / "home" / LOGIN
        self.environment = self._make_environment()

    @property
    def folder(self) -> Path:
        """All of it is below this one."""
        return self._folder

    def lets_in(self, key: asyncssh.SSHKey) -> bool:
        """The key of the instance's key pair, or one that Instance Connect has just sent."""
        if key.public_data == self.login_key.public_data:
            return True
        instance_id = self.mark.partition("=")[2]
        return first_login.was_sent(instance_id, key.export_public_key().decode())

    def sftp(self, channel: SSHChannel[bytes]) -> Files:
        return Files(channel, self.home)

    async def boot(self, address: str) -> None:
        """Listen on the address, then start what runs from boot.

        Raises:
            OSError: the address cannot be listened on.
        """
        await asyncio.to_thread(self._furnish)
        await self.listen(address)
        for session in homes.sessions(self.name):
            await self._begin(session)
        if homes.has_runs(self.name):
            await self.reaper.run(runs.start(), env=self.environment, cwd=self.home)
        if homes.has_notebooks(self.name):
            self._serve_notebooks()

    async def listen(self, address: str) -> None:
        """Answer on another address, cutting the connections to the former one."""
        self._close_listener()
        place = (address, self._plan.ssh_port) if self._plan.network else ("127.0.0.1", self.port)
        self._listener = await asyncssh.listen(
            *place,
            config=None,
            server_factory=lambda: Server(self),
            server_host_keys=[self._host_key],
            encoding=None,
            line_editor=False,
            agent_forwarding=False,
            x11_forwarding=False,
            gss_host=None,
            reuse_address=True,
        )
        self.address, self.port = address, self._listener.get_port()

    async def shut_down(self) -> None:
        """Cut every connection and end every process."""
        self._close_listener()
        self.address = ""
        for argv in self._farewells():
            await self.reaper.run(argv, env=self.environment, cwd=self._folder, timeout=3)
        await asyncio.to_thread(processes.end_marked, self.mark)

    def _close_listener(self) -> None:
        if self._listener:
            self._listener.close()
            self._listener = None
        for connection in list(self.connections):
            connection.abort()
        self.connections.clear()

    def _make_environment(self) -> dict[str, str]:
        folder, home = self._folder, self.home
        mark, _, instance_id = self.mark.partition("=")
        demo, _, demo_folder = self._plan.mark.partition("=")
        return {
            "HOME": str(home),
            "USER": LOGIN,
            "LOGNAME": LOGIN,
            "SHELL": "/bin/bash",
            "PATH": f"{self._programs}:{homes.SYSTEM_PATH}",
            "LANG": "C.UTF-8",
            "HOSTNAME": self.name,
            "TMUX_TMPDIR": str(folder / "tmux"),
            "SCREENDIR": str(folder / "screen"),
            "TMPDIR": str(folder / "tmp"),
            "XDG_RUNTIME_DIR": str(folder / "run"),
            "JUPYTER_RUNTIME_DIR": str(folder / "run" / "jupyter"),
            mark: instance_id,
            demo: demo_folder,
        }

    def _furnish(self) -> None:
        for name in ("tmux", "screen", "tmp", "run"):
            (self._folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        homes.furnish(self.home, self._programs, self.name, self.type)

    async def _begin(self, session: homes.Session) -> None:
        program = self._program(session.program)
        if not program:
            return
        # The shell stays when the program is interrupted.
        line = f"trap : INT; {session.command}; exec /bin/bash -l"
        command = f"/bin/bash -c {shlex.quote(line)}"
        folder = self.home / session.folder
        environment = self.environment | {"TERM": "xterm-256color"}
        if session.program == "tmux":
            size = ["-x", "132", "-y", "40"]
            argv = [program, "-u", "new-session", "-d", "-s", session.name, *size, command]
        else:
            argv = [program, "-U", "-dmS", session.name, "/bin/bash", "-c", line]
        await self.reaper.run(argv, env=environment, cwd=folder)

    def _serve_notebooks(self) -> None:
        program = [homes.python(), str(self.home / homes.NOTEBOOKS)]
        null = subprocess.DEVNULL
        with contextlib.suppress(OSError):
            self.reaper.start(
                program,
                env=self.environment,
                cwd=self.home,
                fds=(null, null, null),
                ended=lambda _: None,
            )

    def _farewells(self) -> list[list[str]]:
        """Commands that end the multiplexers, whose processes may hide their environment."""
        commands = []
        tmux, screen = self._program("tmux"), self._program("screen")
        if tmux and any((self._folder / "tmux").glob("*/*")):
            commands.append([tmux, "kill-server"])
        if screen:
            with contextlib.suppress(OSError):
                sockets = (self._folder / "screen").iterdir()
                commands += [[screen, "-S", socket.name, "-X", "quit"] for socket in sockets]
        return commands

    def _program(self, name: str) -> str:
        return shutil.which(name, path=self.environment["PATH"]) or ""
