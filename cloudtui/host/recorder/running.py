"""Every code cell of a notebook, run in its kernel, with the outputs saved in the notebook."""

import os
import socket
import sys
import time
from typing import Any, Dict, List, Optional, Tuple

from . import keeping, servers
from .recording import state_path
from .wire import Broken, Locked, Message, Wire

_SAVE = 5.0
"""Seconds between two saves of the notebook while it runs."""
_START = 30.0
"""Seconds a new kernel has to come up."""


class Refused(Exception):
    """It is not run; `status` is the program's exit status."""

    def __init__(self, words: str, status: int = 1, candidates: Tuple[str, ...] = ()) -> None:
        super().__init__(words)
        self.status = status
        self.candidates = candidates


def run_path(folder: str) -> str:
    """The file that tells how far a kernel's run is."""
    return os.path.join(folder, "run.json")


def told(folder: str) -> Dict[str, Any]:
    """How far the last run is; empty when there was none."""
    run = keeping.read_json(run_path(folder))
    if run.get("state") == "running" and not _lives(run):
        run["state"], run["error"] = "lost", "the program that ran the cells was ended"
    return run


def _lives(run: Dict[str, Any]) -> bool:
    try:
        os.kill(int(run["pid"]), 0)
        with open("/proc/%d/cmdline" % int(run["pid"]), "rb") as file:
            return b"recorder" in file.read()
    except FileNotFoundError:
        return not os.path.isdir("/proc/self")
    except (OSError, ValueError, KeyError):
        return False


def main(home: str, name: str, port: int) -> Dict[str, Any]:
    """Find the notebook and begin; what is run is the answer. The cells run in a process of their
    own, which nobody has to wait for.

    Raises:
        Refused: no such notebook, several, it runs already, or its kernel does not start.
    """
    run = Run(home, *_found(name, port))
    run.prepare()
    answer = {"kernel": run.kernel, "path": run.path, "cells": len(run.cells)}
    sys.stdout.flush()
    child = os.fork()
    if child:
        end = time.time() + 5
        folder = os.path.join(home, run.kernel)
        while time.time() < end and keeping.read_json(run_path(folder)).get("pid") != child:
            time.sleep(0.02)
        return answer
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nothing, number)
    try:
        run.all_cells()
    finally:
        os._exit(0)


Found = Tuple[servers.Server, str, str]
"""A server, a notebook's path there, and its kernel or nothing."""


def _found(name: str, port: int) -> Found:
    """The notebook called so: one with a kernel whose path or kernel it is, then a file of that
    path, then one with a kernel that is called so in part. With `port` of that server alone."""
    every: List[Found] = []
    problems: List[str] = []
    there = servers.running_servers(
        servers.runtime_folders(sorted({os.path.dirname(p) for p in servers.kernel_processes()}))
    )
    asked = []
    for server in there:
        if port and server.port != port:
            continue
        try:
            sessions = server.sessions()
        except servers.Failed as error:
            problems.append("The Jupyter server on port %d: %s." % (server.port, error))
            continue
        asked.append(server)
        every += [(server, path, kernel) for kernel, (path, _) in sessions.items() if path]
    found = exactly(name, every) or one_of_each_file(_files(name, asked)) or in_part(name, every)
    if len(found) == 1:
        return found[0]
    lines = tuple("port %d  %s" % (e[0].port, _file(e) or e[1]) for e in found or every)
    if found:
        raise Refused("%d notebooks answer to %s." % (len(found), name), 3, lines)
    if not there:
        raise Refused("No Jupyter server runs there.", 3)
    if problems and not asked:
        raise Refused(" ".join(problems))
    if not asked:
        lines = tuple("port %d  %s" % (s.port, s.root or "its folder") for s in there)
        raise Refused("No Jupyter server runs on port %d there." % port, 3, lines)
    lines += tuple("port %d  looks below %s" % (s.port, s.root or "its folder") for s in asked)
    raise Refused("No Jupyter server there has a notebook %s." % name, 3, lines)


def _file(entry: Found) -> str:
    """Where the notebook lies on the disk; empty when its server does not tell its folder."""
    root = entry[0].root
    return os.path.realpath(os.path.join(os.path.expanduser(root), entry[1])) if root else ""


def exactly(name: str, every: List[Found]) -> List[Found]:
    """Those whose path or kernel it is."""
    file = os.path.realpath(name) if name.startswith("/") else ""
    return [e for e in every if name in (e[1], e[2]) or (file and _file(e) == file)]


def in_part(name: str, every: List[Found]) -> List[Found]:
    """Those whose path ends with it, else whose name it is without its ending, else whose kernel
    begins with it."""
    return (
        [e for e in every if e[1].endswith("/" + name)]
        or [e for e in every if os.path.basename(e[1]) == name + ".ipynb"]
        or [e for e in every if len(name) > 3 and e[2].startswith(name)]
    )


def _files(name: str, asked: List[servers.Server]) -> List[Found]:
    """A file of that path, on each server that has it."""
    found: List[Found] = []
    for server in asked:
        path = servers.below_root(name, [server]) if name.startswith("/") else name
        try:
            server.ask("GET", server.contents(path) + "?content=0")
        except servers.Failed:
            continue
        found.append((server, path, ""))
    return found


def one_of_each_file(found: List[Found]) -> List[Found]:
    """Where the folder of a server lies in that of another, both have a file: the inner one."""
    best: Dict[str, Found] = {}
    for entry in sorted(found, key=lambda e: -len(e[0].root)):
        best.setdefault(_file(entry) or "%d %s" % (entry[0].port, entry[1]), entry)
    return list(best.values())


class Run:
    """One run of all cells."""

    def __init__(self, home: str, server: servers.Server, path: str, kernel: str) -> None:
        self._home = home
        self._server = server
        self.path = path
        self.kernel = kernel
        self.cells: List[Dict[str, Any]] = []
        self._notebook: Dict[str, Any] = {}
        self._modified: Any = None
        self._saved = 0.0
        self._problem = ""
        self._state: Dict[str, Any] = {}

    def prepare(self) -> None:
        """Read the notebook, and see that its kernel runs and is recorded."""
        try:
            file = self._server.ask("GET", self._server.contents(self.path), timeout=60)
            if file.get("type") != "notebook":
                raise Refused("%s is no notebook." % self.path)
            self._notebook, self._modified = file["content"], file.get("last_modified")
            if not self.kernel:
                self.kernel = self._started()
        except servers.Failed as error:
            raise Refused(
                "The Jupyter server on port %d: %s." % (self._server.port, error)
            ) from None
        self.cells = [
            cell
            for cell in self._notebook.get("cells") or ()
            if cell.get("cell_type") == "code" and _source(cell).strip()
        ]
        if not self.cells:
            raise Refused("%s has no code to run." % self.path)
        folder = os.path.join(self._home, self.kernel)
        if told(folder).get("state") == "running":
            raise Refused("A run of %s is under way already." % self.path, 4)
        end = time.time() + _START
        while not self._recorded() and time.time() < end:
            time.sleep(0.05)

    def _started(self) -> str:
        name = ((self._notebook.get("metadata") or {}).get("kernelspec") or {}).get("name")
        wanted = {
            "path": self.path,
            "name": os.path.basename(self.path),
            "type": "notebook",
            "kernel": {"name": name} if name else {},
        }
        session = self._server.ask("POST", "api/sessions", wanted, timeout=90)
        return str(session["kernel"]["id"])

    def _recorded(self) -> bool:
        state = keeping.read_json(state_path(self._home))
        kernels = state.get("kernels") or ()
        return any(k.get("id") == self.kernel and k.get("state") == "recorded" for k in kernels)

    def all_cells(self) -> None:
        """Run them, until one fails."""
        self._state = {
            "pid": os.getpid(), "path": self.path, "cells": len(self.cells), "cell": 0,
            "since": time.time(), "state": "running", "error": "",
        }  # fmt: skip
        self._tell()
        try:
            failed = self._each()
            self._save(last=True)
        except (OSError, EOFError, Broken, Locked) as error:
            failed = "its kernel is gone (%s)" % error
            self._save(last=True)
        self._tell(
            state="failed" if failed else "done", error=failed, until=time.time(),
            problem=self._problem,
        )  # fmt: skip

    def _tell(self, **facts: Any) -> None:
        self._state.update(facts)
        folder = os.path.join(self._home, self.kernel)
        try:
            os.makedirs(folder, 0o700, exist_ok=True)
            keeping.write_json(run_path(folder), self._state)
        except OSError:
            return

    def _each(self) -> str:
        """Why it stopped early; empty when every cell was run."""
        info = self._info()
        iopub, shell = Wire(info, "iopub"), Wire(info, "shell")
        self._listened(iopub, shell)
        for number, cell in enumerate(self.cells, 1):
            self._tell(cell=number)
            cell["outputs"], cell["execution_count"] = [], None
            outputs = _Outputs(cell)
            request = shell.send(
                "execute_request",
                {
                    "code": _source(cell), "silent": False, "store_history": True,
                    "user_expressions": {}, "allow_stdin": False, "stop_on_error": True,
                },
            )  # fmt: skip
            while True:
                message = iopub.receive()
                if message is None or message.parent != request:
                    continue
                if outputs.take(message):
                    break
            reply = shell.receive(20)
            while reply is None or reply.parent != request:
                reply = shell.receive(20)
            self._save()
            if reply.content.get("status") != "ok":
                name = reply.content.get("ename") or reply.content.get("status")
                return "%s: %s" % (name, reply.content.get("evalue") or "")
        return ""

    def _info(self) -> Dict[str, Any]:
        end = time.time() + _START
        while True:
            processes = servers.kernel_processes()
            folders = servers.runtime_folders(sorted({os.path.dirname(p) for p in processes}))
            for kernel in servers.live_kernels(folders, processes):
                if kernel.id == self.kernel and kernel.info():
                    return kernel.info()
            if time.time() > end:
                raise EOFError("it has no connection file")
            time.sleep(0.1)

    def _listened(self, iopub: Wire, shell: Wire) -> None:
        """Wait until the kernel publishes to this subscriber: a kernel that starts takes a while,
        and one that runs a cell does not answer before its end."""
        end = time.time() + _START
        while time.time() < end:
            shell.send("kernel_info_request", {})
            try:
                iopub.receive(0.5)
            except socket.timeout:
                continue
            return

    def _save(self, last: bool = False) -> None:
        if self._problem or (not last and time.time() - self._saved < _SAVE):
            return
        place = self._server.contents(self.path)
        try:
            now = self._server.ask("GET", place + "?content=0").get("last_modified")
            if now != self._modified:
                self._problem = "the notebook was saved by somebody else meanwhile"
                return
            body = {"type": "notebook", "format": "json", "content": self._notebook}
            self._modified = self._server.ask("PUT", place, body, timeout=60).get("last_modified")
        except (servers.Failed, AttributeError) as error:
            self._problem = str(error)
        self._saved = time.time()


class _Outputs:
    """What a cell prints, as its notebook keeps it."""

    def __init__(self, cell: Dict[str, Any]) -> None:
        self._cell = cell
        self._list: List[Dict[str, Any]] = cell["outputs"]
        self._shown: Dict[str, List[Dict[str, Any]]] = {}
        self._clear = False

    def take(self, message: Message) -> bool:
        """Whether the cell is done."""
        kind, content = message.type, message.content
        if kind == "status":
            return bool(content.get("execution_state") == "idle")
        if kind == "execute_input":
            self._cell["execution_count"] = content.get("execution_count")
        elif kind == "clear_output":
            self._clear = bool(content.get("wait"))
            if not self._clear:
                del self._list[:]
        elif kind == "update_display_data":
            for output in self._shown.get(_display(content) or "", ()):
                output["data"] = content.get("data") or {}
                output["metadata"] = content.get("metadata") or {}
        else:
            new = _output(kind, content)
            if new is None:
                return False
            if self._clear:
                del self._list[:]
                self._clear = False
            self._add(new, _display(content))
        return False

    def _add(self, output: Dict[str, Any], display: Optional[str]) -> None:
        last = self._list[-1] if self._list else {}
        if output["output_type"] == "stream" and last.get("name") == output["name"]:
            last["text"] += output["text"]
            return
        self._list.append(output)
        if display:
            self._shown.setdefault(display, []).append(output)


def _display(content: Dict[str, Any]) -> Optional[str]:
    return (content.get("transient") or {}).get("display_id")


def _output(kind: str, content: Dict[str, Any]) -> Optional[Dict[str, Any]]:
    if kind == "stream":
        return {
            "output_type": "stream", "name": content.get("name", "stdout"),
            "text": content.get("text", ""),
        }  # fmt: skip
    if kind in ("display_data", "execute_result"):
        output: Dict[str, Any] = {
            "output_type": kind, "data": content.get("data") or {},
            "metadata": content.get("metadata") or {},
        }  # fmt: skip
        if kind == "execute_result":
            output["execution_count"] = content.get("execution_count")
        return output
    if kind == "error":
        return {
            "output_type": "error", "ename": content.get("ename", ""),
            "evalue": content.get("evalue", ""), "traceback": content.get("traceback") or [],
        }  # fmt: skip
    return None


def _source(cell: Dict[str, Any]) -> str:
    source = cell.get("source") or ""
    return "".join(source) if isinstance(source, list) else str(source)
