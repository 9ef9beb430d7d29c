"""Copies for the screens: the files here are real, those of machines in folders of a test."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cloudtui.core.copies import CopyOrder
from cloudtui.core.events import CopiesChanged, Events
from cloudtui.core.file_system import FileSystem
from cloudtui.files import here
from cloudtui.model.copy import CopyPhase, CopyState
from cloudtui.model.errors import READ_ONLY, CloudtuiError, Refused
from cloudtui.model.instance import Instance


class FakeCopies:
    """Orders are kept; `show` is what core would tell."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self.homes: dict[str, Path] = {}
        """The home folder of a machine, by its name."""
        self.states: tuple[CopyState, ...] = ()
        self.orders: list[CopyOrder] = []
        self.cancelled: list[str] = []
        self.refusal: CloudtuiError | None = None
        self.read_only = False

    async def file_system(self, instance: Instance | None) -> FileSystem:
        if instance and self.refusal:
            raise self.refusal
        if instance:
            return _AtHome(instance.spoken, self.homes[instance.name])
        files = FileSystem("this computer")
        files.pipe = here.start(files)
        return files

    def why_not(self, order: CopyOrder) -> str:
        return READ_ONLY if self.read_only and order.uploads else ""

    def start(self, order: CopyOrder) -> str:
        if reason := self.why_not(order):
            raise Refused(reason)
        self.orders.append(order)
        key = str(len(self.orders))
        sources = tuple(map(str, order.sources))
        self.show(*self.states, CopyState(key, sources, str(order.target), CopyPhase.COPYING))
        return key

    async def cancel(self, key: str) -> None:
        self.cancelled.append(key)
        self.change(key, phase=CopyPhase.CANCELLED)

    def forget_ended(self) -> None:
        self.show(*(s for s in self.states if not s.ended))

    def change(self, key: str, **changes: object) -> None:
        self.show(*(replace(s, **changes) if s.key == key else s for s in self.states))  # type: ignore[arg-type]

    def show(self, *states: CopyState) -> None:
        self.states = states
        self._events.emit(CopiesChanged(states))


class _AtHome(FileSystem):
    """`~` is the folder given."""

    def __init__(self, label: str, home: Path) -> None:
        super().__init__(label)
        self.pipe = here.start(self)
        self._home = home

    async def ask_all(self, name: str, **words: object) -> tuple[object, list[object], bytes]:
        if words.get("path") == "~":
            words["path"] = str(self._home)
        return await super().ask_all(name, **words)
