"""Brings the programs of `cloudtui.host` to a host, once each."""

from __future__ import annotations

import hashlib
import shlex
from functools import cache
from importlib import resources

from cloudtui.model.errors import CloudtuiError
from cloudtui.ssh.connection import Connection

FOLDER = "$HOME/.local/share/cloudtui/programs"


@cache
def text(name: str) -> str:
    """The program as it is in `cloudtui.host`, such as `recorder.py`."""
    return resources.files("cloudtui.host").joinpath(name).read_text("utf-8")


def path(name: str) -> str:
    """Where it is on every host, for a POSIX shell's double quotes; another text, another path."""
    digest = hashlib.sha256(text(name).encode()).hexdigest()[:12]
    stem, _, ending = name.rpartition(".")
    return f"{FOLDER}/{stem}-{digest}.{ending}"


def placing(name: str) -> str:
    """POSIX sh that makes sure it is there, whole; the exit status is not 0 when it cannot be."""
    there, end = path(name), f"END_OF_{hashlib.sha256(name.encode()).hexdigest()[:16]}"
    return (
        f'if [ ! -s "{there}" ]; then (umask 077; mkdir -p "{FOLDER}" &&\n'
        f'cat >"{there}.$$" <<\'{end}\' && mv "{there}.$$" "{there}"\n'
        f"{text(name)}{end}\n"
        f'); fi; [ -s "{there}" ]\n'
    )


async def placed(conn: Connection, name: str) -> str:
    """The path of the program on the host, brought there when it is not there yet.

    Raises:
        CloudtuiError: it cannot be written there.
        ConnectionCut, Timeout: see `Connection.run`.
    """
    done = await conn.run(f'[ -s "{path(name)}" ] && printf %s "{path(name)}"')
    if done.stdout:
        return done.stdout
    done = await conn.run(f'{placing(name).rstrip()} && printf %s "{path(name)}"')
    if done.exit_status or not done.stdout:
        raise CloudtuiError(
            f"{conn.route.spoken} does not take {shlex.quote(name)}, which cloudtui runs there.",
            done.stderr.strip()[-400:],
            "See whether its disk is full, and whether ~/.local/share can be written: "
            "df -h ~; ls -ld ~/.local/share",
        )
    return done.stdout
