"""The POSIX sh that finds and starts Jupyter on a host."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from cloudtui.model.session import Program
from cloudtui.ssh.multiplexer import EXTRA_PATH, start_line

OWN_FOLDER = "$HOME/.local/share/cloudtui/jupyter"
"""The virtual environment cloudtui installs into."""

_COMMON = f"""\
export PATH="$PATH:{EXTRA_PATH}"
own="{OWN_FOLDER}"
runtime_files() {{
  for d in "$@" "$JUPYTER_RUNTIME_DIR" "${{JUPYTER_DATA_DIR:+$JUPYTER_DATA_DIR/runtime}}" \\
    "${{XDG_DATA_HOME:+$XDG_DATA_HOME/jupyter/runtime}}" "$HOME/.local/share/jupyter/runtime" \\
    "$HOME/Library/Jupyter/runtime"; do
    [ -n "$d" ] && for f in "$d"/jpserver-*.json "$d"/nbserver-*.json; do
      [ -s "$f" ] && printf '%s\\n' "$f"
    done
  done
}}
"""

FIND = (
    _COMMON
    + """\
export LC_ALL=C.UTF-8
echo "ROOT $([ "$(id -u)" = 0 ] && echo yes)"
P=$(command -v python3); echo "PYTHON $P"
for j in "$(command -v jupyter)" "$own/bin/jupyter" "$HOME"/*conda3/bin/jupyter \\
  "$HOME"/mini*3/bin/jupyter /opt/*conda*/bin/jupyter /opt/mini*/bin/jupyter \\
  /opt/pytorch/bin/jupyter /opt/tensorflow/bin/jupyter "$HOME"/.venv/bin/jupyter \\
  "$HOME"/venv/bin/jupyter "$HOME"/*conda3/envs/*/bin/jupyter "$HOME"/mini*3/envs/*/bin/jupyter \\
  /opt/*conda*/envs/*/bin/jupyter; do
  [ -n "$j" ] && [ -x "$j" ] || continue
  b=${j%/*}
  if [ -x "$b/jupyter-lab" ]; then J=$j; L=yes; break; fi
  [ -z "$J" ] && [ -x "$b/jupyter-notebook" ] && J=$j
done
echo "JUPYTER $J"; echo "LAB $L"
K=$J; [ -n "$K" ] || K=$(command -v jupyter)
where=; [ -n "$K" ] && where=$("$K" --runtime-dir 2>/dev/null)
live=
for f in $(runtime_files "$where"); do
  p=${f##*-}; p=${p%.json}
  kill -0 "$p" 2>/dev/null || continue
  live=yes
  echo "SERVER $(tr -d '\\n\\r' <"$f")"
done
if [ -n "$K" ] && [ -z "$live" ] &&
  { [ -z "$where" ] || ps -U "$(id -u)" -o args= | grep -q '[j]upyter'; }; then
  PATH="${K%/*}:$PATH"; N=$(umask 077; mktemp)
  "$K" notebook list --json >"$N" 2>/dev/null &
  "$K" server list --json 2>/dev/null | sed 's/^/SERVER /'
  wait; sed 's/^/SERVER /' "$N"; rm -f "$N"
fi
if [ -n "$P" ] && [ -z "$J" ]; then
  "$P" - <<'END'
import importlib.util as u, os, sys, sysconfig
there = lambda name: u.find_spec(name) is not None
managed = os.path.exists(os.path.join(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED"))
print("PIP", "yes" if there("pip") and not managed and sys.prefix == sys.base_prefix else "")
print("VENV", "yes" if there("venv") and there("ensurepip") else "")
END
fi
exit 0
"""
)
"""Prints ROOT, PYTHON, JUPYTER, LAB, PIP, VENV with their values and a SERVER line of JSON for
each running server. The servers' own runtime files are read, as `jupyter server list` would
(2 s of imports); the list commands are asked when those files may be elsewhere."""


def start(
    command: Sequence[str],
    *,
    token: str,
    folder: str,
    session: str,
    programs: Sequence[Program],
    seconds: int,
) -> str:
    """A script that starts the command in a session, or by nohup, and waits until it listens.

    The first line it prints is READY (the server's runtime file follows), FAILED or SLOW (its
    last lines follow) or NOFOLDER. The token goes through a file that only the login user can
    read, then through the environment.
    """
    if Program.TMUX in programs:
        launch = start_line(Program.TMUX, session, "@") + " >/dev/null;"
    elif Program.SCREEN in programs:
        launch = start_line(Program.SCREEN, session, "@") + " >/dev/null;"
    else:
        launch = "nohup sh -c @ >/dev/null 2>&1 </dev/null &"
    launch = launch.replace("@", "\"sh '$run/start'\"")
    place = folder.removeprefix("~/") if folder not in ("", "~") else "."
    place = f"./{place}" if place.startswith("-") else place
    program = shlex.quote(command[0])
    return f"""\
{_COMMON}
export TERM=xterm-256color LANG="${{LANG:-C.UTF-8}}"
umask 077
cd "$HOME" && cd {shlex.quote(place)} 2>/dev/null || {{ echo NOFOLDER; exit; }}
runs="${{XDG_STATE_HOME:-$HOME/.local/state}}/cloudtui/jupyter"
mkdir -p "$runs" && run=$(mktemp -d "$runs/XXXXXX") || {{ echo FAILED; exit; }}
printf %s {token} >"$run/token"
printf %s "$(dirname {program}):$PATH" >"$run/path"
cat >"$run/start" <<'END'
run=${{0%/*}}
PATH=$(cat "$run/path"); export PATH
JUPYTER_TOKEN=$(cat "$run/token"); export JUPYTER_TOKEN; rm -f "$run/token"
sh -c 'echo $$ >"$0/pid"; exec "$@"' "$run" {shlex.join(command)} 2>&1 | tee "$run/log"
touch "$run/ended"
END
{{ {launch} }} || {{ echo FAILED; exit; }}
where=$({program} --runtime-dir 2>/dev/null)
i=0
while [ $i -lt {seconds * 10} ]; do
  p=$(cat "$run/pid" 2>/dev/null)
  if [ -n "$p" ]; then
    for f in $(runtime_files "$where" | grep -- "server-$p.json$"); do
      grep -q '}}' "$f" && {{ echo READY; cat "$f"; exit; }}
    done
  fi
  [ -e "$run/ended" ] && {{ echo FAILED; tail -n 12 "$run/log"; exit; }}
  sleep 0.1; i=$((i + 1))
done
echo SLOW; tail -n 12 "$run/log"
"""
