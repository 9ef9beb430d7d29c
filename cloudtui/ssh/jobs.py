"""Long runs on the host: started, listed, followed, stopped; `host/job.sh` does it there."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from weakref import WeakSet

from cloudtui.model.answers import whole
from cloudtui.model.errors import CloudtuiError, NotFound, Refused, UsageError
from cloudtui.model.job import Holder, Job, JobSpec, check_job_name, name_of
from cloudtui.model.job_listing import parse_jobs
from cloudtui.model.session import PROBE
from cloudtui.ssh.connection import Connection
from cloudtui.ssh.host_program import path, placed, placing, text
from cloudtui.ssh.scripts import Completed

PROGRAM = "job.sh"
NO_HOLDER, NOT_WRITTEN, NO_FOLDER, GONE, RUNS, OVER, MORE = range(91, 98)
"""Exit statuses of `job.sh`."""

WORDS = 8 << 10
"""Letters of words, about, that a tmux client is given; it takes 16 KiB."""

_reader = ThreadPoolExecutor(1, "listings")
"""Reads answers, which of hundreds of runs takes a while; several threads would keep the loop from
its turn for longer."""

_has_it: WeakSet[Connection] = WeakSet()
"""Connections to hosts where the program is known to be."""

_HEAD, _SAID = 64, 4000
"""Bytes of the line in front of a log, and of what a failure says, that are looked at."""
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
    words, record = _asked(spec, more)
    done = await _done(conn, words, record, seconds=40)
    found = re.search(r"^ID (.+)$", done.stdout, re.MULTILINE)
    if done.exit_status or not found:
        raise _not_started(conn, spec, done)
    return found[1]


def _asked(spec: JobSpec, more: Iterable[str]) -> tuple[tuple[str, ...], str]:
    """The words for `job.sh start` and the lines of the record, which no argument list shows."""
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
    return ("start", name, spec.holder.value if spec.holder else ""), "\n".join(lines)


async def _done(
    conn: Connection, words: Sequence[str], given: str = "", *, seconds: float = 20
) -> Completed:
    """`job.sh` run with these words and that standard input; brought there when it has to be."""
    there = conn in _has_it
    done = await conn.run(_script(words, given, place=not there), timeout=seconds)
    if there and done.exit_status in (2, 127):
        done = await conn.run(_script(words, given, place=True), timeout=seconds)
    if done.exit_status != NOT_WRITTEN:
        _has_it.add(conn)
    return done


def _script(words: Sequence[str], given: str, *, place: bool) -> str:
    end = f"END_{secrets.token_hex(8)}"
    placed = f"{placing(PROGRAM)}\n[ $? -eq 0 ] || exit {NOT_WRITTEN}\n" if place else ""
    return f"{placed}{_line(words)} <<'{end}'\n{given}\n{end}\n"


def _line(words: Sequence[str]) -> str:
    """A line that every login shell takes, fish and csh too."""
    return f'sh "{path(PROGRAM)}" {" ".join(map(quoted, words))}'


def quoted(word: str) -> str:
    """One word of sh, whatever is in it."""
    return "'" + word.replace("'", "'\\''") + "'"


async def again(conn: Connection, id: str) -> str:
    """Start the same once more; the new run's id.

    Raises:
        NotFound: there is no such run, or its folder is gone.
        CloudtuiError: the run cannot be written there.
    """
    done = await _done(conn, ("again", id), seconds=40)
    found = re.search(r"^ID (.+)$", done.stdout, re.MULTILINE)
    if done.exit_status == GONE:
        raise gone(conn, id)
    if done.exit_status or not found:
        raise _not_started(conn, None, done)
    return found[1]


async def stop(conn: Connection, id: str, grace: float) -> None:
    """SIGINT, SIGTERM, SIGKILL in turn, each after `grace` seconds; returns when it is over.

    Raises:
        NotFound: there is no such run.
        Refused: it is over already.
    """
    done = await _done(conn, ("stop", id, str(round(grace))), seconds=30 + 4 * grace)
    match done.exit_status:
        case 0:
            return
        case 94:
            raise gone(conn, id)
        case 96:
            raise Refused(f"The run {id} on {conn.route.spoken} is over already.")
        case _:
            raise CloudtuiError(
                f"The run {id} on {conn.route.spoken} was not stopped.", done.stderr.strip()[-400:]
            )


async def remove(conn: Connection, id: str) -> None:
    """Remove its record and its log.

    Raises:
        NotFound: there is no such run.
        Refused: it runs.
    """
    done = await _done(conn, ("remove", id), seconds=60)
    match done.exit_status:
        case 0:
            return
        case 94:
            raise gone(conn, id)
        case 95:
            raise Refused(f"The run {id} on {conn.route.spoken} goes on.", hint="Stop it first.")
        case _:
            raise CloudtuiError(
                f"The run {id} on {conn.route.spoken} was not removed.", done.stderr.strip()[-400:]
            )


async def show(conn: Connection, id: str) -> None:
    """Begin the session that shows it anew, when that was ended."""
    await _done(conn, ("show", id))


@dataclass
class Cursor:
    """How much of a log was told already."""

    offset: int | None = None
    """In bytes; None before the first."""
    last_lines: int | None = None
    """Where to begin: so many lines before the end, or None for the start."""


async def follow(
    conn: Connection,
    id: str,
    cursor: Cursor,
    on_bytes: Callable[[bytes], None],
    *,
    once: bool = False,
) -> bool:
    """Tell the log from the cursor on; True when that was all of a run that is over, or with
    `once` all that is there now. Otherwise the run may be over now, and the rest is told by
    asking once more.

    Raises:
        ConnectionCut: lost; the cursor is where to go on.
        NotFound: there is no such run.
    """
    await _bring(conn)
    first = cursor.last_lines
    at = cursor.offset if cursor.offset is not None else 0 if first is None else f"-{first}"
    head, said = bytearray(), bytearray()
    begun = False
    nonsense: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def take(data: bytes) -> None:
        nonlocal begun
        if nonsense.done():
            return
        if not begun:
            head.extend(data)
            line, newline, data = bytes(head).partition(b"\n")
            begins = whole(line.decode(errors="replace")) if newline else None
            if begins is None:
                if newline or len(line) > _HEAD:
                    nonsense.set_result(None)
                return
            begun, cursor.offset = True, begins
        if data:
            assert cursor.offset is not None
            cursor.offset += len(data)
            on_bytes(data)

    def keep(data: bytes) -> None:
        said.extend(data)
        del said[:-_SAID]

    remote = await conn.program(_line(("follow", id, str(at), "1" if once else "")), take, keep)
    ended = asyncio.ensure_future(remote.wait())
    try:
        await asyncio.wait((ended, nonsense), return_when=asyncio.FIRST_COMPLETED)
        if nonsense.done():
            raise CloudtuiError(
                f"{conn.route.spoken} did not say where the log of {id} begins.",
                ascii(bytes(head[:_HEAD]))[2:-1],
                "Open a shell there and look: ls ~/.local/share/cloudtui/runs",
            )
        status = ended.result()
    finally:
        ended.cancel()
        await remote.close()
    if status == GONE:
        raise gone(conn, id)
    if status not in (0, MORE):
        raise CloudtuiError(
            f"The log of {id} on {conn.route.spoken} cannot be read.",
            said.decode(errors="replace").strip()[-400:],
        )
    return status == 0


async def _bring(conn: Connection) -> None:
    if conn not in _has_it:
        await placed(conn, PROGRAM)
        _has_it.add(conn)


async def view_command(conn: Connection, id: str) -> str:
    """What shows the run on a terminal of type xterm-256color and passes the keys on; Ctrl-]
    leaves it."""
    await _bring(conn)
    return f"exec {_line(('view', id))}"


def gone(conn: Connection, id: str) -> NotFound:
    """There is no such run any more."""
    return NotFound(f"There is no run {id} on {conn.route.spoken} any more.")


PANES = """
shown=
[ -z "$L$S" ] || for d in "$runs"/*/session; do
  v=
  [ -s "$d" ] && IFS= read -r v <"$d" && shown="$shown/$v"
done
if [ -n "$L" ]; then
  set --
  while IFS= read -r s; do
    case $s in T␞*) ;; *) continue ;; esac
    s=${s#T␞}
    i=${s%%␞*}
    s=${s#*␞}
    c=${s%%␞*}
    case "$shown" in *"/$i $c "*) continue ;; esac
    set -- "$@" display-message -p "$N PANE $i" \\; capture-pane -p -t "$i:" \\;
    [ $# -lt 800 ] || { tmux -u "$@" 2>/dev/null; set --; }
  done <<LISTED
$L
LISTED
  [ $# -eq 0 ] || tmux -u "$@" 2>/dev/null
fi
if [ -n "$S" ] && D=$(mktemp -d 2>/dev/null); then
  screen -ls 2>/dev/null | {
    set --
    while IFS= read -r line; do
      case $line in "	"[0-9]*"(Detached)"*) ;; *) continue ;; esac
      i=${line#?}
      i=${i%%	*}
      case "$i" in */* | *-query[A-Z]) continue ;; esac
      case "$shown/" in *"/$i/"*) continue ;; esac
      [ $# -lt 60 ] || break
      screen -S "$i" -X hardcopy "$D/$i" </dev/null >/dev/null 2>&1 &
      set -- "$@" "$i" $!
    done
    n=0
    while [ $# -gt 0 ]; do
      while [ ! -s "$D/$1" ] && [ $n -lt 15 ]; do n=$((n+1)); sleep 0.02; done
      if [ -s "$D/$1" ]; then
        printf '%s COPY %s\n' "$N" "$1"
        base64 <"$D/$1"
      else
        kill $2
      fi
      shift 2
    done 2>/dev/null
  }
  rm -rf "$D"
fi
:
"""
"""What sessions begun by hand show now, as frames of `jobs.sh`; after that and `PROBE`, whose PANES
can name those of tmux too. A screen that somebody looks at is not asked, as it would say so there;
all together are waited for 0.3 s."""


@cache
def _listing() -> str:
    """The question of `listed`, the same for every host."""
    return f"{text('jobs.sh')}\nprintf '%s SESSIONS\\n' \"$N\"\nKNOWN=1\n{PROBE}\n{PANES}"


def _known(before: Sequence[Job], mark: str) -> str:
    """The variables of that question. One tmux process lists sessions and shows what those of the
    answer before show."""
    runs = [job for job in before if not job.by_hand]
    over = "".join(f"{job.id}:{job.asked or ''}/" for job in runs if job.finished)
    seen = "".join(f"{job.id}:{job.asked or ''}/" for job in runs if not job.finished)
    calls = [""]
    for job in before:
        if job.by_hand and job.holder is Holder.TMUX:
            if len(calls[-1]) > WORDS:
                calls.append("; tmux -u start-server")
            at = quoted(f"={job.session}:")
            calls[-1] += f" \\; display-message -p -t {at} {mark}' PANE #{{session_id}}'"
            calls[-1] += f" \\; capture-pane -p -t {at}"
    panes = "".join(calls)
    return f"N={mark} OVER={quoted('/' + over)} SEEN={quoted('/' + seen)} PANES={quoted(panes)}"


async def listed(conn: Connection, instance_id: str, before: Iterable[Job] = ()) -> tuple[Job, ...]:
    """Every run of the host, tmux and screen sessions begun by hand too; one round trip.

    `before` is the answer before, if there was one: its runs that are over are not told anew, of
    the others the trainings are read on.

    Raises:
        CloudtuiError: the host could not run the question.
    """
    mark = secrets.token_hex(8)
    before = tuple(before)
    done = await conn.ask(_known(before, mark), _listing())
    reading = partial(parse_jobs, done.stdout, mark, instance_id, datetime.now(UTC), before)
    jobs = await asyncio.get_running_loop().run_in_executor(_reader, reading)
    if jobs is None:
        raise CloudtuiError(
            f"{conn.route.spoken} did not say which runs it has.",
            (done.stderr or done.stdout).strip()[-400:],
            "Open a shell there and look: ls ~/.local/share/cloudtui/runs",
        )
    return jobs


def _no_nul(what: str, word: str) -> None:
    if "\0" in word:
        raise UsageError(f"The {what} has a NUL byte in it, which no program can be given.")


def _not_started(conn: Connection, spec: JobSpec | None, done: Completed) -> CloudtuiError:
    host, said = conn.route.spoken, done.stderr.strip()[-400:]
    holder = spec.holder if spec else None
    folder = f"folder {spec.cwd}" if spec and spec.cwd else "home folder"
    match done.exit_status:
        case 91:
            return NotFound(
                f"{host} has no {holder}.",
                hint=f"Install it there: sudo apt install -y {holder}, or sudo dnf install "
                f"-y {holder}; or start without it: --in none",
            )
        case 92:
            return CloudtuiError(
                f"{host} takes no new run: ~/.local/share/cloudtui cannot be written there.",
                said.rpartition(": ")[2],
                "See whether its disk is full, and whose the folder is: df -h ~; "
                "ls -ld ~/.local/share",
            )
        case 93:
            return NotFound(
                f"{host} has no {folder} that can be entered.",
                hint="Make it first, or leave out --cwd for the home folder.",
            )
        case _:
            return CloudtuiError(f"{host} did not start the run.", said or done.stdout[-400:])
