"""Tunnels that a process of their own keeps: they go on when the console is left, or crashes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cloudtui.core.events import (
    Event,
    Events,
    InventoryChanged,
    Note,
    Noted,
    Severity,
    TunnelsChanged,
)
from cloudtui.core.keeper import Keeper
from cloudtui.core.tasks import cancel, keep
from cloudtui.core.tunnel_kept import may_open
from cloudtui.files import wanted_tunnels
from cloudtui.model import keeper_words as words
from cloudtui.model.errors import CloudtuiError, NotFound
from cloudtui.model.instance import Instance
from cloudtui.model.keeper_words import Question
from cloudtui.model.remote import HostKey, Prompts
from cloudtui.model.tunnel import TunnelPhase, TunnelSpec, TunnelState


class KeptTunnels:
    """As `core.tunnels.Tunnels`, with the work done in the keeper."""

    def __init__(self, events: Events, prompts: Prompts, *, read_only: bool = False) -> None:
        self._read_only = read_only
        self._events = events
        self._prompts = prompts
        self._keeper: Keeper | None = None
        self._lock = asyncio.Lock()
        self._states: dict[str, TunnelState] = {}
        self._changes = asyncio.Condition()
        self._questions: dict[int, asyncio.Task[None]] = {}
        self._again: asyncio.Task[None] | None = None
        self._told: dict[str, Instance] = {}
        self._mine: set[str] = set()
        self._watchers = 0
        self._saying: set[asyncio.Task[None]] = set()
        self._unlisten = events.listen(self._heard)

    @property
    def states(self) -> tuple[TunnelState, ...]:
        """The tunnels as the keeper told them last, by the port listened on."""
        return tuple(self._states.values())

    async def resume(self) -> None:
        """Meet the keeper if one runs; begin it if tunnels of an earlier run are wanted.

        Raises:
            CloudtuiError: it cannot be begun, or is of another version.
        """
        wanted = await asyncio.to_thread(wanted_tunnels.load)
        await self._met(start=bool(wanted))

    async def meet(self) -> bool:
        """Whether a keeper runs; `states` are its tunnels then.

        Raises:
            Refused: it is of another version.
        """
        return await self._met(start=False) is not None

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """While somebody looks at them: round trips are measured, a dead line is seen sooner."""
        self._watchers += 1
        self._say_watching()
        try:
            yield
        finally:
            self._watchers -= 1
            self._say_watching()

    async def open(
        self, instance: Instance, spec: TunnelSpec, *, label: str = "", search: bool = False
    ) -> TunnelState:
        """As `Tunnels.open`; it stays open until it is closed."""
        may_open(spec, read_only=self._read_only)
        keeper = await self._met(start=True)
        assert keeper
        before = set(self._states)
        answer = await keeper.ask(
            "open",
            machine=words.machine_words(instance),
            tunnel=words.spec_words(spec),
            label=label,
            search=search,
        )
        state = words.read_state(answer)
        if state.key not in before:
            self._mine.add(state.key)
        self._told[instance.id] = instance
        if state.key not in self._states:
            self._take((*self.states, state))
        return state

    async def look(self) -> None:
        """As `Tunnels.look`; `states` are as of then."""
        keeper = await self._met(start=False)
        if keeper and self._states:
            self._take(tuple(words.read_state(t) for t in await keeper.ask("look")))

    async def retry(self, key: str) -> None:
        """As `Tunnels.retry`."""
        if keeper := await self._met(start=False):
            await keeper.ask("retry", key=key)

    async def settled(self, key: str) -> TunnelState:
        """The tunnel once an attempt to connect it has ended, however it did.

        Raises:
            NotFound: it was closed meanwhile.
        """
        async with self._changes:
            while state := self._states.get(key):
                trying = state.phase is TunnelPhase.RECONNECTING and not state.retry_at
                if not trying and state.phase not in (TunnelPhase.CONNECTING, TunnelPhase.STALLED):
                    return state
                await self._changes.wait()
        raise NotFound(f"The tunnel {key} was closed meanwhile.")

    async def wait(self, key: str) -> None:
        """Returns when that tunnel was closed; raises what ended it for good."""
        async with self._changes:
            while (state := self._states.get(key)) is not None:
                if state.phase is TunnelPhase.FAILED and state.error:
                    raise state.error
                await self._changes.wait()

    async def close_one(self, key: str) -> None:
        """Give its port back; its open connections are reset."""
        if keeper := await self._met(start=False):
            await keeper.ask("close", key=key)

    @property
    def own(self) -> tuple[TunnelState, ...]:
        """Those that were opened here."""
        return tuple(t for t in self.states if t.key in self._mine)

    async def close_own(self) -> None:
        """Close those that were opened here."""
        for state in self.own:
            await self.close_one(state.key)

    async def close(self) -> None:
        """Leave; the tunnels stay open."""
        with contextlib.suppress(ValueError):  # closed before
            self._unlisten()
        await cancel(self._again)
        for task in (*self._questions.values(), *self._saying):
            await cancel(task)
        if self._keeper:
            await self._keeper.close()

    async def _met(self, *, start: bool) -> Keeper | None:
        async with self._lock:
            if self._keeper and self._keeper.connected:
                return self._keeper
            keeper = Keeper(self._message, self._lost)
            try:
                greeting = await keeper.connect(start=start, prompts=True)
            except BaseException:
                await keeper.close()
                raise
            if greeting is None:
                return None
            self._keeper = keeper
            self._take(tuple(words.read_state(t) for t in greeting["tunnels"]))
            if self._watchers:
                self._say_watching()
            self._say_machines(self._told.values())
            return keeper

    # What the keeper says

    def _message(self, message: dict[str, Any]) -> None:
        if "tunnels" in message:
            self._take(tuple(words.read_state(t) for t in message["tunnels"]))
        elif "note" in message:
            note = message["note"]
            severity = Severity(note["severity"])
            said = Note(note["text"], severity, note["detail"], about=note["about"])
            self._events.emit(Noted(said))
        elif "ask" in message:
            number = int(message["ask"])
            task = keep(self._answer(number, message), "keeper asks")
            self._questions[number] = task
            task.add_done_callback(lambda _: self._questions.pop(number, None))
        elif "asked" in message:
            question = self._questions.get(int(message["asked"]))
            if question:
                question.cancel()

    async def _answer(self, number: int, message: dict[str, Any]) -> None:
        value: Any = None
        match Question(message["question"]):
            case Question.HOST_KEY:
                value = await self._prompts.trust_host_key(HostKey(**message["key"]))
            case Question.PASSPHRASE:
                value = await self._prompts.passphrase(Path(message["file"]), message["again"])
            case Question.ANSWERS:
                prompts = tuple((str(text), bool(echo)) for text, echo in message["prompts"])
                value = await self._prompts.answers(message["title"], prompts)
        if self._keeper:
            self._keeper.say({"answer": number, "value": value})

    def _take(self, states: tuple[TunnelState, ...]) -> None:
        self._states = {t.key: t for t in states}
        self._events.emit(TunnelsChanged(states))
        self._spawn(self._wake())

    async def _wake(self) -> None:
        async with self._changes:
            self._changes.notify_all()

    def _lost(self) -> None:
        """It was killed, or has ended: what is wanted is begun again."""
        for question in self._questions.values():
            question.cancel()
        if self._states:
            self._again = keep(self._restored(), "keeper begun again")

    async def _restored(self) -> None:
        try:
            await self.resume()
        except CloudtuiError as error:
            self._take(())
            self._events.emit(Noted(Note(error.title, Severity.ERROR, str(error))))
            return
        if not (self._keeper and self._keeper.connected):
            self._take(())

    # What the keeper is told

    def _heard(self, event: Event) -> None:
        if not isinstance(event, InventoryChanged) or not self._keeper:
            return
        mine = {t.instance_id for t in self._states.values()}
        changed = [i for i in event.state.instances if i.id in mine and self._told.get(i.id) != i]
        if changed:
            self._told |= {i.id: i for i in changed}
            self._say_machines(changed)

    def _say_machines(self, instances: Any) -> None:
        if self._keeper and (machines := [words.machine_words(i) for i in instances]):
            self._keeper.say({"do": "machines", "machines": machines})

    def _say_watching(self) -> None:
        if self._keeper:
            self._keeper.say({"do": "watch", "on": self._watchers > 0})

    def _spawn(self, work: Any) -> None:
        task = keep(work, "tunnels told")
        self._saying.add(task)
        task.add_done_callback(self._saying.discard)


async def stop(*, forget: bool = False) -> bool:
    """End the keeper, whatever its version; False when none runs. With `forget` its tunnels are
    not wanted any more, otherwise the next one opens them again.

    Raises:
        CloudtuiError: it does not answer.
    """
    keeper = Keeper(lambda _: None, lambda: None)
    try:
        greeting = await keeper.connect(start=False, prompts=False)
    except CloudtuiError:
        if not keeper.connected:
            raise
        greeting = {}
    try:
        if forget:
            await asyncio.to_thread(wanted_tunnels.save, ())
        if greeting is None:
            return False
        if forget:
            await keeper.ask("close")
        await keeper.ask("stop")
        return True
    finally:
        await keeper.close()
