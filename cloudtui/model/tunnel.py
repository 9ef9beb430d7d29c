"""What a tunnel is asked to be: the forms that `ssh -L`, `-R` and `-D` take, and usual ports."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cloudtui.model.errors import Ambiguous, CloudtuiError, NotFound, UsageError

PORT_NAMES = {
    8888: "Jupyter",
    8889: "Jupyter",
    6006: "TensorBoard",
    8265: "Ray",
    8787: "Dask",
    5000: "MLflow",
    8501: "Streamlit",
    7860: "Gradio",
    8080: "VS Code",
    3000: "Grafana",
    9090: "Prometheus",
    5432: "PostgreSQL",
    3306: "MySQL",
    6379: "Redis",
    4040: "Spark",
    8000: "HTTP",
}
"""What usually listens on a port."""

_WORDS = {"vscode": 8080, "code-server": 8080, "postgres": 5432, "lab": 8888, "notebook": 8888}
_WORDS |= {name.casefold().replace(" ", ""): port for port, name in reversed([*PORT_NAMES.items()])}


class Direction(StrEnum):
    """Which side listens, in ssh's words."""

    LOCAL = "local"
    """This computer listens, the host's side connects: `ssh -L`."""
    REMOTE = "remote"
    """The host listens, this computer's side connects: `ssh -R`."""
    DYNAMIC = "dynamic"
    """This computer listens as a SOCKS proxy, the host's side connects: `ssh -D`."""


FLAGS = {Direction.LOCAL: "-L", Direction.REMOTE: "-R", Direction.DYNAMIC: "-D"}
FORMS = {
    Direction.LOCAL: "8888, 9000:8888 or 9000:localhost:8888",
    Direction.REMOTE: "9000, 9000:8888 or 9000:localhost:8888",
    Direction.DYNAMIC: "1080",
}


@dataclass(frozen=True, slots=True)
class TunnelSpec:
    """One forwarding as it is wanted."""

    direction: Direction
    listen_port: int
    """The port listened on, here or, for REMOTE, on the host."""
    host: str = "localhost"
    """Where it leads, as the side that connects sees it; empty for DYNAMIC."""
    port: int = 0
    """The port it leads to; 0 for DYNAMIC."""
    bind: str = ""
    """The address listened on; empty is loopback alone."""

    def __str__(self) -> str:
        """As it would be given to ssh."""
        parts = [_bracketed(self.bind)] if self.bind else []
        parts.append(str(self.listen_port))
        if self.direction is not Direction.DYNAMIC:
            parts += [_bracketed(self.host), str(self.port)]
        return ":".join(parts)

    @property
    def name(self) -> str:
        """What usually listens where it leads, or empty."""
        if self.direction is Direction.DYNAMIC:
            return "SOCKS"
        return PORT_NAMES.get(self.port, "")

    @property
    def exposed(self) -> bool:
        """Whether other computers than the one that listens can use it."""
        return self.bind not in ("", "localhost", "::1") and not self.bind.startswith("127.")


class TunnelPhase(StrEnum):
    """Where a tunnel stands."""

    CONNECTING = "connecting"
    UP = "up"
    STALLED = "stalled"
    """The host has not answered for a while; it may still come back by itself."""
    RECONNECTING = "reconnecting"
    WAITING = "waiting"
    """The machine does not run; the tunnel goes on when it does."""
    FAILED = "failed"
    """It will not be tried again by itself."""


@dataclass(frozen=True, slots=True)
class TunnelState:
    """One tunnel, as it stands now."""

    instance_id: str
    label: str
    """`Jupyter on jupyter-lab`."""
    local_port: int
    """The port here; 0 is not taken yet."""
    remote_port: int
    """The port there; 0 for a SOCKS proxy."""
    phase: TunnelPhase
    since: datetime
    """When it came into this phase."""
    error: CloudtuiError | None = None
    bytes_in: int = 0
    """Bytes that came from the host."""
    bytes_out: int = 0
    direction: Direction = Direction.LOCAL
    host: str = "localhost"
    """Where it leads, as the side that connects sees it."""
    bind: str = ""
    machine: str = ""
    """The machine's name, or its id."""
    connections: int = 0
    """Connections open through it now."""
    cuts: int = 0
    """How often its SSH connection was lost."""
    latency: float | None = None
    """Seconds of the last round trip to the host."""
    retry_at: datetime | None = None
    """When the next attempt begins, while it waits for one."""
    problem: CloudtuiError | None = None
    """Why the last connection could not be passed on, though the tunnel is up."""

    @property
    def key(self) -> str:
        """What it is called by: the port listened on, `R9000` and the machine when on the host."""
        if self.direction is Direction.REMOTE:
            return f"R{self.remote_port}@{self.instance_id}"
        return f"{_bracketed(self.bind)}:{self.local_port}" if self.bind else str(self.local_port)

    @property
    def listens(self) -> int:
        """The port listened on: here, or on the host."""
        return self.remote_port if self.direction is Direction.REMOTE else self.local_port

    @property
    def where(self) -> str:
        """`localhost:8888 → bert-gpu:8888`, from the side that listens to the one that connects."""
        here = self.bind or "localhost"
        match self.direction:
            case Direction.REMOTE:
                there = f"{self.machine}:{self.remote_port}"
                return f"{there} → {_bracketed(self.host)}:{self.local_port}"
            case Direction.DYNAMIC:
                return f"{_bracketed(here)}:{self.local_port} → SOCKS at {self.machine}"
        end = self.machine if self.host in ("localhost", "127.0.0.1", "::1") else self.host
        return f"{_bracketed(here)}:{self.local_port} → {_bracketed(end)}:{self.remote_port}"


def parse_tunnel(text: str, direction: Direction = Direction.LOCAL) -> TunnelSpec:
    """`PORT`, `LISTEN:PORT`, `LISTEN:HOST:PORT` or `BIND:LISTEN:HOST:PORT`; IPv6 in brackets.

    A port may be the name of what usually listens there (`tensorboard`). DYNAMIC takes `PORT`
    or `BIND:PORT`.

    Raises:
        UsageError: it is none of these.
    """
    parts = _split(text)
    if parts is None or not all(parts):
        raise _wrong(text, direction)
    try:
        if direction is Direction.DYNAMIC:
            if len(parts) > 2:
                raise _wrong(text, direction)
            bind = parts[0] if len(parts) == 2 else ""
            return TunnelSpec(direction, _port(parts[-1]), "", 0, _every(bind))
        match parts:
            case [port]:
                found = _port(port)
                return TunnelSpec(direction, found, "localhost", found)
            case [listen, port]:
                return TunnelSpec(direction, _port(listen), "localhost", _port(port))
            case [listen, host, port]:
                return TunnelSpec(direction, _port(listen), _host(host), _port(port))
            case [bind, listen, host, port]:
                return TunnelSpec(direction, _port(listen), _host(host), _port(port), _every(bind))
    except ValueError as error:
        raise _wrong(text, direction, str(error)) from None
    raise _wrong(text, direction)


def port_label(port: int) -> str:
    """`8888 Jupyter`, or the number alone."""
    return f"{port} {PORT_NAMES[port]}" if port in PORT_NAMES else str(port)


def usual_first(ports: Iterable[int]) -> list[int]:
    """Ports in the order to offer them: those with a name first, then by number."""
    return sorted(set(ports), key=lambda port: (port not in PORT_NAMES, port))


_PART = re.compile(r"\[([^\[\]]*)\]|([^:\[\]]*)")


def _split(text: str) -> list[str] | None:
    parts: list[str] = []
    at = 0
    while True:
        found = _PART.match(text, at)
        assert found
        parts.append(found[1] if found[1] is not None else found[2])
        at = found.end()
        if at == len(text):
            return parts
        if text[at] != ":":
            return None
        at += 1


def _port(text: str) -> int:
    word = text.casefold()
    if word in _WORDS:
        return _WORDS[word]
    if not (text.isascii() and text.isdigit() and len(text) <= 5):
        raise ValueError(f"{text!r} is not a port.")
    number = int(text)
    if not 0 < number < 65_536:
        raise ValueError("A port is a number from 1 to 65535.")
    return number


def _host(text: str) -> str:
    if not text.isprintable() or " " in text or text.startswith("-"):
        raise ValueError(f"{text!r} is not a host.")
    return text


def _every(bind: str) -> str:
    return "0.0.0.0" if bind == "*" else _host(bind) if bind else ""


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _wrong(text: str, direction: Direction, detail: str = "") -> UsageError:
    return UsageError(f"{text!r} is not a tunnel.", detail, f"Write it as {FORMS[direction]}.")


def find_tunnels(states: Sequence[TunnelState], text: str) -> list[TunnelState]:
    """The tunnel of that key, those of the machine called so, or the one that listens on that
    port: here, or there with `-R`.

    Raises:
        NotFound: none; the detail lists those there are.
        Ambiguous: several machines are called so, or several tunnels listen on that port.
    """
    for found, one in (
        ([t for t in states if t.key == text], len),
        ([t for t in states if text in (t.machine, t.instance_id)], _machines),
        ([t for t in states if text == str(t.listens)], len),
    ):
        if found and one(found) > 1:
            lines = [f"{t.key}  {t.where}" for t in found]
            raise Ambiguous(
                f"{len(found)} tunnels answer to {text}.", lines, "See: cloudtui tunnel ls"
            )
        if found:
            return found
    raise NotFound(
        f"No tunnel {text} is open in the background.",
        f"Open are: {', '.join(sorted(t.key for t in states)) or 'none'}.",
        "See: cloudtui tunnel ls",
    )


def _machines(states: Sequence[TunnelState]) -> int:
    return len({t.instance_id for t in states})
