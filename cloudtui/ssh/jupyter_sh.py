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
processes() {{
  ps -ww -U "$(id -u)" -o pid= -o rss= -o args= 2>/dev/null || ps -o pid,rss,args
}}
runtime_of() {{
  # Where a process with this environment, of the same home folder, keeps its runtime files.
  tr '\\0' '\\n' 2>/dev/null <"/proc/$1/environ" | awk -v home="$HOME" '
    {{ at = index($0, "="); value[substr($0, 1, at - 1)] = substr($0, at + 1) }}
    END {{
      if (value["HOME"] != home) exit
      if (value["JUPYTER_RUNTIME_DIR"]) print value["JUPYTER_RUNTIME_DIR"]
      else if (value["JUPYTER_DATA_DIR"]) print value["JUPYTER_DATA_DIR"] "/runtime"
      else if (value["XDG_DATA_HOME"]) print value["XDG_DATA_HOME"] "/jupyter/runtime"
      else print home "/.local/share/jupyter/runtime"
    }}'
}}
runtime_folders() {{
  printf '%s\\n' "$@" "$JUPYTER_RUNTIME_DIR" "${{JUPYTER_DATA_DIR:+$JUPYTER_DATA_DIR/runtime}}" \\
    "${{XDG_DATA_HOME:+$XDG_DATA_HOME/jupyter/runtime}}" "$HOME/.local/share/jupyter/runtime" \\
    "$HOME/Library/Jupyter/runtime" "${{XDG_RUNTIME_DIR:+$XDG_RUNTIME_DIR/jupyter}}" |
    awk 'NF && !seen[$0]++'
}}
"""

_SERVERS = """\
echo "NOW $(date +%s)"
seen=$(processes | awk '
  /kernel-[0-9a-f][0-9a-f-]*[.]json/ {
    match($0, /kernel-[0-9a-f][0-9a-f-]*[.]json/)
    print "KERNEL", substr($0, RSTART + 7, RLENGTH - 12), $2
    next
  }
  /jupyter[- ](lab|notebook|server|nbclassic)|jupyterhub-[s]ingleuser/ ||
  / -m (jupyterlab|notebook|jupyter_server|jupyter)( |$)/ {
    prefix = ""
    for (i = 3; i <= NF; i++) if ($i ~ /[/]bin[/](jupyter[-a-z]*|python[0-9.]*)$/) prefix = $i
    sub(/[/]bin[/][^/]*$/, "", prefix)
    print "PROCESS", $1, $2, prefix
  }')
printf '%s\\n' "$seen"
elsewhere=$(printf '%s\\n' "$seen" | sed -n 's/^PROCESS \\([0-9]*\\) .*/\\1/p' | head -n 40 |
  while read -r p; do runtime_of "$p" 2>/dev/null; done)
live=
IFS='
'
for d in $(runtime_folders $elsewhere); do
  for f in "$d"/jpserver-*.json "$d"/nbserver-*.json; do
    p=${f##*-}; p=${p%.json}
    [ -s "$f" ] && kill -0 "$p" 2>/dev/null || continue
    live=yes
    echo "SERVER $(tr -d '\\n\\r' <"$f")"
  done
done
unset IFS
"""

SERVERS = _COMMON + _SERVERS + "exit 0\n"
"""Prints NOW with the host's clock, in seconds; a SERVER line of JSON for each server of the login
user; PROCESS with pid, KiB of memory and the folder of its Python environment; KERNEL with id and
KiB of memory. The servers' own runtime files are read, as `jupyter server list` would after 2 s of
imports."""

FIND = (
    _COMMON
    + """\
export LC_ALL=C.UTF-8
echo "HOME $HOME"
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
"""
    + _SERVERS
    + """\
K=$J; [ -n "$K" ] || K=$(command -v jupyter)
ours=$elsewhere; [ -r /proc/self/environ ] || ours=$(printf '%s' "$seen" | grep '^PROCESS')
if [ -n "$K" ] && [ -z "$live" ] && [ -n "$ours" ]; then
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
"""Prints HOME, ROOT, PYTHON, JUPYTER, LAB, PIP, VENV with their values beside what SERVERS prints.
The list commands are asked when a Jupyter seems to run whose runtime files are somewhere else."""


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
    read, then through the environment. The environment of Python that the command belongs to is
    active: what conda's packages set then (CUDA's paths) is often written for bash.
    """
    if Program.TMUX in programs:
        launch = start_line(Program.TMUX, session, "@") + " >/dev/null;"
    elif Program.SCREEN in programs:
        launch = start_line(Program.SCREEN, session, "@") + " >/dev/null;"
    else:
        launch = "nohup sh -c @ >/dev/null 2>&1 </dev/null &"
    launch = launch.replace("@", "\"$shell '$run/start'\"")
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
shell=$(command -v bash || echo sh)
printf %s {token} >"$run/token"
printf %s "$(dirname {program}):$PATH" >"$run/path"
cat >"$run/start" <<'END'
run=${{0%/*}}
PATH=$(cat "$run/path"); export PATH
prefix=${{PATH%%:*}}; prefix=${{prefix%/bin}}
if [ -d "$prefix/conda-meta" ]; then
  CONDA_PREFIX=$prefix; export CONDA_PREFIX
  for s in "$prefix"/etc/conda/activate.d/*.sh; do [ -r "$s" ] && . "$s"; done
elif [ -f "$prefix/pyvenv.cfg" ]; then
  VIRTUAL_ENV=$prefix; export VIRTUAL_ENV
fi
JUPYTER_TOKEN=$(cat "$run/token"); export JUPYTER_TOKEN; rm -f "$run/token"
sh -c 'echo $$ >"$0/pid"; exec "$@"' "$run" {shlex.join(command)} 2>&1 | tee "$run/log"
touch "$run/ended"
END
{{ {launch} }} || {{ echo FAILED; exit; }}
i=0 p= folders=
IFS='
'
while [ $i -lt {seconds * 20} ]; do
  if [ -z "$p" ] && read -r p 2>/dev/null <"$run/pid"; then
    folders=$(runtime_folders $(runtime_of "$p" 2>/dev/null))
  fi
  for d in $folders; do
    for f in "$d/jpserver-$p.json" "$d/nbserver-$p.json"; do
      [ -s "$f" ] && grep -q '}}' "$f" && {{ echo READY; cat "$f"; exit; }}
    done
  done
  [ -e "$run/ended" ] && {{ echo FAILED; tail -n 12 "$run/log"; exit; }}
  sleep 0.05 || sleep 1
  i=$((i + 1))
done
echo SLOW; tail -n 12 "$run/log"
"""
