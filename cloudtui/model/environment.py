"""A Python environment on a host: of conda, a virtual environment, or the system's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from cloudtui.model.errors import Ambiguous, NotFound


class Kind(StrEnum):
    """Who made it."""

    CONDA = "conda"
    VENV = "venv"
    SYSTEM = "system"


class Has(StrEnum):
    """What of Jupyter it has, the most first."""

    LAB = "JupyterLab"
    NOTEBOOK = "classic notebook"
    PIP = "no Jupyter"
    """It could be installed there with pip."""
    NOTHING = "no Jupyter, no pip"


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a server can be started from."""

    path: str
    """Its folder; programs are in `bin` below it."""
    kind: Kind = Kind.VENV
    has: Has = Has.LAB
    python: str = ""
    """Python's version, or empty."""
    name: str = ""
    """What people call it: conda's name, or the path."""

    @property
    def ready(self) -> bool:
        """A server can be started from it now."""
        return self.has in (Has.LAB, Has.NOTEBOOK)

    @property
    def words(self) -> str:
        """`torch  conda, Python 3.11.4, JupyterLab`."""
        python = (f"Python {self.python}",) if self.python else ()
        return f"{self.name}  {', '.join((self.kind, *python, self.has))}"


def parse_environments(text: str) -> tuple[Environment, ...]:
    """Those of `ENV KIND HAS VERSION PATH` lines, as `ssh.jupyter_environments` prints them; a
    `HOME PATH` line before them shortens paths. Those with JupyterLab come first."""
    home = ""
    found: list[Environment] = []
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        if word == "HOME":
            home = rest.rstrip("/")
        elif word == "ENV":
            parts = rest.split(" ", 3)
            if len(parts) == 4 and parts[0] in list(Kind) and parts[1] in Has.__members__:
                kind, has = Kind(parts[0]), Has[parts[1]]
                version = "" if parts[2] == "-" else parts[2]
                found.append(Environment(parts[3], kind, has, version))
    named = [replace(each, name=_name(each, home)) for each in found]
    counts = Counter(each.name for each in named)
    named = [
        each if counts[each.name] == 1 else replace(each, name=_short(each.path, home))
        for each in named
    ]
    order = list(Has)
    return tuple(sorted(named, key=lambda e: (order.index(e.has), e.name.casefold(), e.path)))


def _name(environment: Environment, home: str) -> str:
    parent, _, last = environment.path.rpartition("/")
    if environment.kind is Kind.CONDA:
        return last if parent.endswith("/envs") else "base"
    if environment.kind is Kind.SYSTEM:
        return "system"
    return _short(environment.path, home)


def _short(path: str, home: str) -> str:
    return f"~{path[len(home) :]}" if home and path.startswith(f"{home}/") else path


def find_environment(environments: Sequence[Environment], text: str) -> Environment:
    """The one of that name, path, or last part of the path.

    Raises:
        NotFound: none, or several (`Ambiguous`); the detail lists those there are.
    """
    wanted = text.rstrip("/") or "/"
    ways = (
        lambda e: wanted in (e.name, e.path),
        lambda e: e.path.endswith(f"/{wanted.removeprefix('~/')}"),
    )
    for way in ways:
        found = [each for each in environments if way(each)]
        if len(found) == 1:
            return found[0]
        if found:
            raise Ambiguous(
                f"{len(found)} environments answer to {text}.",
                [each.path for each in found],
                "Name one by its path.",
            )
    raise NotFound(
        f"No Python environment answers to {text}.",
        "\n".join(each.words for each in environments) or "None was found there.",
        "Looked for conda environments, and for virtual environments up to two folders deep.",
    )
