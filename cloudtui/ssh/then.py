"""What a run waits for and what follows it, written into its record; `host/then.sh` does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cloudtui.ssh.connection import Connection
from cloudtui.ssh.host_program import path, placing

PROGRAM = "then.sh"

_CHECK = """\
PATH=$PATH:/usr/sbin:/sbin
if [ -n "$GPUS" ]; then
  printf 'GPUS %s\\n' "$(nvidia-smi --query-gpu=index --format=csv,noheader 2>/dev/null |
    grep -c '^[0-9]')"
fi
if [ -n "$STOP" ]; then
  how=
  for name in shutdown poweroff; do
    [ -n "$how" ] || how=$(command -v $name)
  done
  if [ -z "$how" ]; then echo 'STOP it has neither shutdown nor poweroff'
  elif [ "$(id -u)" = 0 ]; then echo STOP
  elif ! command -v sudo >/dev/null; then echo 'STOP it has no sudo'
  elif sudo -n "$how" --help >/dev/null 2>&1; then echo STOP
  elif sudo -n -l 2>/dev/null | grep -q "NOPASSWD:.*${how##*/}"; then echo STOP
  else echo "STOP sudo does not let you run ${how##*/} without a password"
  fi
fi
"""


@dataclass(frozen=True, slots=True)
class Able:
    """What the host can do for a run."""

    gpus: int = 0
    why_not_stop: str = ""


async def able(conn: Connection, *, gpus: bool, stop: bool) -> Able:
    """Ask the host for what is needed; what is not asked is left empty.

    Raises:
        ConnectionCut, Timeout: see `Connection.run`.
    """
    asked = f"GPUS={'1' if gpus else ''} STOP={'1' if stop else ''}\n{_CHECK}"
    done = await conn.run(asked, timeout=40)
    told = dict(line.partition(" ")[::2] for line in done.stdout.splitlines())
    count = told.get("GPUS", "")
    if stop and "STOP" not in told:
        return Able(0, "it did not say whether it may be shut down")
    return Able(int(count) if count.isdigit() else 0, told.get("STOP", ""))


def lines(record: Mapping[str, bytes], *, waits: bool, follows: bool) -> Sequence[str]:
    """Sh for `ssh.jobs.start`: the record's files, by their path in the run's folder, and what
    `job.sh` is to call."""
    folders = sorted({name.rpartition("/")[0] for name in record})
    made = [placing(PROGRAM).rstrip("\n") + " || bad=1"]
    made += [f'mkdir -p "$d/{folder}" || bad=1' for folder in folders]
    for name, content in record.items():
        text = content.decode(errors="surrogateescape")
        made.append(f"put {name} {_quoted(text)}")
    if waits:
        made.append(f'put before \'exec /bin/sh "{path(PROGRAM)}" wait "$1"\'')
    if follows:
        made.append(f'put after \'exec /bin/sh "{path(PROGRAM)}" after "$1"\'')
    if waits or follows:
        made.append(f'put again \'exec /bin/sh "{path(PROGRAM)}" again "$1" "$3"\'')
    return made


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"
