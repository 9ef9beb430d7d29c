"""The Python environments of a host that Jupyter can be started from."""

from __future__ import annotations

from cloudtui.model.environment import Environment, parse_environments
from cloudtui.model.errors import CloudtuiError
from cloudtui.ssh.connection import Connection
from cloudtui.ssh.jupyter_sh import OWN_FOLDER
from cloudtui.ssh.multiplexer import EXTRA_PATH

SCRIPT = f"""\
export LC_ALL=C.UTF-8 PATH="$PATH:{EXTRA_PATH}"
echo "HOME $HOME"
J=$(command -v jupyter); J=$(readlink -f "$J" 2>/dev/null || echo "$J")
{{
  [ -n "$J" ] && dirname "$(dirname "$J")"
  echo "{OWN_FOLDER}"
  cat "$HOME/.conda/environments.txt" 2>/dev/null
  for p in "$HOME"/*conda3 "$HOME"/*forge* "$HOME"/*mamba "$HOME"/conda "$HOME"/miniconda* \\
    "$HOME"/.*mamba /opt/*conda* /opt/mini* /opt/*mamba*; do
    printf '%s\\n' "$p" "$p"/envs/*
  done
  for f in "$HOME"/pyvenv.cfg "$HOME"/*/pyvenv.cfg "$HOME"/.*/pyvenv.cfg \\
    "$HOME"/*/*/pyvenv.cfg "$HOME"/*/.*/pyvenv.cfg "$HOME"/*/*/*/pyvenv.cfg \\
    "$HOME"/*/*/.*/pyvenv.cfg "$HOME"/.virtualenvs/*/pyvenv.cfg \\
    "$HOME"/.local/share/virtualenvs/*/pyvenv.cfg "$HOME"/.pyenv/versions/*/pyvenv.cfg \\
    "$HOME"/.cache/pypoetry/virtualenvs/*/pyvenv.cfg /opt/*/pyvenv.cfg /srv/*/pyvenv.cfg; do
    [ -f "$f" ] && printf '%s\\n' "${{f%/pyvenv.cfg}}"
  done
}} | awk 'NF && !seen[$0]++' | head -n 300 | while IFS= read -r p; do
  [ -x "$p/bin/python" ] || [ -x "$p/bin/jupyter" ] || continue
  v=-
  if [ -d "$p/conda-meta" ]; then
    kind=conda
    set -- "$p"/conda-meta/python-[0-9]*.json
    [ -f "$1" ] && v=${{1##*/python-}} && v=${{v%%-*}}
  elif [ -f "$p/pyvenv.cfg" ]; then
    kind=venv
    v=$(sed -n 's/^version[_info]* *= *\\([0-9]*[.][0-9]*[.]\\{{0,1\\}}[0-9]*\\).*/\\1/p' \\
      "$p/pyvenv.cfg" | head -n 1)
  else
    kind=system
  fi
  if [ -x "$p/bin/jupyter-lab" ]; then has=LAB
  elif [ -x "$p/bin/jupyter-notebook" ]; then has=NOTEBOOK
  elif [ "$kind" = system ]; then continue
  elif [ -x "$p/bin/pip" ]; then has=PIP
  else has=NOTHING; fi
  echo "ENV $kind $has ${{v:--}} $p"
done
exit 0
"""
"""Prints HOME, then ENV lines: what `parse_environments` reads."""


async def environments(conn: Connection) -> tuple[Environment, ...]:
    """Those of conda and the virtual environments up to three folders below the home folder,
    those with JupyterLab first.

    Raises:
        CloudtuiError: the host could not run the question.
    """
    done = await conn.run(SCRIPT, timeout=40)
    if not done.stdout.startswith("HOME "):
        raise CloudtuiError(
            f"{conn.route.spoken} did not say which Python environments it has.",
            (done.stderr or done.stdout).strip()[-400:],
        )
    return parse_environments(done.stdout)
