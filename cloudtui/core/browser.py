"""Opening a page in the user's browser without the token in any process's arguments."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
from functools import partial

from cloudtui.core.tasks import aside

ONCE_SECONDS = 120.0
"""How long the one-time address waits for the browser."""
START_SECONDS = 10.0
"""Time a browser has to say that it cannot start."""


def why_no_browser() -> str:
    """Why no browser would open here, or an empty string."""
    if os.environ.get("BROWSER") or sys.platform == "darwin":
        return ""
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return "There is no display here (DISPLAY and BROWSER are not set)."
    return ""


class Doorway:
    """A loopback address that leads to `url` once: the secret stays out of `ps`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._path = f"/{secrets.token_urlsafe(18)}"
        self._server: asyncio.Server | None = None
        self.used = asyncio.Event()

    async def open(self) -> str:
        """Listen and return the address to hand to the browser."""
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}{self._path}"

    async def close(self) -> None:
        if self._server:
            self._server.close()
            await self._server.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(5):
                request = (await reader.readline()).decode("latin-1").split(" ")
                while (await reader.readline()).strip():
                    pass
            here = len(request) > 1 and secrets.compare_digest(request[1], self._path)
            if here and not self.used.is_set():
                self.used.set()
                status, extra = "302 Found", f"Location: {self._url}\r\n"
            else:
                status, extra = "404 Not Found", ""
            answer = (
                f"HTTP/1.1 {status}\r\n{extra}Referrer-Policy: no-referrer\r\n"
                "Cache-Control: no-store\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
            writer.write(answer.encode())
            await writer.drain()
        except (OSError, TimeoutError, ValueError):
            pass
        finally:
            writer.close()


async def browse(url: str) -> asyncio.Task[None] | None:
    """Show `url` in the user's browser; None when no browser could be started.

    The returned task keeps the one-time address until the browser came or time is up.
    """
    if why_no_browser():
        return None
    door = Doorway(url)
    address = await door.open()
    starting = asyncio.create_task(aside(partial(_start, address)))
    coming = asyncio.create_task(door.used.wait())
    try:
        # A program of BROWSER may stay as long as its window does.
        await asyncio.wait(
            (starting, coming), timeout=START_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        started = not starting.done() or starting.result()
    except asyncio.CancelledError:
        await door.close()
        raise
    finally:
        starting.cancel()
        coming.cancel()
    if not started and not door.used.is_set():
        await door.close()
        return None
    return asyncio.create_task(_wait(door), name="browser doorway")


def _start(address: str) -> bool:
    """Ask for the page in a process of its own: what a browser prints would tear the screen."""
    program = "import sys, webbrowser; sys.exit(not webbrowser.open(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", program, address],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        check=False,
    )
    return done.returncode == 0


async def _wait(door: Doorway) -> None:
    try:
        async with asyncio.timeout(ONCE_SECONDS):
            await door.used.wait()
    except TimeoutError:
        return
    finally:
        await door.close()
