"""What an action is: its keys, words and place."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Where(StrEnum):
    """The screen an action belongs to."""

    MACHINES = "machines"
    SESSIONS = "sessions"
    ALL_SESSIONS = "all sessions"
    PANE = "pane"
    DETAILS = "details"
    VIEWER = "text"
    HOSTS = "hosts"
    GROUPS = "security groups"
    ADDRESSES = "elastic ips"
    TUNNELS = "tunnels"
    KEYS = "key pairs"
    RUNS = "runs"
    RUN_LOG = "run log"
    DIGEST = "digest"
    JUPYTER = "jupyter"
    FILES = "files"
    COPIES = "copies"
    NOTEBOOKS = "notebooks"
    KERNEL_LOG = "kernel log"
    MONITOR = "monitor"
    LOG = "log"
    HELP = "help"
    EVERYWHERE = "everywhere"


class Group(StrEnum):
    """The headings of the help screen, in its order."""

    MACHINE = "A machine"
    SESSION = "A session"
    RUN = "Runs"
    PANE = "In a pane"
    TUNNEL = "Tunnels"
    NETWORK = "Addresses and ports"
    HOST = "The ssh config"
    KEYS = "Keys"
    NOTEBOOK = "Jupyter"
    FILES = "Files"
    FIND = "Find"
    MOVE = "Move"
    EVERYWHERE = "Everywhere"


@dataclass(frozen=True, slots=True)
class Action:
    """One thing the user can do.

    `handler` is a method without arguments of the screen, or else of the app. `rule` is what
    `Workbench.why_not` is asked before it runs; empty when nothing can stand against it.
    """

    id: str
    keys: tuple[str, ...]
    words: str
    """One or two words for the footer and the palette."""
    help: str
    handler: str
    where: tuple[Where, ...]
    group: Group
    rule: str = ""
    footer: bool = False
    palette: bool = True
    at_once: bool = False
    """Done before the next key is looked at, so that what is typed after it goes where it leads."""
