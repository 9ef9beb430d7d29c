"""jupyter NAME: its address here, and the tunnel to it."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from cloudtui.cli import output
from cloudtui.cli.prompts import TerminalPrompts
from cloudtui.core.jupyter import INSTALLING, Wish
from cloudtui.core.workbench import Workbench
from cloudtui.model.errors import UsageError
from cloudtui.model.instance import Instance
from cloudtui.model.notebook import OpenJupyter

Opened = Callable[..., AbstractAsyncContextManager[Workbench]]

BROWSER_SECONDS = 20.0
"""How long a tunnel that goes on in the background is watched here for the browser."""


async def perform(opened: Opened, words: argparse.Namespace) -> int:
    """Print the local address of the instance's Jupyter, and hold the tunnel until Ctrl-C.

    Raises:
        CloudtuiError: it did not open, or the tunnel that was held has ended for good.
    """
    if words.port and (words.new or words.env or words.folder):
        raise UsageError(
            "--port names a server that runs already.",
            "--new, --env and --folder are about starting one.",
            f"See what runs: cloudtui kernels {shlex.quote(words.name)}",
        )
    async with opened(words, keep_tunnels=words.background) as bench:
        instance = await bench.find(words.name, output.narrate)
        if words.envs:
            return await _environments(bench, instance, words)
        opening = await bench.jupyter.open(
            instance,
            ask_install=TerminalPrompts(yes=getattr(words, "yes", False)).confirm,
            on_step=_tell_step,
            local_port=words.local_port,
            wish=Wish(words.port, words.folder, words.env, words.new),
        )
        if opening.moved:
            output.narrate(opening.moved)
        if opening.others and not opening.started and words.port is None:
            others = " or ".join(f"--port {port}" for port in opening.others)
            output.narrate(f"Others run there too: {others} opens it.")
        _print(opening, words)
        if opening.password:
            output.narrate("The browser will ask for the password of this server.")
        wait = BROWSER_SECONDS if words.background else 0.0
        if (
            bench.settings.open_browser
            and not words.no_browser
            and not await bench.browse(opening.url, wait=wait)
        ):
            output.narrate("No browser was opened here; open the address above in one.")
        if words.background:
            output.narrate(
                f"The tunnel to {instance.label} is open in the background. "
                f"Close it: cloudtui tunnel stop {opening.tunnel}"
            )
            return 0
        output.narrate(
            f"Holding the tunnel to {instance.label}. Ctrl-C closes it; the server goes on there."
        )
        bench.inventory.start()
        await bench.tunnels.wait(opening.tunnel)
    return 0


def _print(opening: OpenJupyter, words: argparse.Namespace) -> None:
    if not words.json:
        output.line(opening.url)
        return
    server = opening.server
    output.document(
        {
            "url": opening.url,
            "local_port": opening.local_port,
            "remote_port": server.port,
            "started": opening.started,
            "folder": server.root_dir,
            "environment": server.environment or None,
            "password": opening.password,
            "tunnel": opening.tunnel,
        }
    )
    output.flush()


def _tell_step(step: str) -> None:
    """A step on a line of its own; what pip prints goes by on one line."""
    if step.startswith(f"{INSTALLING}: "):
        output.passing(f"  {step.removeprefix(f'{INSTALLING}: ')}")
    else:
        output.narrate(f"{step} …")


async def _environments(bench: Workbench, instance: Instance, words: argparse.Namespace) -> int:
    found = await bench.jupyter.environments(instance)
    if words.json:
        output.document(
            {
                "environments": [
                    {
                        "name": each.name,
                        "path": each.path,
                        "kind": each.kind.value,
                        "python": each.python or None,
                        "jupyter": each.has.value if each.ready else None,
                        "pip": each.has.name != "NOTHING",
                    }
                    for each in found
                ]
            }
        )
    elif found:
        output.table(
            ("ENV", "KIND", "PYTHON", "JUPYTER", "PATH"),
            [(e.name, e.kind.value, e.python or "-", e.has.value, e.path) for e in found],
        )
    else:
        output.narrate(f"No Python environment was found on {instance.label}.")
    return 0
