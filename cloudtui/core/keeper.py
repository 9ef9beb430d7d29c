"""The way to the keeper of tunnels: found or begun, spoken to, begun again when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudtui
from cloudtui import __version__
from cloudtui.core.tasks import cancel, keep
from cloudtui.files import keeper_socket
from cloudtui.model import keeper_words as words
from cloudtui.model.errors import CloudtuiError, Refused

START_SECONDS = 20.0
ALREADY = 75
"""The exit status of a keeper that found another one."""
OnMessage = Callable[[dict[str, Any]], None]


class Keeper:
    """A conversation with the one keeper process of this user.

    `on_message` gets what it tells by itself; `on_lost` is called when it has gone.
    """

    def __init__(self, on_message: OnMessage, on_lost: Callable[[], None]) -> None:
        self._on_message = on_message
        self._on_lost = on_lost
        self._writer: asyncio.StreamWriter | None = None
        self._reader: asyncio.Task[None] | None = None
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._closing = False

    @property
    def connected(self) -> bool:
        return self._writer is not None

    async def connect(self, *, start: bool, prompts: bool) -> dict[str, Any] | None:
        """Its greeting; None when none runs and `start` is False.

        Raises:
            Refused: it is of another version of cloudtui; only `stop` is understood.
            CloudtuiError: it cannot be begun.
        """
        path = keeper_socket.socket_path()
        opened = await _open(path)
        if opened is None:
            if not start:
                return None
            opened = await _begun(path)
        reader, self._writer = opened
        self._reader = keep(self._read(reader), "keeper")
        greeting = await self.ask("hello", version=__version__, prompts=prompts)
        if greeting["version"] != __version__:
            kept = greeting["tunnels"]
            raise Refused(
                f"The keeper of tunnels that runs is cloudtui {greeting['version']}, "
                f"and this is {__version__}.",
                f"It keeps {kept} {'tunnel' if kept == 1 else 'tunnels'} open.",
                "End it, which closes them: cloudtui tunnel stop --all",
            )
        assert isinstance(greeting, dict)
        return greeting

    async def ask(self, verb: str, **about: Any) -> Any:
        """Its answer.

        Raises:
            CloudtuiError: what it refused, or that it has gone.
        """
        if self._writer is None:
            raise _gone()
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        self.say({"id": number, "do": verb, **about})
        try:
            return await answer
        finally:
            self._waiting.pop(number, None)

    def say(self, message: dict[str, Any]) -> None:
        if self._writer and not self._writer.is_closing():
            self._writer.write(words.line(message))

    async def close(self) -> None:
        self._closing = True
        writer, self._writer = self._writer, None
        if writer:
            writer.close()
        await cancel(self._reader)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while data := await reader.readline():
                self._take(words.read(data))
        except (OSError, ValueError):
            pass
        finally:
            writer, self._writer = self._writer, None
            if writer:
                writer.close()
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(_gone())
        if not self._closing:
            self._on_lost()

    def _take(self, message: dict[str, Any]) -> None:
        waiting = self._waiting.get(message.get("id", 0))
        if waiting is None:
            self._on_message(message)
        elif not waiting.done():
            error = words.read_error(message.get("error"))
            if error:
                waiting.set_exception(error)
            else:
                waiting.set_result(message.get("ok"))


def _gone() -> CloudtuiError:
    return CloudtuiError(
        "The keeper of tunnels has ended.", hint="Try again: it is begun anew, with its tunnels."
    )


async def _open(path: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
    try:
        return await asyncio.open_unix_connection(str(path), limit=words.LONGEST)
    except OSError:
        return None


async def _begun(path: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Begin a keeper, which outlives this process, and wait until it listens."""
    package = str(Path(cloudtui.__file__).parent.parent)
    search = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    with tempfile.TemporaryFile() as errors:

        def begin() -> subprocess.Popen[bytes]:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "cloudtui.keeper"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
                cwd="/",
                env={**os.environ, "PYTHONPATH": os.pathsep.join(search)},
            )
            threading.Thread(target=process.wait, name="keeper's end", daemon=True).start()
            return process

        process = await asyncio.to_thread(begin)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_SECONDS):
                while True:
                    ended = process.poll()
                    opened = await _open(path)
                    if opened:
                        return opened
                    if ended == ALREADY:  # another one begins to listen, or has just left
                        process = await asyncio.to_thread(begin)
                    elif ended is not None:
                        break
                    await asyncio.sleep(0.02)
        errors.seek(0)
        last = errors.read().decode(errors="replace").strip().splitlines()
    raise CloudtuiError(
        "The keeper of tunnels did not start.",
        last[-1] if last else f"Nothing listened on {path} within {START_SECONDS:g} s.",
        f"Look at {path.parent}, and try it by hand: {sys.executable} -m cloudtui.keeper",
    )
