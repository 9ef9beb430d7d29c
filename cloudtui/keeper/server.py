"""The keeper of tunnels: listens on its owner's socket, and does what fronts say there."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudtui import __version__
from cloudtui.core.connections import Connections
from cloudtui.core.events import Event, Events, Noted, TunnelsChanged
from cloudtui.core.first_contact import FirstContact
from cloudtui.core.known_machines import KnownMachines
from cloudtui.core.lookups import look_up_aside
from cloudtui.core.passphrases import Passphrases
from cloudtui.core.tasks import keep
from cloudtui.core.tunnels import Tunnels
from cloudtui.files import installed, keeper_socket, wanted_tunnels
from cloudtui.files.crash import write_report
from cloudtui.files.settings import Settings
from cloudtui.files.settings import load as load_settings
from cloudtui.files.wanted_tunnels import Wanted
from cloudtui.model import keeper_words as words
from cloudtui.model.errors import CloudtuiError, Refused, UsageError
from cloudtui.model.keeper_words import Malformed, Question
from cloudtui.model.remote import HostKey
from cloudtui.model.tunnel import Direction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloudtui.aws.clients import Amazon

IDLE_SECONDS = 10.0
"""With nothing wanted and nobody connected it ends after so long."""
LOOK_SECONDS = 1.0
NOTES_KEPT = 50


class Front:
    """One console or command on the other end of the socket."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.answers_questions = False
        self.told = False
        self.watching = ExitStack()
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}

    def say(self, message: dict[str, Any]) -> None:
        if not self._writer.is_closing():
            self._writer.write(words.line(message))

    async def ask(self, question: Question, **about: Any) -> Any:
        """The front's answer; None when it left without one."""
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        self.say({"ask": number, "question": question.value, **about})
        try:
            return await answer
        finally:
            del self._waiting[number]
            self.say({"asked": number})

    def answered(self, message: dict[str, Any]) -> None:
        waiting = self._waiting.get(message.get("answer", 0))
        if waiting and not waiting.done():
            waiting.set_result(message.get("value"))

    def left(self) -> None:
        self.watching.close()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_result(None)


class FrontPrompts:
    """Passes the questions of connections to the front that came last; nobody there is a no."""

    def __init__(self, fronts: Sequence[Front]) -> None:
        self._fronts = fronts

    async def trust_host_key(self, key: HostKey) -> bool:
        about = {name: getattr(key, name) for name in HostKey.__dataclass_fields__}
        about = {k: v for k, v in about.items() if isinstance(v, (str, int))}
        return await self._ask(Question.HOST_KEY, key=about) is True

    async def passphrase(self, key_file: Path, again: bool) -> str | None:
        answer = await self._ask(Question.PASSPHRASE, file=str(key_file), again=again)
        return answer if isinstance(answer, str) else None

    async def answers(self, title: str, prompts: tuple[tuple[str, bool], ...]) -> list[str] | None:
        answer = await self._ask(Question.ANSWERS, title=title, prompts=[list(p) for p in prompts])
        if isinstance(answer, list) and all(isinstance(a, str) for a in answer):
            return answer
        return None

    async def _ask(self, question: Question, **about: Any) -> Any:
        for front in reversed(self._fronts):
            if front.answers_questions:
                return await front.ask(question, **about)
        return None


class Keeper:
    """`async with Keeper(...)` holds the tunnels; `serve` answers one front."""

    def __init__(self, settings: Settings) -> None:
        self.fronts: list[Front] = []
        self._events = Events()
        self._events.listen(self._heard)
        self._notes: list[dict[str, str]] = []
        self.machines = KnownMachines(_amazon, self._events)
        self.connections = Connections(
            settings,
            self.machines,
            FirstContact(self.machines, Passphrases(FrontPrompts(self.fronts))),
        )
        self.tunnels = Tunnels(self.machines, self.connections, self._events)
        self._wanted: dict[str, Wanted] = {}
        self.stopping = asyncio.Event()
        self._verbs: dict[str, Callable[[Front, dict[str, Any]], Awaitable[Any]]] = {
            "hello": self._hello,
            "open": self._open,
            "close": self._close,
            "look": self._look,
            "retry": self._retry,
            "machines": self._told,
            "watch": self._watch,
            "stop": self._stop,
        }

    async def __aenter__(self) -> Keeper:
        look_up_aside(asyncio.get_running_loop())
        self.machines.start(lambda: {w.instance.id for w in self._wanted.values()})
        for each in wanted_tunnels.load():
            self.machines.told((each.instance,))
            try:
                state = await self.tunnels.restore(each.instance, each.spec, label=each.label)
            except CloudtuiError as error:
                self._note(f"The tunnel {each.spec} to {each.instance.spoken}: {error.title}")
                continue
            self._wanted[state.key] = each
        if self._wanted:
            self.machines.refresh()
        return self

    async def __aexit__(self, *_: object) -> None:
        for room in (self.tunnels, self.connections, self.machines):
            await room.close()

    @property
    def idle(self) -> bool:
        return not self.fronts and not self.tunnels.states

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Talk to one front until it leaves."""
        if _peer(writer) != os.getuid():
            writer.close()
            return
        front = Front(writer)
        self.fronts.append(front)
        doing: set[asyncio.Task[None]] = set()
        try:
            while data := await reader.readline():
                message = words.read(data)
                if "answer" in message:
                    front.answered(message)
                    continue
                task = keep(self._do(front, message), f"front asks {message.get('do')}")
                doing.add(task)
                task.add_done_callback(doing.discard)
        except (Malformed, ValueError, ConnectionError):
            front.say({"bye": "That was not understood."})
        except asyncio.CancelledError:
            pass  # at the keeper's end; asyncio's streams would tell it as a fault
        finally:
            self.fronts.remove(front)
            front.left()
            for task in doing:
                task.cancel()
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _do(self, front: Front, message: dict[str, Any]) -> None:
        number = message.get("id", 0)
        verb = self._verbs.get(str(message.get("do")))
        try:
            if verb is None:
                raise UsageError(f"The keeper does not know {message.get('do')!r}.")
            answer = await verb(front, message)
        except Malformed as error:
            front.say({"id": number, "error": words.error_words(UsageError(str(error)))})
        except CloudtuiError as error:
            front.say({"id": number, "error": words.error_words(error)})
        else:
            front.say({"id": number, "ok": answer})

    # What fronts say

    async def _hello(self, front: Front, message: dict[str, Any]) -> Any:
        """A front of another version may only ask it to stop."""
        front.answers_questions = message.get("prompts") is True
        front.told = message.get("version") == __version__
        return {
            "version": __version__,
            "pid": os.getpid(),
            "tunnels": self._states() if front.told else len(self.tunnels.states),
            "notes": self._notes,
        }

    async def _open(self, _: Front, message: dict[str, Any]) -> Any:
        machine = words.read_machine(message.get("machine"))
        spec = words.read_spec(message.get("tunnel"))
        label = str(message.get("label", ""))
        self.machines.told((machine,))
        state = await self.tunnels.open(
            machine, spec, label=label, search=message.get("search") is True
        )
        taken = spec
        if spec.direction is not Direction.REMOTE:
            taken = replace(spec, listen_port=state.local_port)
        self._wanted.setdefault(state.key, Wanted(machine, taken, state.label))
        await self._remember()
        return words.state_words(state)

    async def _close(self, _: Front, message: dict[str, Any]) -> Any:
        key = message.get("key")
        keys = [t.key for t in self.tunnels.states] if key is None else [str(key)]
        for each in keys:
            self._wanted.pop(each, None)
            await self.tunnels.close_one(each)
        await self._remember()
        return keys

    async def _look(self, _: Front, __: dict[str, Any]) -> Any:
        await self.tunnels.look()
        return self._states()

    async def _retry(self, _: Front, message: dict[str, Any]) -> Any:
        await self.tunnels.retry(str(message.get("key")))

    async def _told(self, _: Front, message: dict[str, Any]) -> Any:
        listed = message.get("machines")
        self.machines.told([words.read_machine(m) for m in listed or ()])

    async def _watch(self, front: Front, message: dict[str, Any]) -> Any:
        front.watching.close()
        if message.get("on") is True:
            front.watching.enter_context(self.tunnels.watched())

    async def _stop(self, _: Front, __: dict[str, Any]) -> Any:
        self.stopping.set()

    async def _remember(self) -> None:
        try:
            await asyncio.to_thread(wanted_tunnels.save, tuple(self._wanted.values()))
        except OSError as error:
            raise Refused(
                f"The tunnel is open, but is not remembered for the next start: {error}",
                hint=f"Make room, or look at {wanted_tunnels.wanted_file()}.",
            ) from error

    # What fronts are told

    def _states(self) -> list[dict[str, Any]]:
        return [words.state_words(t) for t in self.tunnels.states]

    def _heard(self, event: Event) -> None:
        if isinstance(event, TunnelsChanged):
            self._tell({"tunnels": [words.state_words(t) for t in event.tunnels]})
        elif isinstance(event, Noted):
            note = event.note
            self._note(note.text, note.severity.value, note.detail, note.about)

    def _note(
        self, text: str, severity: str = "warning", detail: str = "", about: str = ""
    ) -> None:
        note = {"text": text, "severity": severity, "detail": detail, "about": about}
        self._notes = [*self._notes, note][-NOTES_KEPT:]
        self._tell({"note": note})

    def _tell(self, message: dict[str, Any]) -> None:
        for front in self.fronts:
            if front.told:
                front.say(message)


async def serve() -> bool:
    """Keep tunnels until nothing is wanted or somebody ends it; False when another one does."""
    path = keeper_socket.socket_path()
    held = keeper_socket.lock(path)
    if held is None:
        return False
    async with AsyncExitStack() as stack:
        stack.callback(held.close)
        stack.callback(keeper_socket.leave, path)
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_report)
        keeper = await stack.enter_async_context(Keeper(load_settings()))
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, keeper.stopping.set)
        path.unlink(missing_ok=True)
        with _only_owner():
            server = await asyncio.start_unix_server(
                keeper.serve, path=str(path), limit=words.LONGEST
            )
        mine = _inode(path)
        try:
            await _until_done(keeper, path, mine)
        finally:
            server.close()
            if _inode(path) == mine:
                path.unlink(missing_ok=True)
    return True


async def _until_done(keeper: Keeper, path: Path, inode: int) -> None:
    """Until it is told to end, its socket is gone, or it has been idle for a while."""
    loop = asyncio.get_running_loop()
    idle_since = loop.time()
    while True:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await keeper.stopping.wait()
                return
        if not keeper.idle:
            idle_since = loop.time()
        elif loop.time() - idle_since > IDLE_SECONDS:
            return
        if await asyncio.to_thread(_inode, path) != inode:
            return


def _inode(path: Path) -> int:
    """0 when it is gone."""
    try:
        return path.stat().st_ino
    except OSError:
        return 0


@contextlib.contextmanager
def _only_owner() -> Iterator[None]:
    before = os.umask(0o177)
    try:
        yield
    finally:
        os.umask(before)


def _peer(writer: asyncio.StreamWriter) -> int:
    """The user on the other end; ours where the system does not tell, for the folder is closed."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return os.getuid()
    sock: socket.socket = writer.get_extra_info("socket")
    _, user, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, option, 12))
    return int(user)


def _amazon(profile: str, regions: Sequence[str]) -> Amazon:
    from cloudtui.aws.clients import Amazon

    return Amazon(profile, regions)


def _report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A bug ends the keeper with a report, an update without one; the next front begins another
    and restores."""
    error = context.get("exception")
    if isinstance(error, BaseException):
        if not installed.replaced():
            write_report(error)
        os.kill(os.getpid(), signal.SIGTERM)
