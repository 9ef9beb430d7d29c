"""--sync: a folder of this computer is sent to the instance before the run starts."""

from __future__ import annotations

import argparse

from cloudtui.cli import output
from cloudtui.cli.prompts import agree
from cloudtui.core.upload import Sent
from cloudtui.core.workbench import Workbench
from cloudtui.model.instance import Instance
from cloudtui.model.upload import LARGE, largest, sync_places
from cloudtui.model.words import data_size, listed


async def sync(bench: Workbench, instance: Instance, words: argparse.Namespace) -> None:
    """Send each folder that the words name; a large one is asked about.

    Raises:
        CloudtuiError: it was not sent, and nothing there was changed.
    """
    for text in words.sync:
        local, remote = sync_places(text)
        plan = await bench.uploads.plan(instance, local, remote, overwrite=words.overwrite)
        output.narrate(f"{plan.words}." if not plan.files else f"Sending {plan.words}.")
        if plan.newer:
            output.narrate(
                f"  Changed there, and left so: {listed(plan.newer)}. "
                "To send yours over them: --overwrite"
            )
        if plan.size > LARGE:
            for name, size in largest(plan.files):
                output.narrate(f"  {data_size(size)}  {name}")
            output.narrate("  A .cloudtuiignore, written like a .gitignore, leaves things out.")
            await agree(
                f"Send {data_size(plan.size)} to {instance.label}?",
                "Nothing was sent, and the run was not started",
                f"cloudtui run {instance.spoken} --sync {text} ...",
                yes=getattr(words, "yes", False),
            )

        def tell(sent: Sent) -> None:
            output.passing(f"  {sent.words}")

        await bench.uploads.send(plan, tell)
