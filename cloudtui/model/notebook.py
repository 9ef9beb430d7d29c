"""A Jupyter server on a host, and what its own list commands print."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from cloudtui.model.answers import count, parsed


@dataclass(frozen=True, slots=True)
class JupyterServer:
    """A running server as found on the host; `port` is the port there."""

    port: int
    token: str = field(default="", repr=False)
    base_url: str = "/"
    host: str = "localhost"
    """Where it listens on the remote machine; `localhost` for any local address."""
    root_dir: str = ""
    pid: int | None = None
    secure: bool = False
    password: bool = False
    lab: bool = True
    """False for a classic notebook server older than JupyterLab."""
    version: str = ""
    """As its own file says it; empty when that does not."""
    environment: str = ""
    """The folder of the Python environment it runs from; empty when that is not known."""

    @property
    def key(self) -> str:
        """Tells it from the other servers of its host: `8888`, or `::1:8888`."""
        return f"{self.port}" if self.host == "localhost" else f"{self.host}:{self.port}"

    @property
    def tokenless(self) -> bool:
        """Whether it lets in by its password alone, or everybody; its `password` does not tell:
        since Jupyter Server 2 that is False for one set with `jupyter server password`."""
        return not self.token

    def url(self, local_port: int, *, token: bool = True, notebook: str = "") -> str:
        """The address to open through a tunnel on `local_port`; that of a notebook by its path."""
        scheme = "https" if self.secure else "http"
        page = "lab" if self.lab else "tree"
        if notebook:
            page = f"{'lab/tree' if self.lab else 'notebooks'}/{quote(notebook)}"
        query = f"?{urlencode({'token': self.token})}" if token and self.token else ""
        return f"{scheme}://localhost:{local_port}{self.base_url}{page}{query}"


@dataclass(frozen=True, slots=True)
class OpenJupyter:
    """A server reached through a tunnel that answered."""

    server: JupyterServer
    local_port: int
    started: bool
    """True when cloudtui started the server, False when it was found running."""
    wanted_port: int
    """The local port that was asked for; see `moved`."""
    tunnel: str = ""
    """The key of its tunnel."""
    password: bool = False
    """The browser will be asked for the server's password."""
    others: tuple[int, ...] = ()
    """The ports there of the other servers that run."""
    was_open: bool = False
    """Its tunnel was there before."""

    @property
    def moved(self) -> str:
        """Why it is not on the port that was asked for; empty when it is."""
        if self.local_port == self.wanted_port:
            return ""
        if self.was_open:
            return f"Its tunnel was open already: localhost:{self.local_port}."
        return f"Port {self.wanted_port} is taken here, so it is {self.local_port}."

    @property
    def url(self) -> str:
        return self.server.url(self.local_port)


_LOCAL = dict.fromkeys(("0.0.0.0", "", "127.0.0.1", "localhost", "*"), "localhost")
_LOCAL |= dict.fromkeys(("::", "::1"), "::1")
"""Where a server is reached on its host. On many hosts `localhost` is an IPv4 address only."""


def parse_servers(text: str) -> tuple[JupyterServer, ...]:
    """Servers from `jupyter server list --json`, `jupyter notebook list --json` (one JSON object
    a line) or their plain `http://... :: /dir` lines; each address once, newest format first."""
    found: dict[tuple[str, int], JupyterServer] = {}
    for line in text.splitlines():
        server = _from_json(line) or _from_line(line)
        if server and server.port:
            found.setdefault((server.host, server.port), server)
    return tuple(found.values())


def _from_json(line: str) -> JupyterServer | None:
    line = line.strip()
    if not line.startswith("{"):
        return None
    try:
        data = parsed(line)
    except ValueError:
        return None
    port = count(data.get("port")) if isinstance(data, dict) else 0
    if not 0 < port < 65_536:
        return None
    host = str(data.get("hostname") or "localhost")
    return JupyterServer(
        port=port,
        token=str(data.get("token") or ""),
        base_url=_slashes(str(data.get("base_url") or "/")),
        host=_LOCAL.get(host, host),
        root_dir=str(data.get("root_dir") or data.get("notebook_dir") or ""),
        pid=data.get("pid") if isinstance(data.get("pid"), int) else None,
        secure=bool(data.get("secure")),
        password=bool(data.get("password")),
        lab="root_dir" in data,
        version=str(data.get("version") or ""),
    )


_LINE = re.compile(r"^\s*(https?://\S+)(?:\s+::\s+(.*))?$")


def _from_line(line: str) -> JupyterServer | None:
    match = _LINE.match(line)
    if not match:
        return None
    try:
        url = urlsplit(match[1])
        port = url.port
    except ValueError:
        return None
    if not port:
        return None
    host = url.hostname or "localhost"
    return JupyterServer(
        port=port,
        token=parse_qs(url.query).get("token", [""])[0],
        base_url=_slashes(url.path),
        host=_LOCAL.get(host, host),
        root_dir=(match[2] or "").strip(),
        secure=url.scheme == "https",
    )


def _slashes(path: str) -> str:
    return "/" + "".join(f"{part}/" for part in path.split("/") if part)


def in_folder(server: JupyterServer, folder: str, home: str) -> bool:
    """Whether the server's folder is this one; a relative one begins at `home`, as `~` does."""
    wanted = home if folder in ("", "~") else posixpath.join(home, folder.removeprefix("~/"))
    return posixpath.normpath(wanted) == posixpath.normpath(server.root_dir or "/")


def best(servers: Iterable[JupyterServer]) -> JupyterServer | None:
    """The server to open when several run: JupyterLab before classic, then the lowest port."""
    return min(servers, key=lambda s: (not s.lab, s.port), default=None)
