"""A console over the fake workbench in a process of its own: `python -m tests.ui.child FLAG`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import cast

from cloudtui.core.workbench import Workbench
from cloudtui.files.settings import Settings
from cloudtui.model.remote import Prompts
from cloudtui.ui import app
from tests.ui.fakes import FakeWorkbench, listed

FLAG = Path(sys.argv[1])


def note_closed() -> None:
    FLAG.write_text("closed")


class ClosingWorkbench(FakeWorkbench):
    """Writes a file when it is closed, and fails in an event handler when told to."""

    async def __aexit__(self, *_: object) -> None:
        note_closed()

    async def ssh_command(self, instance: object) -> str:
        secret_access_key = "wJalrXUtnFEMI/K7MDENG"
        raise RuntimeError(f"a bug of {len(secret_access_key)}")


def make(prompts: Prompts) -> Workbench:
    return cast("Workbench", ClosingWorkbench(prompts, Settings(), listed()))


if __name__ == "__main__":
    sys.exit(app.run(make, settings=Settings()))
