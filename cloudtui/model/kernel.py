"""Kernels and terminals of a Jupyter server, as its REST interface tells of them."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cloudtui.model.answers import moment
from cloudtui.model.errors import Ambiguous, CloudtuiError, NotFound
from cloudtui.model.notebook import JupyterServer


@dataclass(frozen=True, slots=True)
class Kernel:
    """A running kernel."""

    id: str
    name: str = ""
    """Of its kernelspec, such as `python3`."""
    state: str = "unknown"
    """Jupyter's execution_state: idle, busy, starting, restarting, autorestarting, dead, ..."""
    last_activity: datetime | None = None
    """By the host's clock."""
    connections: int = 0
    """Browsers and other programs that listen to it now."""
    path: str = ""
    """Of its notebook, relative to the server's folder; empty for a kernel without one."""
    session_id: str = ""
    memory: int | None = None
    """Bytes its process holds (RSS); None when that is not known."""

    @property
    def spoken(self) -> str:
        """What people call it: its notebook, or else the beginning of its id."""
        return self.path or self.short_id

    @property
    def short_id(self) -> str:
        return self.id[:8]

    @property
    def busy(self) -> bool:
        return self.state == "busy"


@dataclass(frozen=True, slots=True)
class NotebookServer:
    """A running server of an instance and what it holds."""

    server: JupyterServer
    instance_id: str
    kernels: tuple[Kernel, ...] = ()
    terminals: tuple[str, ...] = ()
    """Names of its terminals."""
    version: str = ""
    """Of jupyter_server or, on old servers, of the notebook."""
    memory: int | None = None
    """Bytes the server's own process holds (RSS)."""
    error: CloudtuiError | None = None
    """Why it did not tell: it hangs, or wants its password."""


def parse_kernels(
    kernels: Any, sessions: Any, memory: Mapping[str, int] | None = None
) -> tuple[Kernel, ...]:
    """Kernels from the answers of `/api/kernels` and `/api/sessions`, those with a notebook first.

    `memory` is bytes by kernel id. Entries of an unknown shape are left out.
    """
    memory = memory or {}
    homes: dict[str, tuple[str, str]] = {}
    for session in _entries(sessions):
        kernel, notebook = session.get("kernel"), session.get("notebook")
        if not isinstance(kernel, dict):
            continue
        path = session.get("path")
        if not path and isinstance(notebook, dict):
            path = notebook.get("path")
        homes[_text(kernel.get("id"))] = (_text(path), _text(session.get("id")))
    found = []
    for entry in _entries(kernels):
        kernel_id = _text(entry.get("id"))
        if not kernel_id:
            continue
        path, session_id = homes.get(kernel_id, ("", ""))
        connections = entry.get("connections")
        found.append(
            Kernel(
                id=kernel_id,
                name=_text(entry.get("name")),
                state=_text(entry.get("execution_state")) or "unknown",
                last_activity=parse_time(entry.get("last_activity")),
                connections=connections if isinstance(connections, int) else 0,
                path=path,
                session_id=session_id,
                memory=memory.get(kernel_id),
            )
        )
    return tuple(sorted(found, key=lambda k: (not k.path, k.path, k.id)))


def parse_terminals(terminals: Any) -> tuple[str, ...]:
    """Names from the answer of `/api/terminals`."""
    return tuple(name for entry in _entries(terminals) if (name := _text(entry.get("name"))))


def parse_time(text: Any) -> datetime | None:
    """Jupyter's `2026-11-21T19:00:00.123456Z`; None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text)
        found = found if found.tzinfo else found.replace(tzinfo=UTC)
        return moment(found.timestamp())
    except (ValueError, OverflowError):
        return None


def find_kernel(servers: Iterable[NotebookServer], text: str) -> tuple[NotebookServer, Kernel]:
    """The kernel with that notebook path, file name, id, or a unique beginning of its id.

    Raises:
        NotFound: none; the detail lists those there are.
        Ambiguous: several.
    """
    every = [(server, kernel) for server in servers for kernel in server.kernels]
    ways = (
        lambda k: text in (k.id, k.path),
        lambda k: k.path.rpartition("/")[2] == text,
        lambda k: len(text) > 1 and k.id.startswith(text),
    )
    for way in ways:
        found = [(server, kernel) for server, kernel in every if way(kernel)]
        if len(found) == 1:
            return found[0]
        if found:
            raise Ambiguous(
                f"{len(found)} kernels answer to {text}.",
                [_line(server, kernel) for server, kernel in found],
                "Name one by more of its id.",
            )
    lines = "\n".join(_line(server, kernel) for server, kernel in every)
    raise NotFound(f"No kernel answers to {text}.", lines or "No kernel runs there.")


def _line(server: NotebookServer, kernel: Kernel) -> str:
    return f"{kernel.short_id}  {kernel.state}  port {server.server.port}  {kernel.path}".rstrip()


def _entries(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def notebooks_match(
    host: str, server: NotebookServer, item: Kernel | str | None, query: str
) -> bool:
    """Whether a kernel, a terminal (its name) or the server itself passes the filter: every word
    must hold; case never matters.

    `host:`, `port:`, `state:`, `notebook:`, `folder:`, `kernel:` and `id:` look at one field; any
    other word is looked for in all of them, and in what it is: server, kernel, terminal.
    """
    kernel = item if isinstance(item, Kernel) else None
    fields = {
        "host": host,
        "port": str(server.server.port),
        "folder": server.server.root_dir,
        "what": "kernel" if kernel else "server" if item is None else "terminal",
        "state": kernel.state if kernel else "",
        "notebook": kernel.path if kernel else "",
        "kernel": kernel.name if kernel else "",
        "id": kernel.id if kernel else item if isinstance(item, str) else "",
    }
    for word in query.casefold().split():
        key, colon, value = word.partition(":")
        if colon and key in fields:
            if not fnmatch.fnmatchcase(fields[key].casefold(), f"{value}*"):
                return False
        elif not any(word in text.casefold() for text in fields.values()):
            return False
    return True
