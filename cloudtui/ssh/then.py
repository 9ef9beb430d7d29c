"""What a run waits for and what follows it, written into its record; `host/then.sh` does it."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cloudtui.model.answers import whole
from cloudtui.ssh.connection import Connection
from cloudtui.ssh.host_program import path, placing, text
from cloudtui.ssh.jobs import quoted

PROGRAM = "then.sh"
GPUS = "gpus.sh"
RUNS = "$HOME/.local/share/cloudtui/runs"
STILL_SECONDS = 15.0

_CHECK = """\
PATH=$PATH:/usr/local/bin:/usr/sbin:/sbin:$HOME/.local/bin
if [ -n "$GPUS" ]; then
  said=$(mktemp) || said=${TMPDIR:-/tmp}/cloudtui-gpus.$$
  if list_gpus "$said"; then
    # A process can use GPUs or MIG devices, not both.
    count=$(printf '%s\\n' "$units" | grep -c '^[0-9]* ')
    parts=$(printf '%s\\n' "$units" | grep -c ':[0-9]* ')
    [ "$count" -ge "$parts" ] || count=$parts
    echo "GPUS $count"
  else
    printf 'NOGPU %s\\n' "$why"
  fi
  rm -f "$said"
fi
if [ -n "$S3" ] && ! command -v aws >/dev/null; then
  # As the steps have it: in the login shell, where conda may be.
  case ${SHELL##*/} in csh | tcsh) flags=-ic ;; *) flags=-lic ;; esac
  has='command -v aws >/dev/null || python3 -c "import boto3" 2>/dev/null || echo no-S3'
  export has
  limit=
  ! timeout 20 true 2>/dev/null || limit='timeout 20'
  login="exec /bin/sh -c 'eval \\"\\$has\\"'"
  case $($limit "${SHELL:-/bin/sh}" $flags "$login" </dev/null 2>/dev/null) in
    *no-S3*) echo NOS3 ;;
  esac
fi
if [ -n "$STOP" ]; then
  how=
  for name in shutdown poweroff; do
    [ -n "$how" ] || how=$(command -v $name)
  done
  if [ -z "$how" ]; then echo 'STOP it has neither shutdown nor poweroff'
  elif [ "$(id -u)" = 0 ]; then echo STOP
  elif ! command -v sudo >/dev/null; then echo 'STOP it has no sudo'
  # -k: a password that was typed a minute ago is forgotten at the end of the run.
  elif said=$(sudo -n -k "$how" --help 2>&1 >/dev/null); then echo STOP
  elif [ "${how##*/}" = shutdown ] && sudo -n -k -l "$how" -h now >/dev/null 2>&1 &&
    sudo -n -k -l 2>/dev/null | grep -Eq 'NOPASSWD:[^:]*(ALL|/shutdown)'; then echo STOP
  else
    said=$(printf '%s\n' "$said" | sed -n 's/^sudo: //p' | tail -n 1)
    echo "STOP sudo does not let you run ${how##*/} without a password${said:+: $said}"
  fi
fi
"""


@dataclass(frozen=True, slots=True)
class Able:
    """What the host can do for a run."""

    gpus: int = 0
    """Whole ones, or MIG devices where there are more of them."""
    why_no_gpu: str = ""
    why_not_stop: str = ""
    no_s3: bool = False


async def able(conn: Connection, *, gpus: bool, stop: bool, s3: bool) -> Able:
    """Ask the host for what is needed; what is not asked is left empty.

    Raises:
        ConnectionCut, Timeout: see `Connection.run`.
    """
    wanted = {"GPUS": gpus, "STOP": stop, "S3": s3}
    asked = "".join(f"{name}={'1' if on else ''}\n" for name, on in wanted.items())
    asked += text(GPUS) if gpus else ""
    done = await conn.run(asked + _CHECK, timeout=60)
    told = dict(line.partition(" ")[::2] for line in done.stdout.splitlines())
    count = told.get("GPUS", "")
    if stop and "STOP" not in told:
        return Able(why_not_stop="it did not say whether it may be shut down")
    return Able(whole(count) or 0, told.get("NOGPU", ""), told.get("STOP", ""), "NOS3" in told)


def lines(record: Mapping[str, bytes], *, waits: bool, follows: bool) -> Sequence[str]:
    """Sh for `ssh.jobs.start`: the record's files, by their path in the run's folder, and what
    `job.sh` is to call."""
    folders = sorted({name.rpartition("/")[0] for name in record})
    programs = (PROGRAM, GPUS) if "wait/gpus" in record else (PROGRAM,)
    made = [placing(name).rstrip("\n") + " || bad=1" for name in programs]
    made += [f'mkdir -p "$d/{folder}" || bad=1' for folder in folders]
    for name, content in record.items():
        written = content.decode(errors="surrogateescape")
        made.append(f"put {name} {quoted(written)}")
    if waits:
        made.append(f'put before \'exec /bin/sh "{path(PROGRAM)}" wait "$1" "{path(GPUS)}"\'')
    if follows:
        made.append(f'put after \'exec /bin/sh "{path(PROGRAM)}" after "$1"\'')
    if waits or follows:
        made.append(f'put again \'exec /bin/sh "{path(PROGRAM)}" again "$1" "$3"\'')
    return made


async def claim(conn: Connection, run: str, number: int) -> bool:
    """Say that this computer fetches a copy now; False when that was said less than a minute
    ago, or it is done. To be said again every `STILL_SECONDS`, by `still`."""
    done = await conn.run(
        f'cd "{RUNS}"/{quoted(run)}/then/{number:02d} || exit 3\n'
        '[ "$(cat state)" = fetch ] || exit 3\n'
        # One at a time; one that died meanwhile holds the others up for a minute.
        "mkdir claim 2>/dev/null || {\n"
        '  [ -z "$(find claim -prune -mmin +1 2>/dev/null)" ] || rmdir claim\n'
        "  exit 4\n"
        "}\n"
        "trap 'rmdir claim' EXIT\n"
        '[ -z "$(find fetching -prune -mmin -1 2>/dev/null)" ] || exit 4\n'
        '[ "$(cat state)" = fetch ] || exit 3\n'
        ": >fetching"
    )
    return done.exit_status == 0


async def still(conn: Connection, run: str, number: int) -> None:
    """The copy goes on."""
    await conn.run(f': >"{RUNS}"/{quoted(run)}/then/{number:02d}/fetching')


async def left(conn: Connection, run: str, number: int) -> None:
    """This computer does not fetch it now; anyone may."""
    await conn.run(f'rm -f "{RUNS}"/{quoted(run)}/then/{number:02d}/fetching')


async def fetched(conn: Connection, run: str, number: int, state: str, result: str) -> None:
    """How fetching a copy ended: `done` or `failed`."""
    await conn.run(
        f'cd "{RUNS}"/{quoted(run)}/then/{number:02d} || exit\n'
        f"umask 077\nprintf '%s\\n' {quoted(result)} >result.new && mv -f result.new result\n"
        f"printf '%s\\n' {state} >state.new && mv -f state.new state\nrm -f fetching"
    )


async def last_lines(conn: Connection, runs: Sequence[str], count: int) -> dict[str, str]:
    """The ends of the logs of runs, `count` lines each and maybe more; one round trip. None
    begins within a line, or within a state of a progress bar."""
    size, mark = 800 * count, f"LOG-{secrets.token_hex(8)}"
    asked = "".join(
        f"printf '\\n%s\\n' {mark}\ncd \"{RUNS}\"/{quoted(run)} 2>/dev/null && "
        f"tail -c {size + 1} log\n"
        for run in runs
    )
    done = await conn.run(asked) if runs else None
    parts = done.stdout.split(f"\n{mark}\n")[1:] if done else []
    return dict(zip(runs, (_from_a_line(part, size) for part in parts), strict=False))


def _from_a_line(text: str, size: int) -> str:
    """What was cut out of more than `size` bytes, from where a line begins."""
    if len(text.encode(errors="replace")) <= size:
        return text
    rest = re.split(r"[\r\n]", text, maxsplit=1)[-1]
    return rest if rest.strip() else text
