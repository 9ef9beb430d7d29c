"""To the person's clipboard by OSC 52, also from inside an outer tmux or screen."""

from __future__ import annotations

import asyncio
import contextlib
import os
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from textual.app import App

from cloudtui.ssh.child import begin, said
from cloudtui.ui.work import start_work

_SCREEN_CHUNK = 500
"""Bytes that GNU screen passes on in one string."""
TMUX_SECONDS = 10.0


def sequence(text: str, environment: Mapping[str, str]) -> str:
    """OSC 52 wrapped for what is around: nothing, tmux or screen."""
    plain = f"\x1b]52;c;{b64encode(text.encode('utf-8', 'replace')).decode()}\x07"
    if environment.get("TMUX"):
        return "\x1bPtmux;" + plain.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    if environment.get("STY"):
        parts = (plain[at : at + _SCREEN_CHUNK] for at in range(0, len(plain), _SCREEN_CHUNK))
        return "".join(f"\x1bP{part}\x1b\\" for part in parts)
    return ""


def copy_out(app: App[Any], text: str) -> None:
    """Put `text` on the clipboard."""
    app.copy_to_clipboard(text)


def pass_on(app: App[Any], text: str) -> None:
    """Take what the app copied past an outer tmux or screen, which keep a plain OSC 52."""
    wrapped = sequence(text, os.environ)
    driver = app._driver
    if wrapped and driver is not None:
        driver.write(wrapped)
    if os.environ.get("TMUX"):
        # A tmux that lets nothing through, which is its default, still takes it from its own.
        start_work(app, _tell_tmux, text, group="clipboard", exit_on_error=False)


async def _tell_tmux(text: str) -> None:
    with contextlib.suppress(OSError):
        process = await begin(
            *("tmux", "load-buffer", "-w", "-"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        await said(process, text.encode("utf-8", "replace"), seconds=TMUX_SECONDS)
