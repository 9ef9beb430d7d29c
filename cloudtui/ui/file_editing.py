"""A file in the user's editor: fetched, edited in the whole terminal, written back whole."""

from __future__ import annotations

import asyncio
import os
import posixpath
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import SuspendNotSupported

from cloudtui.core.browsing import EDITED, Browsing
from cloudtui.core.copies import HERE
from cloudtui.core.file_system import explained
from cloudtui.model.copy import legible
from cloudtui.model.errors import CloudtuiError, NotFound, Refused

if TYPE_CHECKING:
    from cloudtui.ui.app import CloudtuiApp

USUAL = ("nano", "vim", "vi")
NAME_ONE = "Name one: export EDITOR=nano"


def editor() -> list[str]:
    """The user's editor.

    Raises:
        NotFound: none is named, and none of the usual ones is here.
    """
    named = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ""
    try:
        words = shlex.split(named) or [next(filter(shutil.which, USUAL), "")]
    except ValueError as error:
        raise NotFound(f"The editor {named} is not here: {error}.", hint=NAME_ONE) from error
    if not words[0] or not shutil.which(words[0]):
        raise NotFound(
            f"The editor {words[0]} is not here." if words[0] else "No editor is here.",
            hint=NAME_ONE,
        )
    return words


async def edited(app: CloudtuiApp, browsing: Browsing, path: str) -> str:
    """Let the user edit the file; a sentence about what came of it.

    Raises:
        CloudtuiError: it cannot be read or written back; what was typed is kept in a file then.
    """
    program, name = editor(), posixpath.basename(path)
    data, facts = await browsing.content(path, EDITED + 1)
    if len(data) > EDITED:
        raise Refused(f"{legible(name)} has more than {EDITED >> 20} MiB, which are not edited.")
    try:
        folder = Path(tempfile.mkdtemp(prefix="cloudtui-edit-"))
        kept = folder / (legible(name).replace("/", "_")[:80] or "file")
        kept.touch(0o600)
        kept.write_bytes(data)
    except OSError as error:
        raise explained(error, "folder for temporary files", HERE) from error
    try:
        status = await _run([*program, str(kept)], app)
        new = kept.read_bytes() if kept.exists() else data
        if new == data:
            shutil.rmtree(folder, ignore_errors=True)
            if status:
                raise CloudtuiError(f"{program[0]} ended with exit status {status}.")
            return f"{legible(name)} is as it was."
        await browsing.write(path, new, facts)
    except CloudtuiError as error:
        if not kept.exists():
            raise
        more = f"What you typed is in {kept}"
        raise type(error)(error.title, error.detail, f"{error.hint} {more}".strip()) from error
    shutil.rmtree(folder, ignore_errors=True)
    return f"Wrote {legible(name)} on {browsing.name}."


async def _run(command: list[str], app: CloudtuiApp) -> int:
    """The editor's exit status; it has the terminal meanwhile."""
    if app.is_headless:
        return await asyncio.to_thread(_call, command)
    app.handed_over = True
    try:
        with app.batch_update(), app.suspend():
            # No exception may leave this block: the screen would stay dead.
            status = await asyncio.shield(asyncio.to_thread(_call, command))
    except SuspendNotSupported as error:
        raise CloudtuiError("The terminal cannot be handed over.") from error
    finally:
        app.handed_over = False
    app.screen.refresh(layout=True)
    return status


def _call(command: list[str]) -> int:
    try:
        return subprocess.run(command, check=False).returncode
    except OSError:
        return 127
