"""A host that shuts itself down: `shutdown` there stops, or terminates, the instance behind it.

On a demo's host the programs of this computer run, so without these it would be this computer
that is shut down.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from cloudtui.demo.ec2 import Ec2

_OFF = """\
#!/bin/sh
# A pretend shutdown: the machine that pretends to be one stops, this computer does not.
case $* in
  *--help*) echo 'shutdown [-h|-r] [now]: a pretend one'; exit 0 ;;
  *-c*) exit 0 ;;
esac
: >'{flag}'
"""
_SUDO = """\
#!/bin/sh
# A pretend sudo: nobody is asked for a password, and the machine is the pretend one.
words="$*"
while :; do
  case $1 in -n | -k | -E | -H | --) shift ;; *) break ;; esac
done
case ${{1##*/}} in
  shutdown | poweroff | halt | reboot) program=${{1##*/}}; shift; exec "{programs}/$program" "$@" ;;
  '' | -*) ;;
  apt | apt-get | dnf | yum | systemctl | tee | rm) ;;
  *) exec "$@" ;;
esac
echo "sudo: not on a pretend machine: $words" >&2
exit 1
"""
_WHO = """\
#!/bin/sh
# A pretend who: whoever is at this computer is not logged in to a pretend machine.
"""
NAMES = ("shutdown", "poweroff", "halt", "reboot")


def install(programs: Path) -> None:
    """Put them where a host's PATH begins."""
    texts = {name: _OFF.format(flag=_flag(programs.parent)) for name in NAMES}
    texts["sudo"] = _SUDO.format(programs=programs)
    texts["who"] = _WHO
    for name, text in texts.items():
        (programs / name).write_text(text, "utf-8")
        (programs / name).chmod(0o755)


def asked(folder: Path) -> bool:
    """Whether the host of that folder was told to shut down; only once."""
    try:
        _flag(folder).unlink()
    except OSError:
        return False
    return True


def switch_off(ec2: Ec2, region: str, instance: Any) -> None:
    """What EC2 does with an instance that has shut down from inside."""
    behaviour = getattr(instance, "instance_initiated_shutdown_behavior", "stop")
    gone = instance.lifecycle == "spot" or behaviour == "terminate"
    action = "TerminateInstances" if gone else "StopInstances"
    try:
        ec2.call(region, action, InstanceId__1=instance.id)
    except RuntimeError as error:
        sys.stderr.write(f"{instance.id} cannot shut down: {error}\n")
        return
    reason = instance.state_reason
    reason.code = "Client.InstanceInitiatedShutdown"
    reason.message = f"{reason.code}: Instance initiated shutdown"


def _flag(folder: Path) -> Path:
    return folder / "shut-down"
