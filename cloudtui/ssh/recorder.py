"""The recorder of a host's notebooks: brought there, begun, ended, and what it kept read."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Callable
from functools import cache
from importlib import resources
from typing import Any

from cloudtui.model.answers import count, parsed, whole
from cloudtui.model.errors import Ambiguous, CloudtuiError, NotFound, Refused
from cloudtui.model.recording import HostRecorder, parse_record, parse_recorder
from cloudtui.ssh.connection import Connection
from cloudtui.ssh.host_program import FOLDER
from cloudtui.ssh.multiplexer import EXTRA_PATH

SESSION = "recorder"
"""The tmux or screen session it runs in."""
_MAIN = "import sys\nfrom recorder.main import main\n\nsys.exit(main(sys.argv[1:]))\n"
_PYTHON = """\
P=
for p in python3 /usr/bin/python3 "$HOME"/*conda3/bin/python3 "$HOME"/mini*3/bin/python3 \\
  /opt/*conda*/bin/python3 /opt/mini*/bin/python3 /opt/pytorch/bin/python3 python; do
  q=$(command -v "$p") || continue
  "$q" -Ec 'import sys; sys.exit(sys.version_info < (3, 6))' 2>/dev/null && { P=$q; break; }
done
"""


@cache
def files() -> dict[str, str]:
    """The program's files, by their path in its folder."""
    here = resources.files("cloudtui.host.recorder")
    found = {
        f"recorder/{entry.name}": entry.read_text("utf-8")
        for entry in here.iterdir()
        if entry.name.endswith(".py")
    }
    found["keep.sh"] = here.joinpath("keep.sh").read_text("utf-8")
    found["__main__.py"] = _MAIN
    return found


@cache
def version() -> str:
    """The name of the program's folder on hosts; another program, another name."""
    whole = "".join(name + text for name, text in sorted(files().items()))
    return f"recorder-{hashlib.sha256(whole.encode()).hexdigest()[:12]}"


def _placing() -> str:
    end = f"END_OF_{version()}"
    written = "".join(
        f'cat >"$d/{name}.$$" <<\'{end}\' &&\n{text}{end}\nmv "$d/{name}.$$" "$d/{name}" &&\n'
        for name, text in files().items()  # __main__.py comes last: with it, all is there
    )
    return f"""\
if [ ! -s "$d/__main__.py" ]; then
  problem=$( {{ (umask 077; mkdir -p "$d/recorder" &&
{written}:); }} 2>&1 ) || {{ echo "UNWRITTEN $problem"; exit; }}
fi
"""


def _script(words: str, *, place: bool = False) -> str:
    return (
        f'd="{FOLDER}/{version()}"\n'
        + _PYTHON
        + '[ -n "$P" ] || { echo NOPYTHON; exit; }\n'
        + (_placing() if place else '[ -s "$d/__main__.py" ] || { echo MISSING; exit; }\n')
        + words
    )


_NEVER = (
    '[ -d "${XDG_DATA_HOME:-$HOME/.local/share}/cloudtui/recordings" ] || { echo NEVER; exit; }\n'
)
_LIST = '"$P" -E "$d" list\n'
_START = f"""\
export PATH="$PATH:{EXTRA_PATH}" TERM=xterm-256color
if [ "$("$P" -E "$d" ready)" = free ]; then
  line="env HOME='$HOME' XDG_DATA_HOME='$XDG_DATA_HOME' JUPYTER_DATA_DIR='$JUPYTER_DATA_DIR'"
  line="$line JUPYTER_RUNTIME_DIR='$JUPYTER_RUNTIME_DIR' sh '$d/keep.sh' '$P'"
  n={SESSION}
  for o in "{FOLDER}"/recorder-*; do [ "$o" = "$d" ] || rm -rf "$o"; done
  if command -v tmux >/dev/null; then
    tmux has-session -t "=$n" 2>/dev/null && n={SESSION}-$$
    tmux -u new-session -d -s "$n" "exec $line" || problem=yes
  elif command -v screen >/dev/null; then
    screen -U -dmS "$n" sh -c "exec $line" || problem=yes
  else
    problem=yes
  fi
  if [ -n "$problem" ]; then
    if command -v setsid >/dev/null; then
      setsid sh -c "exec $line" >/dev/null 2>&1 </dev/null &
    else
      nohup sh -c "exec $line" >/dev/null 2>&1 </dev/null &
    fi
  fi
  i=0
  while [ "$("$P" -E "$d" ready)" = free ] && [ $i -lt 50 ]; do sleep 0.1; i=$((i + 1)); done
fi
{_LIST}"""


async def look(conn: Connection) -> HostRecorder:
    """What records on the host, and what was recorded. Nothing is brought to a host on which
    nothing ever was.

    Raises:
        NotFound: there is no Python 3.6 or newer.
        CloudtuiError: the program cannot be written there, or failed.
    """
    done = await conn.run(_NEVER + _script(_LIST), timeout=30)
    if done.stdout.startswith("NEVER"):
        return HostRecorder()
    if done.stdout.startswith("MISSING"):
        return await _told(conn, _LIST)
    return _parsed(conn, done.stdout, done.stderr)


async def start(conn: Connection) -> HostRecorder:
    """Begin to record, in tmux or screen where there is one; nothing is done when it runs already.
    A recorder of another version is replaced.

    Raises:
        NotFound: there is no Python 3.6 or newer.
        CloudtuiError: the program cannot be written there, or did not start.
    """
    found = await _told(conn, _START)
    if not found.running:
        raise CloudtuiError(
            f"The recorder on {conn.route.spoken} did not start.",
            hint="See whether its disk is full: df -h ~",
        )
    return found


async def stop(conn: Connection) -> HostRecorder:
    """End the recorder; what it kept stays.

    Raises:
        CloudtuiError: it does not end.
    """
    return await _told(conn, f'"$P" -E "$d" stop\n{_LIST}')


async def run(conn: Connection, notebook: str, port: int = 0) -> tuple[str, str, int]:
    """Begin to run every code cell of a notebook there; the kernel, the notebook's path and the
    number of cells. A kernel is started for one that has none. With `port` only the server there
    is asked.

    Raises:
        NotFound, Ambiguous: the detail lists the notebooks there are.
        Refused: it is run already.
        CloudtuiError: its server or its kernel does not do it.
    """
    words = f'"$P" -E "$d" run {shlex.quote(notebook)} {port}\n'
    done = await conn.run(_script(words, place=True), timeout=150)
    try:
        told = parsed(done.stdout)
        if "error" not in told:
            return str(told["kernel"]), str(told["path"]), count(told["cells"])
        problem, candidates = str(told["error"]), [str(each) for each in told["candidates"]]
    except (ValueError, TypeError, KeyError):
        _parsed(conn, done.stdout, done.stderr)
        raise
    if told["status"] == 4:
        raise Refused(problem, hint="Interrupt it first, or look at its log.")
    if told["status"] != 3:
        hint = "Recording needs no password; to run all cells, open the notebook in the browser."
        raise CloudtuiError(problem, hint=hint if "password" in problem else "")
    if candidates and "answer to" in problem:
        hint = "Name one by its whole path, or give its server's port: --server PORT"
        raise Ambiguous(problem, candidates, hint)
    hint = "Give its path below the server's folder, such as work/train.ipynb."
    if "runs on port" in problem:
        hint = "Name one of these ports."
    raise NotFound(problem, "\n".join(candidates), hint if candidates else "")


async def _told(conn: Connection, words: str) -> HostRecorder:
    done = await conn.run(_script(words, place=True), timeout=40)
    return _parsed(conn, done.stdout, done.stderr)


def _parsed(conn: Connection, text: str, problem: str) -> HostRecorder:
    word, _, rest = text.strip().partition(" ")
    if word == "NOPYTHON":
        raise NotFound(
            f"{conn.route.spoken} has no Python 3.6 or newer, which the recorder needs.",
            hint="Install it there: sudo apt install -y python3, or sudo dnf install -y python3",
        )
    if word == "UNWRITTEN":
        raise CloudtuiError(
            f"{conn.route.spoken} does not take the recorder's program.",
            rest[-400:],
            "See whether its disk is full, and whether ~/.local/share can be written: "
            "df -h ~; ls -ld ~/.local/share",
        )
    try:
        return parse_recorder(parsed(text), version())
    except (ValueError, TypeError) as error:
        raise CloudtuiError(
            f"The recorder's program on {conn.route.spoken} failed.",
            (problem or text).strip()[-400:],
        ) from error


OnRecord = Callable[[int, dict[str, Any]], None]


async def read(
    conn: Connection,
    kernel_id: str,
    *,
    offset: int = 0,
    tail: int = 0,
    follow: bool = False,
    on_record: OnRecord,
) -> None:
    """Give each record behind `offset` to `on_record`, with the offset to go on from.

    With `tail`, no more than so many bytes of what is there. With `follow` until cancelled.

    Raises:
        NotFound: nothing was recorded of that kernel.
        ConnectionCut: the connection was lost; go on from the last offset given.
    """
    rest = b""
    errors = bytearray()

    def take(data: bytes) -> None:
        nonlocal rest
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            number, _, text = line.partition(b" ")
            at = whole(number.decode(errors="replace"))
            if at is not None and (record := parse_record(text)) is not None:
                on_record(at, record)

    words = f"log {shlex.quote(kernel_id)} {offset} {tail} {'follow' if follow else '-'}"
    script = _script(f'exec "$P" -E "$d" {words}')
    process = await conn.program(f"sh -c {shlex.quote(script)}", take, errors.extend)
    if not follow:
        process.write_eof()
    try:
        status = await process.wait()
    finally:
        await process.close()
    if status == 3:
        raise NotFound(f"Nothing was recorded of the kernel {kernel_id[:8]}.")
    if status:
        raise CloudtuiError(
            f"What was recorded on {conn.route.spoken} cannot be read (exit status {status}).",
            errors.decode(errors="replace").strip()[-400:],
        )
