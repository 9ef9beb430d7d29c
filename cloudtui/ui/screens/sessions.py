"""The sessions of one machine: tmux and GNU screen in one list."""

from __future__ import annotations

from textual import work
from textual.widgets import Static

from cloudtui.core.events import Event, SessionsChanged, SessionsState
from cloudtui.model.instance import Instance
from cloudtui.model.session import Session, session_matches
from cloudtui.model.words import plural
from cloudtui.ui.actions import Where
from cloudtui.ui.screens.area import bindings
from cloudtui.ui.screens.session_area import NEITHER, SessionArea
from cloudtui.ui.widgets.face import Face
from cloudtui.ui.widgets.frame import Header

REFRESH_SECONDS = 5.0
"""How often the host is asked again while the list is in front."""


class SessionsScreen(SessionArea):
    """The list with its four faces; Enter attaches, `n` makes a new session."""

    WHERE = Where.SESSIONS
    BINDINGS = bindings(Where.SESSIONS)

    def __init__(self, instance: Instance) -> None:
        super().__init__()
        self._instance = instance
        self._state = SessionsState(instance.id)

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one(Header).machine = self._instance.spoken
        self._state = self.workbench.sessions.state(self._instance.id)
        self.set_interval(REFRESH_SECONDS, self._refresh_in_front)
        self.paint()
        self.refresh_now()

    @property
    def instance(self) -> Instance:
        """The machine as it is now, or as it was when it vanished from the listing."""
        known = self.workbench.inventory.state.instances
        return next((i for i in known if i.id == self._instance.id), self._instance)

    @property
    def session(self) -> Session | None:
        """The session under the cursor."""
        listing, key = self._state.listing, self.table.key
        return next((s for s in listing.sessions if s.key == key), None) if listing else None

    @property
    def _without_programs(self) -> bool:
        return self._state.listing is not None and not self._state.listing.programs

    def show(self, event: Event) -> None:
        super().show(event)
        if isinstance(event, SessionsChanged) and event.state.instance_id == self._instance.id:
            self._state = event.state
            self.paint()

    def paint(self) -> None:
        state, face = self._state, self.query_one(Face)
        every, query = state.listing.sessions if state.listing else (), self.query_text
        sessions = [s for s in every if session_matches(s, self.instance.spoken, query)]
        self.table.show_sessions(sessions, stale=state.error is not None)
        face.display, self.table.display = not sessions, bool(sessions)
        if sessions and self.focused is None:
            self.table.focus()
        if every and not sessions:
            count = f"{plural(len(every), 'session')} without it."
            face.say("No session matches the filter.", count, [("Esc", "clear the filter")])
        elif not sessions:
            self._paint_face(face, state)
        trouble = self.query_one("#trouble", Static)
        trouble.display = bool(sessions and state.error)
        if state.error:
            trouble.update(f"× {state.error.title} Dimmed rows are old. Ctrl-r tries again.")
        self.show_preview()
        self.refresh_footer()

    def _paint_face(self, face: Face, state: SessionsState) -> None:
        label = self.instance.label
        if state.error and not state.loading:
            face.fail(state.error, [("Ctrl-r", "try again now"), ("Esc", "go back")])
        elif state.listing is None:
            face.work(f"Asking {label} for its sessions …   Esc stops")
        elif self._without_programs:
            face.say(
                f"{NEITHER} on {label}.",
                "A session keeps a run going after the connection ends; it needs one of the two.",
                [
                    ("s", "open a plain shell, for instance to install one"),
                    ("sudo apt install tmux", "on Debian and Ubuntu, typed in that shell"),
                    ("sudo dnf install tmux", "on Amazon Linux and Fedora"),
                    ("Ctrl-r", "look again"),
                ],
            )
        else:
            programs = " and ".join(p.value for p in state.listing.programs)
            face.say(
                f"No session runs on {label}.",
                f"A session keeps a run going after the connection ends. Installed: {programs}.",
                [("n", "make a new session"), ("s", "open a plain shell")],
            )

    def open_sessions(self) -> None:
        """It is open."""

    def refresh_now(self) -> None:
        self._list(ask=True)

    def _refresh_in_front(self) -> None:
        mine = (w for w in self.workers if w.node is self and w.group == "list")
        looks = any(not worker.is_finished for worker in mine)
        if self.is_current and not looks and not self.why_unreachable:
            self._list(ask=False)

    @property
    def why_unreachable(self) -> str:
        return self.workbench.why_not("sessions", self.instance)

    @work(exclusive=True, group="list")
    async def _list(self, *, ask: bool) -> None:
        await self.workbench.sessions.list(self.instance, ask=ask)

    def on_screen_resume(self) -> None:
        if self.is_mounted:
            self._refresh_in_front()
            self.look()
