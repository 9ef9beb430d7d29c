"""The Jupyter servers and kernels of this user, found by the files and processes they have."""

import http.client
import json
import os
import re
import socket
import time
from typing import Any, Dict, Iterator, List, Optional, Tuple
from urllib.parse import quote

from .keeping import read_json

_KERNEL = re.compile(r"kernel-(.+)\.json$")
_FRESH = 30.0
"""Seconds in which a new connection file may have no process yet."""


class Failed(Exception):
    """A server that does not tell; `status` is its HTTP status, or 0."""

    def __init__(self, words: str, status: int = 0, message: str = "") -> None:
        super().__init__(words)
        self.status = status
        self.message = message


def runtime_folders(more: List[str]) -> List[str]:
    """Where Jupyter keeps the files of running servers and kernels."""
    environment = os.environ
    home = os.path.expanduser("~")
    places = [environment.get("JUPYTER_RUNTIME_DIR", ""), *more]
    for variable, below in (("JUPYTER_DATA_DIR", "runtime"), ("XDG_DATA_HOME", "jupyter/runtime")):
        if environment.get(variable):
            places.append(os.path.join(environment[variable], below))
    places.append(os.path.join(home, ".local/share/jupyter/runtime"))
    places.append(os.path.join(home, "Library/Jupyter/runtime"))
    found: List[str] = []
    for place in places:
        if place and place not in found and os.path.isdir(place):
            found.append(place)
    return found


def _alive(pid: Any) -> bool:
    try:
        os.kill(int(pid), 0)
    except PermissionError:
        return True
    except (OSError, ValueError, TypeError, OverflowError):
        return False
    return True


def running_servers(folders: List[str]) -> List["Server"]:
    """Those whose process lives, the newest file of each port."""
    found: Dict[Tuple[str, int], Server] = {}
    for folder in folders:
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for name in sorted(names):
            if name.endswith(".json") and name.startswith(("jpserver-", "nbserver-")):
                about = read_json(os.path.join(folder, name))
                if about.get("port") is not None and _alive(about.get("pid")):
                    server = Server(about)
                    found[(server.host, server.port)] = server
    return list(found.values())


class Server:
    """A running Jupyter server, asked over its REST interface."""

    def __init__(self, about: Dict[str, Any]) -> None:
        host = str(about.get("hostname") or "localhost")
        local = ("0.0.0.0", "::", "", "127.0.0.1", "localhost", "*")
        self.host = "localhost" if host in local else host
        self.port = int(about["port"])
        self.sock = str(about.get("sock") or "")
        self.secure = bool(about.get("secure"))
        self.root = str(about.get("root_dir") or about.get("notebook_dir") or "")
        self.pid = about.get("pid")
        base = str(about.get("base_url") or "/")
        self.base = "/" + "".join(part + "/" for part in base.split("/") if part)
        self._token = str(about.get("token") or "")

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        if self.sock:
            return _UnixConnection(self.sock, timeout)
        if self.secure:
            import ssl

            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            return http.client.HTTPSConnection(
                self.host, self.port, timeout=timeout, context=context
            )
        return http.client.HTTPConnection(self.host, self.port, timeout=timeout)

    def ask(self, method: str, path: str, body: Any = None, timeout: float = 10.0) -> Any:
        """The answer's JSON; the request counts for no activity of the user.

        Raises:
            Failed: it does not answer, or refuses.
        """
        headers = {"Accept": "application/json"}
        if self._token:
            headers["Authorization"] = "token " + self._token
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body)
        mark = "&" if "?" in path else "?"
        connection = self._connection(timeout)
        try:
            connection.request(
                method, self.base + path + mark + "no_track_activity=1", data, headers
            )
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            raise Failed("it does not answer (%s)" % error) from error
        finally:
            connection.close()
        if answer.status in (301, 302, 303, 401, 403):
            if not self._token:
                raise Failed("it wants its password", answer.status)
            raise Failed("it does not take its token", answer.status)
        try:
            value = json.loads(text) if text.strip() else None
        except ValueError:
            value = text
        if answer.status >= 300:
            message = str(value.get("message") or "") if isinstance(value, dict) else ""
            said = "it refuses (HTTP %d) %s" % (answer.status, message.strip().rstrip("."))
            raise Failed(said.rstrip(), answer.status, message)
        return value

    def sessions(self) -> Dict[str, Tuple[str, str]]:
        """Notebook path and kernelspec by kernel id.

        Raises:
            Failed: see `ask`.
        """
        found = {}
        answer = self.ask("GET", "api/sessions", timeout=4.0)
        for session in answer if isinstance(answer, list) else ():
            kernel = session.get("kernel") or {}
            path = session.get("path") or (session.get("notebook") or {}).get("path") or ""
            if kernel.get("id"):
                found[str(kernel["id"])] = (str(path), str(kernel.get("name") or ""))
        return found

    def contents(self, path: str) -> str:
        """The address of a file's contents."""
        return "api/contents/" + quote(path.strip("/"))


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Kernel:
    """A kernel that runs, or is about to."""

    def __init__(self, kernel_id: str, path: str, pid: Optional[int]) -> None:
        self.id = kernel_id
        self.path = path
        """Of its connection file."""
        self.pid = pid

    def info(self) -> Dict[str, Any]:
        """What its connection file says; empty when there is none any more."""
        found = read_json(self.path)
        return found if "iopub_port" in found and "ip" in found else {}


def _processes() -> Iterator[Tuple[int, List[str]]]:
    """Pid and words of this user's processes, where the system tells."""
    own = os.getuid()
    try:
        names = os.listdir("/proc")
    except OSError:
        return
    for name in names:
        if not name.isdigit():
            continue
        try:
            if os.stat("/proc/" + name).st_uid != own:
                continue
            with open("/proc/%s/cmdline" % name, "rb") as file:
                line = file.read(65536)
        except OSError:
            continue
        if b"kernel" in line and b".json" in line and _same_home(int(name)):
            yield int(name), line.decode("utf-8", "replace").split("\0")


def kernel_processes() -> Dict[str, int]:
    """The pid of each kernel, by the path of its connection file."""
    found: Dict[str, int] = {}
    for pid, words in _processes():
        for word in words:
            if _KERNEL.search(word) and word.startswith("/"):
                found.setdefault(word, pid)
    return found


def live_kernels(folders: List[str], processes: Dict[str, int]) -> List[Kernel]:
    """Those that have a process, or a connection file that was just written."""
    told = os.path.isdir("/proc/self")
    found: Dict[str, Kernel] = {}
    for path, pid in processes.items():
        match = _KERNEL.search(path)
        if match and os.path.exists(path):
            found[match.group(1)] = Kernel(match.group(1), path, pid)
    now = time.time()
    for folder in folders:
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for name in names:
            match = _KERNEL.match(name)
            if not match or match.group(1) in found or "/" in match.group(1):
                continue
            path = os.path.join(folder, name)
            try:
                age = now - os.stat(path).st_mtime
            except OSError:
                continue
            if age < _FRESH or not told:
                found[match.group(1)] = Kernel(match.group(1), path, None)
    return list(found.values())


def _environment(pid: int) -> Dict[str, str]:
    """What a process was started with; empty when that cannot be read."""
    try:
        with open("/proc/%d/environ" % pid, "rb") as file:
            words = file.read(1 << 20).decode("utf-8", "replace").split("\0")
    except OSError:
        return {}
    return {name: value for name, _, value in (word.partition("=") for word in words)}


def _same_home(pid: int) -> bool:
    """Not a process of another home folder of this user, which has a recorder of its own."""
    home = _environment(pid).get("HOME")
    return not home or os.path.realpath(home) == os.path.realpath(os.path.expanduser("~"))


def notebook_of(pid: Optional[int]) -> str:
    """The notebook a kernel was started for, as the server told its process; empty otherwise."""
    return _environment(pid).get("JPY_SESSION_NAME", "") if pid else ""


def below_root(path: str, servers: List[Server]) -> str:
    """A notebook's path as its server tells it: relative to the server's folder."""
    for server in sorted(servers, key=lambda s: -len(s.root)):
        root = os.path.expanduser(server.root).rstrip("/") + "/"
        if server.root and path.startswith(root):
            return path[len(root) :]
    return path.lstrip("/")
