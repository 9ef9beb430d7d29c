"""The sessions of every running machine in one list."""

from __future__ import annotations

from textual import work
from textual.widgets import Static

from cloudtui.core.all_sessions import HostSessions
from cloudtui.core.events import Event, InventoryChanged, SessionsChanged
from cloudtui.model.instance import Instance
from cloudtui.model.session import Session
from cloudtui.model.words import plural
from cloudtui.ui.actions import Action, Where
from cloudtui.ui.screens.area import bindings
from cloudtui.ui.screens.session_area import SessionArea
from cloudtui.ui.widgets.face import Face

REFRESH_SECONDS = 5.0
"""How often the hosts with an open connection are asked while the list is in front."""


class AllSessionsScreen(SessionArea):
    """Only hosts with an open connection are asked by themselves; `A` asks the others too."""

    WHERE = Where.ALL_SESSIONS
    BINDINGS = bindings(Where.ALL_SESSIONS)
    HOSTS = True

    def __init__(self) -> None:
        super().__init__()
        self._hosts: tuple[HostSessions, ...] = ()
        self._asking = False
        """All hosts are being asked, questions to the user included."""

    def on_mount(self) -> None:
        super().on_mount()
        self.set_interval(REFRESH_SECONDS, self._refresh_in_front)
        self.paint()

    @property
    def _place(self) -> tuple[HostSessions, Session | None] | None:
        """The host under the cursor, and its session there."""
        machine, _, key = (self.table.key or "").partition("/")
        for host in self._hosts:
            if host.instance.id == machine:
                return host, next((s for s in host.sessions if s.key == key), None)
        return None

    @property
    def instance(self) -> Instance | None:
        return self._place[0].instance if self._place else None

    @property
    def session(self) -> Session | None:
        return self._place[1] if self._place else None

    def why_not(self, action: Action) -> str:
        if action.id == "session.attach" and self.instance and self.session is None:
            return ""
        if action.id == "session.ask_all" and self._asking:
            return "They are being asked. Esc stops that."
        return super().why_not(action)

    def attach(self) -> None:
        """A host's own row opens its list, which connects."""
        if self.session is None:
            self.open_sessions()
        else:
            super().attach()

    def show(self, event: Event) -> None:
        super().show(event)
        if isinstance(event, SessionsChanged | InventoryChanged):
            self.paint()

    def paint(self) -> None:
        self._hosts, query = self.workbench.all_sessions.hosts, self.query_text
        self.table.show_hosts(self._hosts, query)
        face, rows = self.query_one(Face), bool(self.table.row_count)
        face.display, self.table.display = not rows, rows
        if rows and self.focused is None:
            self.table.focus()
        if not rows:
            self._paint_face(face)
        self._paint_trouble()
        self.show_preview()
        self.refresh_footer()

    def _paint_face(self, face: Face) -> None:
        state = self.workbench.inventory.state
        if self._hosts:
            count = sum(len(host.sessions) for host in self._hosts)
            without = f"{plural(count, 'session')} without it."
            face.say("No session matches the filter.", without, [("Esc", "clear the filter")])
        elif state.loading and state.updated is None:
            face.work("Listing the instances …")
        elif state.errors:
            _, error = state.errors[0]
            face.fail(error, [("Ctrl-r", "try again now"), ("1", "go to the machines")])
        else:
            face.say(
                "No machine runs.",
                "The tmux and screen sessions of every running machine are listed here.",
                [("1", "go to the machines")],
            )

    def _paint_trouble(self) -> None:
        line = self.query_one("#trouble", Static)
        unasked = [h for h in self._hosts if h.state.listing is None and not h.state.error]
        failed = [h for h in self._hosts if h.state.error]
        parts = []
        if self._asking:
            parts.append("Asking every host …   Esc stops.")
        elif unasked:
            them = "it" if len(unasked) == 1 else "them"
            parts.append(f"{plural(len(unasked), 'host')} not asked yet: A connects to {them}.")
        if failed:
            parts.append(f"{plural(len(failed), 'host')} failed; A tries again.")
        line.display = bool(parts and self._hosts)
        line.update("   ".join(parts))

    def about_host(self) -> str:
        place = self._place
        if place is None:
            return ""
        error, name = place[0].state.error, place[0].instance.spoken
        if error:
            return "\n".join(part for part in (error.title, error.detail, error.hint) if part)
        if place[0].state.listing is None:
            return f"Enter connects to {name} and lists its sessions; A asks every host."
        return f"Enter lists the sessions of {name}; n makes one."

    # Asking

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
        await self.workbench.all_sessions.refresh()

    def ask_all(self) -> None:
        self._asking = True
        self._ask()
        self.paint()

    @work(exclusive=True, group="ask")
    async def _ask(self) -> None:
        try:
            await self.workbench.all_sessions.refresh(ask=True)
        finally:
            self._asking = False
            if self.is_mounted:
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

    def open_all_sessions(self) -> None:
        """It is open."""
