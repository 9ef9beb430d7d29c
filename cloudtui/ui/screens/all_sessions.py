"""The sessions of every running machine in one list."""

from __future__ import annotations

from cloudtui.core.all_sessions import AllSessions, HostSessions
from cloudtui.core.events import Event, InventoryChanged, SessionsChanged
from cloudtui.model.instance import Instance
from cloudtui.model.session import Session
from cloudtui.model.words import plural
from cloudtui.ui.actions import Action, Where
from cloudtui.ui.screens.area import bindings
from cloudtui.ui.screens.hosts_area import HostsArea
from cloudtui.ui.screens.session_area import SessionArea
from cloudtui.ui.widgets.face import Face

REFRESH_SECONDS = 5.0
"""How often the hosts with an open connection are asked while the list is in front."""


class AllSessionsScreen(SessionArea, HostsArea):
    """See `HostsArea` for which hosts are asked by themselves."""

    WHERE = Where.ALL_SESSIONS
    BINDINGS = bindings(Where.ALL_SESSIONS)
    HOSTS = True

    def __init__(self) -> None:
        super().__init__()
        self._hosts: tuple[HostSessions, ...] = ()

    def on_mount(self) -> None:
        super().on_mount()
        self.set_interval(REFRESH_SECONDS, self._refresh_in_front)
        self.paint()

    @property
    def asked(self) -> AllSessions:
        return self.workbench.all_sessions

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
        self.table.show_hosts(self._hosts, query, filling=self.fills())
        self.paint_rows()
        self.tell_trouble()
        self.show_preview()
        self.refresh_footer()

    def paint_face(self, face: Face) -> None:
        if self._hosts:
            count = sum(len(host.sessions) for host in self._hosts)
            without = f"{plural(count, 'session')} without it."
            face.say("No session matches the filter.", without, [("Esc", "clear the filter")])
        else:
            self.paint_no_hosts(face, "The tmux and screen sessions")

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

    def open_all_sessions(self) -> None:
        """It is open."""
