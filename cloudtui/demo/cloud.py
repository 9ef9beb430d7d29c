"""The child process of the demo: `python -m cloudtui.demo.cloud PLAN`.

Says `ready` when the seeded API answers and `booted` when the hosts do. Ends, with everything it
started, when its standard input closes (the console is gone, however it went) or on SIGTERM,
SIGINT or SIGHUP.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING

from cloudtui.demo import folder as folders
from cloudtui.demo import processes
from cloudtui.demo.folder import Plan
from cloudtui.demo.reaper import Reaper

if TYPE_CHECKING:
    from cloudtui.demo.ec2 import Ec2
    from cloudtui.demo.hosts import Hosts


ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main() -> None:
    """Run the plan given as the only argument."""
    plan = Plan.loads(sys.argv[1])
    os.umask(0o077)
    # Nothing becomes garbage while modules and models are loaded: a third of the time to ready.
    gc.disable()
    processes.adopt_orphans()
    try:
        asyncio.run(_live(plan))
    finally:
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)
        processes.end_marked(plan.mark)
        processes.end_descendants()
        folders.remove(plan.folder)


async def _live(plan: Plan) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in ENDING:
        loop.add_signal_handler(number, stop.set)
    loop.add_reader(0, _on_input, stop)
    reaper = Reaper()
    reaper.begin()
    stopping = asyncio.create_task(stop.wait())
    running = asyncio.create_task(_run(plan, reaper))
    await asyncio.wait((stopping, running), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if running.done():
        running.result()
    running.cancel()
    await asyncio.wait((running,))


async def _run(plan: Plan, reaper: Reaper) -> None:
    ec2 = await asyncio.to_thread(_make_cloud, plan)
    from cloudtui.demo import behaviours
    from cloudtui.demo.hosts import Hosts

    hosts = Hosts(plan, ec2, reaper)
    behaviours.install(plan.phase_seconds, hosts.changed)
    ec2.serve(socket.socket(fileno=plan.api), hosts.changed)
    _say("ready")
    gc.freeze()
    gc.enable()
    try:
        await _keep(hosts)
    finally:
        await hosts.end()


async def _keep(hosts: Hosts) -> None:
    await hosts.settle()
    _say("booted")
    await hosts.follow()


def _make_cloud(plan: Plan) -> Ec2:
    """The seeded cloud; blocks for a second or so."""
    from cloudtui.demo.addresses import Addresses
    from cloudtui.demo.ec2 import Ec2

    ec2 = Ec2(plan)
    # These import moto, which has to be trimmed before.
    from cloudtui.demo import behaviours, fleet

    behaviours.install_addresses(Addresses(plan).draw)
    behaviours.install_identity()
    fleet.seed(ec2, _make_key(plan))
    for region in plan.regions:
        ec2.call(region, "DescribeInstances")
    ec2.call(plan.regions[0], "GetCallerIdentity")
    return ec2


def _make_key(plan: Plan) -> str:
    """A fresh key pair on disk; returns the public key in OpenSSH's form."""
    import asyncssh

    key = asyncssh.generate_private_key("ssh-ed25519", comment="demo")
    plan.key.touch(0o600)
    plan.key.write_bytes(key.export_private_key("openssh"))
    plan.key.chmod(0o400)
    return key.export_public_key("openssh").decode()


def _on_input(stop: asyncio.Event) -> None:
    if not os.read(0, 4096):
        asyncio.get_running_loop().remove_reader(0)
        stop.set()


def _say(word: str) -> None:
    """Tell the console, which may not be listening."""
    try:
        os.write(1, f"{word}\n".encode())
    except BrokenPipeError:
        return


if __name__ == "__main__":
    main()
