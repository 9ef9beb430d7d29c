"""Opening a page in the user's browser without the token in any process's arguments."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import webbrowser

ONCE_SECONDS = 120.0
"""How long the one-time address waits for the browser."""


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
    if not await asyncio.to_thread(webbrowser.open, address):
        await door.close()
        return None
    return asyncio.create_task(_wait(door), name="browser doorway")


async def _wait(door: Doorway) -> None:
    try:
        async with asyncio.timeout(ONCE_SECONDS):
            await door.used.wait()
    except TimeoutError:
        return
    finally:
        await door.close()
