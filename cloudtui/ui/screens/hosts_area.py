"""What the lists over every running machine have in common: which of them are asked, and when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from textual import work
from textual.widgets import Static

from cloudtui.core.running_hosts import Told
from cloudtui.model.words import plural
from cloudtui.ui.screens.list_area import ListArea
from cloudtui.ui.widgets.face import Face

LOST_SECONDS = 5.0
"""How often hosts whose connection was lost are tried again while the list is in front."""


class Host(Protocol):
    """A running machine and what is known of it."""

    @property
    def connected(self) -> bool: ...

    @property
    def state(self) -> Told: ...

    @property
    def lost(self) -> bool: ...


class Hosts(Protocol):
    """The room of core that asks them."""

    @property
    def hosts(self) -> Sequence[Host]: ...

    async def refresh(self, *, ask: bool = False) -> None: ...

    async def reach_again(self) -> None: ...


class HostsArea(ListArea):
    """Only hosts that have an open connection, or had one, are asked by themselves; `A` asks the
    others too."""

    _hosts: Sequence[Host]

    def __init__(self) -> None:
        super().__init__()
        self._asking = False
        """All hosts are being asked, questions to the user included."""
        self._reaching = False
        """Hosts that were lost are being connected to."""
        self._answered = 0
        """How many hosts had answered when the list was painted last."""

    def on_mount(self) -> None:
        super().on_mount()
        self.set_interval(LOST_SECONDS, self._reach_in_front)

    @property
    def asked(self) -> Hosts:
        """Where the hosts are asked."""
        raise NotImplementedError

    def refresh_now(self) -> None:
        """Ask the hosts that have a connection."""
        if not any(host.connected for host in self._hosts) and self._hosts:
            self.cloudtui.say("No host has an open connection. A connects to all of them.")
        self._refresh_in_front()

    def _refresh_in_front(self) -> None:
        if self.app.screen is self and not self._asking:
            self._refresh()

    @work(exclusive=True, group="list")
    async def _refresh(self) -> None:
        await self.refresh_connected()

    async def refresh_connected(self) -> None:
        """Ask the hosts that have a connection, and nothing of the user."""
        await self.asked.refresh()

    def _reach_in_front(self) -> None:
        lost = any(host.lost and not host.state.loading for host in self.asked.hosts)
        if self.app.screen is self and lost and not self._asking and not self._reaching:
            self._reaching = True
            self._reach_again()

    @work(group="lost")
    async def _reach_again(self) -> None:
        try:
            await self.asked.reach_again()
        finally:
            self._reaching = False

    def ask_all(self) -> None:
        self._asking = True
        self._ask()
        self.paint()

    @work(exclusive=True, group="ask")
    async def _ask(self) -> None:
        try:
            await self.asked.refresh(ask=True)
        finally:
            self._asking = False
            if self in self.app.screen_stack:  # it was not left meanwhile
                self.paint()

    def back(self) -> None:
        """Esc: stop asking, clear the filter, or else go back."""
        if self._asking:
            self.workers.cancel_group(self, "ask")
        else:
            super().back()

    def on_screen_resume(self) -> None:
        if self.is_mounted:
            self.paint()
            self._refresh_in_front()

    # Painting

    def fills(self) -> bool:
        """Whether hosts answer for the first time, one after the other, and the cursor rests where
        it was at first. Ask once for each painting."""
        before = self._answered
        self._answered = sum(host.state.updated is not None for host in self._hosts)
        return self._answered > before and not self.table.chosen

    def paint_rows(self) -> None:
        """The rows that the table has now, or why there are none."""
        face, rows = self.query_one(Face), bool(self.table.row_count)
        face.display, self.table.display = not rows, rows
        if rows and self.focused is None:
            self.table.focus()
        if not rows:
            self.paint_face(face)

    def paint_face(self, face: Face) -> None:
        """Why there are no rows."""
        raise NotImplementedError

    def paint_no_hosts(self, face: Face, what: str) -> None:
        """No machine runs, or none is known to; `what` the list is of, such as `The runs`."""
        state = self.workbench.inventory.state
        if state.loading and state.updated is None:
            face.work("Listing the instances …")
        elif state.errors:
            _, error = state.errors[0]
            face.fail(error, [("Ctrl-r", "try again now"), ("1", "go to the machines")])
        else:
            listed = f"{what} of every running machine are listed here."
            face.say("No machine runs.", listed, [("1", "go to the machines")])

    def tell_trouble(self, *more: str) -> None:
        """How many hosts were not asked, failed or were lost, and more, above the rows."""
        lost = sum(host.lost for host in self._hosts)
        failed = sum(bool(host.state.error) and not host.lost for host in self._hosts)
        unasked = sum(
            not (host.state.updated or host.state.error or host.state.loading)
            for host in self._hosts
        )
        parts: list[str] = []
        if self._asking:
            parts.append("Asking every host …   Esc stops.")
        elif unasked:
            them = "it" if unasked == 1 else "them"
            parts.append(f"{plural(unasked, 'host')} not asked yet: A connects to {them}.")
        if failed:
            parts.append(f"{plural(failed, 'host')} failed; A tries again.")
        if lost and not self._asking:
            what = f"{plural(lost, 'host')} lost, told as last seen"
            parts.append(f"{what}; tried again by itself, A at once.")
        parts += more
        line = self.query_one("#trouble", Static)
        line.display = bool(parts and self._hosts)
        line.update("   ".join(parts))
