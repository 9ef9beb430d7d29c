"""Long runs on the host: started, listed, followed, stopped; `host/job.sh` does it there."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from cloudtui.model.errors import CloudtuiError, NotFound, UsageError
from cloudtui.model.job import Job, JobSpec, check_job_name, name_of
from cloudtui.model.job_listing import parse_jobs
from cloudtui.model.session import PROBE, parse_probe
from cloudtui.ssh.connection import Completed, Connection
from cloudtui.ssh.host_program import path, placing, text

PROGRAM = "job.sh"
NO_HOLDER, NOT_WRITTEN, NO_FOLDER, GONE, RUNS, OVER = 91, 92, 93, 94, 95, 96
"""Exit statuses of `job.sh`."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


async def start(conn: Connection, spec: JobSpec, more: Iterable[str] = ()) -> str:
    """Start it and return its id, as soon as the command runs; one round trip.

    `more` are further lines of sh that complete its record before it begins, such as
    `put before '...'`.

    Raises:
        UsageError: no command, or a name or a variable that cannot be one.
        NotFound: the host has no such folder, or not the multiplexer asked for.
        CloudtuiError: the run cannot be written there.
    """
    script = start_script(spec, more)
    done = await conn.run(script, timeout=40)
    found = re.search(r"^ID (.+)$", done.stdout, re.MULTILINE)
    if done.exit_status or not found:
        raise _not_started(conn, spec, done)
    return found[1]


def start_script(spec: JobSpec, more: Iterable[str] = ()) -> str:
    """Sh that places `job.sh` and starts the run; nothing of the environment is in an argv."""
    if not spec.command:
        raise UsageError("A run needs a command.", hint="Type it after --")
    name = spec.name or name_of(spec.command)
    check_job_name(name)
    for variable, value in spec.env:
        if not _VARIABLE.fullmatch(variable):
            raise UsageError(f"{variable!r} cannot be a variable's name.")
        _no_nul(f"value of {variable}", value)
    for word in spec.command:
        _no_nul("command", word)
    _no_nul("folder", spec.cwd)
    exports = "\n".join(f"export {name}={quoted(value)}" for name, value in spec.env)
    lines = [
        f"put cwd {quoted(spec.cwd)}",
        *([f"put env {quoted(exports)}"] if exports else []),
        f"put words {quoted('set -- ' + ' '.join(map(quoted, spec.command)))}",
        *more,
    ]
    end = f"END_{secrets.token_hex(8)}"
    record = "\n".join(lines)
    holder = spec.holder.value if spec.holder else ""
    return (
        f"{placing(PROGRAM)}\n[ $? -eq 0 ] || exit {NOT_WRITTEN}\n"
        f"sh \"{path(PROGRAM)}\" start {quoted(name)} {quoted(holder)} <<'{end}'\n"
        f"{record}\n{end}\n"
    )


def quoted(word: str) -> str:
    """One word of sh, whatever is in it."""
    return "'" + word.replace("'", "'\\''") + "'"


async def listed(
    conn: Connection, instance_id: str, known: Mapping[str, Job] | None = None
) -> tuple[Job, ...]:
    """Every run of the host, tmux and screen sessions begun by hand too; one round trip.

    `known` are runs of an earlier answer that are over: they are not told anew.

    Raises:
        CloudtuiError: the host could not run the question.
    """
    mark = secrets.token_hex(8)
    over = "/" + "".join(f"{id}/" for id in known or {})
    script = f"N={mark} KNOWN={quoted(over)}\n{text('jobs.sh')}\nKNOWN=1\n{PROBE}"
    done = await conn.run(script)
    sessions = parse_probe(done.stdout).sessions
    jobs = parse_jobs(
        done.stdout, mark, instance_id, datetime.now(UTC), known=known, sessions=sessions
    )
    if jobs is None:
        raise CloudtuiError(
            f"{conn.route.host} did not say which runs it has.",
            (done.stderr or done.stdout).strip()[-400:],
            "Open a shell there and look: ls ~/.local/share/cloudtui/runs",
        )
    return jobs


def _no_nul(what: str, word: str) -> None:
    if "\0" in word:
        raise UsageError(f"The {what} has a NUL byte in it, which no program can be given.")


def _not_started(conn: Connection, spec: JobSpec, done: Completed) -> CloudtuiError:
    host, said = conn.route.host, done.stderr.strip()[-400:]
    match done.exit_status:
        case 91:
            return NotFound(
                f"{host} has no {spec.holder}.",
                hint=f"Install it there: sudo apt install -y {spec.holder}, or sudo dnf install "
                f"-y {spec.holder}; or start without it: --in none",
            )
        case 92:
            return CloudtuiError(
                f"{host} takes no new run: ~/.local/share/cloudtui cannot be written there.",
                said,
                "See whether its disk is full, and whose the folder is: df -h ~; "
                "ls -ld ~/.local/share",
            )
        case 93:
            return NotFound(
                f"{host} has no folder {spec.cwd or '~'} that can be entered.",
                said,
                "Make it first, or leave out --cwd for the home folder.",
            )
        case _:
            return CloudtuiError(f"{host} did not start the run.", said or done.stdout[-400:])
