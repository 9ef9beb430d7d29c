"""What is asked about one machine only when somebody looks at it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from cloudtui.model.errors import CloudtuiError
from cloudtui.model.security_group import Group


@dataclass(frozen=True, slots=True)
class Volume:
    """An EBS volume."""

    id: str
    size: int
    """GiB."""
    type: str = ""
    """`gp3`, `io2`, `st1`, ..."""
    encrypted: bool = False
    device: str = ""
    delete_on_termination: bool = False
    iops: int = 0
    throughput: int = 0
    """MiB/s; 0 for the types where none is set."""
    state: str = ""
    instance_id: str = ""
    """The machine it is attached to; empty for none."""


@dataclass(frozen=True, slots=True)
class Checks:
    """EC2's status checks: `ok`, `initializing`, `impaired`, `insufficient-data`,
    `not-applicable`, or empty when EC2 gives none."""

    system: str = ""
    instance: str = ""
    ebs: str = ""
    events: tuple[str, ...] = ()
    """What AWS has planned for the machine, such as a retirement, with its day."""


@dataclass(frozen=True, slots=True)
class Protection:
    """Whether EC2 refuses to terminate or stop it."""

    terminate: bool = False
    stop: bool = False


@dataclass(frozen=True, slots=True)
class Image:
    """What the machine was made from."""

    id: str
    name: str = ""
    description: str = ""
    user: str = ""
    """The login user that images of this kind have."""


@dataclass(frozen=True, slots=True)
class MachineDetails:
    """What is known of a machine beside its row; a part is None until it was asked, and the
    failure when it could not be."""

    volumes: tuple[Volume, ...] | CloudtuiError | None = None
    groups: tuple[Group, ...] | CloudtuiError | None = None
    checks: Checks | CloudtuiError | None = None
    image: Image | CloudtuiError | None = None
    protection: Protection | CloudtuiError | None = None
    asked: datetime | None = None
    """When all parts had answered."""


@dataclass(frozen=True, slots=True)
class ConsoleOutput:
    """The last 64 KiB of a machine's serial console."""

    lines: tuple[str, ...] = ()
    when: datetime | None = None
    latest: bool = False
    """Read at this moment, as Nitro machines can; else EC2's own copy, minutes old."""


@dataclass(frozen=True, slots=True)
class UserData:
    """What the machine is told at its first start; it may hold secrets."""

    text: str = ""
    size: int = 0
    """Bytes as stored."""
    packed: bool = False
    """It was gzipped."""
    binary: bool = False
    """It is no text: `text` is empty."""


_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[PX^_].*?(?:\x1b\\|$)|\x1b."
    r"|\x9b[0-?]*[ -/]*[@-~]"
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def plain_lines(text: str) -> tuple[str, ...]:
    """Lines as they can be shown: no terminal sequences or controls, tabs as spaces; of a line
    that was written over (a progress bar) the last state."""
    lines = []
    for line in _ESCAPES.sub("", text).replace("\r\n", "\n").split("\n"):
        kept = line.rstrip("\r").rpartition("\r")[2]
        lines.append(_CONTROLS.sub("", kept.expandtabs(8)).rstrip())
    while lines and not lines[-1]:
        lines.pop()
    return tuple(lines)
